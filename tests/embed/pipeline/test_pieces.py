"""Pieces of a recording: the same bits are stored.

That holds however it is cut, and in whatever order the pieces come back.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import embed
from cache import Entry
from embed.decoding.packets import PacketLayout
from embed.decoding.tags import Tags
from embed.encoders.pooling import _smallness
from embed.errors import UnreadableFile
from embed.pipeline.pieces import BLOCK, Assembly, Frames, Outline, Piece, cut_pieces, max_pieces
from embed.pipeline.worker_tasks import embed_piece, embed_recording, read_piece


def info_of(seconds: float, rate_hz: int = 44100) -> embed.AudioInfo:
    layout = PacketLayout(
        codec="flac", rate_hz=rate_hz, packet_samples=0, skip_samples=0, first_pts=0
    )
    return embed.AudioInfo(
        path="/nowhere",
        digest="0" * 32,
        layout=layout,
        n_channels=2,
        n_samples=round(seconds * rate_hz),
        tags=Tags(artist=None, title=None, album=None),
        warning=None,
        size_bytes=1,
        mtime_ns=1,
    )


def outline_of(info: embed.AudioInfo, n_windows: int = 0) -> Outline:
    return Outline(spec=embed.encoder_spec("musicnn"), info=info, n_windows=n_windows)


@given(
    minutes=st.floats(0.02, 700),
    n_windows=st.integers(0, 500),
    n_pieces=st.integers(1, 40),
    limit=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_pieces_cover_what_is_embedded_once(
    minutes: float, n_windows: int, n_pieces: int, limit: bool
) -> None:
    outline = outline_of(info_of(60 * minutes), n_windows)
    pieces = list(cut_pieces(outline, n_pieces=n_pieces, max_windows=128 if limit else None))
    windows = [i for piece in pieces for i in piece.windows]
    assert windows == outline.chosen
    most = max_pieces(n_windows)
    assert limit or most is None or len(pieces) <= most
    assert all(piece.first % BLOCK == 0 for piece in pieces)
    if limit:
        assert all(len(piece.windows) <= 128 for piece in pieces)
    else:
        assert len(pieces) <= n_pieces
        assert all(len(piece.windows) >= 32 for piece in pieces[:-1])


def assert_same(one: Entry, other: Entry) -> None:
    assert (one.digest, one.n_windows, one.duration_s, one.coverage) == (
        other.digest,
        other.n_windows,
        other.duration_s,
        other.coverage,
    )
    for name in ("frames", "starts_s", "vector"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


@pytest.mark.parametrize("n_windows", [0, 50])
def test_a_recording_in_pieces_is_the_recording_whole_bit_for_bit(
    n_windows: int, mix: Path, compiled: Path
) -> None:
    prepared = embed.prepare_encoder("musicnn", root=compiled)
    info = embed.probe(str(mix))
    outline = outline_of(info, n_windows)
    whole = embed_recording(prepared, info, n_windows)
    assert (whole.n_windows, len(whole.frames)) == (n_windows, n_windows or 100)
    pieces = list(cut_pieces(outline, n_pieces=4))
    assert len(pieces) >= 2
    assembly = Assembly(outline, prepared.dim)
    done = [assembly.take(piece.first, embed_piece(prepared, piece)) for piece in pieces[::-1]]
    assert done == [False] * (len(pieces) - 1) + [True]
    made = assembly.entry()
    assert made is not None
    assert_same(made, whole)


def test_a_file_that_changes_between_two_pieces_is_refused(
    mix: Path, compiled: Path, tmp_path: Path
) -> None:
    prepared = embed.prepare_encoder("musicnn", root=compiled)
    path = tmp_path / "mix.flac"
    path.write_bytes(mix.read_bytes())
    first, second = list(cut_pieces(outline_of(embed.probe(str(path)), 0), n_pieces=2))
    assert len(embed_piece(prepared, first).values) == 64
    path.write_bytes(mix.read_bytes()[:-1000])
    with pytest.raises(UnreadableFile, match="changed while it was read"):
        embed_piece(prepared, second)


def test_a_worker_reads_for_a_network_elsewhere_what_its_own_would_read(
    mix: Path, compiled: Path
) -> None:
    encoder = embed.load_encoder("musicnn", root=compiled)
    prepared = embed.prepare_encoder("musicnn", root=compiled)
    piece = Piece(info=embed.probe(str(mix)), n_windows=0, windows=tuple(range(32, 52)), first=32)
    inputs = read_piece(prepared, piece)
    assert inputs.values.shape == (20, 187, 96)
    assert inputs.parts == [1] * 20
    # Quiet input of the network for quiet music: the front end has run, the network has not.
    assert encoder.dim == 424
    assert 0 <= inputs.values.min() < inputs.values.max() < 10


def plain_song_vector(
    frames: NDArray[np.float16], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    values = frames.astype(np.float64)
    mean = np.average(values, axis=0, weights=weights)
    variance = np.average(np.square(values - mean), axis=0, weights=weights)
    return np.concatenate([mean, np.sqrt(variance) / _smallness(weights)]).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (2, 8), (12, 424), (101, 1024), (3000, 130)])
def test_pooling_some_columns_at_a_time_changes_no_bit(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    frames = random.gamma(1.0, 2.0, shape).astype(np.float16)
    weights = random.integers(1, 7, len(frames)).astype(np.float64)
    np.testing.assert_array_equal(
        embed.song_vector(frames, weights), plain_song_vector(frames, weights)
    )


def test_putting_ten_hours_together_takes_little_more_than_what_is_stored() -> None:
    outline = outline_of(info_of(36000))
    n = len(outline.chosen)
    assert n > 12000
    assembly = Assembly(outline, 2048)
    frames = Frames(values=np.ones((n // 2, 2048), np.float16), levels=np.full(n // 2, 0.1))
    assert not assembly.take(0, frames)
    tracemalloc.start()
    assert assembly.take(n // 2, frames)
    entry = assembly.entry()
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert entry is not None
    assert entry.frames.nbytes == 2 * frames.values.nbytes
    # Frames in float64 would be four times as much as these, and a mean needs them twice.
    assert peak_bytes < entry.frames.nbytes
