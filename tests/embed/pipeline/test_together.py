"""Several encoders hear a file in one reading; each gets what it would alone, to the last bit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embed
from cache import Catalog, EmbeddingStore, Entry
from embed.decoding import probing, spans
from embed.decoding.container import open_audio
from embed.encoders.pooling import storable
from embed.errors import UnusableEmbedding
from embed.files.find import FoundAudio
from embed.limits import Limits
from embed.pipeline import worker_tasks
from embed.pipeline.encoder_run import Run
from embed.pipeline.ledger import Ledger
from embed.pipeline.one_read import hear_file
from embed.pipeline.worker_tasks import embed_recording, embed_together
from embed.sifting.files_left import File
from embed.worker_pool import WorkerPool
from tests.support.audio_files import KINDS, music
from tests.support.encoder_models import compiled_root

TWO = ("aisfx", "musicnn")


@pytest.fixture(scope="module")
def both_compiled(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with two encoders compiled; not to be written to."""
    folder = tmp_path_factory.mktemp("both")
    for root in (compiled, compiled_root("aisfx", tmp_path_factory)):
        shutil.copytree(root / "encoders", folder / "encoders", dirs_exist_ok=True)
    return folder


@pytest.fixture
def both(both_compiled: Path, tmp_path: Path) -> Path:
    """An empty cache of the test's own, with two encoders compiled."""
    shutil.copytree(both_compiled / "encoders", tmp_path / "cache" / "encoders")
    return tmp_path / "cache"


def tasks(root: Path, n_windows: Sequence[int] = (3, 5)) -> list[worker_tasks.Task]:
    parts = [embed.prepare_encoder(name, root=root) for name in TWO]
    return list(zip(parts, n_windows, strict=True))


def store(root: Path, name: str) -> EmbeddingStore:
    part = embed.prepare_encoder(name, root=root)
    return EmbeddingStore(root, encoder=name, fingerprint=part.fingerprint, dim=part.dim)


def assert_same(ours: Entry, theirs: Entry) -> None:
    assert (ours.digest, ours.n_windows) == (theirs.digest, theirs.n_windows)
    np.testing.assert_array_equal(ours.starts_s, theirs.starts_s)
    np.testing.assert_array_equal(ours.frames, theirs.frames)
    np.testing.assert_array_equal(ours.vector, theirs.vector)


@pytest.mark.parametrize(
    ("kind", "n_windows"),
    [
        ("mp3-vbr", (2, 3)),
        ("flac", (8, 12)),
        ("vorbis", (2, 3)),
        ("opus", (1, 2)),
        ("aac", (2, 3)),
        ("wma", (1, 0)),
    ],
)
def test_together_they_give_what_each_gives_alone(
    kind: str, n_windows: tuple[int, int], both_compiled: Path, tmp_path: Path
) -> None:
    rate_hz = 48000 if kind == "opus" else 44100
    path = KINDS[kind].write(tmp_path / f"song{KINDS[kind].suffix}", music(22, rate_hz), rate_hz)
    info = embed.probe(str(path))
    asked = tasks(both_compiled, n_windows)
    for entry, (prepared, n) in zip(embed_together(asked, info), asked, strict=True):
        assert_same(entry, embed_recording(prepared, info, n))


def test_silence_in_one_of_them_s_windows_is_measured_as_alone(
    both_compiled: Path, tmp_path: Path
) -> None:
    sound = music(30, 44100)
    sound[:, 44100 * 12 :] = 0
    path = KINDS["flac"].write(tmp_path / "song.flac", sound, 44100)
    info = embed.probe(str(path))
    asked = tasks(both_compiled, (4, 4))
    for entry, (prepared, n) in zip(embed_together(asked, info), asked, strict=True):
        assert entry.starts_s.max() < 12
        assert_same(entry, embed_recording(prepared, info, n))


def test_a_file_is_opened_as_often_as_for_one(
    tracks: list[str], both_compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_and_count(*arguments: Any, **named: Any) -> Any:
        opened.append(arguments)
        return open_audio(*arguments, **named)

    for module in (probing, spans):
        monkeypatch.setattr(module, "open_audio", open_and_count)
    counts = []
    for asked in (tasks(both_compiled)[:1], tasks(both_compiled)):
        opened.clear()
        heard = hear_file(asked, tracks[0], Limits(), os.path.getsize(tracks[0]))
        assert len(heard.heard) == len(asked)
        counts.append(len(opened))
    assert counts[0] == counts[1] > 0


def test_where_one_of_them_fails_each_hears_it_alone(
    tracks: list[str], both_compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storable

    def refuse(values: Any) -> Any:
        if values.shape[1] == 512:
            raise UnusableEmbedding("its embedding is too large")
        return real(values)

    monkeypatch.setattr(worker_tasks, "storable", refuse)
    n_bytes = os.path.getsize(tracks[0])
    heard = hear_file(tasks(both_compiled), tracks[0], Limits(), n_bytes)
    assert (heard.heard, heard.error) == ((), None)
    alone = hear_file(tasks(both_compiled)[:1], tracks[0], Limits(), n_bytes)
    assert "too large" in str(alone.error)


def record_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[File]]]:
    """Return what each run of an encoder is to work on, as it comes."""
    seen: list[tuple[str, list[File]]] = []
    real = Run.work

    def work(run: Run, files: Sequence[File], n: int | None, tell: Callable[[], None]) -> None:
        seen.append((run.prepared.name, list(files)))
        real(run, files, n, tell)

    monkeypatch.setattr(Run, "work", work)
    return seen


def test_one_run_embeds_new_songs_for_all(
    tracks: list[str], both: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = record_runs(monkeypatch)
    told: list[embed.Progress] = []
    report = embed.embed_library(
        tracks[:6], root=both, encoder="aisfx+musicnn", coverage=2, progress=told.append
    )
    assert (report.found, report.embedded, report.failed) == (6, 6, ())
    assert [name for name, _ in seen] == ["aisfx"]
    n_done = [one.n_done for one in told]
    assert n_done == sorted(n_done)
    assert (n_done[-1], told[-1].n_total) == (6, 6)
    assert set(range(7)) >= set(n_done)
    assert len(set(n_done)) > 2  # it tells of songs as they come
    for name in TWO:
        assert store(both, name).count() == 6
    again = embed.embed_library(tracks[:6], root=both, encoder="aisfx+musicnn", coverage=2)
    assert (again.embedded, again.cached) == (0, 6)
    assert len(seen) == 1


def test_a_scan_hears_the_last_songs_for_all_too(
    tracks: list[str], both: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = record_runs(monkeypatch)
    tasks_given: list[str] = []
    real = WorkerPool.submit_steps

    def submit(pool: WorkerPool, key: Any, every: Any, first: Any, *, cpu_s: float) -> None:
        tasks_given.append(every[0].__name__)
        real(pool, key, every, first, cpu_s=cpu_s)

    monkeypatch.setattr(WorkerPool, "submit_steps", submit)
    report = embed.embed_library(
        tracks[:2], root=both, encoder="aisfx+musicnn", coverage="scan", workers=2
    )
    assert (report.embedded, report.failed) == (2, ())
    assert [name for name, _ in seen] == ["aisfx"]
    assert tasks_given == ["hear_file"] * 2


@pytest.mark.long
def test_what_one_of_them_has_is_not_heard_again(
    tracks: list[str], both: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed.embed_library(tracks[:2], root=both, encoder="musicnn", coverage=2)
    seen = record_runs(monkeypatch)
    report = embed.embed_library(tracks[:3], root=both, encoder="aisfx+musicnn", coverage=2)
    assert (report.found, report.embedded, report.failed) == (3, 3, ())
    assert [(name, len(files)) for name, files in seen] == [("aisfx", 3)]
    # Those that the catalog knows, and aisfx does not, are heard at once, too.
    assert all(file.is_unheard for file in seen[0][1])
    assert store(both, "musicnn").count() == store(both, "aisfx").count() == 3


def test_two_known_copies_are_heard_once(tracks: list[str], both: Path, tmp_path: Path) -> None:
    paths = [Path(shutil.copy(tracks[0], tmp_path / f"{k}.opus")) for k in range(2)]
    embed.embed_library(paths, root=both, encoder="musicnn", coverage=2)
    aisfx = store(both, "aisfx")
    ledger = Ledger(catalog=Catalog(both), store=aisfx, n_windows=2, batch_songs=64)
    found = FoundAudio(files=tuple(map(str, paths)), failures=())
    files = list(ledger.sift(found, retry_failed=False))
    assert [file.is_unheard for file in files] == [True, False]
