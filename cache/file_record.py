"""One audio file as it was when last looked at, and how it becomes a row and comes back."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.key import is_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = ["FileRecord", "recording_table", "recordings_of"]

_TEXTS = ("digest", "artist", "title", "album", "error", "warning")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRecord:
    """One audio file as it was when last looked at.

    Parameters
    ----------
    path : str
        Absolute. A name that is not UTF-8 holds surrogate escapes, as `os.fsdecode` makes them.
    size_bytes : int
        Size of the file.
    mtime_ns : int
        When it was last changed, in nanoseconds since 1970. With the size it tells whether
        the digest still holds, without opening the file.
    digest : str or None
        Name of the recording, see `audio_hash`; None if the file failed.
    duration_s : float or None
        Length in seconds, where known.
    artist, title, album : str or None
        Tags, where there are any.
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

    def is_still(self, status: os.stat_result) -> bool:
        """Whether a file's stat says that it has not changed since."""
        return (self.size_bytes, _storable_ns(self.mtime_ns)) == (
            status.st_size,
            _storable_ns(status.st_mtime_ns),
        )

    def __post_init__(self) -> None:
        if not Path(self.path).is_absolute() or "\0" in self.path:
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


def _storable_ns(mtime_ns: int) -> int:
    """Keep a time within 64 bits (1677 to 2262); some file systems allow any."""
    return max(-(2**63), min(mtime_ns, 2**63 - 1))


def recording_table(recordings: Sequence[FileRecord]) -> pa.Table:
    """Lay recordings out as rows of the catalog; cache/README.md describes the columns."""
    import pyarrow as pa

    columns = {
        # Bytes, because a file's name need not be UTF-8.
        "path": pa.array([os.fsencode(r.path) for r in recordings], pa.binary()),
        "size_bytes": pa.array([r.size_bytes for r in recordings], pa.int64()),
        "mtime_ns": pa.array([_storable_ns(r.mtime_ns) for r in recordings], pa.int64()),
        "duration_s": pa.array([r.duration_s for r in recordings], pa.float64()),
        "recorded_ns": pa.array([time.time_ns()] * len(recordings), pa.int64()),
    }
    for name in _TEXTS:
        texts = [getattr(r, name) for r in recordings]
        # Tags and the names in reasons may hold surrogates, which Arrow's UTF-8 refuses.
        texts = [t if t is None else t.encode("utf-8", "replace").decode() for t in texts]
        columns[name] = pa.array(texts, pa.string())
    always = ("path", "size_bytes", "mtime_ns", "recorded_ns")
    fields = [pa.field(n, column.type, nullable=n not in always) for n, column in columns.items()]
    return pa.table(columns, schema=pa.schema(fields))


def recordings_of(table: pa.Table) -> list[FileRecord]:
    """Make recordings of rows of the catalog, with every column of `recording_table`."""
    durations = table["duration_s"].to_numpy()
    columns: dict[str, list[Any]] = {
        "path": [os.fsdecode(path) for path in table["path"].to_numpy().tolist()],
        "size_bytes": table["size_bytes"].to_numpy().tolist(),
        "mtime_ns": table["mtime_ns"].to_numpy().tolist(),
        # Arrow gives NaN for a missing number; a duration is never NaN itself.
        "duration_s": [None if s != s else s for s in durations.tolist()],
    }
    columns |= {name: table[name].to_numpy().tolist() for name in _TEXTS}
    # Column by column past __init__, because a library of 100,000 files is read at the start
    # of every command: 0.1 s instead of 0.7 s. The rows were validated when they were put.
    recordings = [object.__new__(FileRecord) for _ in range(table.num_rows)]
    for name, column in columns.items():
        write = getattr(FileRecord, name).__set__
        deque(map(write, recordings, column), maxlen=0)
    return recordings
