"""Weighted logistic regression with an L2 penalty.

It is our own, as importing scikit-learn takes longer than training.

By hand: importing `sklearn.linear_model` takes 1 s of processor time, this fit 1 ms for 1,000 songs
and 8 ms for 10,000 (AMD EPYC). tests/classify/learning/test_logistic.py compares the two.
"""

import numpy as np
from numpy.typing import NDArray

from classify.taste.vectors import FloatArray

__all__ = ["fit_logistic"]

_MAX_STEPS = 100
_MAX_INNER_STEPS = 500
_TOLERANCE = 1e-9
_ROUNDING = 1e-12
_SHORTEST, _SUFFICIENT = 1e-10, 1e-4


def fit_logistic(
    rows: FloatArray, is_like: NDArray[np.bool_], weight: FloatArray, *, C: float
) -> tuple[FloatArray, float]:
    """Minimise C * sum of weight * log(1 + exp(-y * decision)) + |coef|^2 / 2, where y is 1 or -1.

    Parameters
    ----------
    rows : ndarray, shape (n, dim), float64
    is_like : ndarray, shape (n,), bool
        Both values must occur among the rows of positive weight.
    weight : ndarray, shape (n,), float64
        0 or more.
    C : float
        Evidence against penalty, above 0.

    Returns
    -------
    coef : ndarray, shape (dim,), float64
    intercept : float
        Not penalised. The decision is rows @ coef + intercept.

    Notes
    -----
    Newton's method, each step solved by conjugate gradients only as far as it is worth (Nocedal &
    Wright 2006, "Numerical Optimization", algorithm 7.1), with a line search. The penalty bounds
    the condition of the problem: a few products with the rows make a step, and no matrix of second
    derivatives is needed. The intercept is eliminated from each step. The loss is convex: all that
    can happen is that it takes long.
    """
    y, cost = is_like.astype(np.float64), C * weight
    coef, intercept, decisions = np.zeros(rows.shape[1]), 0.0, np.zeros(len(rows))
    value = _loss(decisions, coef, y, cost)
    tolerance = _TOLERANCE * (1 + float(cost.sum()))
    for _ in range(_MAX_STEPS):
        p = 0.5 * (1 + np.tanh(decisions / 2))  # the logistic function without overflow
        wrong = cost * (p - y)
        slope, slope_0 = wrong @ rows + coef, float(wrong.sum())
        size = float(np.sqrt(slope @ slope + slope_0**2))
        if size <= tolerance:
            break
        curvature = cost * p * (1 - p)
        total = max(float(curvature.sum()), 1e-12 * float(cost.sum()))
        mean = curvature @ rows / total
        step, moved = _solve(rows, curvature, mean, total, slope - mean * slope_0, min(0.1, size))
        step_0 = slope_0 / total - float(mean @ step)
        moved += step_0
        gain = float(slope @ step) + slope_0 * step_0
        length, new = 1.0, value
        while length > _SHORTEST:
            new = _loss(decisions - length * moved, coef - length * step, y, cost)
            if new <= value - _SUFFICIENT * length * gain + _ROUNDING * abs(value):
                break
            length /= 2
        else:
            break  # rounding: no step improves any more
        coef, intercept = coef - length * step, intercept - length * step_0
        decisions, value = decisions - length * moved, new
    return coef, intercept


def _loss(decisions: FloatArray, coef: FloatArray, y: FloatArray, cost: FloatArray) -> float:
    return float(cost @ (np.logaddexp(0, decisions) - y * decisions) + 0.5 * (coef @ coef))


def _solve(
    rows: FloatArray,
    curvature: FloatArray,
    mean: FloatArray,
    total: float,
    right: FloatArray,
    accuracy: float,
) -> tuple[FloatArray, FloatArray]:
    """Solve for a Newton step by conjugate gradients; return it and rows @ step."""
    step, moved = np.zeros_like(right), np.zeros(len(rows))
    rest = right.copy()
    along, square = rest.copy(), float(rest @ rest)
    enough = accuracy**2 * square
    for _ in range(_MAX_INNER_STEPS):
        if square <= enough:
            break
        across = rows @ along
        bent = (curvature * across) @ rows + along - mean * (total * float(mean @ along))
        bend = float(along @ bent)
        if not bend > 0:
            break  # rounding: the rows are too large for the penalty to be felt
        length = square / bend
        step += length * along
        moved += length * across
        rest -= length * bent
        previous, square = square, float(rest @ rest)
        along = rest + (square / previous) * along
    return step, moved
