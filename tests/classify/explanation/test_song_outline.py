"""How a song goes, by stored windows: where its best 20 s are."""

from __future__ import annotations

import numpy as np
import pytest

from cache import WHOLE, Entry
from classify.explanation.song_outline import song_outline


def entry(frames: list[list[float]], starts_s: list[float], duration_s: float, n: int) -> Entry:
    rows = np.array(frames, np.float16)
    vector = np.concatenate([rows.mean(axis=0), rows.std(axis=0)]).astype(np.float32)
    starts = np.array(starts_s, np.float32)
    return Entry(
        digest="0" * 32,
        duration_s=duration_s,
        frames=rows,
        starts_s=starts,
        vector=vector,
        n_windows=n,
        coverage=1.0,
    )


def test_the_most_typical_stretch_is_found_and_lasts_twenty_seconds() -> None:
    intro, song = [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]
    frames = [intro] * 10 + [song] * 40
    found = song_outline([entry(frames, [3.0 * i for i in range(50)], 150.0, WHOLE)])
    assert found.by == "typical"
    assert found.best_s >= 30, "an intro is not what the song is like"
    assert found.best_end_s - found.best_s == pytest.approx(20)
    assert max(found.values) <= 1


@pytest.mark.parametrize(("at", "best_s"), [(0, 0.0), (1, 100.0), (3, 280.0)])
def test_of_a_scan_the_best_window_is_in_the_stretch(at: int, best_s: float) -> None:
    """At the end of a song it begins earlier, so as to last."""
    frames = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    frames.insert(at, [1.0, 1.0, 1.0])
    found = song_outline([entry(frames, [0.0, 100.0, 200.0, 296.0], 300.0, 4)])
    assert int(np.argmax(found.values)) == at
    assert (found.best_s, found.best_end_s) == (best_s, best_s + 20)


def test_a_song_shorter_than_the_stretch_is_played_whole() -> None:
    found = song_outline([entry([[1.0, 0.5], [0.5, 1.0]], [0.0, 3.0], 6.0, 2)])
    assert (found.best_s, found.best_end_s) == (0.0, 6.0)
