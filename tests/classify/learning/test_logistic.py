"""Our logistic regression against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from classify.learning.logistic import fit_logistic

CASES = [  # rows, columns, C, size of a column, how far likes lie off
    (40, 5, 1, 1, 0),
    (40, 5, 1, 1, 3),  # the two sides do not overlap
    (14, 3012, 1, 1, 0),  # the tutorial's
    (300, 64, 1, 0.125, 1),  # song space
    (2000, 64, 1, 0.125, 1),
    (156, 307, 1, 0.06, 0),  # kernel features
    (200, 10, 100, 1, 0),
    (200, 10, 1000, 1, 1),
    (50, 4, 0.01, 1, 1),
    (6, 3, 1, 0, 0),  # nothing to go on but the share of likes
    (100, 20, 1, 20, 0),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "dim", "C", "size", "shift"), CASES)
def test_it_finds_what_scikit_learn_finds(
    n: int, dim: int, C: float, size: float, shift: float, seed: int
) -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    y[:2] = True, False
    rows = size * (rng.normal(size=(n, dim)) + shift * y[:, None])
    weight = rng.uniform(0, 2, n)
    weight[2] = 0
    coef, intercept = fit_logistic(rows, y, weight, C=C)
    # A few rows of many columns make the matrix of its Newton solver too large; the other one needs
    # time.
    solver = "newton-cholesky" if dim < 1000 else "lbfgs"
    theirs = LogisticRegression(C=C, tol=1e-11, max_iter=10_000, solver=solver).fit(rows, y, weight)
    np.testing.assert_allclose(coef, theirs.coef_[0], atol=2e-6)
    np.testing.assert_allclose(intercept, theirs.intercept_[0], atol=1e-5)


def test_at_the_minimum_the_slope_is_zero() -> None:
    rng = np.random.default_rng(0)
    for C, size in ((1.0, 1.0), (1e4, 1.0), (1.0, 1e3), (1e-6, 1.0)):
        rows, y, weight = (
            size * rng.normal(size=(80, 6)),
            rng.random(80) < 0.2,
            rng.uniform(0, 1, 80),
        )
        coef, intercept = fit_logistic(rows, y, weight, C=C)
        wrong = C * weight * (1 / (1 + np.exp(-(rows @ coef + intercept))) - y)
        np.testing.assert_allclose(wrong @ rows + coef, 0, atol=1e-5 * (1 + C * size))
        assert wrong.sum() == pytest.approx(0, abs=1e-6 * (1 + C))


def test_no_song_of_any_size_makes_it_stumble() -> None:
    y = np.arange(10) < 3
    for rows in (
        np.zeros((10, 2)),
        np.full((10, 2), 1e8),
        np.where(y, 1e6, -1e6)[:, None] * np.ones(3),
    ):
        coef, intercept = fit_logistic(rows, y, np.ones(10), C=1.0)
        assert np.isfinite(coef).all()
        assert np.isfinite(intercept)
    flat = fit_logistic(np.zeros((10, 2)), y, np.ones(10), C=1.0)
    assert flat[1] == pytest.approx(np.log(3 / 7))
