"""The files of one version of a catalog, in columns; and which of its rows count."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.errors import lance_errors
from cache.file_record import FileRecord, recording_table, recordings_of, with_all_columns
from cache.join.catalog_rows import (
    ROWS_AT_ONCE,
    columns_there,
    numbered,
    numbered_rows_of_files,
    picked,
    read_all,
    scanned,
)
from cache.root import is_there
from cache.row_choice import in_one_piece, last_of_each, places, value_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["CatalogFiles"]

_COLUMNS = ["path", "digest", "track"]
_MANY = 2_000_000  # files; the paths of more, 50 bytes each, are not kept
_TAKE_SHARE = 0.1  # picking rows one by one beats reading all up to about this share


class CatalogFiles:
    """The files in one version of a catalog, the latest row of each; later commits do not show.

    Parameters
    ----------
    found : lance.LanceDataset or None
        The open dataset; None where nothing has ever been put.
    uri : str
        Where it is, for messages.
    wanted : sequence of str, optional
        Which paths; default: all.

    Attributes
    ----------
    paths : pyarrow.BinaryArray, shape (n,)
        As the bytes that the file system has; `os.fsdecode` makes text of them. Of more than two
        million files they are read when they are asked for.
    digests : pyarrow.StringArray, shape (n,)
        Null for a file that failed.

    Raises
    ------
    CacheError
        If the dataset cannot be read.
    """

    def __init__(self, found: Any | None, uri: str, wanted: Sequence[str] | None = None) -> None:
        import pyarrow as pa

        self._found, self._uri = found, uri
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._paths: pa.BinaryArray | None = pa.array([], pa.binary())
        self.digests: pa.StringArray = pa.array([], pa.string())
        if found is None:
            return
        with lance_errors("read", uri):
            if wanted is None:
                self._read_all(found)
                return
            names = (os.fsencode(path) for path in dict.fromkeys(wanted))
            self._read_some(found, pa.array(names, pa.binary()))

    @classmethod
    def at_rows(
        cls, found: Any, uri: str, rows: NDArray[np.int64], digests: pa.StringArray
    ) -> CatalogFiles:
        """Return the files of some rows, of which each is the latest of its path.

        Parameters
        ----------
        found, uri
            As for the class.
        rows : ndarray, shape (n,), int64
        digests : pyarrow.StringArray, shape (n,)
            Of these rows.
        """
        files = cls(None, uri)
        files._found, files._rows, files._paths, files.digests = found, rows, None, digests
        return files

    @classmethod
    def of_recordings(cls, found: Any | None, uri: str, digests: Iterable[str]) -> CatalogFiles:
        """Return the files of some recordings, in the order in which they came.

        Of all others nothing stays in memory.

        Parameters
        ----------
        found, uri
            As for the class.
        digests : iterable of str
        """
        import pyarrow as pa

        files, asked = cls(None, uri), pa.array(dict.fromkeys(digests), pa.string())
        if found is None or not len(asked):
            return files
        files._found = found
        with lance_errors("read", uri):
            paths = [pa.array([], pa.binary())]
            for table in scanned(found, _COLUMNS):
                is_one = places(in_one_piece(table["digest"]), asked) >= 0
                paths.append(in_one_piece(table["path"].filter(pa.array(is_one))))
            files._read_some(found, pa.concat_arrays(paths).unique(), as_they_came=True)
        # a later row of a path may be of another recording
        still = np.flatnonzero(places(files.digests, asked) >= 0)
        assert files._paths is not None
        files._rows, files._paths = files._rows[still], files._paths.take(still)
        files.digests = files.digests.take(still)
        return files

    def _read_some(self, found: Any, asked: pa.BinaryArray, *, as_they_came: bool = False) -> None:
        """Choose the latest row of some paths; where they are few, no others stay in memory.

        They come in the order asked for, or in that of the first row of each.
        """
        import pyarrow as pa

        few = len(asked) <= ROWS_AT_ONCE
        which, rows = [np.zeros(0, np.int64)], [self._rows]
        paths, digests = [pa.array([], pa.binary())], [self.digests]
        tables = scanned(found, _COLUMNS) if few else [read_all(found, _COLUMNS)]
        for whole, some in numbered(tables):
            some_paths = in_one_piece(some["path"])
            at = places(some_paths, asked)
            known = np.flatnonzero(at >= 0)
            which.append(at[known])
            rows.append(whole[known])
            paths.append(some_paths.take(known))
            digests.append(in_one_piece(some["digest"]).take(known))
        every = np.concatenate(which)
        latest = np.full(len(asked), -1)
        latest[every] = np.arange(len(every))  # NumPy assigns in order: a path's last row stays
        if as_they_came:
            there, first = np.unique(every, return_index=True)
            latest = latest[there[np.argsort(first)]]
        latest = latest[latest >= 0]
        self._rows = np.concatenate(rows)[latest]
        self._paths = pa.concat_arrays(paths).take(latest)
        self.digests = pa.concat_arrays(digests).take(latest)

    def _read_all(self, found: Any) -> None:
        """Choose the latest row of each path, by keys of the paths: not all of these are kept."""
        import pyarrow as pa

        keeps = found.count_rows() <= _MANY
        keys, rows = [np.zeros(0, np.int64)], [self._rows]
        paths, digests = [pa.array([], pa.binary())], [self.digests]
        for whole, some in numbered_rows_of_files(found, _COLUMNS):
            rows.append(whole)
            digests.append(in_one_piece(some["digest"]))
            some_paths = in_one_piece(some["path"])
            keys.append(value_keys(some_paths))
            if keeps:
                paths.append(some_paths)
        self._rows, self.digests = np.concatenate(rows), pa.concat_arrays(digests)
        self._paths = pa.concat_arrays(paths) if keeps else None
        latest = last_of_each(np.concatenate(keys), self.paths_at)
        if len(latest) < len(self._rows):
            self._rows, self.digests = self._rows[latest], self.digests.take(latest)
            self._paths = None if self._paths is None else self._paths.take(latest)

    @property
    def paths(self) -> pa.BinaryArray:
        """All paths; of more than two million files they are read when first asked for."""
        if self._paths is None:
            self._paths = self.column("path")
        return self._paths

    def paths_at(self, at: NDArray[np.integer[Any]]) -> pa.BinaryArray:
        """Return the paths of the files at some places, shape (len(at),).

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return self.column("path", at) if self._paths is None else self._paths.take(at)

    def have_in_path(self, text: bytes, at: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Tell which of the files at some places have a text in their path, shape (len(at),).

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        import pyarrow.compute as pc

        if self._paths is not None or len(at) <= _TAKE_SHARE * len(self):
            return _as_mask(pc.match_substring(self.paths_at(at), text))
        with lance_errors("read", self._uri):
            parts = (table["path"] for table in scanned(self._found, ["path"]))
            masks = [_as_mask(pc.match_substring(part, text)) for part in parts]
        has: NDArray[np.bool_] = np.concatenate(masks)[self._rows[at]]
        return has

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str, at: NDArray[np.integer[Any]] | None = None) -> pa.Array:
        """Read one more column, of the files at the places `at` or of all.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return self.columns([name], at)[name]

    def columns(
        self, names: Sequence[str], at: NDArray[np.integer[Any]] | None = None
    ) -> dict[str, pa.Array]:
        """Read more columns, as `column` reads one."""
        table = self._table(list(names), at)
        return {name: in_one_piece(table[name]) for name in names}

    def recordings(self, at: NDArray[np.integer[Any]] | None = None) -> list[FileRecord]:
        """Make `FileRecord` objects.

        Parameters
        ----------
        at : ndarray, shape (n,), int, optional
            Places in `paths`, any order; default: all.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return recordings_of(self._table(None, at)) if len(self) else []

    def files_of(self, digests: Iterable[str]) -> list[FileRecord]:
        """Read the rows of all files of some recordings, in the order in which they came.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return self.recordings(self._places_of(digests))

    def paths_of(
        self, digests: Iterable[str], *, named: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return a path of each recording that is known.

        Of several files it is the one by which the recording goes in `named` (digest to path), if
        that is there; else the last that is there, else the first.
        """
        wanted = named or {}
        at = self._places_of(digests)
        names = self.digests.take(at).to_pylist()
        found: dict[str, str] = {}
        for digest, raw in zip(names, self.paths_at(at).to_pylist(), strict=True):
            path, known = os.fsdecode(raw), found.get(digest)
            if known is None or (
                is_there(path) and not (known == wanted.get(digest) and is_there(known))
            ):
                found[digest] = path
        return found

    def _places_of(self, digests: Iterable[str]) -> NDArray[np.intp]:
        return np.flatnonzero(places(self.digests, digests) >= 0)

    def _table(self, columns: list[str] | None, at: NDArray[np.integer[Any]] | None) -> pa.Table:
        if self._found is None:
            empty = recording_table([])
            return empty if columns is None else empty.select(columns)
        rows = self._rows if at is None else self._rows[at]
        with lance_errors("read", self._uri):
            if len(rows) <= _TAKE_SHARE * self._found.count_rows():
                there = columns_there(self._found, columns)
                table = self._found.take(rows.tolist(), columns=there)
            else:
                table = picked(scanned(self._found, columns), rows)
            return with_all_columns(table, columns)


def _as_mask(values: pa.BooleanArray) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False).astype(np.bool_))
