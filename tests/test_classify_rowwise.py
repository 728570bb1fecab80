"""Products in which no row knows of the others: why a song scores the same anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from classify.rowwise import ROWS, SIDE, RowMatrix, padded

SHAPES = [(1, 1), (3, 5), (64, 64), (64, 400), (65, 1), (400, 1), (256, 512), (3012, 64), (5000, 3)]


def problem(n_in: int, n_out: int, dtype: Any, n: int = 200) -> tuple[Any, Any]:
    rng = np.random.default_rng([n_in, n_out])
    return rng.normal(size=(n, n_in)).astype(dtype), rng.normal(size=(n_in, n_out)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_product(shape: tuple[int, int], dtype: Any) -> None:
    rows, weights = problem(*shape, dtype)
    found = RowMatrix(weights)(rows)
    exact = rows.astype(np.longdouble) @ weights.astype(np.longdouble)
    assert found.dtype == dtype
    scale = np.sqrt(shape[0])
    np.testing.assert_allclose(found / scale, exact / scale, atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_neither_place_nor_neighbours_nor_threads_change_a_bit(shape: tuple[int, int], dtype: Any) -> None:
    rows, weights = problem(*shape, dtype)
    matrix = RowMatrix(weights)
    together = matrix(rows)
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 5, 8, 47, 48, 49, 100):
        parts = [matrix(rows[i : i + size]) for i in range(0, len(rows), size)]
        assert np.array_equal(np.concatenate(parts), together), size
    for _ in range(10):
        order = rng.permutation(len(rows))
        assert np.array_equal(matrix(rows[order]), together[order])
    assert np.array_equal(matrix(np.asfortranarray(rows)), together)
    for limit in (1, 2, 5):
        with threadpool_limits(limits=limit):
            assert np.array_equal(matrix(rows), together)


def test_one_row_gives_the_same_at_every_place_of_a_block_whatever_is_around_it() -> None:
    (row, *_), weights = problem(3012, 64, np.float32)
    matrix = RowMatrix(weights)
    alone = matrix(row[None])[0]
    block = np.zeros((ROWS, padded(3012)), dtype=np.float32)
    scratch = matrix.scratch()
    for place in range(ROWS):
        for around in (0, 1e30, np.inf, np.nan):
            block[:, :3012] = around
            block[place, :3012] = row
            with np.errstate(over="ignore", invalid="ignore"):
                found = matrix.block(block, scratch)
            assert np.array_equal(found[place, :64], alone), (place, around)


def test_nothing_is_lost_where_there_is_nothing() -> None:
    assert RowMatrix(np.ones((3, 2)))(np.ones((0, 3))).shape == (0, 2)
    assert RowMatrix(np.ones((3, 0)))(np.ones((4, 3))).shape == (4, 0)
    assert (RowMatrix(np.ones((0, 2)))(np.ones((4, 0))) == np.zeros((4, 2))).all()
    assert (padded(1), padded(SIDE), padded(SIDE + 1)) == (SIDE, SIDE, 2 * SIDE)
