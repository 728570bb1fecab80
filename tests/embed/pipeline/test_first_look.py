"""A few windows first, then the rest: nothing is heard twice, and nothing comes out otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from cache import WHOLE, EmbeddingStore, Entry
from embed.decoding.probing import AudioInfo
from embed.encoders.encoder import Encoder
from embed.encoders.windows import take_windows
from embed.pipeline import one_read
from embed.pipeline.first_look import WantedFirst, first_windows
from embed.pipeline.known_songs import KnownSongs, Learnt
from embed.pipeline.pieces import Assembly, Known, Outline, cut_pieces
from embed.pipeline.worker_tasks import Heard, embed_piece, embed_recording, hear_together
from embed.sifting.files_left import File
from tests.embed.pipeline.test_pieces import assert_same
from tests.support.audio_files import KINDS, silence, track_samples

RATE_HZ = 48_000


def prepared(root: Path) -> embed.PreparedEncoder:
    return embed.prepare_encoder("musicnn", root=root)


def known_of(heard: Heard, *, levels: bool = True) -> Known:
    spec = embed.encoder_spec("musicnn")
    return Known.of(heard.entry, spec, heard.levels if levels else {})


@pytest.fixture
def run_windows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows went through a network, call by call."""
    counts: list[int] = []
    real = Encoder.embed_inputs

    def counted(self: Encoder, inputs: Any, parts: Sequence[int]) -> Any:
        counts.append(len(parts))
        return real(self, inputs, parts)

    monkeypatch.setattr(Encoder, "embed_inputs", counted)
    return counts


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows were decoded, reading by reading."""
    counts: list[int] = []

    def counted(info: AudioInfo, spans: Sequence[Any], **named: Any) -> Any:
        counts.append(len(spans))
        return embed.read_spans(info, spans, **named)

    monkeypatch.setattr("embed.pipeline.window_blocks.read_spans", counted)
    return counts


@pytest.fixture(scope="module")
def half_silent(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 s of two tracks, and as much silence behind them."""
    sound = [track_samples(track)[: 30 * RATE_HZ] for track in tracks[:2]]
    path = tmp_path_factory.mktemp("half") / "half.flac"
    return KINDS["flac"].write(path, np.concatenate([*sound, silence(60)])[np.newaxis], RATE_HZ)


@pytest.mark.long
def test_what_is_known_is_neither_decoded_nor_run_again(
    mix: Path, compiled: Path, run_windows: list[int], decoded: list[int]
) -> None:
    info, encoder = embed.probe(str(mix)), prepared(compiled)
    whole = embed_recording(encoder, info, 12)
    (first,) = hear_together([(encoder, 4)], info)
    run_windows.clear()
    decoded.clear()
    (further,) = hear_together([(encoder, 12)], info, known=[known_of(first)])
    assert (run_windows, decoded) == ([8], [8])
    assert_same(further.entry, whole)
    # A later run knows the frames alone: levels say what is silent, so all are decoded.
    (later,) = hear_together([(encoder, 12)], info, known=[known_of(first, levels=False)])
    assert (run_windows, decoded) == ([8, 8], [8, 12])
    assert_same(later.entry, whole)
    (again,) = hear_together([(encoder, 12)], info, known=[known_of(further)])
    assert sum(run_windows) == 16
    assert_same(again.entry, whole)


@pytest.mark.parametrize("levels", [True, False])
def test_silence_is_left_out_as_by_one_scan(
    levels: bool, half_silent: Path, compiled: Path, run_windows: list[int]
) -> None:
    info, encoder = embed.probe(str(half_silent)), prepared(compiled)
    scan = embed_recording(encoder, info, 12)
    assert scan.starts_s.max() < 60
    (first,) = hear_together([(encoder, 4)], info)
    run_windows.clear()
    known = known_of(first, levels=levels)
    (further,) = hear_together([(encoder, 12)], info, known=[known])
    assert_same(further.entry, scan)
    # Four spread over the music, and the six of the even dozen that sound, are run once each.
    assert sum(run_windows) < 12 + 12 - 4


def test_pieces_take_over_what_a_scan_has_heard(
    mix: Path, compiled: Path, run_windows: list[int]
) -> None:
    info, encoder = embed.probe(str(mix)), prepared(compiled)
    whole = embed_recording(encoder, info, WHOLE)
    (scan,) = hear_together([(encoder, 12)], info)
    outline = Outline(
        spec=embed.encoder_spec("musicnn"), info=info, n_windows=WHOLE, known=known_of(scan)
    )
    run_windows.clear()
    assembly = Assembly(outline, encoder.dim)
    for piece in cut_pieces(outline, n_pieces=4):
        assembly.take(piece.first, embed_piece(encoder, piece))
    entry = assembly.entry()
    assert entry is not None
    assert_same(entry, whole)
    assert sum(run_windows) == 100 - 12


def test_of_a_file_that_is_another_recording_nothing_is_known(
    tracks: list[str], compiled: Path
) -> None:
    info, encoder = embed.probe(tracks[0]), prepared(compiled)
    frames: dict[int, NDArray[np.float16]] = {i: np.zeros(424, np.float16) for i in range(10)}
    begun = one_read.Begun(digest="0" * 32, known=(Known(frames=frames),))
    heard = one_read.hear_further([(encoder, 2)], info, embed.Limits(), begun)
    assert heard.heard[0].entry.frames.any()


def entries(root: Path, encoder: str) -> dict[str, dict[str, Entry]]:
    found = {}
    for part in embed.prepare_encoders(encoder, root=root).parts:
        store = EmbeddingStore(root, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim)
        found[part.name] = store.entries(sorted(store.held()))
    return found


@pytest.fixture(scope="module")
def songs(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three songs of a minute in FLAC, of which parts decode to the same bits as all."""
    folder = tmp_path_factory.mktemp("songs")
    for k in range(3):
        sound = np.concatenate([track_samples(track) for track in tracks[2 * k : 2 * k + 2]])
        KINDS["flac"].write(folder / f"{k}.flac", sound[np.newaxis], RATE_HZ)
    return folder


def test_two_passes_store_what_one_does(
    songs: Path, pair_root: Path, tiny: str, tmp_path: Path
) -> None:
    name = f"musicnn+{tiny}"
    other = tmp_path / "other"
    shutil.copytree(pair_root / "encoders", other / "encoders")
    wrong = tmp_path / "wrong.mp3"
    wrong.write_bytes(b"no music")
    told: list[embed.Progress] = []
    asked: list[int] = []

    def wanted() -> list[str]:
        asked.append(len(entries(pair_root, name)["musicnn"]))
        return []

    report = embed.embed_library(
        [songs, wrong],
        root=pair_root,
        encoder=name,
        first_look=True,
        wanted_first=wanted,
        progress=told.append,
    )
    plain = embed.embed_library([songs], root=other, encoder=name)
    assert (report.found, report.embedded, report.cached, len(report.failed)) == (4, 3, 0, 1)
    assert (report.n_looked_first, plain.n_looked_first) == (3, 0)
    assert report.audio_s == plain.audio_s
    assert "remembered" not in report.failed[0].error
    assert 3 in asked  # when the rest begins, every song has been begun
    stages = list(dict.fromkeys(progress.stage for progress in told))
    assert stages == ["first look", "rest"]
    ends = {progress.stage: (progress.n_done, progress.n_total) for progress in told}
    assert ends == {"first look": (4, 4), "rest": (3, 3)}
    ours, theirs = entries(pair_root, name), entries(other, name)
    for part, held in theirs.items():
        assert ours[part].keys() == held.keys()
        for digest, entry in held.items():
            assert entry.n_windows != WHOLE
            assert_same(ours[part][digest], entry)


def test_what_is_learnt_is_kept_only_for_a_pass_that_comes(tracks: list[str]) -> None:
    info = embed.probe(tracks[0])
    file = File(path=tracks[0], size_bytes=info.size_bytes, mtime_ns=info.mtime_ns, is_unheard=True)
    for keeps in (False, True):
        known = KnownSongs(keeps=keeps)
        known.remember(file, Learnt(info=info))
        assert list(known.learnt) == [tracks[0]] * keeps


@pytest.mark.long
def test_what_was_interrupted_goes_on_where_it_was(songs: Path, root: Path, tmp_path: Path) -> None:
    def stop(progress: embed.Progress) -> None:
        if progress.stage == "rest":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed.embed_library([songs], root=root, first_look=True, progress=stop)
    n_first = first_windows(embed.encoder_spec("musicnn"))
    begun = entries(root, "musicnn")["musicnn"]
    assert len(begun) == 3
    assert {len(entry.frames) for entry in begun.values()} >= {n_first}
    report = embed.embed_library([songs], root=root)
    assert (report.embedded + report.cached, report.failed) == (3, ())
    other = tmp_path / "other"
    shutil.copytree(root / "encoders", other / "encoders")
    embed.embed_library([songs], root=other)
    held = entries(other, "musicnn")["musicnn"]
    for digest, entry in entries(root, "musicnn")["musicnn"].items():
        assert_same(entry, held[digest])


def test_little_is_not_looked_at_first(songs: Path, root: Path) -> None:
    report = embed.embed_library([songs], root=root, coverage=3, first_look=True)
    assert (report.embedded, report.n_looked_first) == (3, 0)


def test_a_first_look_is_a_part_of_the_scan() -> None:
    for name in ("musicnn", "aisfx", "yamnet"):
        spec = embed.encoder_spec(name)
        assert 2 <= first_windows(spec) <= spec.scan_windows / 2
        for n_grid in (13, 40, 80, 1000):
            chosen = [
                set(take_windows(n_grid, range(n_grid), n, spec.scan_windows))
                for n in (first_windows(spec), spec.scan_windows)
            ]
            assert chosen[0] < chosen[1], (name, n_grid)


def test_files_wanted_most_come_first() -> None:
    files = [File(path=f"/{d}", size_bytes=1, mtime_ns=1, digest=d) for d in ("a", "b", "c")]
    files.append(File(path="/new", size_bytes=1, mtime_ns=1))
    orders = [["c", "x"], ["b", "c"]]
    order = WantedFirst(lambda: orders[0])
    assert [file.path for file in order(files)] == ["/c", "/a", "/b", "/new"]
    del orders[0]
    assert [file.path for file in order(files)] == ["/b", "/c", "/a", "/new"]
