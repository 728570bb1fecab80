"""Matrix products in which no row knows of the others: a song scores the same alone and among a million.

BLAS picks another kernel, and so perhaps another order of additions, for another number of rows, and shares
large products out among threads. So every product here is made of small ones of one shape: 48 rows (4, 6,
8, 12, 16 and 24, the heights of register tiles that there are, divide it) by 64 x 64 of the matrix. OpenBLAS
takes such a product in one thread, without packing: that is also the fastest way, 105 GFLOP/s in float32
on one core of a Zen 4 server, where one tall product reaches 92. Up to four of them, one above the other, go
in one call of NumPy: between calls a thread waits for the interpreter's lock, which others have.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROWS", "SIDE", "RowMatrix", "padded", "padded_rows"]

_TILE_ROWS = 48
ROWS = 4 * _TILE_ROWS
SIDE = 64


def padded(n: int) -> int:
    """Return the next multiple of 64."""
    return -(-n // SIDE) * SIDE


def padded_rows(n: int) -> int:
    """Return the next multiple of 48."""
    return -(-n // _TILE_ROWS) * _TILE_ROWS


class RowMatrix:
    """A matrix, arranged for multiplying rows by it.

    Parameters
    ----------
    weights : ndarray, shape (n_in, n_out), float32 or float64
        Products are of the same type.
    """

    def __init__(self, weights: NDArray[Any]) -> None:
        self.n_in, self.n_out = weights.shape
        n_down, n_across = padded(self.n_in) // SIDE, padded(self.n_out) // SIDE
        wide = np.zeros((n_down * SIDE, n_across * SIDE), dtype=weights.dtype)
        wide[: self.n_in, : self.n_out] = weights
        tiles = wide.reshape(n_down, SIDE, n_across, SIDE).transpose(0, 2, 1, 3)
        self._tiles = np.ascontiguousarray(tiles)  # (n_down, n_across, 64, 64)
        self._column = np.ascontiguousarray(weights[:, 0]) if self.n_out == 1 else None

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Multiply any number of rows, shape (n, n_in); return shape (n, n_out).

        Each row of the result depends on its own row alone, bit for bit.
        """
        if self._column is not None:
            dots: NDArray[Any] = np.vecdot(np.ascontiguousarray(rows), self._column)
            return dots[:, np.newaxis]
        product = np.empty((len(rows), self.n_out), dtype=self._tiles.dtype)
        room = np.zeros((min(ROWS, padded_rows(len(rows))), len(self._tiles) * SIDE), self._tiles.dtype)
        scratch = self.scratch()
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            block = room[: padded_rows(len(part))]
            block[: len(part), : self.n_in] = part
            block[len(part) :] = 0
            product[start : start + ROWS] = self.block(block, scratch)[: len(part), : self.n_out]
        return product

    def scratch(self) -> NDArray[Any]:
        """Return room for what `block` computes; one for each thread."""
        shape = (*self._tiles.shape[:2], ROWS // _TILE_ROWS, _TILE_ROWS, SIDE)
        return np.empty(shape, dtype=self._tiles.dtype)

    def block(self, rows: NDArray[Any], scratch: NDArray[Any]) -> NDArray[Any]:
        """Multiply 48, 96, 144 or 192 rows whose length is padded with zeros, as the result's is.

        Parameters
        ----------
        rows : ndarray, shape (n, padded(n_in))
            May be columns of a wider matrix.
        scratch : ndarray
            From `scratch`, written over.

        Returns
        -------
        ndarray, shape (n, padded(n_out))
        """
        n_down, n_across = self._tiles.shape[:2]
        n_above = len(rows) // _TILE_ROWS
        tiles = rows.reshape(n_above, _TILE_ROWS, n_down, 1, SIDE).transpose(2, 3, 0, 1, 4)
        products = scratch[:, :, :n_above]  # (n_down, n_across, n_above, 48, 64)
        np.matmul(tiles, self._tiles[:, :, np.newaxis], out=products)
        summed = products[0] if n_down == 1 else products.sum(axis=0)
        return np.asarray(summed.transpose(1, 2, 0, 3).reshape(len(rows), n_across * SIDE))
