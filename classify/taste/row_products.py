"""Matrix products in which no row depends on the others: a song scores the same in any company.

By hand: BLAS promises no such thing. Of 200 songs that one `@` placed together none got the same
bits alone (AMD EPYC). It costs some 8 microseconds a song without AVX-512 (results/million.jsonl).

BLAS adds in an order that depends on its kernel, on the number of rows, on a row's place among them
and on the threads. OpenBLAS for AVX2, for one, adds the rows at places 6 to 11 of every 12 in
another order than those before. Here the order does not matter, because no addition in BLAS rounds.
Each row is rounded to multiples of 2**-23 of the power of two above its largest number, each column
of the matrix to multiples of 2**-24. A product of 64 terms is then a multiple of one unit, and at
most 2**53 of it, which float64 holds exactly. (The splitting is that of Ozaki, Ogita, Oishi & Rump
2012, "Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication".) So any BLAS gives the same bits: every kernel of OpenBLAS, MKL and Accelerate,
with and without FMA, in any number of threads. NumPy adds the rest, element by element in a fixed
order.

A matrix of float32 keeps 24 bits of the largest number in each column, as each row does of its own.
A matrix of float64 is split in two such parts, so that 48 bits of it count.

What is promised across machines: the same inputs give these products the same bits everywhere.
`numpy.exp` and the fit of a taste (LAPACK) may differ in the last bits between machines. So
decisions of one taste agree within 1e-6, and no more than that is promised.

Why not one `@`: it would be right to the last digit but one, and a kept score would differ from a
new one. Products of 48 rows by 64 x 64 stay in one thread of OpenBLAS. Up to four of them, one
above the other, go in one call of NumPy, since between calls a thread waits for the interpreter's
lock.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROWS", "SIDE", "RowMatrix", "padded", "padded_rows", "round_rows", "row_dots"]

_TILE_ROWS = 48
ROWS = 4 * _TILE_ROWS
SIDE = 64
_ROW_BITS, _COLUMN_BITS = 23, 24  # with the 6 bits of 64 terms these are the 53 of float64
_MOST = {4: 100, 8: 900}  # powers of two, by bytes; beyond them, sums of absurd float64 may round
_Float64 = NDArray[np.float64]


def padded(n: int) -> int:
    """Return the next multiple of 64."""
    return -(-n // SIDE) * SIDE


def padded_rows(n: int) -> int:
    """Return the next multiple of 48."""
    return -(-n // _TILE_ROWS) * _TILE_ROWS


def round_rows(rows: NDArray[Any]) -> None:
    """Round the numbers of each row in place.

    They become multiples of 2**-23 of the power of two above the row's largest number.

    Parameters
    ----------
    rows : ndarray, shape (n, width), float32 or float64
        A row that holds a number that is not finite still holds one afterwards. A row of float32
        that stays below 2**-100 keeps fewer digits.
    """
    if rows.size:
        largest = np.maximum(rows.max(axis=1), -rows.min(axis=1))
        _round(rows, largest[:, np.newaxis], _ROW_BITS)


def _round(numbers: NDArray[Any], largest: NDArray[Any], bits: int) -> None:
    """Round to multiples of 2**-bits of the powers of two above `largest`."""
    most = _MOST[numbers.dtype.itemsize]
    units = np.clip(np.frexp(largest)[1], -most, most) - bits
    one = numbers.dtype.type(1)
    numbers *= np.ldexp(one, -units)
    np.rint(numbers, out=numbers)
    numbers *= np.ldexp(one, units)


def row_dots(rows: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return the dot product of each row with its like, or with one vector.

    It adds in a fixed order.

    Parameters
    ----------
    rows : ndarray, shape (n, width), float32 or float64
    others : ndarray, shape (n, width) or (width,), of the same type

    Returns
    -------
    ndarray, shape (n,), of the same type
        Each depends on its own row alone, bit for bit. (`numpy.vecdot` asks BLAS, whose order may
        depend on where in memory a row begins.)
    """
    found = np.empty(len(rows), dtype=rows.dtype)
    room = np.empty((min(ROWS, len(rows)), rows.shape[1]), dtype=rows.dtype)
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        like = others[part] if others.ndim == 2 else others
        products = np.multiply(rows[part], like, out=room[: len(rows[part])])
        products.sum(axis=1, out=found[part])
    return found


class RowMatrix:
    """A matrix, arranged for multiplying rows by it.

    Parameters
    ----------
    weights : ndarray, shape (n_in, n_out), float32 or float64
        Finite. 24 bits of float32 weights count, and 48 of float64 ones (see the top of this
        module).
    """

    def __init__(self, weights: NDArray[Any]) -> None:
        self.n_in, self.n_out = weights.shape
        self._column = np.ascontiguousarray(weights[:, 0], np.float64) if self.n_out == 1 else None
        parts = _split(weights.astype(np.float64), n_parts=1 if weights.dtype == np.float32 else 2)
        # (n_parts, n_down, n_across, 64, 64)
        self._tiles = np.stack([_tiles(part) for part in parts])

    def __call__(self, rows: NDArray[Any]) -> _Float64:
        """Multiply any number of rows, shape (n, n_in); return shape (n, n_out), float64.

        Each row of the result depends on its own row alone, bit for bit.
        """
        if self._column is not None:
            return row_dots(np.asarray(rows, np.float64), self._column)[:, np.newaxis]
        product = np.empty((len(rows), self.n_out))
        room = np.zeros((min(ROWS, padded_rows(len(rows))), padded(self.n_in)))
        scratch = self.scratch()
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            block = room[: padded_rows(len(part))]
            block[: len(part), : self.n_in] = part
            block[len(part) :] = 0
            round_rows(block[: len(part), : self.n_in])
            product[start : start + ROWS] = self.block(block, scratch)[: len(part), : self.n_out]
        return product

    def scratch(self) -> _Float64:
        """Return room for what `block` computes; one for each thread."""
        return np.empty((*self._tiles.shape[:3], ROWS // _TILE_ROWS, _TILE_ROWS, SIDE))

    def block(self, rows: _Float64, scratch: _Float64) -> _Float64:
        """Multiply 48, 96, 144 or 192 rows whose length is padded with zeros, as the result's is.

        Parameters
        ----------
        rows : ndarray, shape (n, padded(n_in)), float64
            From `round_rows`. May be columns of a wider matrix.
        scratch : ndarray
            From `scratch`, written over.

        Returns
        -------
        ndarray, shape (n, padded(n_out)), float64
        """
        n_down, n_across = self._tiles.shape[1:3]
        if not n_down:
            return np.zeros((len(rows), n_across * SIDE))
        n_above = len(rows) // _TILE_ROWS
        tiles = rows.reshape(n_above, _TILE_ROWS, n_down, 1, SIDE).transpose(2, 3, 0, 1, 4)
        products = scratch[:, :, :, :n_above]  # (n_parts, n_down, n_across, n_above, 48, 64)
        np.matmul(tiles, self._tiles[:, :, :, np.newaxis], out=products)
        first, *others = (tile for part in products[::-1] for tile in part)  # the lower part first
        for tile in others:
            first += tile
        return np.asarray(first.transpose(1, 2, 0, 3).reshape(len(rows), n_across * SIDE))


def _split(weights: _Float64, *, n_parts: int) -> list[_Float64]:
    """Split a matrix in parts that add up to it.

    Each keeps 24 bits of the largest number in each column.
    """
    parts, rest = [], weights
    for _ in range(n_parts):
        part = rest.copy()
        _round(part, np.abs(rest).max(axis=0, initial=0), _COLUMN_BITS)
        parts.append(part)
        rest = rest - part  # exact
    return parts


def _tiles(part: _Float64) -> _Float64:
    """Cut a matrix into tiles, shape (n_down, n_across, 64, 64), and pad it with zeros."""
    n_down, n_across = padded(part.shape[0]) // SIDE, padded(part.shape[1]) // SIDE
    wide = np.zeros((n_down * SIDE, n_across * SIDE))
    wide[: part.shape[0], : part.shape[1]] = part
    return np.ascontiguousarray(wide.reshape(n_down, SIDE, n_across, SIDE).transpose(0, 2, 1, 3))
