"""Silence and level do not spoil a taste: what copies of songs with either are called."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import classify
import embed
from classify.demo import is_liked
from classify.library.song_library import SongLibrary
from tests.support.audio_files import KINDS, silence, track_samples

RATE_HZ = 48_000


def write(path: Path, *parts: NDArray[np.float32]) -> Path:
    samples = np.clip(np.concatenate(parts), -1, 1)
    return KINDS["flac"].write(path, samples[np.newaxis], RATE_HZ)


class Listener:
    """Who likes seven of the demo's acoustic tracks, and has some of them in other forms."""

    def __init__(self, heard: Path, folder: Path) -> None:
        self.root, self.folder = folder / "cache", folder
        shutil.copytree(heard / "cache", self.root)
        tracks = sorted((heard / "music").iterdir())
        self.liked = [str(track) for track in tracks if is_liked(str(track))][::2][:7]
        self.others = [str(track) for track in tracks if not is_liked(str(track))]
        self.taste = self.train(self.liked)
        assert self.verdicts(self.liked) == ["like"] * 7

    def train(self, likes: list[str], name: str = "default") -> classify.Taste:
        return classify.train(likes, unlabelled=self.others, taste=name, root=self.root).taste

    def verdicts(self, paths: list[str], taste: classify.Taste | None = None) -> list[str]:
        scored = classify.score(paths, taste=taste or self.taste, root=self.root)
        return [song.verdict for song in scored]

    def verdict(self, *parts: NDArray[np.float32]) -> str:
        """Write a recording of these parts, and tell what the taste says of it."""
        (verdict,) = self.verdicts_on([parts])
        return verdict

    def verdicts_on(self, songs: Sequence[Sequence[NDArray[np.float32]]]) -> list[str]:
        """Do so with several at once."""
        paths = [
            write(self.folder / f"changed-{number}.flac", *parts)
            for number, parts in enumerate(songs)
        ]
        return self.verdicts([str(path) for path in paths])


@pytest.fixture(scope="module")
def listener(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Listener:
    return Listener(heard, tmp_path_factory.mktemp("listener"))


@pytest.mark.long
def test_a_liked_song_with_12_s_of_silence_behind_it_is_liked(listener: Listener) -> None:
    changed = [(track_samples(track), silence(12)) for track in listener.liked]
    assert listener.verdicts_on(changed) == ["like"] * 7


def test_a_liked_song_of_3_min_with_60_s_of_silence_is_liked(listener: Listener) -> None:
    song = np.concatenate([track_samples(track) for track in listener.liked[:6]])
    assert listener.verdict(song, silence(60)) == listener.verdict(song) == "like"


@pytest.mark.long
def test_a_liked_song_with_a_hidden_track_after_20_min_is_liked(listener: Listener) -> None:
    first, hidden = (track_samples(track) for track in listener.liked[:2])
    assert listener.verdict(first, silence(1200), hidden) == "like"


@pytest.mark.long
def test_likes_with_silence_behind_them_do_not_spoil_others(listener: Listener) -> None:
    longer = [
        str(write(listener.folder / f"longer-{k}.flac", track_samples(track), silence(90)))
        for k, track in enumerate(listener.liked[:2])
    ]
    spoilt = listener.train([*longer, *listener.liked[2:]], "with silence")
    assert listener.verdicts(listener.liked[:2], spoilt) == ["like", "like"]


def test_a_liked_song_12_db_quieter_is_liked(listener: Listener) -> None:
    less = np.float32(10 ** (-12 / 20))
    quiet = [(track_samples(track) * less,) for track in listener.liked]
    assert listener.verdicts_on(quiet) == ["like"] * 7


def test_a_song_scores_the_same_scanned_and_explained(listener: Listener) -> None:
    samples = np.concatenate([track_samples(track) for track in listener.liked[:4]])
    path = str(write(listener.folder / "four.flac", samples, silence(30), samples[: 8 * RATE_HZ]))
    (scanned,) = classify.score(path, taste=listener.taste, root=listener.root)
    told = classify.explain(path, taste=listener.taste, whole=True, root=listener.root)
    assert told.score == scanned.score
    assert sum(told.points) + told.start_score + told.unfamiliar == pytest.approx(told.score)
    library = SongLibrary.of_taste(listener.taste, listener.root)
    (digest,) = library.digests([path])
    assert library.vectors.held([digest])[digest] == 0, "it has been heard whole"
    # No passage lasts into the silence.
    end_s = len(samples) / RATE_HZ
    for one in told.passages:
        assert one.end_s <= end_s + 3 or one.start_s >= end_s + 27
    assert embed.embed_library(path, root=listener.root, coverage="full").cached == 1
