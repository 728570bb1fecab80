"""Files of several audio tracks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest

from embed import AudioInfo, Span, probe, read_spans
from tests.support.audio_files import Signal, music

RATE_HZ = 48000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 6 * RATE_HZ)).astype(np.float32)


def _write(path: Path, tracks: list[Signal], default: int | None) -> Path:
    """Write tracks of AAC side by side; `default` is the one that is marked so."""
    with av.open(str(path), "w") as container:
        streams = []
        for k in range(len(tracks)):
            stream = cast(Any, container.add_stream("aac", rate=RATE_HZ))
            stream.layout = "stereo"
            marks = stream.disposition
            stream.disposition = marks | marks.default if k == default else marks & ~marks.default
            streams.append(stream)
        for first in range(0, tracks[0].shape[1], RATE_HZ):
            for stream, track in zip(streams, tracks, strict=True):
                chunk = np.ascontiguousarray(track[:, first : first + RATE_HZ])
                frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = RATE_HZ, first
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def _likeness(info: AudioInfo, source: Signal) -> float:
    """Compare what is heard with a signal, wherever in time."""
    (heard,) = read_spans(info, [Span(start=0, stop=5 * RATE_HZ)])
    one, other = (np.abs(np.fft.rfft(x)) for x in (heard, source.mean(axis=0)[: 5 * RATE_HZ]))
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("suffix", [".mka", ".m4a"])
@pytest.mark.parametrize(("default", "place"), [(0, 1), (1, 2)])
def test_the_default_track_is_heard_and_a_warning_tells_it(
    tmp_path: Path, suffix: str, default: int, place: int
) -> None:
    song = music(6, RATE_HZ)
    tracks = [NOISE, NOISE]
    tracks[default] = song
    info = probe(_write(tmp_path / f"a{suffix}", tracks, default))
    assert info.warning == f"has 2 audio tracks; track {place} is heard"
    assert _likeness(info, song) > 0.9 > _likeness(info, NOISE)


def test_without_a_default_track_the_first_is_heard(tmp_path: Path) -> None:
    song = music(6, RATE_HZ)
    info = probe(_write(tmp_path / "a.mka", [song, NOISE], None))
    assert info.warning == "has 2 audio tracks; track 1 is heard"
    assert _likeness(info, song) > 0.9


def test_the_digest_is_that_of_the_track_heard(tmp_path: Path) -> None:
    song = music(6, RATE_HZ)
    alone = probe(_write(tmp_path / "alone.mka", [song], 0))
    assert alone.warning is None
    assert probe(_write(tmp_path / "b.mka", [NOISE, song], 1)).digest == alone.digest
