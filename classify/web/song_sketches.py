"""Sketches of songs, kept from one label to the next: they tell which songs are unfamiliar.

Labels move neither song space nor a song's sketch in it, and a sketch takes a seventh of the room
of a song vector.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from cache import map_in_order
from classify.taste.sketch import N_BUCKETS, sketch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cache import VectorReader
    from classify.taste.song_space import SongSpace
    from classify.taste.taste import Taste
    from classify.taste.vectors import Vectors

__all__ = ["SongSketches"]

_MOST_SONGS = 16_384  # of 1 kB each
_ROWS_AT_ONCE = 512  # one task of a thread


class SongSketches:
    """The sketches of songs of one library in one song space, as far as they were asked for.

    Threads may share it.

    Parameters
    ----------
    space : SongSpace
    most_songs : int
        More are not kept.
    """

    def __init__(self, space: SongSpace, *, most_songs: int = _MOST_SONGS) -> None:
        self._space, self._most = space, most_songs
        self._row_of: dict[int, int] = {}
        self._rows = np.empty((0, N_BUCKETS), np.float32)
        self._lock = threading.Lock()

    def of(self, vectors: VectorReader, places: NDArray[np.int64]) -> Vectors:
        """Return the sketches of songs at some places, shape (n, 256).

        Raises
        ------
        CacheError
            If song vectors can't be read.
        """
        if len(places) > self._most:
            once, which = np.unique(places, return_inverse=True)
            return self._made(vectors, once)[which]
        with self._lock:
            new = np.unique(places[[place not in self._row_of for place in places.tolist()]])
            if len(self._rows) + len(new) > self._most:
                self._row_of, self._rows = {}, self._rows[:0]
                new = np.unique(places)
            if len(new):
                first = len(self._rows)
                self._rows = np.concatenate([self._rows, self._made(vectors, new)])
                self._row_of |= {place: first + i for i, place in enumerate(new.tolist())}
            return self._rows[[self._row_of[place] for place in places.tolist()]]

    def _made(self, vectors: VectorReader, places: NDArray[np.int64]) -> Vectors:
        made = vectors.map(lambda _, rows: sketch(self._space.standardise(rows)), places)
        return np.concatenate([self._rows[:0], *made])

    def are_unfamiliar(
        self, taste: Taste, vectors: VectorReader, places: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which songs are unlike anything that was there in training.

        As `Taste.is_unfamiliar`, bit for bit.
        """
        if not (len(places) and taste.familiarity.tells):
            return np.zeros(len(places), np.bool_)
        rows = self.of(vectors, places)
        parts = [rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE)]
        far = map_in_order(lambda some: taste.familiarity.is_far_sketch(some, taste.dim), parts)
        return np.concatenate(list(far))
