"""Matrix products in which no row knows of the others: a song scores the same alone and among a million.

BLAS picks another kernel, and so perhaps another order of additions, for another number of rows, and shares
large products out among threads. So every product here is made of small ones of one shape: 48 rows (4, 6,
8, 12, 16 and 24, the heights of register tiles that there are, divide it) by 64 x 64 of the matrix. OpenBLAS
takes such a product in one thread, without packing: that is also the fastest way, 105 GFLOP/s in float32
on one core of a Zen 4 server, where one tall product reaches 92.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROWS", "SIDE", "RowMatrix", "padded"]

ROWS = 48
SIDE = 64


def padded(n: int) -> int:
    """Return the next multiple of 64."""
    return -(-n // SIDE) * SIDE


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
        block = np.zeros((ROWS, len(self._tiles) * SIDE), dtype=self._tiles.dtype)
        scratch = self.scratch()
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            block[: len(part), : self.n_in] = part
            block[len(part) :] = 0
            product[start : start + ROWS] = self.block(block, scratch)[: len(part), : self.n_out]
        return product

    def scratch(self) -> NDArray[Any]:
        """Return room for what `block` computes; one for each thread."""
        return np.empty((*self._tiles.shape[:2], ROWS, SIDE), dtype=self._tiles.dtype)

    def block(self, rows: NDArray[Any], scratch: NDArray[Any]) -> NDArray[Any]:
        """Multiply 48 rows whose length is padded with zeros, as the result's is.

        Parameters
        ----------
        rows : ndarray, shape (48, padded(n_in))
            May be columns of a wider matrix.
        scratch : ndarray
            From `scratch`, written over.

        Returns
        -------
        ndarray, shape (48, padded(n_out))
        """
        n_down, n_across = self._tiles.shape[:2]
        tiles = rows.reshape(ROWS, n_down, 1, SIDE).transpose(1, 2, 0, 3)  # (n_down, 1, 48, 64)
        np.matmul(tiles, self._tiles, out=scratch)
        summed = scratch[0] if n_down == 1 else scratch.sum(axis=0)  # (n_across, 48, 64)
        return np.asarray(summed.transpose(1, 0, 2).reshape(ROWS, n_across * SIDE))
