"""Where songs lie in song space, kept from one label to the next.

Labels do not move the space (see `classify.learning.duplicates.fit_space`). To read 100,000 songs
and place them takes most of the time from a like to a new order.

Their places, 51 MB, lie in a file that has no name and is read through a mapping: the system keeps
it in memory as long as nobody else needs that, and this process gives its pages back after use.
"""

from __future__ import annotations

import contextlib
import mmap
import tempfile
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache import map_in_order
from classify.scoring.ranking import decide_anew
from classify.web.song_copies import SongCopies
from classify.web.song_sketches import SongSketches

if TYPE_CHECKING:
    from collections.abc import Callable

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
    points: _Points

    def is_of(self, space: SongSpace, vectors: VectorReader, at: NDArray[np.int64]) -> bool:
        is_same = self.vectors() is vectors and np.array_equal(self.at, at)
        return is_same and self.space.is_same(space)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Compared:
    vectors: weakref.ref[VectorReader]
    space: SongSpace
    sketches: SongSketches
    copies: SongCopies


class PlacedSongs:
    """The songs of one library in one song space, the last that was asked for.

    Threads may share it.

    Parameters
    ----------
    folder : Path
        Where the file without a name may lie.
    most_bytes : int
        What is kept takes no more; songs that would take more are placed anew each time.
    """

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._kept: _Places | None = None
        self._compared: _Compared | None = None
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
        decided = np.concatenate([np.zeros(0), *map_in_order(taste.decisions_at, points.parts())])
        points.rest()
        taste.space.rest()  # after learning, which places songs of its own
        high = np.flatnonzero(decided > taste.most_unfamiliar)
        sketches = self._compared_in(taste.space, vectors).sketches
        decided[high[sketches.are_unfamiliar(taste, vectors, at[high])]] = taste.most_unfamiliar
        return decided

    def copies(self, space: SongSpace, vectors: VectorReader) -> SongCopies:
        """Return what tells copies of songs in a space."""
        return self._compared_in(space, vectors).copies

    def _compared_in(self, space: SongSpace, vectors: VectorReader) -> _Compared:
        with self._lock:
            known = self._compared
            if known is None or known.vectors() is not vectors or not known.space.is_same(space):
                known = self._compared = _Compared(
                    vectors=weakref.ref(vectors),
                    space=space,
                    sketches=SongSketches(space),
                    copies=SongCopies(space),
                )
            return known

    def prepare(self, taste: Taste, vectors: VectorReader, at: NDArray[np.int64]) -> None:
        """Place recordings before somebody waits for it; see `decisions`."""
        self._points(taste.space, vectors, at)

    def on_map(
        self,
        space: SongSpace,
        vectors: VectorReader,
        at: NDArray[np.int64],
        place: Callable[[FloatArray], FloatArray],
    ) -> list[FloatArray] | None:
        """Work on where recordings lie, part by part, if they have been placed; else None."""
        with self._lock:
            kept = self._kept
        if kept is None or not kept.is_of(space, vectors, at):
            return None
        parts = [place(part) for part in kept.points.parts()]
        kept.points.rest()
        return parts

    def _points(
        self, space: SongSpace, vectors: VectorReader, at: NDArray[np.int64]
    ) -> _Points | None:
        """Return where recordings lie.

        None where they are too many to keep, or the space is of other vectors.
        """
        if 8 * space.n_axes * len(at) > self._most_bytes or space.dim != vectors.dim_vector:
            return None
        with self._lock:
            if self._kept is None or not self._kept.is_of(space, vectors, at):
                self._kept = None  # room for the new ones
                points = _Points.of(space, vectors, at, self._folder)
                known = weakref.ref(vectors)
                self._kept = _Places(vectors=known, at=at, space=space, points=points)
            return self._kept.points


@dataclass(frozen=True, kw_only=True, eq=False)
class _Points:
    """Where songs lie.

    Attributes
    ----------
    rows : ndarray, shape (n, n_axes), float64
        Read-only.
    mapped : mmap or None
        What they are read through; None where they are in memory.
    """

    rows: FloatArray
    mapped: mmap.mmap | None

    @classmethod
    def of(
        cls, space: SongSpace, vectors: VectorReader, at: NDArray[np.int64], folder: Path
    ) -> _Points:
        """Place songs. Where no file can be written, they are kept in memory."""

        def place(_: object, songs: Vectors) -> FloatArray:
            return space(songs)

        mapped, shape = None, (len(at), space.n_axes)
        with contextlib.suppress(OSError, ValueError):  # ValueError: there is no song
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                for part in vectors.map(place, at):
                    file.write(part.data)
                file.flush()
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if mapped is None:
            rows = np.concatenate([np.zeros((0, space.n_axes)), *vectors.map(place, at)])
            rows.flags.writeable = False
        else:
            rows = np.frombuffer(mapped, np.float64).reshape(shape)
        space.rest()
        return cls(rows=rows, mapped=mapped)

    def parts(self) -> list[FloatArray]:
        """Cut them into tasks for threads."""
        starts = range(0, len(self.rows), _ROWS_AT_ONCE)
        return [self.rows[start : start + _ROWS_AT_ONCE] for start in starts]

    def rest(self) -> None:
        """Give the pages that were read back to the system, which may keep them."""
        if self.mapped is not None and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            self.mapped.madvise(mmap.MADV_DONTNEED)
