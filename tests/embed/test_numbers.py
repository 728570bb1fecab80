"""Numbers that can be relied on.

They are finite, zero where nothing moves, and the same however a run is made.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

import embed
from cache import Catalog, EmbeddingStore, Entry
from embed.encoders.pooling import storable
from embed.errors import UnusableEmbedding
from tests.support.audio_files import KINDS, music

RATE_HZ = 16000
NOT_FINITE = [float("nan"), float("inf"), float("-inf")]
ODD = st.sampled_from([0.0, 1.0, -1.0, 1e-45, 3.9, 4.1, -7.0, 3e38, *NOT_FINITE])


def stored(root: Path) -> dict[str, Entry]:
    """Read all embeddings of a cache, by file name."""
    prepared = embed.prepare_encoder("musicnn", root=root)
    store = EmbeddingStore(
        root, encoder="musicnn", fingerprint=prepared.fingerprint, dim=prepared.dim
    )
    entries = {}
    for path, row in Catalog(root).load().items():
        entry = store.get(row.digest) if row.digest else None
        if entry is not None:
            entries[os.path.basename(path)] = entry
    return entries


def bits(entries: dict[str, Entry]) -> dict[str, tuple[bytes, ...]]:
    return {
        name: (
            e.frames.tobytes(),
            e.starts_s.tobytes(),
            e.vector.tobytes(),
            e.duration_s.hex().encode(),
        )
        for name, e in entries.items()
    }


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(np.float16, (7, 5), elements=st.floats(-100, 100, width=16)),
    st.integers(0, 6),
    st.integers(0, 4),
    st.sampled_from(NOT_FINITE),
)
def test_a_song_vector_is_finite_or_refused(
    frames: NDArray[np.float16], row: int, column: int, bad: float
) -> None:
    vector = embed.song_vector(frames)
    assert np.isfinite(vector).all()
    assert (vector[5:] >= 0).all()
    constant = (frames == frames[0]).all(axis=0)
    np.testing.assert_array_equal(vector[5:][constant], 0.0)
    frames[row, column] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        embed.song_vector(frames)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_what_never_changes_has_a_deviation_of_zero(value: float, n: int, last: int) -> None:
    # The mean of n equal numbers may miss them by a rounding; a deviation of 1e-17 is garbage to a
    # scaler.
    number = np.float16(np.clip(value, -60000, 60000))
    weights = np.ones(n)
    weights[-1] = last / 40
    vector = embed.song_vector(np.full((n, 3), number), weights)
    np.testing.assert_array_equal(vector, [np.float32(number)] * 3 + [0.0] * 3)


@pytest.mark.parametrize("n", [3, 6, 12, 200])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_deviation_over_few_windows_is_that_over_many(n: int, weighted: bool) -> None:
    # Over n frames it was too small: over three by a third, in all numbers at once.
    frames = np.random.default_rng(1).normal(1, 0.5, (n, 20_000)).astype(np.float16)
    weights = np.ones(n)
    weights[-1] = 0.5 if weighted else 1.0
    deviations = embed.song_vector(frames, weights)[20_000:]
    assert np.square(np.sqrt(deviations).mean()) == pytest.approx(0.5, rel=0.04)


def test_one_window_has_no_deviation() -> None:
    assert embed.song_vector(np.array([[1, 2]], np.float16)).tolist() == [1.0, 2.0, 0.0, 0.0]


@given(
    arrays.arrays(np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32)),
    st.sampled_from([np.nan, np.inf, -np.inf, 65520, -1e30]),
)
def test_no_embedding_that_float16_cannot_hold_is_stored(
    frames: NDArray[np.float32], bad: float
) -> None:
    assert np.isfinite(storable(frames)).all()
    frames[1, 2] = bad
    with pytest.raises(UnusableEmbedding, match="the cache stores float16"):
        storable(frames)


@settings(max_examples=40, deadline=None)
@given(st.lists(ODD, min_size=1, max_size=50), st.sampled_from([1, 2, 3]))
def test_broken_floats_in_a_file_become_finite_samples(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], n_channels: int
) -> None:
    # numpy also warned of them on stderr.
    path = tmp_path_factory.getbasetemp() / "broken.wav"
    samples = np.resize(np.array(values, dtype=np.float32), 3 * RATE_HZ * n_channels)
    write_float_wav(path, samples, n_channels)
    (heard,) = embed.read_spans(embed.probe(str(path)), [embed.Span(start=0, stop=2 * RATE_HZ)])
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 4.0


def write_float_wav(path: Path, samples: NDArray[np.float32], n_channels: int) -> Path:
    import struct

    data = samples.astype("<f4").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", len(data) + 36, b"WAVE", b"fmt ", 16, 3, n_channels, RATE_HZ),
        *(4 * RATE_HZ * n_channels, 4 * n_channels, 32, b"data", len(data)),
    )
    path.write_bytes(head + data)
    return path


@pytest.fixture(scope="module")
def mixed(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs, silence, broken floats and what is no audio, some of it twice."""
    folder = tmp_path_factory.mktemp("mixed")
    for k, track in enumerate(tracks[:4]):
        shutil.copy(track, folder / f"{k}.opus")
    shutil.copy(tracks[0], folder / "copy.opus")
    silence = np.zeros((2, 20 * 44100), dtype=np.float32)
    KINDS["flac"].write(folder / "silence.flac", silence, 44100)
    KINDS["wav-16"].write(folder / "silence.wav", silence[:1], 44100)
    KINDS["mp3-vbr"].write(folder / "chords.mp3", music(14, 44100), 44100)
    write_float_wav(folder / "broken.wav", np.full(6 * RATE_HZ, np.nan, dtype=np.float32), 1)
    content = (folder / "chords.mp3").read_bytes()
    (folder / "cut.mp3").write_bytes(content[: len(content) // 2])
    (folder / "noise.mp3").write_bytes(np.random.default_rng(3).bytes(30_000))
    return folder


def test_silence_has_a_deviation_of_zero_and_all_numbers_are_finite(
    root: Path, mixed: Path
) -> None:
    embed.embed_library([mixed], root=root, coverage="full")
    entries = stored(root)
    assert {"silence.flac", "silence.wav", "broken.wav", "cut.mp3"} <= entries.keys()
    for name, entry in entries.items():
        assert np.isfinite(entry.vector).all(), name
        assert np.isfinite(entry.frames).all(), name
        deviation = entry.vector[len(entry.vector) // 2 :]
        if name in {"silence.flac", "silence.wav", "broken.wav"}:
            np.testing.assert_array_equal(deviation, 0.0)
        else:
            assert deviation.max() > 0.01


@pytest.mark.long
def test_workers_order_and_batches_move_no_bit(
    tmp_path: Path, compiled: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(mixed.iterdir())
    results = []
    for k, (workers, batch_songs) in enumerate([(1, 64), (2, 1), (2, 5), (1, 64)]):
        own = tmp_path / str(k)
        shutil.copytree(compiled / "encoders", own / "encoders")
        order = np.random.default_rng(k).permutation(len(files)) if k else np.arange(len(files))
        report = embed.embed_library(
            [files[i] for i in order], root=own, workers=workers, batch_songs=batch_songs
        )
        failed = sorted((Path(f.path).name, f.error) for f in report.failed)
        results.append((bits(stored(own)), failed))
    assert len(results[0][0]) == len(files) - 1
    assert all(result == results[0] for result in results[1:])
