"""The files of one version of a catalog, in columns; and which of its rows count."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.errors import lance_errors
from cache.file_record import FileRecord, recording_table, recordings_of, with_all_columns
from cache.root import is_there
from cache.row_choice import in_one_piece, last_of_each, places, value_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["CatalogFiles", "numbered_rows_of_files", "rows_of_files", "superseded_files"]

_ROWS_AT_ONCE = 65_536
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
            self._read_some(found, wanted)

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

    def _read_some(self, found: Any, wanted: Sequence[str]) -> None:
        """Choose the latest row of some paths; where they are few, no others stay in memory."""
        import pyarrow as pa

        asked = pa.array([os.fsencode(path) for path in dict.fromkeys(wanted)], pa.binary())
        few = len(asked) <= _ROWS_AT_ONCE
        which, rows = [np.zeros(0, np.int64)], [self._rows]
        paths, digests = [pa.array([], pa.binary())], [self.digests]
        tables = _scanned(found, _COLUMNS) if few else [_read(found, _COLUMNS)]
        for whole, some in _numbered(tables):
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
            parts = (table["path"] for table in _scanned(self._found, ["path"]))
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
                there = _there(self._found, columns)
                table = self._found.take(rows.tolist(), columns=there)
            else:
                table = _picked(_scanned(self._found, columns), rows)
            return with_all_columns(table, columns)


def rows_of_files(found: Any, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Read columns of all rows of files, in their order, some 65,536 at a time.

    Parameters
    ----------
    found : lance.LanceDataset
    columns : sequence of str

    Yields
    ------
    pyarrow.Table
        With the column `track`, too; each column in one piece.
    """
    return (table for _, table in numbered_rows_of_files(found, columns))


def numbered_rows_of_files(
    found: Any, columns: Sequence[str]
) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Do as `rows_of_files`, and tell where each row stands among all rows, shape (n,)."""
    return _numbered(_scanned(found, list(dict.fromkeys([*columns, "track"]))))


def _numbered(tables: Iterable[pa.Table]) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Take the rows of files from tables that follow one another."""
    n_rows = 0
    for table in tables:
        whole = _of_whole_files(table)
        yield n_rows + whole, table if len(whole) == len(table) else table.take(whole)
        n_rows += len(table)


def superseded_files(found: Any) -> list[int]:
    """Return the ids of the rows that a later one of the same path replaces, of a whole file.

    Parameters
    ----------
    found : lance.LanceDataset
    """
    table = _read(found, ["path", "track"], with_row_id=True)
    paths, whole = in_one_piece(table["path"]), _of_whole_files(table)
    of_files = paths.take(whole)
    latest = whole[last_of_each(value_keys(of_files), of_files.take)]
    which = places(paths, paths.take(latest))
    replaced = (which >= 0) & (np.arange(len(paths)) < latest[which])
    stale: list[int] = table["_rowid"].to_numpy()[replaced].tolist()
    return stale


def _picked(tables: Iterable[pa.Table], rows: NDArray[np.int64]) -> pa.Table:
    """Take some rows, at least one, of tables that follow one another."""
    import pyarrow as pa

    order = np.argsort(rows, kind="stable")
    rising = rows[order]
    some, n_rows, done = [], 0, 0
    for table in tables:
        n_rows += len(table)
        end = int(np.searchsorted(rising, n_rows))
        some.append(table.take(rising[done:end] - (n_rows - len(table))))
        done = end
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_tables(some).take(back)


def _read(found: Any, columns: list[str] | None, **options: bool) -> pa.Table:
    """Read columns of all rows in their order; with nulls for those that format 1 lacks."""
    import pyarrow as pa

    # not at once, as Lance then keeps several times what the columns take
    tables = list(_scanned(found, columns, **options))
    if tables:
        return pa.concat_tables(tables)
    return with_all_columns(found.to_table(columns=_there(found, columns)), columns)


def _scanned(found: Any, columns: list[str] | None, **options: bool) -> Iterator[pa.Table]:
    """Read columns of all rows in their order, some 65,536 at a time, each in one piece.

    Those that format 1 lacks are null.
    """
    import pyarrow as pa

    def joined() -> pa.Table:
        return with_all_columns(pa.Table.from_batches(some).combine_chunks(), columns)

    scanner = found.scanner(columns=_there(found, columns), scan_in_order=True, **options)
    some: list[pa.RecordBatch] = []
    n_rows = 0
    for batch in scanner.to_batches():
        some.append(batch)
        n_rows += len(batch)
        if n_rows >= _ROWS_AT_ONCE:
            yield joined()
            some, n_rows = [], 0
    if some:
        yield joined()


def _there(found: Any, columns: list[str] | None) -> list[str] | None:
    if columns is None:
        return None
    # not none of them, which Lance takes for no rows
    return [name for name in columns if name in found.schema.names] or ["path"]


def _as_mask(values: pa.BooleanArray) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False).astype(np.bool_))


def _of_whole_files(table: pa.Table) -> NDArray[np.int64]:
    """Tell which rows are of a whole file, and not of one of its tracks."""
    tracks = table["track"]
    if tracks.null_count == len(tracks):
        return np.arange(len(tracks))
    return np.flatnonzero(tracks.is_null().to_numpy())
