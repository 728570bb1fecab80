"""The rows of a store that count, in columns: digest, coverage, checksum, place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.row_choice import best_rows, in_one_piece, places
from cache.seals.sealed_keys import KEYS, key_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    _Part = tuple[pa.StringArray, NDArray[np.int32], NDArray[np.uint32], NDArray[np.int64]]

__all__ = ["Keys"]

_FEW = 65_536  # digests to look for among 100,000 at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Keys:
    """The rows that count in one version of a store: one a recording, in the order of appending.

    Parameters
    ----------
    digests : pyarrow.StringArray, shape (n,)
        Each once.
    n_windows : ndarray, shape (n,), int32
        Windows covered, 0 for the whole recording.
    crcs : ndarray, shape (n,), uint32
        Checksum of each song vector together with its key, as stored.
    rows : ndarray, shape (n,), int64
        Place among all rows of the version, rising.
    """

    digests: pa.StringArray
    n_windows: NDArray[np.int32]
    crcs: NDArray[np.uint32]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls) -> Keys:
        """Return the keys of a store in which nothing is."""
        import pyarrow as pa

        rows = np.zeros(0, np.int64)
        windows, crcs = rows.astype(np.int32), rows.astype(np.uint32)
        return cls(digests=pa.array([], pa.string()), n_windows=windows, crcs=crcs, rows=rows)

    @classmethod
    def read(cls, found: Any, wanted: pa.Array | None = None) -> Keys:
        """Read the keys of an open dataset, of some digests or of all: some 40 bytes a row.

        Where few are asked for, nothing of the others stays in memory.
        """
        import pyarrow as pa

        few = wanted if wanted is not None and len(wanted) <= _FEW else None
        parts = list(_parts(found, few))
        digests = pa.concat_arrays([pa.array([], pa.string()), *(one[0] for one in parts)])
        n_windows = np.concatenate([np.zeros(0, np.int32), *(one[1] for one in parts)])
        crcs = np.concatenate([np.zeros(0, np.uint32), *(one[2] for one in parts)])
        rows = np.concatenate([np.zeros(0, np.int64), *(one[3] for one in parts)])
        parts.clear()
        everything = cls(digests=digests, n_windows=n_windows, crcs=crcs, rows=rows)
        if wanted is not None and few is None:
            everything = everything._take(np.flatnonzero(places(digests, wanted) >= 0))
        return everything._take(best_rows(everything.digests, everything.n_windows))

    def _take(self, at: NDArray[np.int64]) -> Keys:
        if len(at) == len(self):
            return self
        return Keys(
            digests=self.digests.take(at),
            n_windows=self.n_windows[at],
            crcs=self.crcs[at],
            rows=self.rows[at],
        )


def _parts(found: Any, wanted: pa.Array | None) -> Iterator[_Part]:
    """Copy keys, so that what Lance has read can go before the next ones come."""
    n_rows = 0
    for table in key_tables(found):
        digests = in_one_piece(table[KEYS[0]])
        n_windows, crcs = (table[name].to_numpy().copy() for name in KEYS[1:])
        rows = np.arange(n_rows, n_rows + len(digests))
        n_rows += len(digests)
        if wanted is None:
            yield digests, n_windows, crcs, rows
            continue
        some = np.flatnonzero(places(digests, wanted) >= 0)
        if len(some):
            yield digests.take(some), n_windows[some], crcs[some], rows[some]
