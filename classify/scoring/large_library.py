"""`LargeLibrary`: more songs than columns in memory should hold, scored in parts."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import SCORES_FOLDER, JoinedSongs, RowFiles, local_root, scratch_folder
from classify.library.library_files import IN_DEMO, LOOK_AT, LibraryFiles
from classify.library.song_library import SongLibrary
from classify.scoring.ranking import decide_files
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray

__all__ = ["DecidedSongs", "LargeLibrary"]


class LargeLibrary:
    """The files of a library, without the demo's, of which one part is in memory at a time.

    Parameters
    ----------
    library : SongLibrary
    joined : JoinedSongs
        Its files and song vectors.
    folder : Path
        For decisions, 8 bytes a file.
    """

    def __init__(self, library: SongLibrary, joined: JoinedSongs, folder: Path) -> None:
        self._library, self._joined, self._folder = library, joined, folder

    @classmethod
    @contextmanager
    def opened(cls, library: SongLibrary) -> Iterator[LargeLibrary]:
        """Put a library in order, in a folder beside the kept decisions; see `LargeLibrary`.

        Raises
        ------
        CacheError
            If the cache can't be read, or the disk has no room.
        """
        with scratch_folder(local_root(library.root) / SCORES_FOLDER) as folder:
            yield cls(library, library.joined(folder, without=IN_DEMO), folder)

    @property
    def n_recordings(self) -> int:
        """How many recordings the files are."""
        return self._joined.n_recordings

    def n_gone(self) -> tuple[int, int]:
        """Count the recordings, and those of which no file is there; see `LibraryFiles.n_gone`."""
        step = max(1, -(-self.n_recordings // LOOK_AT))
        n_gone = self._n_gone_of_every(step)
        if n_gone and step > 1:
            n_gone = self._n_gone_of_every(1)
        return self.n_recordings, n_gone

    def _n_gone_of_every(self, step: int) -> int:
        n_before = n_gone = 0
        for part in range(self._joined.n_parts):
            rows = self._joined.part(part)
            number = self._joined.recordings(rows)
            some = rows[(n_before + number) % step == 0]
            n_before += int(number.max(initial=-1)) + 1
            n_gone += self.files_of(some).n_gone_of_all()
        return n_gone

    def n_lacking(self) -> int:
        """Count the songs of other encoders only; see `SongLibrary.n_lacking`."""
        n_lacking = 0
        for files in self._joined.left():
            paths = map(os.fsdecode, files.paths.to_pylist())
            others = dict(zip(files.digests.to_pylist(), paths, strict=True))
            n_lacking += self._library.n_lacking_of(others)
        return n_lacking

    def decided(self, taste: Taste, *, without: Collection[str]) -> DecidedSongs:
        """Let a taste decide on all files but those of some recordings.

        Raises
        ------
        TasteError, CacheError
            As `ranking.decide`.
        """
        kept = RowFiles(self._folder, "decisions", np.dtype(float), self._joined.n_parts)
        n_files = n_left = n_recordings = 0
        for part in range(self._joined.n_parts):
            files = self.files_of(self._joined.part(part))
            left = files.without(without) if without else files
            decisions = np.full(len(files), np.nan)
            decisions[left.in_catalog] = decide_files(taste, left, self._library.root, part=part)
            kept.replace(part, decisions)
            n_files, n_left = n_files + len(files), n_left + len(left)
            n_recordings += left.n_recordings
        return DecidedSongs(self, kept, n_files=n_files, n_left=n_left, n_recordings=n_recordings)

    def best_rows(self, kept: RowFiles, n: int) -> tuple[NDArray[Any], FloatArray]:
        """Return the rows of the best files, and their decisions; see `DecidedSongs.best`."""
        some, values = [self._joined.part(0)[:0]], [np.zeros(0)]
        least = -np.inf
        for part in range(self._joined.n_parts):
            decisions = kept.read(part)
            is_good = decisions >= least  # and so not NaN
            some.append(self._joined.part(part)[is_good])
            values.append(decisions[is_good])
            if sum(map(len, values)) > n:
                rows, every = np.concatenate(some), np.concatenate(values)
                least = float(np.partition(every, len(every) - n)[len(every) - n])
                some, values = [rows[every >= least]], [every[every >= least]]
        return np.concatenate(some), np.concatenate(values)

    def spread_rows(self, kept: RowFiles, step: int) -> tuple[NDArray[Any], FloatArray]:
        """Return the rows of every so many decided files, and their decisions."""
        some, values, n_before = [self._joined.part(0)[:0]], [np.zeros(0)], 0
        for part in range(self._joined.n_parts):
            decisions = kept.read(part)
            which = np.flatnonzero(~np.isnan(decisions))
            first = -n_before % step
            n_before += len(which)
            some.append(self._joined.part(part)[which[first::step]])
            values.append(decisions[which[first::step]])
        return np.concatenate(some), np.concatenate(values)

    def files_of(self, rows: NDArray[Any]) -> LibraryFiles:
        """Open the files of some rows, in columns."""
        files, vectors, at = self._joined.open(rows)
        return LibraryFiles(files=files, vectors=vectors, at=at, in_catalog=np.arange(len(rows)))


class DecidedSongs:
    """The decisions of one taste on a large library, on disk.

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
        self,
        library: LargeLibrary,
        kept: RowFiles,
        *,
        n_files: int,
        n_left: int,
        n_recordings: int,
    ) -> None:
        self.n_files, self.n_left, self.n_recordings = n_files, n_left, n_recordings
        self._library, self._kept = library, kept

    def best(self, n: int) -> tuple[LibraryFiles, FloatArray]:
        """Open the n best files, and all that stand equal to the last of them.

        Returns
        -------
        files : LibraryFiles
            In no order of rank.
        decisions : ndarray, shape (len(files),), float64
        """
        rows, decisions = self._library.best_rows(self._kept, n)
        return self._library.files_of(rows), decisions

    def best_and_others(self, n: int, n_others: int) -> tuple[LibraryFiles, FloatArray]:
        """Open the n best files, and about `n_others` that are spread over all of the library.

        Returns
        -------
        files, decisions
            As `best`.
        """
        step = max(1, self.n_left // n_others)
        best, of_best = self._library.best_rows(self._kept, n)
        others, of_others = self._library.spread_rows(self._kept, step)
        rows, decisions = np.concatenate([best, others]), np.concatenate([of_best, of_others])
        _, first = np.unique(rows["file"], return_index=True)  # each file once
        first = first[np.lexsort((rows["file"][first], rows["row"][first, 0]))]
        return self._library.files_of(rows[first]), decisions[first]
