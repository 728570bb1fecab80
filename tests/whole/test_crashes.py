"""Kills at any moment lose nothing that was committed.

The long form is benchmarks/bench_reliability.py.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from cache.durable import lasting, staged, write_whole

SMALL_BATCH, BATCH = 8, 64


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, compiled: Path, tracks: list[str]) -> Path:
    """A folder for the benchmark's libraries; their songs are made of the demo's tracks."""
    folder = tmp_path_factory.mktemp("crashes")
    shutil.copytree(compiled / "encoders", folder / "encoders")
    return folder


def require_nothing_lost(row: dict[str, Any]) -> None:
    assert row["errors"] == []
    assert (row["lost"], row["wrong"], row["twice"]) == (0, 0, 0)
    assert row["survived"] == row["n"] == sum(row["moments"].values())


def test_embed_that_is_killed_again_and_again_loses_no_song_and_at_most_a_batch(work: Path) -> None:
    row = import_module("reliability.kills").kill_embed(2, work, pending=40)
    require_nothing_lost(row)
    assert row["finished"]
    assert row["more_than_a_batch"] == row["processes_left"] == 0
    assert row["recomputed_max"] <= BATCH


@pytest.mark.long
def test_train_that_is_killed_when_all_is_written_but_the_name_leaves_the_old_taste(
    work: Path,
) -> None:
    row = import_module("reliability.tastes").kill_train(1, work, first=2)
    require_nothing_lost(row)
    assert row["moments"] == {"in the write": 1}
    assert row["files_left"] == 1  # which was not taken for a taste


@pytest.mark.long
def test_compaction_can_be_killed(work: Path) -> None:
    require_nothing_lost(import_module("reliability.writers").kill_compaction(2, work))


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_whole(path, lambda file: file.write(b"old"))

    def fail(file: Any) -> None:
        file.write(b"ne")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_what_killed_writers_left_goes_after_a_day_and_not_before(tmp_path: Path) -> None:
    old, young = tmp_path / ".file.0123.tmp", tmp_path / ".file.4567.tmp"
    theirs = tmp_path / ".other.0123.tmp"  # in a folder of people's own, another program's
    for path in (old, young, theirs):
        path.touch()
    for path in (old, theirs):
        os.utime(path, (time.time() - 90000,) * 2)
    write_whole(tmp_path / "file", lambda file: file.write(b"new"))
    assert {p.name for p in tmp_path.iterdir()} == {"file", young.name, theirs.name}


def test_a_file_is_staged_and_replaced_only_after_what_belongs_to_it(tmp_path: Path) -> None:
    # `train` on a full disk replaced the labels, failed at the taste, and the old labels were lost.
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o600)
    link.symlink_to(path)
    with pytest.raises(RuntimeError), staged(link, lambda file: file.write(b"new")):
        raise RuntimeError
    assert path.read_bytes() == b"old"
    with staged(link, lambda file: file.write(b"new")):
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()
    assert {p.name for p in tmp_path.iterdir()} == {"file", "link"}


def syncs(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> list[str]:
    """Do something; return the names of what was brought to the disk meanwhile, in order."""
    synced = []
    fsync = os.fsync

    def spy(handle: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", spy)
        what()
    return synced


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="tells files by Linux's /proc")
def test_a_commit_is_on_the_disk_when_put_returns_data_before_the_version_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lance never syncs: after a power cut a version could name data that had not reached the disk.
    store_tests = import_module("tests.cache.test_store")
    store = store_tests.store_at(tmp_path)
    store.put([store_tests.entry(1)])
    synced = syncs(monkeypatch, lambda: store.put([store_tests.entry(2)]))
    (data,) = (at for at, name in enumerate(synced) if name.endswith(".lance"))
    (version,) = (at for at, name in enumerate(synced) if name.endswith(".manifest"))
    assert data < synced.index("data") < version < synced.index("_versions")
    compacted = syncs(monkeypatch, store.compact)
    assert any(name.endswith(".lance") for name in compacted)
    assert any(name.endswith(".manifest") for name in compacted)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="tells files by Linux's /proc")
def test_files_below_a_folder_are_brought_to_the_disk_and_those_that_go_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "before").touch()

    def work() -> None:
        with lasting(tmp_path):
            (tmp_path / "below").mkdir()
            (tmp_path / "below" / "new").touch()
            (tmp_path / "gone").touch()
            (tmp_path / "gone").unlink()

    assert syncs(monkeypatch, work) == ["new", "below"]

    def work_beside() -> None:
        with lasting(tmp_path, but="below"):
            (tmp_path / "below" / "newer").touch()
            (tmp_path / "other" / "below").mkdir(parents=True)
            (tmp_path / "other" / "below" / "new").touch()

    assert syncs(monkeypatch, work_beside) == ["new", "below"]
