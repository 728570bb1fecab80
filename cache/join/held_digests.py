"""Digests as numbers, sorted: which a store holds, and where each stands."""

from __future__ import annotations

from binascii import unhexlify
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.crc32 import digest_chars
from cache.entry import WHOLE
from cache.key import is_digest
from cache.row_choice import in_one_piece
from cache.seals.sealed_keys import key_tables

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["HeldDigests", "best_of_each", "digest_halves"]


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
        order = best_of_each(first, second, n_windows)
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


def best_of_each(
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
