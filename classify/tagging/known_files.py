"""Files that the catalog knows stay known when their tags are written: they are no new music."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from cache import CacheError, Catalog, FileRecord, default_root

__all__ = ["KnownFiles"]


class KnownFiles:
    """Rows of the catalog that are brought up to date at the end of a block.

    Where that fails, the next `embed` reads these files through once, and embeds nothing.

    Parameters
    ----------
    paths : sequence of str
    root : path or URI, optional
        The cache.
    """

    def __init__(self, paths: Sequence[str], root: str | Path | None = None) -> None:
        self._catalog = Catalog(default_root() if root is None else root)
        known = self._catalog.lookup(paths)
        self._rows = {path: row for path, row in known.items() if _is_still(row)}
        self._changed: list[FileRecord] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._catalog.put(self._changed)
            if self._changed:
                self._catalog.maybe_compact()
        except CacheError:
            pass

    def has_replaced(self, path: str) -> None:
        """Note that a file has been replaced by one with the same sound."""
        row = self._rows.get(path)
        if row is not None:
            status = os.stat(path)
            size, time_ns = status.st_size, status.st_mtime_ns
            self._changed.append(replace(row, size_bytes=size, mtime_ns=time_ns))


def _is_still(row: FileRecord) -> bool:
    try:
        return row.is_still(os.stat(row.path))
    except OSError:
        return False
