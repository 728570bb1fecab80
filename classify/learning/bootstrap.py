"""Bootstrap over groups: how much a mean over pairs of songs would move with other songs."""

import numpy as np
from numpy.typing import NDArray

from classify.taste.vectors import FloatArray

__all__ = ["N_BOOTSTRAP", "interval90", "resampled_means"]

N_BOOTSTRAP = 2000


def resampled_means(
    values: FloatArray,
    like_groups: NDArray[np.intp],
    other_groups: NDArray[np.intp],
    *,
    guess: float,
    n_draws: int = N_BOOTSTRAP,
    seed: int = 0,
) -> FloatArray:
    """Draw groups with replacement, and take the mean over the pairs that are drawn.

    Parameters
    ----------
    values : ndarray, shape (n_like, n_other), float64
        One number for each pair of a like and another song; NaN where the pair was not judged.
    like_groups, other_groups : ndarray of int
        Which group each row and column belongs to.
    guess : float
        To the likes one imaginary song is added whose pairs have this value: seven likes without a
        mistake are no proof of a head without mistakes, as a plain bootstrap would have it.
    n_draws : int
        Bootstrap draws.
    seed : int
        The same groups and seed give the same draws, so differences may be taken draw by draw.

    Returns
    -------
    ndarray, shape (n_draws,), float64
        Likes and others are drawn independently, whole groups at a time (Efron & Tibshirani 1993,
        chapter 8). NaN where no judged pair was drawn.
    """
    rng = np.random.default_rng(seed)
    judged = ~np.isnan(values)
    known = np.where(judged, values, 0.0)
    per_like = _sum_groups(known, like_groups)  # (n_like_groups, n_other)
    n_per_like = _sum_groups(judged * 1.0, like_groups)
    sums = _sum_groups(per_like.T, other_groups).T  # (n_like_groups, n_other_groups)
    counts = _sum_groups(n_per_like.T, other_groups).T
    typical = counts.mean(axis=0)
    sums = np.vstack([sums, guess * typical])
    counts = np.vstack([counts, typical])
    like_draws = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=n_draws)
    n_others = sums.shape[1]
    other_draws = rng.multinomial(n_others, np.full(n_others, 1 / n_others), size=n_draws)
    total = np.einsum("bi,ij,bj->b", like_draws, counts, other_draws, optimize=True)
    added = np.einsum("bi,ij,bj->b", like_draws, sums, other_draws, optimize=True)
    means = np.full(n_draws, np.nan)
    np.divide(added, total, out=means, where=total > 0)
    return means


def interval90(draws: FloatArray, value: float) -> tuple[float, float]:
    """Return the 5th and 95th percentile of bootstrap draws, the value itself included.

    Parameters
    ----------
    draws : ndarray, shape (n_draws,), float64
        From `resampled_means`; NaN is left out.
    value : float
        What was measured.

    Returns
    -------
    (low, high) : tuple of float
    """
    low, high = np.nanquantile(draws, [0.05, 0.95])
    return min(float(low), value), max(float(high), value)


def _sum_groups(matrix: FloatArray, groups: NDArray[np.intp]) -> FloatArray:
    """Add up the rows of each group."""
    index = np.unique(groups, return_inverse=True)[1]
    sums = np.zeros((index.max() + 1, matrix.shape[1]))
    np.add.at(sums, index, matrix)
    return sums
