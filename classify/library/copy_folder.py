"""Songs that come one after the other, each once: another format of a song is no other song."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.taste.sketch import MAX_APART, N_BUCKETS, sketch
from classify.taste.vectors import Vectors

if TYPE_CHECKING:
    from classify.taste.taste import Taste

__all__ = ["CopyFolder", "limit_of"]

_SLACK = 1.6  # sketches are off by some ten per cent, seldom by thirty


class CopyFolder:
    """The songs that have been taken, to tell of the next one whether it is a copy of one of them.

    Sketches find the few songs worth comparing; those are compared in full, so to fold 2,000 songs
    takes a fifth of a second.

    Parameters
    ----------
    limit : float
        Squared distance of standardised song vectors up to which two songs are one; see
        `classify.learning.duplicates.copy_limit`.

    Examples
    --------
    >>> import numpy as np
    >>> from classify.library.copy_folder import CopyFolder
    >>> folder = CopyFolder(limit=0.5)
    >>> folder.take(np.zeros(4, np.float32)), folder.take(np.ones(4, np.float32))
    (None, None)
    >>> folder.take(np.full(4, 0.9, np.float32))
    1
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._songs: list[Vectors] = []
        self._sketches = np.zeros((16, N_BUCKETS), np.float32)
        self._squares = np.zeros(16, np.float32)

    def __len__(self) -> int:
        return len(self._songs)

    def copy_of(self, song: Vectors, drawn: Vectors | None = None) -> int | None:
        """Return which of the songs taken a standardised song is a copy of, the first one.

        Parameters
        ----------
        song : ndarray, shape (dim,), float32
        drawn : ndarray, shape (256,), float32, optional
            Its `sketch`, where that is known.

        Returns
        -------
        int or None
            None where it is a copy of none.
        """
        drawn = sketch(song[np.newaxis])[0] if drawn is None else drawn
        n = len(self._songs)
        # a song of absurd size is infinitely far from all others
        with np.errstate(over="ignore", invalid="ignore"):
            apart = self._squares[:n] + drawn @ drawn - 2.0 * (self._sketches[:n] @ drawn)
            near: NDArray[np.intp] = np.flatnonzero(apart <= _SLACK * self._limit)
        for i in map(int, near):
            difference = song.astype(np.float64) - self._songs[i]
            if float(difference @ difference) <= self._limit:
                return i
        return None

    def add(self, song: Vectors, drawn: Vectors | None = None) -> None:
        """Take a song, whatever else was taken; see `copy_of`."""
        n = len(self._songs)
        if n == len(self._sketches):
            self._sketches = np.concatenate([self._sketches, np.zeros_like(self._sketches)])
            self._squares = np.concatenate([self._squares, np.zeros_like(self._squares)])
        self._sketches[n] = sketch(song[np.newaxis])[0] if drawn is None else drawn
        with np.errstate(over="ignore"):
            self._squares[n] = self._sketches[n] @ self._sketches[n]
        self._songs.append(song)

    def take(self, song: Vectors, drawn: Vectors | None = None) -> int | None:
        """Take a song unless it is a copy; return which one it is a copy of, else None."""
        drawn = sketch(song[np.newaxis])[0] if drawn is None else drawn
        known = self.copy_of(song, drawn)
        if known is None:
            self.add(song, drawn)
        return known


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
