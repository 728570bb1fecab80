"""Stations without Ray: what they stage and a driver commits are the rows of a local run."""

from __future__ import annotations

import os
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import lance
import pytest

import embed
from cache import Bucket, CacheError, Catalog, Entry, FileRecord, open_stores
from embed.cluster import driver, shards
from embed.cluster.station import Ended, Staged
from embed.cluster.station_process import Answer, StationProcess
from embed.encoders.composite import prepare_encoders
from embed.pipeline.commits import StagedBatch, stage
from embed.pipeline.run_plan import RunPlan
from embed.sifting.files_left import File
from tests.cache.test_store import assert_same
from tests.embed.cluster.nearby_stations import NearbyStation, NearbyStations

N = 6


@pytest.fixture(scope="module")
def music(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six songs, a copy of one, an empty file and noise."""
    folder = tmp_path_factory.mktemp("music")
    tracks = sorted((heard / "music").iterdir())
    for track in tracks[:N]:
        shutil.copy(track, folder)
    shutil.copy(tracks[0], folder / "zz a copy.opus")
    (folder / "empty.mp3").touch()
    (folder / "noise.mp3").write_bytes(os.urandom(9000))
    return folder


@pytest.fixture(scope="module")
def local(music: Path, compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that a local run has filled."""
    root = tmp_path_factory.mktemp("local")
    shutil.copytree(compiled / "encoders", root / "encoders")
    embed.embed_library(music, root=root)
    return root


def rows(root: str | Path) -> tuple[dict[str, FileRecord], dict[str, Entry]]:
    """Return all that a cache has: of each file its row, of each recording its entry."""
    (store,) = open_stores(root)
    assert store.verify() == []
    return Catalog(root).load(), store.entries([*store.held()])


def assert_same_rows(one: Path, other: Path) -> None:
    (files, entries), (same_files, same_entries) = rows(one), rows(other)
    assert files == same_files
    assert entries.keys() == same_entries.keys()
    for digest, entry in entries.items():
        assert_same(entry, same_entries[digest])


def plan_of(root: Path) -> RunPlan:
    prepared = prepare_encoders("musicnn", root=root)
    return RunPlan(prepared=prepared, base=root, n_windows={"musicnn": 2})


def songs_of(paths: list[Path]) -> list[shards.Song]:
    return [(File(path=str(path), size_bytes=1, mtime_ns=1),) for path in paths]


def n_rows(root: Path) -> tuple[int, int]:
    (store,) = open_stores(root)
    return lance.dataset(store.uri).count_rows(), lance.dataset(Catalog(root).uri).count_rows()


def test_a_station_and_a_local_run_leave_the_same_rows(
    music: Path, local: Path, root: Path
) -> None:
    told: list[embed.Progress] = []
    stations = NearbyStations()
    report = embed.embed_library(music, root=root, on=stations, progress=told.append)
    assert_same_rows(local, root)
    assert n_rows(root) == n_rows(local) == (N, N + 3)
    assert (report.found, report.embedded, report.cached) == (N + 3, N, 1)
    assert {Path(one.path).name for one in report.failed} == {"empty.mp3", "noise.mp3"}
    assert report.busy is not None
    assert (told[-1].n_done, told[-1].n_total, told[-1].n_failed) == (N + 3, N + 3, 2)
    assert told[-1].stations == (("station 1", N + 3),)
    again = embed.embed_library(music, root=root, on=stations)
    assert (again.embedded, again.cached, len(again.failed)) == (0, N + 1, 2)
    assert stations.n_started == 1


@pytest.mark.long
def test_what_goes_to_the_driver_is_small(
    heard: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_LEAST_SONGS", 16)  # as most shards of a large library have more
    stations = NearbyStations()
    embed.embed_library(heard / "music", root=root, on=stations)
    assert 0 < stations.n_bytes < 250 * 28


def test_lost_answers_killed_stations_and_copies_at_two_of_them_change_nothing(
    music: Path, local: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_LEAST_SONGS", 2)
    monkeypatch.setattr(shards, "_AT_LEAST_EACH", 8)
    monkeypatch.setattr(driver, "_LOOK_S", 0.1)
    monkeypatch.setattr("cache.upkeep.compaction.SMALL_FRAGMENTS", 1)
    fates = ["lost", "", "killed", "", "killed"]

    def fate(station: NearbyStation, answer: Answer) -> str:
        return fates.pop(0) if answer.reports and fates else ""

    stations = NearbyStations(n=2, fate=fate)
    report = embed.embed_library(music, root=root, on=stations)
    assert not fates
    assert stations.n_started >= 3
    assert_same_rows(local, root)
    assert n_rows(root) == n_rows(local)
    assert stations.n_shared >= 2  # of the songs' small fragments, and of the catalog's
    assert (report.found, report.embedded, report.cached) == (N + 3, N, 1)


@pytest.mark.long
def test_a_file_at_which_every_station_dies_is_recorded_and_the_others_are_done(
    music: Path, local: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_LOOK_S", 0.1)
    some = sorted(music.iterdir())[:3]
    bad = str(some[1])

    def fate(station: NearbyStation, answer: Answer) -> str:
        works_on = [] if station.works_on is None else station.works_on.files
        return "killed" if bad in [file.path for file in works_on] else ""

    report = embed.embed_library(some, root=root, on=NearbyStations(fate=fate))
    (given_up,) = (one for one in report.failed if one.path == bad)
    assert re.fullmatch(r"was given up: 3 stations failed .* died \(.*\); .*", given_up.error)
    files, same = Catalog(root).load(), Catalog(local).load()
    assert files.pop(bad).error == given_up.error
    assert files == {path: same[path] for path in files}
    assert len(files) == 2
    again = embed.embed_library(music, root=root, on=NearbyStations(), retry_failed=True)
    assert (again.embedded, len(again.failed)) == (N - 2, 2)
    assert_same_rows(local, root)


@pytest.mark.long
def test_ctrl_c_keeps_what_stations_have_reported(
    music: Path, local: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: set[str] = set()
    note = driver.Driver._note

    def noted(self: driver.Driver, station: driver.StationState, report: Any) -> None:
        note(self, station, report)
        if isinstance(report, Staged):
            reported.update(report.batch.account.fresh)

    def interrupt(progress: embed.Progress) -> None:
        if len(reported) >= 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(driver.Driver, "_note", noted)
    with pytest.raises(KeyboardInterrupt):
        embed.embed_library(
            music, root=root, on=NearbyStations(), batch_songs=1, progress=interrupt
        )
    files, entries = rows(root)
    same, _ = rows(local)
    assert entries.keys() >= reported
    assert files == {path: same[path] for path in files}
    assert {row.digest for row in files.values() if row.digest} == entries.keys()


@pytest.mark.long
def test_several_encoders_leave_the_rows_of_a_local_run(
    music: Path, pair_root: Path, tiny: str, tmp_path: Path
) -> None:
    here, both, some = tmp_path / "here", f"musicnn+{tiny}", sorted(music.iterdir())[:2]
    shutil.copytree(pair_root / "encoders", here / "encoders")
    for root, on in ((here, None), (pair_root, NearbyStations())):
        embed.embed_library(some, root=root, encoder=tiny)
        report = embed.embed_library(music, root=root, encoder=both, on=on)
        assert (report.found, report.embedded, report.cached) == (N + 3, N, 1)
    assert Catalog(here).load() == Catalog(pair_root).load()
    for one, other in zip(open_stores(here), open_stores(pair_root), strict=True):
        held = sorted(one.held())
        assert held == sorted(other.held())
        for digest in held:
            same = other.get(digest)
            assert same is not None
            assert_same(one.get(digest), same)


def test_songs_and_cache_may_be_in_a_bucket(
    bucket: str,
    music: Path,
    local: Path,
    compiled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shutil.copytree(compiled / "encoders", tmp_path / "sevensongs" / "encoders")
    for path in sorted(music.iterdir()):
        Bucket(bucket).write(f"music/{path.name}", path.read_bytes())
    root = f"{bucket}/cache"
    report = embed.embed_library(f"{bucket}/music/", root=root, on=NearbyStations())
    assert (report.found, report.embedded, report.cached) == (N + 3, N, 1)
    (files, entries), (same_files, same_entries) = rows(root), rows(local)
    assert {row.path.rpartition("/")[2]: (row.digest, row.error) for row in files.values()} == {
        Path(path).name: (row.digest, row.error) for path, row in same_files.items()
    }
    assert entries.keys() == same_entries.keys()
    for digest, entry in entries.items():
        assert_same(entry, same_entries[digest])


def test_songs_that_no_station_sees_are_no_failures(
    music: Path, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "mounted"
    shutil.copytree(music, folder)
    found = embed.find_audio(folder)
    stations = NearbyStations()
    work = stations.work

    def unmounted(*arguments: Any) -> None:
        shutil.rmtree(folder)
        work(*arguments)

    monkeypatch.setattr(stations, "work", unmounted)
    with pytest.raises(embed.EmbedError, match=r"no node can work.*can't be seen from there"):
        embed.embed_library(found, root=root, on=stations)
    assert Catalog(root).load() == {}


def test_the_next_shard_is_begun_while_the_end_of_one_is_being_staged(
    music: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_stage = threading.Event()

    def slow(*batch: Any) -> StagedBatch:
        assert may_stage.wait(60)
        return stage(*batch)

    monkeypatch.setattr("embed.cluster.station.stage", slow)
    songs = songs_of(sorted(music.iterdir())[:2])
    two = [shards.Shard(number=n, songs=(song,)) for n, song in enumerate(songs)]
    process = StationProcess(plan_of(local), 1)
    answer = process.exchange(0, two, 0)
    while answer.shard != 1:
        assert not answer.error
        answer = process.exchange(0, [], 30)
    n_early = len(answer.reports)
    may_stage.set()
    while len(answer.reports) < 4:
        assert not answer.error
        answer = process.exchange(0, [], 30)
    assert n_early == 0
    assert [type(report) for report in answer.reports] == [Staged, Ended] * 2
    assert [report.shard for report in answer.reports if isinstance(report, Ended)] == [0, 1]


def test_what_cannot_be_staged_stops_a_station_and_no_end_is_told(
    music: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*batch: Any) -> StagedBatch:
        raise CacheError("the disk is full")

    monkeypatch.setattr("embed.cluster.station.stage", full)
    process = StationProcess(plan_of(local), 1)
    shard = shards.Shard(number=0, songs=(*songs_of([min(music.iterdir())]),))
    answer = process.exchange(0, [shard], 0)
    while not answer.error:
        answer = process.exchange(0, [], 30)
    assert (answer.error, answer.reports) == ("the disk is full", ())
