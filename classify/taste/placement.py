"""Songs on their way into song space, up to 192 at a time.

So few stay in the processor's cache from step to step, and with so many a step takes longer than to
have the interpreter's lock back from another thread.

By hand: NumPy goes over all songs step by step. A song takes 4.6 microseconds in blocks of 192 and
7 to 23 with 19,200 or more at once (AMD EPYC, one thread).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.taste.row_products import (
    ROWS,
    SIDE,
    RowMatrix,
    padded,
    padded_rows,
    round_rows,
    row_dots,
)
from classify.taste.vectors import FloatArray, SongTransform, Vectors, check_vectors

__all__ = ["Placer", "signed_roots"]

_FLAT = 1e-9
_SIGN = np.uint32(1 << 31)
_LARGEST = np.finfo(np.float32).max


class Placer:
    """The arithmetic of a `SongSpace`, with what can be prepared.

    Its parameters are those of the space.

    Each row of a result depends on its own song alone, bit for bit. Threads may share a placer.
    """

    def __init__(
        self, standard: SongTransform, blocks: Sequence[int], basis: Vectors, offset: Vectors
    ) -> None:
        self.standard, self.parts = standard, _parts(standard, blocks, basis)
        self.offset = offset.astype(np.float64)
        # fresh room for each call would cost more than the arithmetic
        self._unused: list[_Block] = []

    def standardise(self, songs: Vectors) -> Vectors:
        """Standardise songs, shape (n, dim); a VectorError tells which are not finite."""
        standardised = np.empty(songs.shape, dtype=np.float32)
        signs = np.empty((min(ROWS, len(songs)), songs.shape[1]), dtype=np.uint32)
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in _slices(len(songs)):
                filled = standardised[rows]
                _take_roots(songs[rows], filled, signs[: len(filled)])
                self.standard.standardise(filled)
                if not np.isfinite(filled.sum(axis=1)).all():
                    check_vectors(songs)  # if they are finite, then some are larger than any song
                    np.clip(filled, -_LARGEST, _LARGEST, out=filled)
        return standardised

    def place(self, songs: Vectors) -> FloatArray:
        """Place songs, shape (n, dim), at (n, n_axes); a VectorError tells which are not finite."""
        placed = np.empty((len(songs), len(self.offset)))
        try:
            block = self._unused.pop()
        except IndexError:
            block = _Block(self)
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in _slices(len(songs)):
                block.fill(songs, rows)
                placed[rows] = block.place()[: rows.stop - rows.start]
        self._unused.append(block)
        return placed

    def rest(self) -> None:
        """Give back the room for blocks of songs."""
        self._unused.clear()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One encoder's part of a song vector.

    Attributes
    ----------
    columns : slice
        Where it is in a song vector.
    filled, room : slice
        Where it is in a block, without and with the padding.
    standard : SongTransform
        Of these columns.
    axes : RowMatrix
    """

    columns: slice
    filled: slice
    room: slice
    standard: SongTransform
    axes: RowMatrix


def _parts(standard: SongTransform, blocks: Sequence[int], basis: Vectors) -> list[_Part]:
    parts, start, room = [], 0, 0
    for width in blocks:
        columns = slice(start, start + width)
        parts.append(
            _Part(
                columns=columns,
                filled=slice(room, room + width),
                room=slice(room, room + padded(width)),
                standard=SongTransform(mean=standard.mean[columns], scale=standard.scale[columns]),
                axes=RowMatrix(basis[columns]),
            )
        )
        start, room = start + width, room + padded(width)
    return parts


class _Block:
    """Room for 192 songs, used again and again."""

    def __init__(self, placer: Placer) -> None:
        self._offset, self._parts = placer.offset, placer.parts
        width = self._parts[-1].room.stop
        self._standard = np.empty((ROWS, placer.standard.dim), dtype=np.float32)
        self._signs = np.empty((ROWS, placer.standard.dim), dtype=np.uint32)
        self._rows = np.zeros((ROWS, width))  # rounded, and padded with zeros
        self._scratch = [part.axes.scratch() for part in self._parts]
        self._n_rows = 0  # in use

    def fill(self, songs: Vectors, rows: slice) -> None:
        """Standardise some of the songs, and round each part of each; what pads them is zero."""
        some, n = songs[rows], rows.stop - rows.start
        self._n_rows = padded_rows(n)
        for part in self._parts:
            standard = self._standard[:n, part.columns]
            _take_roots(some[:, part.columns], standard, self._signs[:n, part.columns])
            part.standard.standardise(standard)
            if not np.isfinite(standard.sum(axis=1)).all():
                check_vectors(songs)  # if they are finite, then some are larger than any song
                np.clip(standard, -_LARGEST, _LARGEST, out=standard)
            round_rows(standard)
            self._rows[:n, part.filled] = standard
            self._rows[n : self._n_rows, part.filled] = 0

    def place(self) -> FloatArray:
        """Return where the songs lie, shape (n, n_axes), with what pads them."""
        n = self._n_rows
        placed = np.tile(-self._offset, (n, 1))
        for part, scratch in zip(self._parts, self._scratch, strict=True):
            rows = self._rows[:n, part.room]
            lengths = _lengths(rows)
            lengths = np.where(lengths > _FLAT, lengths, 1) * np.sqrt(len(self._parts))
            product = part.axes.block(rows, scratch)
            placed += product[:, : placed.shape[1]] / lengths[:, np.newaxis]
        squares = row_dots(placed, placed)
        placed /= np.sqrt(np.where(squares > _FLAT**2, squares, 1))[:, np.newaxis]
        return placed


def _lengths(rows: FloatArray) -> FloatArray:
    """Return the lengths of padded rows from `round_rows`, shape (n,).

    No BLAS rounds a sum of 64 squares: it is at most 2**52 of a unit.
    """
    tiles = rows.reshape(len(rows), -1, SIDE)
    return np.asarray(np.sqrt(np.vecdot(tiles, tiles).sum(axis=1)))


def _slices(n_rows: int) -> list[slice]:
    return [slice(start, min(start + ROWS, n_rows)) for start in range(0, n_rows, ROWS)]


def _take_roots(rows: Vectors, roots: Vectors, signs: NDArray[np.uint32]) -> None:
    """Write the signed square roots of rows; np.copysign would take three times as long."""
    np.bitwise_and(rows.view(np.uint32), _SIGN, out=signs)
    np.abs(rows, out=roots)
    np.sqrt(roots, out=roots)
    bits = roots.view(np.uint32)
    np.bitwise_or(bits, signs, out=bits)


def signed_roots(rows: Vectors) -> Vectors:
    """Return the square roots of the numbers' sizes, with their signs."""
    roots = np.empty(rows.shape, dtype=np.float32)
    signs = np.empty((ROWS, rows.shape[1]), dtype=np.uint32)
    for part in _slices(len(rows)):
        _take_roots(rows[part], roots[part], signs[: part.stop - part.start])
    return roots
