"""What is known of each file: its digest, tags and length, or why it cannot be read."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.dataset import KEEP_S, Dataset
from cache.errors import lance_errors
from cache.key import is_digest
from cache.root import join

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = ["Catalog", "Recording"]

_TEXTS = ("digest", "artist", "title", "album", "error", "warning")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
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


class Catalog:
    """The files seen so far: an append-only log in one Lance dataset under `root`.

    The latest row of a path counts; compaction drops the others. Nothing is on disk before
    the first `put`.

    Parameters
    ----------
    root : str or Path
        The cache: a local folder or an object-store URI.
    """

    def __init__(self, root: str | Path) -> None:
        self._dataset = Dataset(join(root, "catalog.lance"), {"kind": "catalog"})

    @property
    def uri(self) -> str:
        """Where the dataset is: an absolute path or a URI."""
        return self._dataset.uri

    def load(self) -> dict[str, Recording]:
        """Read everything.

        Returns
        -------
        dict of str to Recording
            The latest row of each path.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        found = self._dataset.open()
        if found is None:
            return {}
        with lance_errors("read", self.uri):
            # In the order of appending, so a later row of a path replaces an earlier one.
            return {r.path: r for r in _recordings(found.to_table(scan_in_order=True))}

    def lookup(self, paths: Sequence[str]) -> dict[str, Recording]:
        """Read what is known of some files, for far less than `load` where they are few.

        Parameters
        ----------
        paths : sequence of str
            Absolute paths.

        Returns
        -------
        dict of str to Recording
            The latest row of each path that is known, in the order asked for.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        found = self._dataset.open()
        if found is None or not paths:
            return {}
        with lance_errors("read", self.uri):
            row_of = {os.fsdecode(path): at for at, path in enumerate(_paths(found)[0])}
            rows = [row_of[path] for path in dict.fromkeys(paths) if path in row_of]
            if not rows:
                return {}
            return {r.path: r for r in _recordings(found.take(rows))}

    def put(self, recordings: Sequence[Recording]) -> None:
        """Add rows in one commit; they replace earlier ones of the same paths.

        Text that is not valid Unicode (tags, reasons) is kept with ``?`` in its place; paths
        are kept exactly.

        Parameters
        ----------
        recordings : sequence of Recording
            May be empty; then nothing happens.

        Raises
        ------
        StoreFormatError
            If the dataset on disk is of another format.
        CacheError
            If it cannot be written: disk full, read-only, no permission.
        """
        if recordings:
            self._dataset.append(_table(recordings))

    def compact(self, *, keep_s: float = KEEP_S) -> None:
        """Drop superseded rows, merge small fragments, remove old versions.

        Safe beside processes that append, read or compact.

        Parameters
        ----------
        keep_s : float
            Age in seconds up to which old versions stay for those who still read them. 0
            frees the most room; a `put` elsewhere at that moment may then fail (with an
            error, never silently).

        Raises
        ------
        CacheError
            If it cannot be read or written.
        """
        self._dataset.compact(_superseded, keep_s=keep_s)

    def maybe_compact(self) -> None:
        """Compact if there are more than 32 small fragments; remove old versions in any case.

        Cheap where there is nothing to do; call it at the end of a run that has put something.

        Raises
        ------
        CacheError
            If it cannot be read or written.
        """
        self._dataset.maybe_compact(_superseded)

    def n_bytes(self) -> int:
        """Bytes on disk, old versions included; 0 for a URI."""
        return self._dataset.n_bytes()


def _table(recordings: Sequence[Recording]) -> pa.Table:
    import pyarrow as pa

    columns = {
        # Bytes, because a file's name need not be UTF-8.
        "path": pa.array([os.fsencode(r.path) for r in recordings], pa.binary()),
        "size_bytes": pa.array([r.size_bytes for r in recordings], pa.int64()),
        "mtime_ns": pa.array([r.mtime_ns for r in recordings], pa.int64()),
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


def _recordings(table: pa.Table) -> list[Recording]:
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
    recordings = [object.__new__(Recording) for _ in range(table.num_rows)]
    for name, column in columns.items():
        write = getattr(Recording, name).__set__
        deque(map(write, recordings, column), maxlen=0)
    return recordings


def _paths(found: Any) -> tuple[list[bytes], list[int]]:
    """Path and row id of every row, in the order of appending."""
    table = found.to_table(columns=["path"], with_row_id=True, scan_in_order=True)
    return table["path"].to_numpy().tolist(), table["_rowid"].to_numpy().tolist()


def _superseded(found: Any) -> list[int]:
    """Row ids of the rows that a later one of the same path replaces."""
    paths, row_ids = _paths(found)
    latest = set(dict(zip(paths, row_ids, strict=True)).values())
    return [row_id for row_id in row_ids if row_id not in latest]
