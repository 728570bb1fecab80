"""A catalog of an earlier version: its songs get the tags that were left out, and no embedding."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import lance
import pytest
from mutagen.oggopus import OggOpus

import embed
from cache import Catalog, FileRecord
from cache.file_record import recording_table
from embed.decoding.tags import TAGS_VERSION
from embed.pipeline import retagging

SONG = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"


@pytest.fixture
def old(heard: Path, tmp_path: Path) -> Path:
    """Two songs, embedded, in a catalog of format 1 that knows one artist of each."""
    root, music = tmp_path / "cache", tmp_path / "music"
    shutil.copytree(heard / "cache", root)
    music.mkdir()
    by_path = Catalog(root).load()
    shutil.rmtree(Catalog(root).uri)
    rows = []
    for source in sorted((heard / "music").iterdir())[:2]:
        path = Path(shutil.copy(source, music))
        tags = OggOpus(path)
        tags["artist"], tags["musicbrainz_trackid"] = ["Ann", "Bob"], SONG
        tags.save()
        digest = by_path[str(source)].digest
        rows.append(row_of(path, digest))
    new = ["album_artist", "artists", "tags_version", "track", "start_s", "end_s"]
    new += ["musicbrainz_recording_id", "musicbrainz_release_id", "musicbrainz_artist_ids"]
    columns = recording_table(rows).drop_columns(new)
    marks = {"sevensongs.format": "1", "sevensongs.kind": "catalog"}
    lance.write_dataset(columns.replace_schema_metadata(marks), Catalog(root).uri)
    return tmp_path


def row_of(path: Path, digest: str | None) -> FileRecord:
    status = path.stat()
    return FileRecord(
        path=str(path),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        digest=digest,
        duration_s=30.0,
        artist="Ann;Bob",
    )


def test_tags_that_an_earlier_version_left_out_are_read_once_and_nothing_is_embedded(
    old: Path,
) -> None:
    report = embed.embed_library(old / "music", root=old / "cache", workers=1)
    assert (report.embedded, report.cached, report.n_retagged) == (0, 2, 2)
    known = Catalog(old / "cache").load().values()
    assert [(row.artist, row.artists) for row in known] == 2 * [("Ann; Bob", ("Ann", "Bob"))]
    assert {(row.musicbrainz_recording_id, row.tags_version) for row in known} == {
        (SONG, TAGS_VERSION)
    }
    assert {row.duration_s for row in known} == {30.0}, "all else stays"
    assert embed.embed_library(old / "music", root=old / "cache").n_retagged == 0


def test_a_file_that_can_not_be_read_keeps_the_tags_that_it_has(old: Path) -> None:
    bad, gone = sorted((old / "music").iterdir())
    status = bad.stat()
    bad.write_bytes(b"\0" * status.st_size)
    os.utime(bad, ns=(status.st_mtime_ns, status.st_mtime_ns))
    catalog = Catalog(old / "cache")
    paths = [str(bad), str(gone)]
    gone.unlink()
    limits = embed.Limits()
    assert retagging.read_tags_anew(paths, catalog, limits=limits, n_workers=1) == 0
    known = Catalog(old / "cache").load()
    assert {row.artist for row in known.values()} == {"Ann;Bob"}
    # what may pass is tried again by the next run
    assert [known[path].tags_version for path in paths] == [TAGS_VERSION, None]
