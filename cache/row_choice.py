"""Which row of a recording counts, and which is damaged; in columns, never row by row."""

from __future__ import annotations

from binascii import unhexlify
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.crc32 import digest_chars
from cache.entry import WHOLE, entry_at
from cache.errors import CacheError, lance_errors
from cache.key import is_digest
from cache.seals.sealed_keys import KEYS, check_keys, key_tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = [
    "HeldDigests",
    "Keys",
    "best_last",
    "damaged_in",
    "digest_halves",
    "in_one_piece",
    "last_of_each",
    "places",
    "superseded",
    "text_array",
]

_VERIFY_ROWS = 64  # of 50 kB to some MB each, where the whole recording is covered


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
    def read(cls, found: Any, wanted: pa.Array | None = None) -> Keys:
        """Read the keys of an open dataset, of some digests or of all: some 40 bytes a row."""
        table = found.to_table(columns=list(KEYS), scan_in_order=True)
        check_keys(found, table)
        digests = in_one_piece(table["digest"])
        n_windows, crcs = table["n_windows"].to_numpy(), table["vector_crc32"].to_numpy()
        if wanted is not None:
            some = np.flatnonzero(places(digests, wanted) >= 0)
            digests = digests.take(some)
            best = _best_rows(digests, n_windows[some])
            rows = some[best]
            return cls(
                digests=digests.take(best), n_windows=n_windows[rows], crcs=crcs[rows], rows=rows
            )
        rows = _best_rows(digests, n_windows)
        if len(rows) == len(digests):
            return cls(digests=digests, n_windows=n_windows, crcs=crcs, rows=rows)
        return cls(
            digests=digests.take(rows), n_windows=n_windows[rows], crcs=crcs[rows], rows=rows
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldDigests:
    """Which recordings a store holds, and how well each is covered: 20 bytes a recording.

    Parameters
    ----------
    first, second : ndarray, shape (n,), uint64
        The halves of the digests, each digest once; sorted by the first half.
    n_windows : ndarray, shape (n,), int32
        The best coverage held: 0 for the whole recording, which beats all, else the larger.
    """

    first: NDArray[np.uint64]
    second: NDArray[np.uint64]
    n_windows: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def read(cls, found: Any | None) -> HeldDigests:
        """Read those of an open dataset, a part of it at a time; None has none."""
        firsts, seconds = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
        windows = [np.zeros(0, np.int32)]
        for table in key_tables(found) if found is not None else ():
            halves, rows = digest_halves(in_one_piece(table["digest"]))
            firsts.append(halves[:, 0].copy())
            seconds.append(halves[:, 1].copy())
            windows.append(table["n_windows"].to_numpy()[rows])
        first = np.concatenate(firsts)
        firsts.clear()  # of ten million recordings each column has its weight
        second = np.concatenate(seconds)
        seconds.clear()
        n_windows = np.concatenate(windows)
        order = _best_of_each(first, second, n_windows)
        return cls(first=first[order], second=second[order], n_windows=n_windows[order])

    def places(self, halves: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Tell where digests stand, shape (m,); -1 for those not held.

        Parameters
        ----------
        halves : ndarray, shape (m, 2), uint64
            See `digest_halves`.
        """
        found = np.full(len(halves), -1)
        asked = halves[:, 0].copy()
        in_order = np.argsort(asked)  # so that what is looked up lies close together
        at = np.empty(len(halves), np.int64)
        at[in_order] = np.searchsorted(self.first, asked[in_order])
        left = np.arange(len(halves))
        while len(left):  # once, but where two digests share their first half
            left = left[at[left] < len(self)]
            left = left[self.first[at[left]] == halves[left, 0]]
            is_it = self.second[at[left]] == halves[left, 1]
            found[left[is_it]] = at[left[is_it]]
            left = left[~is_it]
            at[left] += 1
        return found


def _best_of_each(
    first: NDArray[np.uint64], second: NDArray[np.uint64], n_windows: NDArray[np.int32]
) -> NDArray[np.intp]:
    """Order digests by their halves; of those that are there twice, only the best covered."""
    order = np.argsort(first)
    ordered = first[order]
    if not (ordered[1:] == ordered[:-1]).any():  # which is the rule
        return order
    rank = np.where(n_windows == WHOLE, np.iinfo(np.int32).max, n_windows)
    order = np.lexsort((-rank, second, first))
    ordered, others = first[order], second[order]
    is_other = (ordered[1:] != ordered[:-1]) | (others[1:] != others[:-1])
    return np.asarray(order[np.append(True, is_other)])


def digest_halves(digests: pa.StringArray) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Return digests as numbers, and where those stand that are digests.

    Parameters
    ----------
    digests : pyarrow.StringArray, shape (n,)
        What is null or no digest is left out.

    Returns
    -------
    halves : ndarray, shape (m, 2), uint64
    at : ndarray, shape (m,), int

    Examples
    --------
    >>> import pyarrow as pa
    >>> from cache import digest_halves
    >>> digest_halves(pa.array([None, f"{1:016x}{2:016x}"]))
    (array([[1, 2]], dtype=uint64), array([1]))
    """
    at = np.arange(len(digests))
    if digests.null_count:
        at = np.flatnonzero(digests.is_valid().to_numpy(zero_copy_only=False))
        digests = digests.take(at)
    chars = digest_chars(digests)
    try:
        raw = unhexlify(b"?" if chars is None else chars.tobytes())
    except ValueError:  # damaged rows may have anything
        is_one = np.array([is_digest(one) for one in digests.to_pylist()], bool)
        at, digests = at[is_one], digests.filter(is_one)
        raw = unhexlify("".join(digests.to_pylist()))
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2), at


def in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    """Join the chunks of a column."""
    joined: pa.Array = column.combine_chunks()
    return joined


def text_array(texts: Iterable[str] | pa.Array) -> pa.Array:
    """Return texts as an Arrow array; what is one already, as it is."""
    import pyarrow as pa

    return texts if isinstance(texts, pa.Array) else pa.array(list(texts), pa.string())


def places(wanted: Iterable[str] | pa.Array, among: Iterable[str] | pa.Array) -> NDArray[np.int64]:
    """Tell where each of `wanted` stands in `among`.

    Parameters
    ----------
    wanted : iterable of str or pyarrow.Array, shape (n,)
        Text, or an array of bytes; may hold nulls.
    among : iterable of str or pyarrow.Array
        Of the same type; of what it has twice, one of the places counts.

    Returns
    -------
    ndarray, shape (n,), int64
        -1 for what is not there, and for null.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from cache import places
    >>> places(pa.array(["b", "x"]), pa.array(["a", "b"])).tolist()
    [1, -1]
    """
    import pyarrow.compute as pc

    asked, known = text_array(wanted), text_array(among)
    # as they mostly are, having come in the same order
    if not known.null_count and asked.equals(known):
        return np.arange(len(asked))
    found = pc.index_in(asked, value_set=known, skip_nulls=True)
    at: NDArray[np.int64] = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return at


def last_of_each(
    values: pa.Array, order: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.int64]:
    """Tell where each distinct value stands last.

    Parameters
    ----------
    values : pyarrow.Array, shape (n,)
    order : ndarray, shape (n,), int, optional
        In which order to look at them; default: as they stand.

    Returns
    -------
    ndarray, shape (n_distinct,), int64
        Indices into `values`, in the order in which the values appear first.
    """
    encoded = values.dictionary_encode()
    n_distinct = len(encoded.dictionary)
    if n_distinct == len(values):  # nothing is there twice, which is the rule
        return np.arange(n_distinct)
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    looked_at = np.arange(len(values)) if order is None else order
    last = np.empty(n_distinct, np.int64)
    last[codes[looked_at]] = looked_at  # NumPy assigns in order, so the last one stays
    return last


def best_last(n_windows: NDArray[np.int32]) -> NDArray[np.intp]:
    """Order rows so that of one digest the one to use comes last.

    The whole recording beats all, then more windows beat fewer, then the first row beats
    later ones.
    """
    rank = np.where(n_windows == WHOLE, np.iinfo(np.int32).max, n_windows)
    order: NDArray[np.intp] = np.lexsort((-np.arange(len(rank)), rank))
    return order


def _best_rows(digests: pa.Array, n_windows: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.sort(last_of_each(digests, best_last(n_windows)))


def superseded(found: Any) -> list[int]:
    """Row ids of the rows that no reader uses."""
    table = found.to_table(columns=list(KEYS), with_row_id=True, scan_in_order=True)
    check_keys(found, table)  # compaction would seal whatever it finds
    used = _best_rows(in_one_piece(table["digest"]), table["n_windows"].to_numpy())
    dropped: list[int] = np.delete(table["_rowid"].to_numpy(), used).tolist()
    return dropped


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
