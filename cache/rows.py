"""Which row of a recording counts, which is damaged, and the fast way to many vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cache.entry import WHOLE, entry_at, vectors_of
from cache.errors import CacheError, lance_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["best_last", "damaged_in", "keys", "read_vectors", "superseded"]

_KEY = ["digest", "n_windows"]
_BATCH_ROWS = 128  # of 12 kB each: measured fastest of 64 to 8192, and sparing of memory
_TAKE_SHARE = 0.25  # picking rows one by one beats reading all up to about this share
_TAKE_ROWS = 4096
_VERIFY_ROWS = 64  # of 50 kB to some MB each, where the whole recording is covered


def keys(found: Any) -> tuple[NDArray[np.object_], NDArray[np.int32], NDArray[np.uint64]]:
    """Digest, n_windows and row id of every row, in the order of appending; each (n_rows,)."""
    table = found.to_table(columns=_KEY, with_row_id=True, scan_in_order=True)
    return (
        table["digest"].to_numpy(),
        table["n_windows"].to_numpy(),
        table["_rowid"].to_numpy(),
    )


def best_last(n_windows: NDArray[np.int32]) -> NDArray[np.intp]:
    """Order rows so that of one digest the one to use comes last.

    The whole recording beats all, then more windows beat fewer, then the first row beats
    later ones.
    """
    rank = np.where(n_windows == WHOLE, np.iinfo(np.int32).max, n_windows)
    order: NDArray[np.intp] = np.lexsort((-np.arange(len(rank)), rank))
    return order


def superseded(found: Any) -> list[int]:
    """Row ids of the rows that no reader uses."""
    digests, n_windows, row_ids = keys(found)
    order = best_last(n_windows)
    used = np.zeros(len(digests), bool)
    used[list(dict(zip(digests[order].tolist(), order.tolist(), strict=True)).values())] = True
    dropped: list[int] = row_ids[~used].tolist()
    return dropped


def read_vectors(
    found: Any, rows: NDArray[np.int64], n_rows: int
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Read the vectors at `rows` (n,), each once, and their checksums: (n, dim_vector), (n,)."""
    columns = ["vector", "vector_crc32"]
    vectors = np.empty((len(rows), found.schema.field("vector").type.list_size), np.float32)
    crcs = np.empty(len(rows), np.uint32)
    if len(rows) <= _TAKE_SHARE * n_rows:
        for start in range(0, len(rows), _TAKE_ROWS):
            part = slice(start, start + _TAKE_ROWS)
            table = found.take(rows[part].tolist(), columns=columns)
            vectors[part] = vectors_of(table["vector"].combine_chunks())
            crcs[part] = table["vector_crc32"].to_numpy()
        return vectors, crcs
    # Streamed into place, so that the library is in memory once, not twice.
    target = np.full(n_rows, -1)
    target[rows] = np.arange(len(rows))
    start = 0
    for batch in found.to_batches(columns=columns, batch_size=_BATCH_ROWS, scan_in_order=True):
        to = target[start : start + len(batch)]
        start += len(batch)
        vectors[to[to >= 0]] = vectors_of(batch["vector"])[to >= 0]
        crcs[to[to >= 0]] = batch["vector_crc32"].to_numpy()[to >= 0]
    return vectors, crcs


def damaged_in(fragment: Any, dim: int) -> list[str]:
    """Digests of the rows in one Lance fragment that do not match their checksums."""
    damaged: list[str] = []
    try:
        with lance_errors("read", "fragment"):
            for batch in fragment.to_batches(batch_size=_VERIFY_ROWS):
                names = batch["digest"].to_pylist()
                damaged += [n for at, n in enumerate(names) if entry_at(batch, at, dim) is None]
    except CacheError:
        # Lance cannot decode it. As long as it tells whose rows these are, they can be dropped.
        damaged = fragment.to_table(columns=["digest"])["digest"].to_pylist()
    return damaged
