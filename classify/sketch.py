"""Sketches of song vectors: 256 numbers that keep the distances between songs.

The standardised numbers of a song are added up, with signs, in 256 buckets. That keeps squared distances to
within some ten per cent, takes a twelfth of the room, and is not fitted on anything (feature hashing:
Weinberger et al. 2009, "Feature hashing for large scale multitask learning").
"""

import numpy as np
from numpy.typing import NDArray

from classify.features import FloatArray, Vectors

__all__ = ["N_BUCKETS", "sketch", "squared_distances"]

N_BUCKETS = 256
_LARGEST = float(np.finfo(np.float32).max)


def sketch(rows: Vectors) -> Vectors:
    """Add up the numbers of each row in buckets, with signs.

    Parameters
    ----------
    rows : ndarray, shape (n, dim), float32
        Standardised song vectors.

    Returns
    -------
    ndarray, shape (n, 256), float32
        All finite. Each row depends on its own song alone, bit for bit.
    """
    order, signs, starts = _buckets(rows.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):  # a song of absurd size is infinitely far: right
        sums = np.add.reduceat(rows[:, order] * signs, starts, axis=1)
    found = np.zeros((len(rows), N_BUCKETS), dtype=np.float32)
    used = np.unique(_hashes(rows.shape[1]) >> np.uint64(56)).astype(np.intp)
    found[:, used] = np.nan_to_num(sums, nan=_LARGEST, posinf=_LARGEST, neginf=-_LARGEST)
    return found


def _buckets(dim: int) -> tuple[NDArray[np.intp], Vectors, NDArray[np.intp]]:
    """Return the order of features by bucket, their signs in that order, and where each bucket starts."""
    hashes = _hashes(dim)
    buckets = hashes >> np.uint64(56)
    order = np.argsort(buckets, kind="stable")
    signs = np.where(hashes[order] & np.uint64(1), 1.0, -1.0).astype(np.float32)
    return order, signs, np.unique(buckets[order], return_index=True)[1]


def _hashes(dim: int) -> NDArray[np.uint64]:
    """Hash 0 ... dim - 1 by the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    mixed = (np.arange(dim, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def squared_distances(rows: Vectors, known: Vectors) -> FloatArray:
    """Return squared distances of each row (n, 256) to each known one: (n, n_known), float64."""
    a, b = rows.astype(np.float64), known.astype(np.float64)
    inner = np.matmul(a[:, np.newaxis, :], b.T)[:, 0, :]  # one product a row, as in SongSpace.place
    apart = np.square(a).sum(axis=1)[:, np.newaxis] + np.square(b).sum(axis=1) - 2 * inner
    return np.asarray(np.maximum(apart, 0))
