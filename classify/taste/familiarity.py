"""Whether a song is like anything that was there to learn from; noise and speech are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from classify.errors import TasteError
from classify.taste.row_products import RowMatrix, row_dots
from classify.taste.sketch import MAX_APART, N_BUCKETS, sketch
from classify.taste.vectors import FloatArray, Vectors

__all__ = ["Familiarity"]

MAX_KNOWN = 512
# Chosen on the music of tests/benchmarks/bench_accuracy.py: noises, tones and speech are at half as
# far again, or more.
_USUAL_SHARE = 0.9
_SLACK = 1.3
_MIN_KNOWN = 10
"""The fewest songs of a library that are a picture of music.

A fifth of new songs, or more, would be far from a smaller one.
"""
_NOTHING_KNOWN = float(np.finfo(np.float32).max)
_MOST_DOUBLED = np.finfo(np.float32).max / 2
_ROWS_AT_ONCE = 48
_FEW = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Familiarity:
    """How far a song is from the nearest one that the taste knows.

    Distances are taken between sketches (see `classify.taste.sketch`), which are not fitted on
    anything, so that known and new songs are treated alike.

    Parameters
    ----------
    known : ndarray, shape (n_known, 256), float32
        Sketches of songs that were there in training.
    limit : float
        Largest mean squared distance at which a song is familiar.

    Raises
    ------
    TasteError
        If the shapes are wrong, a value is not finite or the limit is not positive.
    """

    known: Vectors
    limit: float

    def __post_init__(self) -> None:
        if (
            self.known.ndim != 2
            or self.known.shape[1] != N_BUCKETS
            or self.known.dtype != np.float32
        ):
            raise TasteError(
                f"known songs have shape {self.known.shape} and type {self.known.dtype}; (n, "
                f"{N_BUCKETS}) and float32 are needed: train the taste again"
            )
        if not (np.isfinite(self.known).all() and 0 < self.limit < np.inf):
            raise TasteError(
                f"known songs, or the limit of {self.limit} beside them, can't be: train the taste "
                "again"
            )

    @classmethod
    def fit(
        cls, standardised: Vectors, *, keep: Sequence[int] | NDArray[np.intp] = ()
    ) -> "Familiarity":
        """Remember songs, and how far apart they usually are.

        Parameters
        ----------
        standardised : ndarray, shape (n, dim), float32
            The library, by `SongSpace.standardise`.
        keep : sequence of int
            Rows to remember in any case, such as the likes; of the others, the first up to 512 in
            all. Where rows are sorted by digest these are as good as random, and stay where a few
            songs come or go.

        Returns
        -------
        Familiarity
            The limit is 1.3 times the distance within which nine of ten songs have their nearest
            neighbour, copies left out. With fewer than 10 songs nothing is known of distances, and
            every song is familiar.
        """
        others = np.setdiff1d(np.arange(len(standardised)), np.asarray(keep, dtype=np.intp))
        n_others = min(len(others), max(0, MAX_KNOWN - len(keep)))
        rows = np.concatenate([np.asarray(keep, dtype=np.intp), others[:n_others]])
        known = sketch(standardised[np.sort(rows)])
        nearest = _distances_within(known) / standardised.shape[1]
        if len(nearest) < _MIN_KNOWN:
            return cls(known=known, limit=_NOTHING_KNOWN)
        return cls(known=known, limit=_SLACK * float(np.quantile(nearest, _USUAL_SHARE)))

    @property
    def tells(self) -> bool:
        """Whether there were songs enough to tell what is unlike them."""
        return self.limit < _NOTHING_KNOWN

    @staticmethod
    def _nearest(rows: FloatArray, known: "_Known") -> FloatArray:
        """Return the squared distances of sketches to the nearest known one, shape (n,)."""
        apart = known.inner(rows)  # (n, n_known)
        apart += known.squares
        return np.asarray(np.maximum(apart.min(axis=1) + row_dots(rows, rows), 0))

    @cached_property
    def _all(self) -> "_Known":
        return _Known.of(self.known)

    @cached_property
    def _few(self) -> "_Known":
        return _Known.of(self.known[:_FEW])

    def is_far_sketch(self, sketches: Vectors, n_numbers: int) -> NDArray[np.bool_]:
        """Return which songs are unlike all that is known.

        Parameters
        ----------
        sketches : ndarray, shape (n, 256), float32
            Of songs by `SongSpace.standardise`.
        n_numbers : int
            Numbers in a song vector.

        Returns
        -------
        ndarray, shape (n,), bool
            Each depends on its own song alone. None is far where nothing is known of distances.
        """
        far = np.full(len(sketches), self.tells)
        if not (self.tells and len(self.known)):
            return far
        # Most music is near enough to one of a few, and need not be compared with all.
        for known in (self._few, self._all):
            still = np.flatnonzero(far)
            for start in range(0, len(still), _ROWS_AT_ONCE):
                some = still[start : start + _ROWS_AT_ONCE]
                nearest = self._nearest(sketches[some].astype(np.float64), known)
                far[some] = nearest / n_numbers > self.limit
        return far


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """Known sketches, arranged for comparing with."""

    inner: RowMatrix
    squares: FloatArray

    @classmethod
    def of(cls, sketches: Vectors) -> "_Known":
        # A song of absurd size has numbers at float32's end, and twice them would be infinite.
        doubled = np.float32(-2) * np.clip(sketches, -_MOST_DOUBLED, _MOST_DOUBLED).T
        return cls(
            inner=RowMatrix(doubled),
            squares=np.asarray(np.square(sketches, dtype=np.float64).sum(axis=1)),
        )


def _distances_within(known: Vectors) -> FloatArray:
    """Return how far songs have their nearest other one; a copy of a song is no other one."""
    if not len(known):
        return np.zeros(0)
    rows = known.astype(np.float64)
    squares = np.vecdot(rows, rows)
    apart = squares[:, np.newaxis] + squares - 2 * rows @ rows.T
    apart[apart <= MAX_APART * np.median(squares)] = np.inf
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    return np.asarray(nearest[np.isfinite(nearest)])
