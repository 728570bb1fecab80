"""Products in which no row depends on the others: why a song scores the same anywhere."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from classify.taste.row_products import ROWS, SIDE, RowMatrix, padded, round_rows, row_dots

SHAPES = [(1, 1), (3, 5), (64, 64), (64, 400), (65, 1), (400, 1), (256, 512), (3012, 64), (5000, 3)]
BY_TURNS = list(zip(SHAPES, itertools.cycle([np.float32, np.float64]), strict=False))


def problem(n_in: int, n_out: int, dtype: Any, n: int = 200) -> tuple[Any, Any]:
    rng = np.random.default_rng([n_in, n_out])
    return rng.normal(size=(n, n_in)).astype(dtype), rng.normal(size=(n_in, n_out)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_product(shape: tuple[int, int], dtype: Any) -> None:
    rows, weights = problem(*shape, dtype)
    # these need no rounding: what is left is that of the weights
    rows = np.round(rows * 2**16) / 2**16
    found = RowMatrix(weights)(rows)
    exact = rows.astype(np.longdouble) @ weights.astype(np.longdouble)
    assert found.dtype == np.float64
    scale = np.sqrt(shape[0])
    error = 2.0 ** (-20 if dtype == np.float32 else -44)
    np.testing.assert_allclose(found / scale, exact / scale, atol=error)


def test_a_row_keeps_24_bits_of_its_largest_number() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 300)) * np.logspace(-60, 60, 50)[:, None]
    for dtype in (np.float64, np.float32):
        exact = rows[15:35].astype(dtype) if dtype == np.float32 else rows
        rounded = exact.copy()
        round_rows(rounded)
        largest = np.abs(exact).max(axis=1, keepdims=True)
        assert (np.abs(rounded - exact) <= largest * 2.0**-23).all()
        again = rounded.copy()
        round_rows(again)
        assert np.array_equal(again, rounded)


@pytest.mark.exact
@pytest.mark.parametrize("kind", ["normal", "largest", "alternating"])
def test_no_sum_of_a_tile_is_rounded(kind: str) -> None:
    rng = np.random.default_rng(1)
    rows, weights = rng.normal(size=(ROWS, SIDE)), rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    if kind != "normal":  # every number as large as it can be, so that the sums are too
        rows = 1 - 2.0**-20 * rng.uniform(0.5, 1, (ROWS, SIDE))
        weights = (1 - 2.0**-20 * rng.uniform(0.5, 1, (SIDE, SIDE))).astype(np.float32)
    if kind == "alternating":
        weights[::2] *= -1
    round_rows(rows)
    matrix = RowMatrix(weights)
    kept = matrix(np.eye(SIDE))  # the weights as they count
    # its terms are exact too
    exact = [[math.fsum(row * column) for column in kept.T] for row in rows[:8]]
    assert np.array_equal(matrix(rows)[:8], exact)


@pytest.mark.exact
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1, 7, 64, 401])
def test_a_dot_product_does_not_depend_on_where_its_row_lies(width: int, dtype: Any) -> None:
    rows = np.random.default_rng(2).normal(size=(500, width)).astype(dtype)
    together = row_dots(rows, rows)
    np.testing.assert_allclose(together, np.square(rows, dtype=np.float64).sum(axis=1), rtol=1e-5)
    assert np.array_equal(np.concatenate([row_dots(row[None], row) for row in rows]), together)
    moved = np.zeros(rows.size + 1, dtype)[1:].reshape(rows.shape)  # at other addresses
    moved[:] = rows
    assert np.array_equal(row_dots(moved[3:], moved[3:]), together[3:])


@pytest.mark.exact
@pytest.mark.parametrize(("shape", "dtype"), BY_TURNS)
def test_neither_place_nor_neighbours_nor_threads_change_a_bit(
    shape: tuple[int, int], dtype: Any
) -> None:
    rows, weights = problem(*shape, dtype)
    matrix = RowMatrix(weights)
    together = matrix(rows)
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 5, 8, 47, 48, 49, 100):
        parts = [matrix(rows[i : i + size]) for i in range(0, len(rows), size)]
        assert np.array_equal(np.concatenate(parts), together), size
    for _ in range(3):
        order = rng.permutation(len(rows))
        assert np.array_equal(matrix(rows[order]), together[order])
    assert np.array_equal(matrix(np.asfortranarray(rows)), together)
    for limit in (1, 2, 5):
        with threadpool_limits(limits=limit):
            assert np.array_equal(matrix(rows), together)


@pytest.mark.exact
def test_one_row_gives_the_same_at_every_place_of_a_block_whatever_is_around_it() -> None:
    (row, *_), weights = problem(300, 64, np.float32)
    matrix = RowMatrix(weights)
    alone = matrix(row[None])[0]
    block = np.zeros((ROWS, padded(300)))
    scratch = matrix.scratch()
    for place in range(ROWS):
        for around in (0, 1e30, np.inf, np.nan):
            block[:, :300] = around
            block[place, :300] = row
            round_rows(block[place : place + 1, :300])
            with np.errstate(over="ignore", invalid="ignore"):
                found = matrix.block(block, scratch)
            assert np.array_equal(found[place, :64], alone), (place, around)


def test_nothing_is_lost_where_there_is_nothing() -> None:
    assert RowMatrix(np.ones((3, 2)))(np.ones((0, 3))).shape == (0, 2)
    assert RowMatrix(np.ones((3, 0)))(np.ones((4, 3))).shape == (4, 0)
    assert (RowMatrix(np.ones((0, 2)))(np.ones((4, 0))) == np.zeros((4, 2))).all()
    assert (padded(1), padded(SIDE), padded(SIDE + 1)) == (SIDE, SIDE, 2 * SIDE)
