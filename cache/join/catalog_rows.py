"""The rows of a catalog: read in their order, some at a time; and which of them are stale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cache.file_record import with_all_columns
from cache.row_choice import in_one_piece, last_of_each, places, value_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = [
    "ROWS_AT_ONCE",
    "columns_there",
    "numbered",
    "numbered_rows_of_files",
    "picked",
    "read_all",
    "rows_of_files",
    "scanned",
    "superseded_files",
]

ROWS_AT_ONCE = 65_536


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
    return numbered(scanned(found, list(dict.fromkeys([*columns, "track"]))))


def numbered(tables: Iterable[pa.Table]) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
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
    table = read_all(found, ["path", "track"], with_row_id=True)
    paths, whole = in_one_piece(table["path"]), _of_whole_files(table)
    of_files = paths.take(whole)
    latest = whole[last_of_each(value_keys(of_files), of_files.take)]
    which = places(paths, paths.take(latest))
    replaced = (which >= 0) & (np.arange(len(paths)) < latest[which])
    stale: list[int] = table["_rowid"].to_numpy()[replaced].tolist()
    return stale


def picked(tables: Iterable[pa.Table], rows: NDArray[np.int64]) -> pa.Table:
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


def read_all(found: Any, columns: list[str] | None, **options: bool) -> pa.Table:
    """Read columns of all rows in their order; with nulls for those that format 1 lacks."""
    import pyarrow as pa

    # not at once, as Lance then keeps several times what the columns take
    tables = list(scanned(found, columns, **options))
    if tables:
        return pa.concat_tables(tables)
    return with_all_columns(found.to_table(columns=columns_there(found, columns)), columns)


def scanned(found: Any, columns: list[str] | None, **options: bool) -> Iterator[pa.Table]:
    """Read columns of all rows in their order, some 65,536 at a time, each in one piece.

    Those that format 1 lacks are null.
    """
    import pyarrow as pa

    def joined() -> pa.Table:
        return with_all_columns(pa.Table.from_batches(some).combine_chunks(), columns)

    scanner = found.scanner(columns=columns_there(found, columns), scan_in_order=True, **options)
    some: list[pa.RecordBatch] = []
    n_rows = 0
    for batch in scanner.to_batches():
        some.append(batch)
        n_rows += len(batch)
        if n_rows >= ROWS_AT_ONCE:
            yield joined()
            some, n_rows = [], 0
    if some:
        yield joined()


def columns_there(found: Any, columns: list[str] | None) -> list[str] | None:
    """Return which of some columns a catalog has; None stands for all."""
    if columns is None:
        return None
    # not none of them, which Lance takes for no rows
    return [name for name in columns if name in found.schema.names] or ["path"]


def _of_whole_files(table: pa.Table) -> NDArray[np.int64]:
    """Tell which rows are of a whole file, and not of one of its tracks."""
    tracks = table["track"]
    if tracks.null_count == len(tracks):
        return np.arange(len(tracks))
    return np.flatnonzero(tracks.is_null().to_numpy())
