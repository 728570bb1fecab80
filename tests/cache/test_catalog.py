"""The catalog: the latest row of a path counts, whatever the path and the tags hold."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cache.catalog_files
import cache.join.catalog_rows
from cache import CacheError, Catalog, FileRecord, StoreFormatError
from cache.file_record import recording_table
from cache.identity import FORMATS


def recording(name: str, *, size_bytes: int = 1000, error: str | None = None) -> FileRecord:
    return FileRecord(
        path=f"/music/{name}",
        size_bytes=size_bytes,
        mtime_ns=1_700_000_000_123_456_789,
        digest=None if error else f"{size_bytes:032x}",
        duration_s=None if error else 200.5,
        artist="Sigur Rós",
        title=None,
        album="( )",
        error=error,
        warning=None,
    )


texts = st.none() | st.text(max_size=20)
# What os.fsdecode makes of any bytes a file system may hold: all but NUL.
paths = st.binary(max_size=30).map(lambda b: "/" + os.fsdecode(b.replace(b"\0", b"/")))


@st.composite
def any_recordings(draw: st.DrawFn) -> FileRecord:
    failed = draw(st.booleans())
    return FileRecord(
        path=draw(paths),
        size_bytes=draw(st.integers(0, 2**63 - 1)),
        mtime_ns=draw(st.integers(-(2**63), 2**63 - 1)),
        digest=None if failed else draw(st.binary(min_size=16, max_size=16)).hex(),
        duration_s=draw(st.none() | st.floats(0, 1e9)),
        artist=draw(texts),
        title=draw(texts),
        album=draw(texts),
        error=draw(st.text(max_size=20)) if failed else None,
        warning=draw(texts),
    )


@given(st.lists(st.lists(any_recordings(), max_size=4), max_size=4), st.integers(0, 4))
@settings(max_examples=15, deadline=None)
def test_the_latest_row_of_a_path_counts(
    commits: list[list[FileRecord]], compact_after: int
) -> None:
    with tempfile.TemporaryDirectory() as root:
        catalog = Catalog(root)
        expected: dict[str, FileRecord] = {}
        for at, commit in enumerate(commits):
            catalog.put(commit)
            expected |= {r.path: r for r in commit}
            if at == compact_after:
                catalog.compact(keep_s=0)
            assert catalog.load() == expected
            some = list(expected)[::2]
            assert catalog.lookup(["/none", *some]) == {path: expected[path] for path in some}


def test_nothing_is_on_disk_before_the_first_put(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "cache")
    catalog.put([])
    assert catalog.load() == {}
    assert catalog.lookup(["/music/a"]) == {}
    catalog.compact()
    catalog.maybe_compact()
    assert catalog.n_bytes() == 0
    assert not (tmp_path / "cache").exists()


def test_a_failed_file_that_is_mended_is_no_longer_failed(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.put([recording("a.mp3", error="the file is empty")])
    assert catalog.load()["/music/a.mp3"].error == "the file is empty"
    catalog.put([recording("a.mp3", size_bytes=7)])
    assert catalog.load()["/music/a.mp3"] == recording("a.mp3", size_bytes=7)


def test_names_that_are_not_utf8_are_kept_exactly(tmp_path: Path) -> None:
    name = os.fsdecode(b"Bj\xf6rk \xff.mp3")
    catalog = Catalog(tmp_path)
    catalog.put([recording(name)])
    assert list(catalog.load()) == [f"/music/{name}"]
    assert (
        os.fsencode(next(iter(catalog.lookup([f"/music/{name}"])))) == b"/music/Bj\xf6rk \xff.mp3"
    )


def test_tags_that_are_not_unicode_do_not_stop_a_commit(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    odd = replace(recording("a.mp3"), artist="Bj\udcf6rk", warning="in /music/\udcff.mp3")
    catalog.put([odd, recording("b.mp3", error="cannot read \udcff")])
    known = catalog.load()
    assert known["/music/a.mp3"].artist == "Bj?rk"
    assert known["/music/b.mp3"].error == "cannot read ?"


def test_compaction_keeps_only_the_latest_row_of_each_path(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    for version in range(33):
        catalog.put([recording("a", size_bytes=version), recording(f"b{version}")])
    catalog.maybe_compact()
    found = lance.dataset(catalog.uri)
    assert found.count_rows() == 34
    assert len(found.get_fragments()) == 1
    assert catalog.load()["/music/a"].size_bytes == 32
    # A later row still wins over those that compaction has moved.
    catalog.put([recording("a", size_bytes=99)])
    catalog.compact(keep_s=0)
    assert catalog.load()["/music/a"].size_bytes == 99


def test_recordings_read_back_behave_as_made(tmp_path: Path) -> None:
    # load() fills them past __init__; nothing may tell them from others.
    made = recording("a.mp3")
    catalog = Catalog(tmp_path)
    catalog.put([made])
    read = catalog.load()[made.path]
    assert read == made
    assert hash(read) == hash(made)
    assert repr(read) == repr(made)
    assert replace(read, size_bytes=2).size_bytes == 2
    with pytest.raises(AttributeError):
        read.size_bytes = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"path": "music/a.mp3"}, "must be absolute"),
        ({"path": "/music/\0"}, "NUL"),
        ({"size_bytes": -1}, "size_bytes is -1"),
        ({"duration_s": -1.0}, "duration_s is -1.0 s"),
        ({"duration_s": float("nan")}, "duration_s is nan s"),
        ({"duration_s": float("inf")}, "duration_s is inf s"),
        ({"digest": None}, "exactly one"),
        ({"error": "both"}, "exactly one"),
        ({"digest": "xyz"}, "32 lowercase hex"),
    ],
)
def test_impossible_recordings_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(recording("a.mp3"), **change)  # type: ignore[arg-type]


def test_a_catalog_that_nothing_was_put_into_has_empty_columns(tmp_path: Path) -> None:
    files = Catalog(tmp_path).files()
    assert len(files.column("title")) == len(files.column("duration_s")) == 0
    assert files.recordings() == []


def test_a_newer_format_is_refused_with_the_remedy(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.put([recording("a")])
    newer = str(FORMATS["catalog"] + 1)
    lance.dataset(catalog.uri).update_schema_metadata({"sevensongs.format": newer})
    for call in (catalog.load, catalog.compact, lambda: catalog.put([recording("b")])):
        with pytest.raises(StoreFormatError, match=f"format {newer}.*update sevensongs"):
            call()


def test_a_damaged_file_is_a_cache_error(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.put([recording("a")])
    (path,) = Path(catalog.uri, "data").glob("*.lance")
    path.write_bytes(path.read_bytes()[:50])
    for call in (catalog.load, catalog.compact, lambda: catalog.lookup(["/music/a"])):
        with pytest.raises(CacheError, match=r"catalog\.lance.*cache verify --repair"):
            call()
    # Everything in a cache can be made again, but not behind the back of a run.
    shutil.rmtree(catalog.uri)
    with pytest.raises(CacheError, match=r"has gone since this run began.*run again"):
        catalog.put([recording("a")])
    Catalog(tmp_path).put([recording("a")])
    assert list(catalog.load()) == ["/music/a"]


def put_many(root: Path, writer: int) -> None:
    catalog = Catalog(root)
    for n in range(10):
        catalog.put([recording(f"{writer}-{n}"), recording("shared", size_bytes=n)])
        if n % 4 == 3:
            catalog.compact()


@pytest.mark.long
def test_four_writers_lose_nothing(tmp_path: Path) -> None:
    context = get_context("spawn")
    writers = [context.Process(target=put_many, args=(tmp_path, k)) for k in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    known = Catalog(tmp_path).load()
    expected = {f"/music/{k}-{n}" for k in range(4) for n in range(10)}
    assert set(known) == expected | {"/music/shared"}
    # Each writer's own last word was 9, so whoever was last said 9.
    assert known["/music/shared"].size_bytes == 9


def test_a_path_of_a_recording_is_of_a_file_that_is_there(tmp_path: Path) -> None:
    here = tmp_path / "here.flac"
    here.touch()
    catalog = Catalog(tmp_path / "cache")
    named = {"/gone/a.flac": 1, str(here): 1, "/gone/b.flac": 1, "/gone/c.flac": 2}
    catalog.put(
        [replace(recording("", size_bytes=size), path=path) for path, size in named.items()]
    )
    files = catalog.files()
    one, two, none = (f"{size:032x}" for size in (1, 2, 3))
    assert [file.path for file in files.files_of([one, none])] == [*named][:3]
    assert files.paths_of([two, one, none]) == {one: str(here), two: "/gone/c.flac"}


@pytest.mark.parametrize("again", [(), ("7",), ("7", "0", "39", "7")])
@pytest.mark.parametrize("has_tracks", [False, True])
def test_a_large_catalog_says_the_same_without_its_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: tuple[str, ...], has_tracks: bool
) -> None:
    monkeypatch.setattr(cache.join.catalog_rows, "ROWS_AT_ONCE", 7)
    catalog = Catalog(tmp_path)
    catalog.put([recording(f"{n}", size_bytes=n) for n in range(40)])
    if has_tracks:
        rows = recording_table([recording("7"), recording("album")])
        at = rows.schema.get_field_index("track")
        rows = rows.set_column(at, "track", pa.array([1, 1], pa.int32()))
        lance.write_dataset(rows, catalog.uri, mode="append")
    for name in again:
        catalog.put([recording(name, size_bytes=99)])
    catalog.put([recording("other"), recording("x", error="no")])
    expected = catalog.files()
    monkeypatch.setattr(cache.catalog_files, "_MANY", 1)
    files = catalog.files()
    assert len(files) == 42
    assert files.digests.equals(expected.digests)
    assert files.recordings() == expected.recordings()
    for some in (np.array([40, 3, 3, 17]), np.arange(1, 42)):
        assert files.paths_at(some).equals(expected.paths.take(some))
        found = files.have_in_path(b"ic/1", some)
        assert found.tolist() == expected.have_in_path(b"ic/1", some).tolist()
        assert found.any()
        assert not found.all()
        assert files.recordings(some) == expected.recordings(some)
    assert files.files_of([f"{3:032x}"]) == expected.files_of([f"{3:032x}"])
    assert files.paths_of([f"{9:032x}"]) == {f"{9:032x}": "/music/9"}
    assert files._paths is None, "nothing of this needs them all"
    assert files.paths.equals(expected.paths)


@given(
    puts=st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=6),
        max_size=5,
    ),
    asked=st.lists(st.integers(0, 5), max_size=4),
)
@settings(max_examples=20, deadline=None)
def test_the_files_of_some_recordings_are_those_among_all(
    puts: list[list[tuple[int, int]]], asked: list[int]
) -> None:
    """4 stands for a file that failed."""
    digests = [f"{n:032x}" for n in asked]
    with tempfile.TemporaryDirectory() as root:
        catalog = Catalog(root)
        for some in puts:
            rows = dict(some)
            catalog.put(
                [
                    recording(str(path), size_bytes=n, error="no" if n == 4 else None)
                    for path, n in rows.items()
                ]
            )
        everything = catalog.files()
        expected = everything.files_of(digests)
        for at_once in (1, 65_536):
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(cache.join.catalog_rows, "ROWS_AT_ONCE", at_once)
                found = catalog.files_with(digests)
            assert found.recordings() == catalog.files_of(digests) == expected
            assert found.paths_of(digests) == everything.paths_of(digests)
            assert found.digests.to_pylist() == [one.digest for one in expected]
