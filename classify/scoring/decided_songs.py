"""`DecidedSongs`: what a taste decides on each file of a large library, part by part, on disk."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import RowFiles
from classify.library.library_files import LibraryFiles
from classify.library.library_parts import LibraryParts
from classify.scoring.ranking import decide_files
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray

__all__ = ["DecidedSongs"]


class DecidedSongs:
    """The decisions of one taste on all files but those of some recordings.

    Attributes
    ----------
    n_files : int
        Files of the library.
    n_left : int
        Those on which it was decided.
    n_recordings : int
        How many recordings these are.
    """

    def __init__(
        self, parts: LibraryParts, kept: RowFiles, *, n_files: int, n_left: int, n_recordings: int
    ) -> None:
        self.n_files, self.n_left, self.n_recordings = n_files, n_left, n_recordings
        self._parts, self._kept = parts, kept

    @classmethod
    def of(
        cls, taste: Taste, parts: LibraryParts, root: str | Path, *, without: Collection[str]
    ) -> DecidedSongs:
        """Decide on a library.

        Parameters
        ----------
        taste : Taste
        parts : LibraryParts
        root : path or URI
            The cache.
        without : collection of str
            Digests of the recordings to leave out.

        Raises
        ------
        TasteError, CacheError
            As `ranking.decide`.
        """
        kept = parts.numbers("decisions")
        n_files = n_left = n_recordings = 0
        for part, files in enumerate(parts.files()):
            left = files.without(without) if without else files
            decisions = np.full(len(files), np.nan)
            decisions[left.in_catalog] = decide_files(taste, left, root, part=part)
            kept.replace(part, decisions)
            n_files, n_left = n_files + len(files), n_left + len(left)
            n_recordings += left.n_recordings
        return cls(parts, kept, n_files=n_files, n_left=n_left, n_recordings=n_recordings)

    def best(self, n: int) -> tuple[LibraryFiles, FloatArray]:
        """Open the n best files, and all that stand equal to the last of them.

        Returns
        -------
        files : LibraryFiles
            In no order of rank.
        decisions : ndarray, shape (len(files),), float64
        """
        rows, decisions = self._best_rows(n)
        return self._parts.files_of(rows), decisions

    def best_and_others(self, n: int, n_others: int) -> tuple[LibraryFiles, FloatArray]:
        """Open the n best files, and about `n_others` that are spread over all of the library.

        Returns
        -------
        files, decisions
            As `best`.
        """
        best, of_best = self._best_rows(n)
        others, of_others = self._spread_rows(max(1, self.n_left // n_others))
        rows, decisions = np.concatenate([best, others]), np.concatenate([of_best, of_others])
        _, first = np.unique(rows["file"], return_index=True)  # each file once
        first = first[np.lexsort((rows["file"][first], rows["row"][first, 0]))]
        return self._parts.files_of(rows[first]), decisions[first]

    def _best_rows(self, n: int) -> tuple[NDArray[Any], FloatArray]:
        some, values = [self._parts.rows(0)[:0]], [np.zeros(0)]
        least = -np.inf
        for part in range(len(self._parts)):
            decisions = self._kept.read(part)
            is_good = decisions >= least  # and so not NaN
            some.append(self._parts.rows(part)[is_good])
            values.append(decisions[is_good])
            if sum(map(len, values)) > n:
                rows, every = np.concatenate(some), np.concatenate(values)
                least = float(np.partition(every, len(every) - n)[len(every) - n])
                some, values = [rows[every >= least]], [every[every >= least]]
        return np.concatenate(some), np.concatenate(values)

    def _spread_rows(self, step: int) -> tuple[NDArray[Any], FloatArray]:
        some, values, n_before = [self._parts.rows(0)[:0]], [np.zeros(0)], 0
        for part in range(len(self._parts)):
            decisions = self._kept.read(part)
            which = np.flatnonzero(~np.isnan(decisions))
            first = -n_before % step
            n_before += len(which)
            some.append(self._parts.rows(part)[which[first::step]])
            values.append(decisions[which[first::step]])
        return np.concatenate(some), np.concatenate(values)
