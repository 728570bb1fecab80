"""Which songs would teach a taste most, were they labelled.

These are the ones that may be liked, and of which little is known.

The taste's head is a kernel machine, and a Gaussian process with the same kernel says how much
labelled songs tell of another one. A song is worth the chance that it is liked times the standard
deviation that is left of it: most songs are not liked, and one more dislike changes little, while a
like of a kind that was not known changes much. Chosen on music of nine games, where doubt alone,
the highest score alone and the greatest distance alone needed more labels;
tests/benchmarks/bench_suggest.py has eight other tastes.

A batch is chosen one by one: each song counts as labelled as soon as it is chosen, whatever the
answer will be, since the deviation of a Gaussian process does not depend on it (Desautels, Krause &
Burdick 2014, "Parallelizing exploration-exploitation tradeoffs in Gaussian process bandit
optimization").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.learning.heads import Kernel
from classify.taste.vectors import FloatArray

__all__ = ["Pick", "most_informative"]

_GAMMA = Kernel().gamma
_NOISE = 0.1
"""Variance of a label: how far one song's answer binds its very neighbours."""
_FLOOR = 1e-12


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A song that was chosen.

    Attributes
    ----------
    row : int
        Which.
    unknown : float
        What the labelled songs leave open of it, before anything was chosen: a standard deviation,
        1 for a song that has nothing in common with any of them, near 0 for one that is like many.
    """

    row: int
    unknown: float


def most_informative(
    points: FloatArray,
    decisions: FloatArray,
    labelled: FloatArray,
    *,
    top: int,
    copies: Callable[[int], NDArray[np.intp]] | None = None,
) -> list[Pick]:
    """Choose songs to label next.

    Parameters
    ----------
    points : ndarray, shape (n, n_axes), float64
        Songs that nobody has labelled, placed in song space.
    decisions : ndarray, shape (n,), float64
        Of the taste's head; 0 where a song fits the likes and the rest equally well.
    labelled : ndarray, shape (n_labelled, n_axes), float64
        Likes and dislikes in the same space.
    top : int
        At most so many.
    copies : callable, optional
        Tells which rows are copies of a row that has been chosen, and so must not be chosen too.

    Returns
    -------
    list of Pick
        Best first. Of equal songs the one in the earlier row.
    """
    known = _Known(points, labelled)
    first = known.deviations()
    # The chance enters as it is: the logarithm only keeps products of small numbers apart.
    chance = -np.logaddexp(0.0, -decisions)
    free = np.ones(len(points), np.bool_)
    picks: list[Pick] = []
    while len(picks) < top and free.any():
        value = chance + np.log(known.deviations())
        row = int(np.argmax(np.where(free, value, -np.inf)))
        picks.append(Pick(row=row, unknown=float(first[row])))
        free[row] = False
        if copies is not None:
            free[copies(row)] = False
        known.add(row)
    return picks


class _Known:
    """What labels tell of songs: the posterior variances of a Gaussian process, label by label."""

    def __init__(self, points: FloatArray, labelled: FloatArray) -> None:
        self._points = points
        own = _likeness(labelled, labelled)
        own[np.diag_indices_from(own)] += _NOISE
        # (n_labelled, n); its columns' squared lengths are what is known of each song.
        self._told = np.linalg.solve(np.linalg.cholesky(own), _likeness(labelled, points))
        self._variances = 1.0 - np.square(self._told).sum(axis=0)

    def deviations(self) -> FloatArray:
        """Return the standard deviation that is left of each song, shape (n,), above 0."""
        return np.asarray(np.sqrt(np.maximum(self._variances, _FLOOR)))

    def add(self, row: int) -> None:
        """Count a song as labelled."""
        shared = (
            _likeness(self._points[row : row + 1], self._points)[0]
            - self._told[:, row] @ self._told
        )
        told = shared / np.sqrt(max(self._variances[row], _FLOOR) + _NOISE)  # (n,)
        self._told = np.vstack([self._told, told])
        self._variances = self._variances - np.square(told)


def _likeness(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the kernel of the default head between rows of unit length, shape (n_a, n_b)."""
    return np.asarray(np.exp(2 * _GAMMA * (a @ b.T - 1)))
