"""Silence in recordings: it is not heard, however a recording is cut and whatever is asked for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from cache import WHOLE, EmbeddingStore, Entry
from embed.encoders.windows import choose_windows
from embed.pipeline.pieces import Assembly, Outline, cut_pieces
from embed.pipeline.worker_tasks import embed_piece, measure_levels
from tests.embed.pipeline.test_pieces import assert_same
from tests.support.audio_files import KINDS, silence, track_samples

RATE_HZ = 48_000


def write(path: Path, *parts: NDArray[np.float32]) -> Path:
    return KINDS["flac"].write(path, np.concatenate(parts)[np.newaxis], RATE_HZ)


@pytest.fixture
def half_silent(tracks: list[str], tmp_path: Path) -> Path:
    """30 s of a track, and as much silence behind it."""
    return write(tmp_path / "half.flac", track_samples(tracks[0])[: 30 * RATE_HZ], silence(30))


@pytest.fixture(scope="module")
def holed(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of music in four pieces with silence between them, 184 windows."""
    music = [track_samples(track) for track in tracks[:10]]
    gaps = [part for k in range(0, 10, 3) for part in (*music[k : k + 3], silence(60))]
    return write(tmp_path_factory.mktemp("holed") / "holed.flac", *gaps)


def embedded(path: Path, compiled: Path, n_windows: int) -> Entry:
    prepared = embed.prepare_encoder("musicnn", root=compiled)
    return embed.embed_recording(prepared, embed.probe(str(path)), n_windows)


def test_windows_are_spread_over_what_sounds(half_silent: Path, compiled: Path) -> None:
    scan, few, whole = (embedded(half_silent, compiled, n) for n in (12, 4, WHOLE))
    for entry, n in ((scan, 12), (few, 4), (whole, WHOLE)):
        assert entry.n_windows == n, "as asked for: else it would be embedded again and again"
        assert entry.starts_s.max() < 28, "the window at 29.92 s is silent but for its beginning"
    assert (len(scan.frames), len(few.frames), len(whole.frames)) == (10, 4, 10)
    assert whole.coverage == pytest.approx(10 / 20)
    np.testing.assert_array_equal(few.starts_s, scan.starts_s[[1, 3, 6, 8]])


def test_silence_behind_a_song_does_not_move_its_vector(
    tracks: list[str], half_silent: Path, compiled: Path, tmp_path: Path
) -> None:
    alone = write(tmp_path / "alone.flac", track_samples(tracks[0])[: 30 * RATE_HZ])
    np.testing.assert_array_equal(
        embedded(alone, compiled, 12).vector, embedded(half_silent, compiled, 12).vector
    )


@pytest.mark.long
def test_a_song_with_silence_is_not_embedded_again(
    half_silent: Path, root: Path, tmp_path: Path
) -> None:
    silent = write(tmp_path / "silent.flac", silence(60))
    for coverage, n in (("scan", 2), ("scan", 0), (15, 2), (15, 0), ("full", 2), ("full", 0)):
        report = embed.embed_library([half_silent, silent], root=root, coverage=coverage)
        assert (report.embedded, report.failed) == (n, ()), coverage


@pytest.mark.parametrize("path", ["mix", pytest.param("holed", marks=pytest.mark.long)])
def test_a_song_scanned_and_heard_whole_has_one_song_vector(
    path: str, compiled: Path, request: pytest.FixtureRequest
) -> None:
    song: Path = request.getfixturevalue(path)
    scan, whole = (embedded(song, compiled, n) for n in (12, WHOLE))
    assert len(scan.frames) == 12 < len(whole.frames)
    np.testing.assert_array_equal(scan.vector, whole.vector)
    stored = dict(zip(whole.starts_s.tolist(), whole.frames, strict=True))
    for start, frame in zip(scan.starts_s.tolist(), scan.frames, strict=True):
        np.testing.assert_array_equal(frame, stored[start])
    if path == "mix":
        np.testing.assert_array_equal(embedded(song, compiled, 50).vector, scan.vector)


@pytest.mark.parametrize(
    "n_windows", [*(pytest.param(n, marks=pytest.mark.long) for n in (12, 50)), WHOLE]
)
def test_silence_is_left_out_alike_however_a_recording_is_cut(
    n_windows: int, holed: Path, compiled: Path
) -> None:
    prepared = embed.prepare_encoder("musicnn", root=compiled)
    info = embed.probe(str(holed))
    outline = Outline(spec=embed.encoder_spec("musicnn"), info=info, n_windows=n_windows)
    entry = None
    measured = replace(outline, levels=measure_levels(prepared, info))
    for one in (outline, measured):
        assembly = Assembly(one, prepared.dim)
        pieces = list(cut_pieces(one, n_pieces=4))[::-1]
        done = [assembly.take(piece.first, embed_piece(prepared, piece)) for piece in pieces]
        assert done == [False] * (len(pieces) - 1) + [True]
        entry = assembly.entry()
        assert (entry is None) == (n_windows != WHOLE and one is outline)
        if entry is not None:
            break
    assert entry is not None
    assert_same(entry, embedded(holed, compiled, n_windows))


@pytest.mark.long
def test_workers_that_share_a_recording_leave_out_the_same_silence(
    holed: Path, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(root / "encoders", other / "encoders")
    entries = []
    for folder, workers in ((root, 1), (other, 3)):
        copy = tmp_path / f"{workers}.flac"  # of two copies none is read once only
        shutil.copy(holed, copy)
        report = embed.embed_library([holed, copy], root=folder, coverage=50, workers=workers)
        assert (report.embedded, report.cached, report.failed) == (1, 1, ())
        store = EmbeddingStore(folder, encoder="musicnn", fingerprint=report.fingerprint, dim=424)
        entry = store.get(embed.probe(str(holed)).digest)
        assert entry is not None
        entries.append(entry)
    assert_same(*entries)
    assert len(entries[0].frames) == 50


def test_a_file_of_silence_embeds_as_before(compiled: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "silent.flac", silence(60))
    scan, whole = (embedded(path, compiled, n) for n in (12, WHOLE))
    assert (len(scan.frames), len(whole.frames), whole.coverage) == (12, 20, 1.0)
    np.testing.assert_array_equal(scan.starts_s, whole.starts_s[choose_windows(20, 12)])
    np.testing.assert_array_equal(scan.vector, whole.vector)
    encoder = embed.load_encoder("musicnn", root=compiled)
    np.testing.assert_array_equal(
        whole.frames[5], encoder.embed(silence(9, 16_000))[1].astype("f2")
    )
