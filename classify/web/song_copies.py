"""Copies among the best songs, kept from one label to the next: who is near whom does not change.

`classify.scoring.ranking.Once` reads and compares all of them each time. That takes half as long as
to learn from a like, and 100 MB for that moment.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from classify.library.copy_folder import limit_of
from classify.scoring.ranking import MOST_FOLDED, in_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cache import VectorReader
    from classify.taste.song_space import SongSpace
    from classify.taste.taste import Taste
    from classify.taste.vectors import FloatArray, Vectors

    Halves = NDArray[np.float16]

__all__ = ["SongCopies"]

_MOST_SONGS = 5120  # of 4 kB each with the default encoder; a list looks at 3,000
_ROOM = 1.05
"""How much farther apart than copies songs are that are noted, as the limit moves with a taste."""
_UNSURE = 0.02  # of the limit: nearer to it, single precision decides; halves are off by 0.003


class SongCopies:
    """The songs of one library that were compared with each other in one song space.

    Threads may share it.

    Parameters
    ----------
    space : SongSpace
    most_songs : int
        Where there would be more, it begins anew.
    """

    def __init__(self, space: SongSpace, *, most_songs: int = _MOST_SONGS) -> None:
        self._space, self._most = space, most_songs
        self._lock = threading.Lock()
        self._forget(0.0)

    def _forget(self, limit: float) -> None:
        self._noted_to = _ROOM * limit
        self._row_of: dict[int, int] = {}
        self._places: list[int] = []
        self._blocks: list[Halves] = []  # standardised song vectors, as they came
        self._rows: list[Halves] = []  # each of them
        self._near: list[list[int]] = []  # the rows that each is near

    def among(
        self,
        taste: Taste,
        vectors: VectorReader,
        ranked: NDArray[np.int64],
        *,
        known: Iterable[str] = (),
    ) -> NDArray[np.intp]:
        """Return which songs of a ranking are copies of better ones in it, as `Once` tells them.

        Parameters
        ----------
        taste : Taste
            Of the song space.
        vectors : VectorReader
            Of its encoder, always the same one.
        ranked : ndarray, shape (n,), int64
            Places of songs there, best first, each once; as many are looked at as `Once` folds.
        known : iterable of str
            Recordings whose copies are copies, too, such as the labelled ones.

        Returns
        -------
        ndarray, shape (n_copies,), intp
            Indices into `ranked`, rising.

        Raises
        ------
        CacheError
            If song vectors can't be read.
        """
        digests = list(dict.fromkeys(known))
        listed = vectors.places(digests) if digests else np.zeros(0, np.int64)
        taken = dict.fromkeys(listed[listed >= 0].tolist())
        labelled, limit = frozenset(taken), limit_of(taste)
        copies: list[int] = []
        with self._lock:
            if (1 + _UNSURE) * limit > self._noted_to:
                self._forget(limit)
            for start, part in in_parts(ranked):
                if len(taken) >= MOST_FOLDED:
                    break
                self._compare(vectors, [*taken, *part.tolist()], limit)
                for i, place in enumerate(part.tolist()):
                    is_full = len(taken) >= MOST_FOLDED
                    if place in labelled or (
                        not is_full and self._is_copy(vectors, place, taken, limit)
                    ):
                        copies.append(start + i)
                    elif not is_full:
                        taken[place] = None
        return np.array(copies, np.intp)

    def _compare(self, vectors: VectorReader, places: list[int], limit: float) -> None:
        """Compare songs with each other; most have been."""
        new = [place for place in dict.fromkeys(places) if place not in self._row_of]
        if len(self._rows) + len(new) > self._most:
            self._forget(limit)
            new = list(dict.fromkeys(places))
        if not new:
            return
        rows = self._space.standardise(vectors.matrix(np.array(new, np.int64)))
        first = len(self._rows)
        with np.errstate(over="ignore"):  # as of a song of absurd size, which is a copy of none
            halves = rows.astype(np.float16)
        del rows
        self._blocks.append(halves)
        self._rows += list(halves)
        self._places += new
        self._near += [[] for _ in new]
        self._row_of |= {place: first + i for i, place in enumerate(new)}
        self._note(halves, first)

    def _note(self, halves: Halves, first: int) -> None:
        """Note which songs the last ones are near, and the other way round."""
        some, start = halves.astype(np.float32), 0
        for block in self._blocks:
            for one, other in _near_pairs(some, block.astype(np.float32), self._noted_to):
                i, j = first + one, start + other
                if j < i:
                    self._near[i].append(j)
                    self._near[j].append(i)
            start += len(block)

    def _is_copy(
        self, vectors: VectorReader, place: int, taken: dict[int, None], limit: float
    ) -> bool:
        row = self._row_of[place]
        for other in self._near[row]:
            if self._places[other] not in taken:
                continue
            apart = _apart(self._rows[row], self._rows[other])
            if abs(apart - limit) <= _UNSURE * limit:
                both = np.array([place, self._places[other]], np.int64)
                apart = _apart(*self._space.standardise(vectors.matrix(both)))
            if apart <= limit:
                return True
        return False


def _near_pairs(some: Vectors, others: Vectors, limit: float) -> list[tuple[int, int]]:
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.vecdot(some, some)[:, np.newaxis] + np.vecdot(others, others)
        near = np.argwhere(squares - 2.0 * (some @ others.T) <= limit)
    return [(one, other) for one, other in near.tolist()]


def _apart(one: Halves | Vectors, other: Halves | Vectors) -> float:
    difference: FloatArray = one.astype(np.float64) - other
    return float(difference @ difference)
