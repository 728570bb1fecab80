"""Ranking metrics as pure functions, NumPy only."""

import numpy as np
from numpy.typing import NDArray

from classify.taste.vectors import FloatArray

__all__ = ["average_precision", "brier_score", "pair_wins", "precision_at", "roc_auc"]

BoolArray = NDArray[np.bool_]


def pair_wins(likes: FloatArray, others: FloatArray) -> FloatArray:
    """Compare each like with each other song.

    Parameters
    ----------
    likes, others : ndarray, float64
        Scores, of shapes that broadcast, say (n_like, 1) and (n_other,). NaN: not compared.

    Returns
    -------
    ndarray, float64
        1 where the like scores higher, 0.5 at a tie, 0 where lower, NaN where not compared.
        Its mean is the area under the ROC curve (Mann & Whitney 1947; Hanley & McNeil 1982).
    """
    wins = (likes > others) + 0.5 * (likes == others)
    return np.where(np.isnan(likes) | np.isnan(others), np.nan, wins)


def roc_auc(is_like: BoolArray, scores: FloatArray) -> float:
    """Area under the ROC curve: how often a like scores above another song, ties counting half.

    Parameters
    ----------
    is_like : ndarray, shape (n,), bool
        Both values must occur.
    scores : ndarray, shape (n,), float64

    Returns
    -------
    float
        In [0, 1]; 0.5 is chance.

    Raises
    ------
    ValueError
        If one side is empty, the lengths differ or a score is NaN.
    """
    _check(is_like, scores)
    return float(pair_wins(scores[is_like][:, None], scores[~is_like]).mean())


def average_precision(is_like: BoolArray, scores: FloatArray) -> float:
    """Mean of the precision at each like's rank; tied songs share the rank of the last of them.

    Parameters
    ----------
    is_like : ndarray, shape (n,), bool
        Both values must occur.
    scores : ndarray, shape (n,), float64

    Returns
    -------
    float
        In (0, 1]; the share of likes is chance.

    Raises
    ------
    ValueError
        If one side is empty, the lengths differ or a score is NaN.
    """
    _check(is_like, scores)
    likes = scores[is_like]
    n_above = (scores >= likes[:, None]).sum(axis=1)  # (n_like,), itself included
    n_likes_above = (likes >= likes[:, None]).sum(axis=1)
    return float(np.mean(n_likes_above / n_above))


def precision_at(is_like: BoolArray, scores: FloatArray, k: int = 10) -> float:
    """Share of likes among the k best.

    Parameters
    ----------
    is_like : ndarray, shape (n,), bool
        Both values must occur.
    scores : ndarray, shape (n,), float64
    k : int
        At least 1; all songs if there are fewer.

    Returns
    -------
    float
        In [0, 1], and no more than n_like / k. Songs tied at the k-th place count by the share of
        likes among them, so that the order of rows means nothing.

    Raises
    ------
    ValueError
        If one side is empty, the lengths differ, a score is NaN or k is below 1.
    """
    _check(is_like, scores)
    if k < 1:
        raise ValueError(f"precision at {k}; k must be at least 1")
    k = min(k, len(scores))
    cut = np.sort(scores)[-k]
    above, tied = scores > cut, scores == cut
    return float((is_like[above].sum() + (k - above.sum()) * is_like[tied].mean()) / k)


def brier_score(is_like: BoolArray, probabilities: FloatArray) -> float:
    """Mean squared error of probabilities.

    Parameters
    ----------
    is_like : ndarray, shape (n,), bool
        Both values must occur.
    probabilities : ndarray, shape (n,), float64
        In [0, 1].

    Returns
    -------
    float
        In [0, 1]; always saying 0.5 gives 0.25, always the share of likes p gives p (1 - p) (Brier
        1950).

    Raises
    ------
    ValueError
        If one side is empty, the lengths differ or a probability is not in [0, 1].
    """
    _check(is_like, probabilities)
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError("probabilities must be in [0, 1]; decisions were given?")
    return float(np.mean(np.square(probabilities - is_like)))


def _check(is_like: BoolArray, scores: FloatArray) -> None:
    if is_like.shape != scores.shape or is_like.ndim != 1 or is_like.dtype != np.bool_:
        raise ValueError(
            f"labels {is_like.dtype}{is_like.shape} and scores {scores.shape}; (n,) each, and "
            "boolean labels, are needed"
        )
    if is_like.all() or not is_like.any():
        raise ValueError(
            f"{int(is_like.sum())} of {is_like.size} songs are likes; both kinds are needed"
        )
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} scores are NaN")
