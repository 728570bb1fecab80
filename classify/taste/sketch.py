"""Sketches of song vectors: 256 numbers that keep the distances between songs.

The standardised numbers of a song are added up, with signs, in 256 buckets. That keeps squared
distances to within some ten per cent, takes a twelfth of the room, and is not fitted on anything
(feature hashing: Weinberger et al. 2009, "Feature hashing for large scale multitask learning").
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from classify.taste.vectors import Vectors

__all__ = ["MAX_APART", "N_BUCKETS", "sketch"]

MAX_APART = 0.25
"""Squared distance up to which two songs count as one.

The unit, 1, is a song's usual distance from the mean.

Measured on ten songs with `musicnn` and `mtt-vgg`: 0.001 to 0.1 for another format, 0.1 to 0.2 for
one that starts 0.7 s later, 0.15 to 0.3 for 5 s later. The nearest different songs of 386 are 0.28
to 0.5 apart.
"""

N_BUCKETS = 256
_LARGEST = float(np.finfo(np.float32).max)
_ROWS_AT_ONCE = 48  # they stay in the processor's cache


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
    order, signs, layers, buckets = _buckets(rows.shape[1])
    found = np.zeros((len(rows), N_BUCKETS), dtype=np.float32)
    # a song of absurd size is infinitely far: right
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            # Songs side by side: that moves many numbers at a time, and layers are in one piece.
            some = np.take(np.ascontiguousarray(part.T), order, axis=0, mode="clip")  # (dim, n)
            some *= signs
            summed = np.zeros((len(buckets), len(part)), dtype=np.float32)
            for layer in layers:
                summed[: layer.stop - layer.start] += some[layer]
            found[start : start + _ROWS_AT_ONCE, buckets] = summed.T
    return np.nan_to_num(found, copy=False, nan=_LARGEST, posinf=_LARGEST, neginf=-_LARGEST)


@lru_cache(maxsize=8)
def _buckets(dim: int) -> tuple[NDArray[np.intp], Vectors, tuple[slice, ...], NDArray[np.intp]]:
    """Put features in layers.

    The first layer has the first feature of each bucket, the next the second of each that has two,
    and so on.

    Returns
    -------
    order : ndarray, shape (dim,), intp
        The features, layer by layer.
    signs : ndarray, shape (dim, 1), float32
        Their signs in that order.
    layers : tuple of slice
        Where each layer is in `order`.
    buckets : ndarray, shape (n_used,), intp
        The buckets in the order in which all layers have them: the fullest first.
    """
    hashes = _hashes(dim)
    numbers = (hashes >> np.uint64(56)).astype(np.intp)
    sizes = np.bincount(numbers, minlength=N_BUCKETS)
    buckets = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    rank = np.empty(N_BUCKETS, dtype=np.intp)
    rank[buckets] = np.arange(len(buckets))
    by_bucket = np.argsort(numbers, kind="stable")
    starts = np.cumsum(sizes) - sizes
    depth = np.empty(dim, dtype=np.intp)  # how many of its bucket come before a feature
    depth[by_bucket] = np.arange(dim) - starts[numbers[by_bucket]]
    order = np.lexsort((rank[numbers], depth))
    signs = np.where(hashes[order] & np.uint64(1), 1.0, -1.0).astype(np.float32)[:, np.newaxis]
    ends = np.cumsum(np.bincount(depth)).tolist()
    layers = tuple(slice(first, last) for first, last in zip([0, *ends], ends, strict=False))
    return order, signs, layers, buckets


def _hashes(dim: int) -> NDArray[np.uint64]:
    """Hash 0 ... dim - 1 by the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    mixed = (np.arange(dim, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
