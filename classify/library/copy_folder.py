"""Songs that come one after the other, each once: another format of a song is no other song."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.taste.sketch import MAX_APART
from classify.taste.vectors import Vectors

if TYPE_CHECKING:
    from classify.taste.taste import Taste

__all__ = ["CopyFolder", "limit_of"]

_ROUNDING = 1.001  # of distances in single precision; what is near is compared in double


class CopyFolder:
    """The songs that have been taken, to tell of the next one whether it is a copy of one of them.

    Songs that come next are compared at once, by one product of matrices: to fold 2,000 of them
    takes half a second, however many are nearly copies.

    Parameters
    ----------
    limit : float
        Squared distance of standardised song vectors up to which two songs are one; see
        `classify.learning.duplicates.copy_limit`.
    dim : int
        Numbers of a song vector.

    Examples
    --------
    >>> import numpy as np
    >>> from classify.library.copy_folder import CopyFolder
    >>> folder = CopyFolder(limit=0.5, dim=4)
    >>> folder.look_at(np.array([np.zeros(4), np.ones(4), np.full(4, 0.9)], np.float32))
    >>> folder.take(0), folder.take(1), folder.take(2)
    (None, None, 1)
    """

    def __init__(self, limit: float, dim: int) -> None:
        self._limit = limit
        self._songs = np.zeros((16, dim), np.float32)
        self._n = 0
        self._next = np.zeros((0, dim), np.float32)
        self._near = np.zeros((0, 0), np.bool_)
        self._n_known = 0
        self._place_of_next: list[int] = []

    def __len__(self) -> int:
        return self._n

    def add(self, songs: Vectors) -> None:
        """Take songs, whatever else was taken, shape (n, dim)."""
        n = self._n + len(songs)
        while n > len(self._songs):
            self._songs = np.concatenate([self._songs, np.zeros_like(self._songs)])
        self._songs[self._n : n] = songs
        self._n = n

    def look_at(self, songs: Vectors) -> None:
        """Compare the songs that come next, shape (n, dim), float32, with all and each other."""
        self._next, self._place_of_next, self._n_known = songs, [-1] * len(songs), self._n
        self._near = self._are_near(songs, np.concatenate([self._songs[: self._n], songs]))

    def take(self, i: int) -> int | None:
        """Take the i-th of the songs that were looked at, in rising order, unless it is a copy.

        Returns
        -------
        int or None
            Which of the songs taken it is a copy of, the first one; None where of none.
        """
        for j in np.flatnonzero(self._near[i, : self._n_known + i]).tolist():
            place = j if j < self._n_known else self._place_of_next[j - self._n_known]
            if place >= 0 and self._is_copy(self._next[i], self._songs[place]):
                return place
        self._place_of_next[i] = self._n
        self.add(self._next[i : i + 1])
        return None

    def copy_of(self, song: Vectors) -> int | None:
        """Return which of the songs taken a song, shape (dim,), is a copy of; None if of none."""
        near = self._are_near(song[np.newaxis], self._songs[: self._n])[0]
        copies = (i for i in np.flatnonzero(near).tolist() if self._is_copy(song, self._songs[i]))
        return next(copies, None)

    def _are_near(self, songs: Vectors, others: Vectors) -> NDArray[np.bool_]:
        """Return which are at most about as far apart as copies, shape (n_songs, n_others)."""
        # a song of absurd size is infinitely far from all others
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.vecdot(songs, songs)[:, np.newaxis] + np.vecdot(others, others)
            return np.asarray(squares - 2.0 * (songs @ others.T) <= _ROUNDING * self._limit)

    def _is_copy(self, one: Vectors, other: Vectors) -> bool:
        difference = one.astype(np.float64) - other
        return float(difference @ difference) <= self._limit


def limit_of(taste: Taste) -> float:
    """Return the squared distance up to which two songs are one, in a taste's own song space.

    Parameters
    ----------
    taste : Taste
        The median squared length of the songs that it knows is the unit, as in
        `classify.learning.duplicates.copy_limit`; of standardised songs that is about their number
        of dimensions, which stands in where it knows none.
    """
    known = taste.familiarity.known
    if not len(known):
        return MAX_APART * taste.space.dim
    squares = np.square(known, dtype=np.float64).sum(axis=1)
    return MAX_APART * float(np.median(squares))
