"""Where songs lie in song space, kept from one label to the next.

Labels do not move the space (see `classify.learning.duplicates.fit_space`). To read 100,000 songs
and place them takes most of the time from a like to a new order.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cache import map_in_order
from classify.library.ranking import decide_anew

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cache import VectorReader
    from classify.taste.song_space import SongSpace
    from classify.taste.taste import Taste
    from classify.taste.vectors import FloatArray, Vectors

__all__ = ["PlacedSongs"]

_MOST_BYTES = 128 * 2**20
"""Of 250,000 songs; where there are more, each label places them anew."""
_ROWS_AT_ONCE = 2048  # one task of a thread


@dataclass(frozen=True, kw_only=True, eq=False)
class _Places:
    vectors: weakref.ref[VectorReader]  # which may hold all song vectors
    at: NDArray[np.int64]
    space: SongSpace
    points: FloatArray

    def is_of(self, space: SongSpace, vectors: VectorReader, at: NDArray[np.int64]) -> bool:
        is_same = self.vectors() is vectors and np.array_equal(self.at, at)
        return is_same and self.space.is_same(space)


class PlacedSongs:
    """The songs of one library in one song space, the last that was asked for.

    Threads may share it.

    Parameters
    ----------
    most_bytes : int
        What is kept takes no more; songs that would take more are placed anew each time.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: _Places | None = None
        self._lock = threading.Lock()

    def decisions(self, taste: Taste, vectors: VectorReader, at: NDArray[np.int64]) -> FloatArray:
        """Let a taste decide on recordings.

        Parameters
        ----------
        taste : Taste
        vectors : VectorReader
            Of the taste's encoder.
        at : ndarray, shape (n,), int64
            Places of the recordings there, rising, each once.

        Returns
        -------
        ndarray, shape (n,), float64
            As `Taste.decisions`, bit for bit.

        Raises
        ------
        TasteError
            If the vectors are not of the taste's width.
        CacheError
            If they can't be read, or one is damaged.
        """
        points = self._points(taste.space, vectors, at)
        if points is None:
            return decide_anew(taste, vectors, at)
        starts = range(0, len(at), _ROWS_AT_ONCE)
        parts = [points[start : start + _ROWS_AT_ONCE] for start in starts]
        decided = np.concatenate([np.zeros(0), *map_in_order(taste.decisions_at, parts)])
        high = np.flatnonzero(decided > taste.most_unfamiliar)
        far = vectors.map(lambda _, rows: taste.is_unfamiliar(rows), at[high])
        decided[high[np.concatenate([np.zeros(0, np.bool_), *far])]] = taste.most_unfamiliar
        return decided

    def prepare(self, taste: Taste, vectors: VectorReader, at: NDArray[np.int64]) -> None:
        """Place recordings before somebody waits for it; see `decisions`."""
        self._points(taste.space, vectors, at)

    def _points(
        self, space: SongSpace, vectors: VectorReader, at: NDArray[np.int64]
    ) -> FloatArray | None:
        """Return where recordings lie, shape (n, n_axes).

        None where they are too many to keep, or the space is of other vectors.
        """
        if 8 * space.n_axes * len(at) > self._most_bytes or space.dim != vectors.dim_vector:
            return None
        with self._lock:
            if self._kept is None or not self._kept.is_of(space, vectors, at):
                self._kept = None  # room for the new ones
                points = _placed(space, vectors, at)
                known = weakref.ref(vectors)
                self._kept = _Places(vectors=known, at=at, space=space, points=points)
            return self._kept.points


def _placed(space: SongSpace, vectors: VectorReader, at: NDArray[np.int64]) -> FloatArray:
    def place(_: object, rows: Vectors) -> FloatArray:
        return space(rows)

    points, done = np.empty((len(at), space.n_axes)), 0
    for part in vectors.map(place, at):
        points[done : done + len(part)] = part
        done += len(part)
    return points
