"""Which row of a recording counts, and which is damaged; in columns, never row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cache.crc32 import digest_chars
from cache.entry import WHOLE, entry_at
from cache.errors import CacheError, lance_errors
from cache.seals.sealed_keys import KEYS, check_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = [
    "best_last",
    "best_rows",
    "damaged_in",
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


def best_rows(digests: pa.Array, n_windows: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the rows that count, one a digest, rising."""
    keys = value_keys(digests)
    return np.sort(last_of_each(keys, digests.take, lambda rows: best_last(n_windows[rows])))


def superseded(found: Any) -> list[int]:
    """Row ids of the rows that no reader uses."""
    table = found.to_table(columns=list(KEYS), with_row_id=True, scan_in_order=True)
    check_keys(found, table)  # compaction would seal whatever it finds
    used = best_rows(in_one_piece(table["digest"]), table["n_windows"].to_numpy())
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
