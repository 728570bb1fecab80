"""One audio file as it was when last looked at, and how it becomes a row and comes back."""

from __future__ import annotations

import functools
import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.key import is_digest
from cache.root import is_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = [
    "FileRecord",
    "FileState",
    "catalog_schema",
    "is_same_file",
    "recording_table",
    "recordings_of",
    "with_all_columns",
]

_TEXTS = (
    "digest",
    "artist",
    "title",
    "album",
    "error",
    "warning",
    "album_artist",
    "musicbrainz_recording_id",
    "musicbrainz_release_id",
)
_LISTS = ("artists", "musicbrainz_artist_ids")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileState:
    """What tells whether an object in a store has changed, by the names that `os.stat` has for it.

    Attributes
    ----------
    st_size : int
        In bytes.
    st_mtime_ns : int
        63 bits of BLAKE2b of its ETag: its time has whole seconds alone.
    """

    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRecord:
    """One audio file as it was when last looked at.

    Parameters
    ----------
    path : str
        Absolute, or the address of an object such as ``s3://bucket/song.mp3``. A name that is not
        UTF-8 holds surrogate escapes, as `os.fsdecode` makes them.
    size_bytes : int
        Size of the file.
    mtime_ns : int
        When it was last changed, in nanoseconds since 1970; of an object, a number that stands for
        its version, see `FileState`. With the size it tells whether the digest still holds, without
        opening the file.
    digest : str or None
        Name of the recording, see `audio_hash`; None if the file failed.
    duration_s : float or None
        Length in seconds, where known.
    artist, title, album, album_artist : str or None
        Tags, where there are any; several artists are parted by "; ".
    artists : tuple of str
        Each of several artists; empty where `artist` is one, or none.
    musicbrainz_recording_id, musicbrainz_release_id : str or None
        MusicBrainz' names of the song and of its album, in lower case.
    musicbrainz_artist_ids : tuple of str
        Its names of the artists.
    tags_version : int or None
        Of the reader of tags that read these; None for what a catalog of format 1 tells.
    error : str or None
        Why the file failed; None if it did not.
    warning : str or None
        What is odd about a file that did not fail.

    Raises
    ------
    ValueError
        If the path is not absolute, the digest is no digest, a number is out of its domain,
        or not exactly one of `digest` and `error` is given.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    digest: str | None
    duration_s: float | None
    artist: str | None = None
    title: str | None = None
    album: str | None = None
    error: str | None = None
    warning: str | None = None
    album_artist: str | None = None
    artists: tuple[str, ...] = ()
    musicbrainz_recording_id: str | None = None
    musicbrainz_release_id: str | None = None
    musicbrainz_artist_ids: tuple[str, ...] = ()
    tags_version: int | None = None

    def is_still(self, status: os.stat_result | FileState) -> bool:
        """Whether a file's stat says that it has not changed since."""
        return is_same_file(self.size_bytes, self.mtime_ns, status)

    def __post_init__(self) -> None:
        absolute = is_uri(self.path) or Path(self.path).is_absolute()
        if not absolute or "\0" in self.path:
            raise ValueError(f"path is {self.path!r}; it must be absolute, without NUL")
        if self.size_bytes < 0:
            raise ValueError(f"size_bytes is {self.size_bytes}; it must not be negative")
        if self.duration_s is not None and not 0 <= self.duration_s < float("inf"):
            raise ValueError(f"duration_s is {self.duration_s} s; it must be finite, 0 or more")
        if (self.digest is None) == (self.error is None):
            raise ValueError(
                f"digest is {self.digest!r} and error {self.error!r} for {self.path!r}; "
                "exactly one must be given"
            )
        if self.digest is not None and not is_digest(self.digest):
            raise ValueError(f"digest is {self.digest!r}; it must be 32 lowercase hex characters")


def is_same_file(size_bytes: int, mtime_ns: int, status: os.stat_result | FileState) -> bool:
    """Whether a file's stat has the size and the time of change that it had.

    Examples
    --------
    >>> import os
    >>> from cache import is_same_file
    >>> is_same_file(1, 0, os.stat("music"))
    False
    """
    now = status.st_size, _storable_ns(status.st_mtime_ns)
    return (size_bytes, _storable_ns(mtime_ns)) == now


def _storable_ns(mtime_ns: int) -> int:
    """Keep a time within 64 bits (1677 to 2262); some file systems allow any."""
    return max(-(2**63), min(mtime_ns, 2**63 - 1))


@functools.cache
def catalog_schema() -> pa.Schema:
    """Return the columns of the catalog; cache/README.md describes them.

    Those of format 2 may be null in any row: a catalog of format 1 gets them without being
    rewritten.
    """
    import pyarrow as pa

    always = [
        pa.field("path", pa.binary(), nullable=False),  # a file's name need not be UTF-8
        pa.field("size_bytes", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("duration_s", pa.float64()),
        pa.field("recorded_ns", pa.int64(), nullable=False),
    ]
    texts = [pa.field(name, pa.string()) for name in _TEXTS]
    lists = [pa.field(name, pa.list_(pa.string())) for name in _LISTS]
    version = [pa.field("tags_version", pa.int32())]
    # A row with a track is of a part of a file. None is written yet, and readers pass them over.
    parts = [pa.field(name, pa.float64()) for name in ("start_s", "end_s")]
    return pa.schema([*always, *texts, *lists, *version, pa.field("track", pa.int32()), *parts])


def recording_table(recordings: Sequence[FileRecord]) -> pa.Table:
    """Lay recordings out as rows of the catalog."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {
        "path": [os.fsencode(r.path) for r in recordings],
        "size_bytes": [r.size_bytes for r in recordings],
        "mtime_ns": [_storable_ns(r.mtime_ns) for r in recordings],
        "duration_s": [r.duration_s for r in recordings],
        "recorded_ns": [time.time_ns()] * len(recordings),
        "tags_version": [r.tags_version for r in recordings],
    }
    for name in _TEXTS:
        texts = [getattr(r, name) for r in recordings]
        columns[name] = [None if text is None else _unicode(text) for text in texts]
    for name in _LISTS:
        columns[name] = [[*map(_unicode, getattr(r, name))] or None for r in recordings]
    nothing = [None] * len(recordings)
    schema = catalog_schema()
    return pa.table(
        [pa.array(columns.get(field.name, nothing), field.type) for field in schema], schema=schema
    )


def _unicode(text: str) -> str:
    """Return text without the surrogates of tags and names, which Arrow's UTF-8 refuses."""
    return text.encode("utf-8", "replace").decode()


def with_all_columns(table: pa.Table, names: Sequence[str] | None = None) -> pa.Table:
    """Add what rows of an earlier format lack of some columns, or of all, as nulls."""
    import pyarrow as pa

    schema = catalog_schema()
    for name in schema.names if names is None else names:
        if name not in table.column_names:
            field = schema.field(name)
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def recordings_of(table: pa.Table) -> list[FileRecord]:
    """Make recordings of rows of the catalog, with the columns that their format has."""
    table = with_all_columns(table)
    durations = table["duration_s"].to_numpy()
    columns: dict[str, list[Any]] = {
        "path": [os.fsdecode(path) for path in table["path"].to_numpy().tolist()],
        "size_bytes": table["size_bytes"].to_numpy().tolist(),
        "mtime_ns": table["mtime_ns"].to_numpy().tolist(),
        # Arrow gives NaN for a missing number; a duration is never NaN itself.
        "duration_s": [None if s != s else s for s in durations.tolist()],
        "tags_version": table["tags_version"].to_pylist(),
    }
    columns |= {name: table[name].to_numpy().tolist() for name in _TEXTS}
    columns |= {name: _tuples(table[name]) for name in _LISTS}
    # Column by column past __init__, because a library of 100,000 files is read at the start
    # of every command: 0.1 s instead of 0.7 s. The rows were validated when they were put.
    recordings = [object.__new__(FileRecord) for _ in range(table.num_rows)]
    for name, column in columns.items():
        write = getattr(FileRecord, name).__set__
        deque(map(write, recordings, column), maxlen=0)
    return recordings


def _tuples(column: pa.ChunkedArray) -> list[tuple[str, ...]]:
    if column.null_count == len(column):  # as where every song has one artist
        return [()] * len(column)
    return [tuple(texts or ()) for texts in column.to_pylist()]
