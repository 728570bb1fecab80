"""Caches of every format that there was are read; one of a newer program is refused kindly."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from cache import (
    Catalog,
    EmbeddingStore,
    FileRecord,
    StoreFormatError,
    repair_catalog,
    repair_store,
    verify_cache,
    verify_catalog,
)
from cache.file_record import recording_table
from cache.identity import FORMATS, read_identity
from cache.seals.seal_file import SEALS_FOLDER

KEPT = Path(__file__).parents[1] / "formats"
ARCHIVES = sorted(KEPT.glob("cache-*.zip"))
NAMES = [f"{number:032x}" for number in (1, 2, 3)]


def unpack(archive: Path, root: Path) -> EmbeddingStore:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(root)
    return EmbeddingStore(root, encoder="musicnn", fingerprint="0123456789abcdef", dim=4)


def test_there_is_a_cache_of_the_present_format() -> None:
    newest = max(FORMATS.values())
    assert [path.name for path in ARCHIVES] == [f"cache-{n + 1}.zip" for n in range(newest)]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.stem)
def test_a_cache_of_each_format_is_read_and_written(
    archive: Path, sealed: bool, tmp_path: Path
) -> None:
    store = unpack(archive, tmp_path)
    if not sealed:  # as one was before there were seals
        for folder in tmp_path.rglob(SEALS_FOLDER):
            shutil.rmtree(folder)
    assert store.held() == {NAMES[0]: 0, NAMES[1]: 12, NAMES[2]: 12}
    names, vectors = store.matrix()
    assert names == NAMES
    np.testing.assert_array_equal(vectors[1], [2.25, 2.375, 2.5, 2.625, 0.25, 0.25, 0.25, 0.25])
    whole = store.get(NAMES[0])
    assert whole is not None
    assert (whole.duration_s, whole.coverage, len(whole.frames)) == (101.0, 1.0, 3)
    assert whole.frames[2].tolist() == [2.0, 2.125, 2.25, 2.375]
    catalog = Catalog(tmp_path)
    files = catalog.load()
    assert {path: file.digest for path, file in files.items()} == {
        "/music/one.flac": NAMES[0],
        "/music/two.mp3": NAMES[1],
        "/music/caf\udce9.ogg": NAMES[2],
    }
    assert files["/music/two.mp3"].title == "Title 2"
    store.put([whole])
    store.compact()
    catalog.put(list(files.values()))
    assert store.matrix()[0] == NAMES
    assert all(one.is_sound for one in (*verify_cache(tmp_path), verify_catalog(tmp_path)))
    assert list(Path(store.uri, SEALS_FOLDER).iterdir()), "what is written is sealed"


def test_a_cache_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = unpack(ARCHIVES[-1], tmp_path)
    known = FORMATS["embeddings"]
    marks = {"sevensongs.format": str(known + 1), "sevensongs.written_by": "9.1"}
    lance.dataset(store.uri).update_schema_metadata(marks)
    before = sorted(Path(store.uri).rglob("*"))
    said = rf"has format {known + 1}, which sevensongs 9\.1 wrote.*up to {known}; update"
    for call in (store.held, store.matrix, lambda: verify_cache(tmp_path), store.compact):
        with pytest.raises(StoreFormatError, match=said):
            call()
    with pytest.raises(StoreFormatError, match=said):
        repair_store(tmp_path, store.uri)
    assert sorted(Path(store.uri).rglob("*")) == before


@pytest.fixture
def old(tmp_path: Path) -> Catalog:
    unpack(KEPT / "cache-1.zip", tmp_path)
    return Catalog(tmp_path)


def new_song() -> FileRecord:
    return FileRecord(
        path="/music/new.flac",
        size_bytes=5,
        mtime_ns=6,
        digest=NAMES[0],
        duration_s=7.0,
        artist="Ann; Bob",
        artists=("Ann", "Bob"),
        musicbrainz_recording_id="b1a9c0e9-d987-4042-ae91-78d6a3267d69",
        tags_version=1,
    )


def test_a_catalog_of_format_1_is_brought_up_to_date_by_what_is_put_without_rewriting_it(
    old: Catalog, tmp_path: Path
) -> None:
    before = old.load()
    assert {(file.artists, file.tags_version) for file in before.values()} == {((), None)}
    contents = {path: path.read_bytes() for path in Path(old.uri, "data").iterdir()}
    assert marks_of(old)["format"] == "1", "reading leaves it as it is"
    old.put([new_song()])
    assert marks_of(old)["format"] == "2"
    assert all(path.read_bytes() == content for path, content in contents.items())
    assert Catalog(tmp_path).load() == before | {"/music/new.flac": new_song()}
    old.compact(keep_s=0)
    assert Catalog(tmp_path).load() == before | {"/music/new.flac": new_song()}
    assert verify_catalog(tmp_path).is_sound


def test_a_program_of_the_format_before_refuses_the_catalog_in_clear_words(
    old: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.put([new_song()])
    monkeypatch.setitem(FORMATS, "catalog", 1)
    for call in (old.load, old.compact, lambda: old.put([new_song()])):
        with pytest.raises(StoreFormatError, match=r"format 2, which .* up to 1; update sevens"):
            call()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_while_a_catalog_is_brought_up_to_date_loses_nothing(
    old: Catalog, tmp_path: Path, after: bool
) -> None:
    before = old.load()
    writer = [sys.executable, "-c", KILLED, str(tmp_path), *(["after"] if after else [])]
    assert subprocess.run(writer, check=False).returncode == -signal.SIGKILL
    assert marks_of(old)["format"] == ("2" if after else "1")
    assert Catalog(tmp_path).load() == before
    old.put([new_song()])
    assert Catalog(tmp_path).load() == before | {"/music/new.flac": new_song()}
    assert verify_catalog(tmp_path).is_sound


KILLED = """
import os, signal, sys
import lance
from cache import Catalog, FileRecord

def killed(*given, **named):
    if "after" in sys.argv:
        commit(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

commit, lance.LanceDataset.commit = lance.LanceDataset.commit, killed
song = FileRecord(
    path="/music/new.flac", size_bytes=5, mtime_ns=6, digest="0" * 32, duration_s=1.0)
Catalog(sys.argv[1]).put([song])
"""


def test_two_that_bring_a_catalog_up_to_date_at_once_lose_nothing(
    old: Catalog, tmp_path: Path
) -> None:
    before = old.load()
    writers = [
        threading.Thread(
            target=Catalog(tmp_path).put, args=([replace(new_song(), path=f"/music/{k}.flac")],)
        )
        for k in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(Catalog(tmp_path).load()) == before.keys() | {f"/music/{k}.flac" for k in range(4)}


def test_a_damaged_catalog_of_two_formats_is_repaired(old: Catalog, tmp_path: Path) -> None:
    before = old.load()
    old.put([new_song()])
    (manifest, *_) = sorted(Path(old.uri, "_versions").glob("*.manifest"))
    manifest.write_bytes(manifest.read_bytes()[:40])
    assert repair_catalog(tmp_path).n_saved >= len(before) + 1
    assert Catalog(tmp_path).load() == before | {"/music/new.flac": new_song()}


def test_rows_of_tracks_are_passed_over_and_kept_until_their_file_is_looked_at_again(
    tmp_path: Path,
) -> None:
    catalog = Catalog(tmp_path)
    album = replace(new_song(), path="/music/album.flac")
    catalog.put([album, new_song()])
    rows = recording_table([album, album])
    tracks = rows.set_column(
        rows.schema.get_field_index("track"), "track", pa.array([1, 2], pa.int32())
    )
    lance.write_dataset(tracks, catalog.uri, mode="append")
    known = {one.path: one for one in (album, new_song())}
    for _ in range(2):
        assert Catalog(tmp_path).load() == known
        assert catalog.lookup([album.path]) == {album.path: album}
        assert len(catalog.files()) == 2
        assert lance.dataset(catalog.uri).count_rows() == 4
        catalog.compact(keep_s=0)
    catalog.put([album])
    catalog.compact(keep_s=0)
    assert lance.dataset(catalog.uri).count_rows() == 2


def marks_of(catalog: Catalog) -> dict[str, str]:
    return read_identity(lance.dataset(catalog.uri))
