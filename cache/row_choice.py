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
    from collections.abc import Callable, Iterable

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
    "value_keys",
]

_FEW = 16  # what is asked for, where there is so many times more
_AT_ONCE = 2**16  # texts that are Python objects at a time
_ODD = np.array([0x1E3779B97F4A7C15, 0x42B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5])
"""Factors that part digests whose words differ; see `value_keys`."""
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
        import pyarrow as pa

        tables = list(map(_in_columns, key_tables(found)))
        digests = pa.concat_arrays([pa.array([], pa.string()), *(one[0] for one in tables)])
        n_windows = np.concatenate([np.zeros(0, np.int32), *(one[1] for one in tables)])
        crcs = np.concatenate([np.zeros(0, np.uint32), *(one[2] for one in tables)])
        tables.clear()
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


def _in_columns(
    table: pa.Table,
) -> tuple[pa.StringArray, NDArray[np.int32], NDArray[np.uint32]]:
    """Copy keys, so that what Lance has read can go before the next ones come."""
    numbers = (table[name].to_numpy().copy() for name in KEYS[1:])
    return in_one_piece(table[KEYS[0]]), *numbers


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
    if len(asked) * _FEW < len(known):
        return _places_of_few(asked, known)
    return _filled(pc.index_in(asked, value_set=known, skip_nulls=True))


def _places_of_few(asked: pa.Array, known: pa.Array) -> NDArray[np.int64]:
    """Do as `places`, without a table of all that is known, which takes 100 bytes of each."""
    import pyarrow.compute as pc

    encoded = asked.dictionary_encode()
    at = np.full(len(encoded.dictionary) + 1, -1)  # the last one is for nulls
    for start in range(0, len(known), _AT_ONCE):
        some = known.slice(start, _AT_ONCE)
        which = _filled(pc.index_in(some, value_set=encoded.dictionary, skip_nulls=True))
        there = np.flatnonzero(which >= 0)
        at[which[there]] = start + there
    return np.asarray(at[_filled(encoded.indices)])


def _filled(indices: pa.Array) -> NDArray[np.int64]:
    """Return indices with -1 for null."""
    return np.asarray(indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64))


def last_of_each(
    keys: NDArray[np.int64],
    values_at: Callable[[NDArray[np.int64]], pa.Array],
    order_of: Callable[[NDArray[np.int64]], NDArray[np.intp]] | None = None,
) -> NDArray[np.int64]:
    """Tell where each distinct value stands last.

    Parameters
    ----------
    keys : ndarray, shape (n,), int64
        Of the values, see `value_keys`.
    values_at : callable
        Given some rows, their values, none of them null.
    order_of : callable, optional
        Given some rows, in which order to look at them; default: as they stand.

    Returns
    -------
    ndarray, shape (n_distinct,), int64
        Rows, in the order in which the values appear first.
    """
    rows = _rows_of_equal_keys(keys)
    every = np.arange(len(keys))
    if not len(rows):  # nothing is there twice, which is the rule
        return every
    codes = _filled(values_at(rows).dictionary_encode().indices)
    looked_at = np.arange(len(rows)) if order_of is None else order_of(rows)
    last = np.empty(int(codes.max()) + 1, np.int64)
    last[codes[looked_at]] = rows[looked_at]  # NumPy assigns in order, so the last one stays
    _, first = np.unique(codes, return_index=True)
    is_first = np.ones(len(keys), bool)
    is_first[rows] = False
    is_first[rows[first]] = True
    every[rows[first]] = last
    return every[is_first]


def value_keys(values: pa.Array) -> NDArray[np.int64]:
    """Return 64 bits of each text, shape (n,); of this process alone, as Python's `hash`.

    Two may have the same ones: whoever finds equal keys compares the texts. To sort keys takes half
    of the time of a table of all texts, and a tenth of its memory.

    Parameters
    ----------
    values : pyarrow.Array, shape (n,)
        Text or bytes.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from cache import value_keys
    >>> one, other, again = value_keys(pa.array([b"a", b"b", b"a"]))
    >>> bool(one == again), bool(one == other)
    (True, False)
    """
    chars = digest_chars(values)  # they look like chance already
    keys = np.empty(len(values), np.int64)
    for start in range(0, len(values), _AT_ONCE):
        if chars is not None:
            words = np.ascontiguousarray(chars[start : start + _AT_ONCE]).view(np.int64)
            keys[start : start + len(words)] = (words * _ODD).sum(axis=1)
        else:
            some = values.slice(start, _AT_ONCE).to_pylist()
            keys[start : start + len(some)] = np.fromiter(map(hash, some), np.int64, len(some))
    return keys


def _rows_of_equal_keys(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows whose key another one has as well, rising."""
    ordered = np.sort(keys)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return np.zeros(0, np.int64)
    at = np.minimum(np.searchsorted(twice, keys), len(twice) - 1)
    return np.flatnonzero(twice[at] == keys)


def best_last(n_windows: NDArray[np.int32]) -> NDArray[np.intp]:
    """Order rows so that of one digest the one to use comes last.

    The whole recording beats all, then more windows beat fewer, then the first row beats
    later ones.
    """
    rank = np.where(n_windows == WHOLE, np.iinfo(np.int32).max, n_windows)
    order: NDArray[np.intp] = np.lexsort((-np.arange(len(rank)), rank))
    return order


def _best_rows(digests: pa.Array, n_windows: NDArray[np.int32]) -> NDArray[np.int64]:
    keys = value_keys(digests)
    return np.sort(last_of_each(keys, digests.take, lambda rows: best_last(n_windows[rows])))


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
