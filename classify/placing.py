"""Songs on their way into song space, 48 at a time, which stay in the cache of a core from step to step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.features import FloatArray, SongTransform, Vectors, check_vectors
from classify.rowwise import ROWS, RowMatrix, padded

__all__ = ["Placer", "signed_roots"]

_FLAT = 1e-9
_SIGN = np.uint32(1 << 31)
_LARGEST = np.finfo(np.float32).max
_WORTH_IT = 0.8  # of the columns: with more live ones, looking for quiet ones costs more than it saves


class Placer:
    """The arithmetic of a `SongSpace`, with what can be prepared; its parameters are those of the space.

    Most numbers of some encoders never change, such as channels that a ReLU holds at zero (72% of MusiCNN's).
    No axis knows of them, so a song is compared with their one value and multiplied in its live numbers only.

    Each row of a result depends on its own song alone, bit for bit. Threads may share a placer.
    """

    def __init__(
        self, standard: SongTransform, blocks: Sequence[int], basis: Vectors, offset: Vectors
    ) -> None:
        self.standard, self.parts = standard, _parts(standard, blocks, basis)
        self.offset = offset.astype(np.float64)
        self._unused: list[_Block] = []  # fresh room for each call would cost more than the arithmetic

    def standardise(self, songs: Vectors) -> Vectors:
        """Standardise songs, shape (n, dim); a VectorError tells which are not finite."""
        standardised = np.empty(songs.shape, dtype=np.float32)
        signs = np.empty((min(ROWS, len(songs)), songs.shape[1]), dtype=np.uint32)
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in _slices(len(songs)):
                filled = standardised[rows]
                _take_roots(songs[rows], filled, signs[: len(filled)])
                self.standard.standardise(filled)
                if not np.isfinite(np.vecdot(filled, filled)).all():
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One encoder's part of a song vector.

    Attributes
    ----------
    columns : slice
        Where it is in a song vector.
    live : ndarray, shape (n_live,), intp
        Its columns that some axis knows of, counted in the song vector.
    lowest, highest : ndarray, shape (width,), float32
        Between these a quiet number's root is the library's mean; infinite for live ones. Empty where all
        are live.
    filled, room : slice
        Where the live numbers are in a block, without and with the padding.
    mean, scale : ndarray, shape (n_live,), float32
        By which they are standardised.
    axes : RowMatrix
    """

    columns: slice
    live: NDArray[np.intp]
    lowest: Vectors
    highest: Vectors
    filled: slice
    room: slice
    mean: Vectors
    scale: Vectors
    axes: RowMatrix


def _parts(standard: SongTransform, blocks: Sequence[int], basis: Vectors) -> list[_Part]:
    parts, start, room = [], 0, 0
    for width in blocks:
        columns = slice(start, start + width)
        is_live = (basis[columns] != 0).any(axis=1)
        lowest, highest = _quiet_range(standard.mean[columns])
        lowest[is_live], highest[is_live] = -np.inf, np.inf
        live = start + np.flatnonzero(is_live)
        if not 0 < len(live) <= _WORTH_IT * width:
            live, lowest, highest = np.arange(start, start + width), lowest[:0], highest[:0]
        parts.append(
            _Part(
                columns=columns,
                live=live,
                lowest=lowest,
                highest=highest,
                filled=slice(room, room + len(live)),
                room=slice(room, room + padded(len(live))),
                mean=standard.mean[live],
                scale=standard.scale[live],
                axes=RowMatrix(basis[live]),
            )
        )
        start, room = start + width, room + padded(len(live))
    return parts


def _quiet_range(mean: Vectors) -> tuple[Vectors, Vectors]:
    """Return the least and the greatest number whose signed root is the mean; if there is none, inf, -inf.

    Two floats or so have the same root.
    """
    lowest, highest = np.full_like(mean, np.inf), np.full_like(mean, -np.inf)
    with np.errstate(over="ignore", under="ignore"):
        near = mean * np.abs(mean)
        for towards in (-np.inf, np.inf):
            number = near.copy()
            for _ in range(4):
                fits = signed_roots(number[np.newaxis])[0] == mean
                np.minimum(lowest, number, out=lowest, where=fits)
                np.maximum(highest, number, out=highest, where=fits)
                number = np.nextafter(number, np.float32(towards))
    return lowest, highest


class _Block:
    """Room for 48 songs, used again and again."""

    def __init__(self, placer: Placer) -> None:
        self._standard, self._offset, self._parts = placer.standard, placer.offset, placer.parts
        self._rows = np.zeros((ROWS, self._parts[-1].room.stop), dtype=np.float32)
        n_live = [len(part.live) for part in self._parts]
        self._gathered = [np.empty((ROWS, n), dtype=np.float32) for n in n_live]
        self._signs = [np.empty((ROWS, n), dtype=np.uint32) for n in n_live]
        self._low = [np.empty((ROWS, len(part.lowest)), dtype=np.bool_) for part in self._parts]
        self._high = [np.empty_like(low) for low in self._low]
        self._scratch = [part.axes.scratch() for part in self._parts]
        self._squares = np.empty((len(self._parts), ROWS), dtype=np.float32)

    def fill(self, songs: Vectors, rows: slice) -> None:
        """Standardise up to 48 of the songs, and measure them; the rest is zero."""
        some, n = songs[rows], rows.stop - rows.start
        for number, part in enumerate(self._parts):
            live = some[:, part.columns]
            if len(part.lowest):
                live = np.take(some, part.live, axis=1, out=self._gathered[number][:n], mode="clip")
            filled = self._rows[:n, part.filled]
            _take_roots(live, filled, self._signs[number][:n])
            np.subtract(filled, part.mean, out=filled)
            np.divide(filled, part.scale, out=filled)
            self._rows[n:, part.filled] = 0
            room = self._rows[:, part.room]
            np.vecdot(room, room, out=self._squares[number])
            if len(part.lowest):
                self._add_quiet(number, some[:, part.columns])
        if not np.isfinite(self._squares).all():
            check_vectors(songs)  # if they are finite, then some are larger than any song
            self._shrink(some)

    def _add_quiet(self, number: int, some: Vectors) -> None:
        """Add to the squares what quiet numbers have that are not what they always are."""
        part, n = self._parts[number], len(some)
        usual, low_enough = self._low[number][:n], self._high[number][:n]
        np.greater_equal(some, part.lowest, out=usual)
        np.less_equal(some, part.highest, out=low_enough)
        np.bitwise_and(usual, low_enough, out=usual)
        unusual = np.flatnonzero(~usual.all(axis=1))
        if len(unusual):
            quiet = signed_roots(some[unusual])
            self._standard.standardise(quiet, part.columns)
            quiet[:, part.live - part.columns.start] = 0
            self._squares[number, unusual] += np.vecdot(quiet, quiet)

    def _shrink(self, some: Vectors) -> None:
        """Scale songs that are larger than float32 can square to unit length."""
        for number, row in np.argwhere(~np.isfinite(self._squares)):
            part = self._parts[number]
            whole = signed_roots(some[row : row + 1, part.columns])
            self._standard.standardise(whole, part.columns)
            whole = np.clip(whole, -_LARGEST, _LARGEST).astype(np.float64)
            whole /= np.linalg.norm(whole)
            self._rows[row, part.filled] = whole[0, part.live - part.columns.start]
            self._squares[number, row] = 1

    def place(self) -> FloatArray:
        """Return where the songs lie, shape (48, n_axes)."""
        lengths = np.sqrt(self._squares, dtype=np.float64)  # (n_parts, 48)
        lengths = np.where(lengths > _FLAT, lengths, 1) * np.sqrt(len(self._parts))
        placed = np.tile(-self._offset, (ROWS, 1))
        for part, scratch, found in zip(self._parts, self._scratch, lengths, strict=True):
            product = part.axes.block(self._rows[:, part.room], scratch)
            placed += product[:, : placed.shape[1]] / found[:, np.newaxis]
        squares = np.vecdot(placed, placed)
        placed /= np.sqrt(np.where(squares > _FLAT**2, squares, 1))[:, np.newaxis]
        return placed


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
