"""The learning curve: how good with fewer likes, and what more of them would bring."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classify.learning.bootstrap import interval90, resampled_means
from classify.learning.examples import Examples
from classify.learning.held_out import HeldOut, Ranker, cross_fit
from classify.taste.vectors import FloatArray

__all__ = ["CurvePoint", "LearningCurve", "Promise", "extrapolate", "learning_curve"]

CURVE_LIKES = (2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
MAX_LIKE_FOLDS = 10
_DRAWS, _DRAWS_UP_TO = 3, 5  # each fold draws likes of its own, so more of them need no second draw
_MIN_POINTS = 3  # a line through two points fits any two
_MIN_GAIN = 0.01
_TIMES_LIKES = (2, 3)
_LEAST_ERROR = 1e-3  # below, the law's logarithm would make much of single pairs


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One point of the learning curve.

    Parameters
    ----------
    n_like : int
        Likes learnt from.
    auc : float
        Mean over draws of that many likes.
    ci90 : (float, float)
        Bootstrap interval of that mean over groups.
    """

    n_like: int
    auc: float
    ci90: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What more likes of the same kind would bring, if the curve goes on as it does.

    Parameters
    ----------
    n_more : int
        Likes to add: as many as there are, or twice as many.
    auc : float
        Expected with them.
    ci90 : (float, float)
        Bootstrap interval over groups of what the law says there; it knows nothing of how far the
        law holds.
    """

    n_more: int
    auc: float
    ci90: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """The curve and where it leads.

    Parameters
    ----------
    points : tuple of CurvePoint
        By ascending number of likes.
    rises : bool or None
        Whether it surely rises; None where there are too few points to tell.
    promise : Promise or None
        None unless it surely rises, and by 0.01 or more.
    """

    points: tuple[CurvePoint, ...]
    rises: bool | None
    promise: Promise | None


def learning_curve(examples: Examples, ranker: Ranker, *, seed: int = 0) -> LearningCurve:
    """Measure how good the head is with fewer likes, on the same held-out songs.

    Parameters
    ----------
    examples : Examples
    ranker : callable
        See `classify.learning.held_out.Ranker`.
    seed : int
        Of the folds and the draws.

    Returns
    -------
    LearningCurve
    """
    points, draws = [], []
    likes_tried = _curve_likes(examples)
    for n_like in likes_tried:
        n_draws = _DRAWS if n_like <= _DRAWS_UP_TO and n_like < likes_tried[-1] else 1
        mean = _mean_of_draws(examples, ranker, n_like, n_draws, seed)
        if mean is not None:
            draws.append(
                resampled_means(
                    mean.wins, mean.like_groups, mean.other_groups, guess=0.5, seed=seed
                )
            )
            points.append(
                CurvePoint(n_like=n_like, auc=mean.auc, ci90=interval90(draws[-1], mean.auc))
            )
    rises, promise = None, None
    if len(points) >= _MIN_POINTS:
        n_likes, aucs = np.array([p.n_like for p in points]), np.array([p.auc for p in points])
        rises, promise = extrapolate(
            n_likes, aucs, np.stack(draws), n_like=int(examples.is_like.sum())
        )
    return LearningCurve(points=tuple(points), rises=rises, promise=promise)


def extrapolate(
    n_likes: NDArray[np.int_], aucs: FloatArray, draws: FloatArray, *, n_like: int
) -> tuple[bool, Promise | None]:
    """Follow the curve to two and three times the likes.

    Parameters
    ----------
    n_likes : ndarray, shape (n_points,), int
        Numbers of likes, 2 or more each, three points or more.
    aucs : ndarray, shape (n_points,), float64
    draws : ndarray, shape (n_points, n_draws), float64
        The same over bootstrap draws, of the same songs at every point; NaN is left out.
    n_like : int
        Likes that there are.

    Returns
    -------
    rises : bool
        Whether the exponent's 90% interval lies above 0.
    promise : Promise or None
        At twice the likes, or else at three times, where the gain from `n_like` on is 0.01 at
        least.

    Notes
    -----
    The law is 1 - AUC = k * n ** -c with c >= 0, fitted by least squares in the logarithms:
    learning curves of many classifiers follow such power laws (Viering & Loog 2023, "The shape of
    learning curves: a review"). On the music of tests/benchmarks, from 5 likes to 10 (30 draws of
    six tastes), the law was right on the mean (0.939 said, 0.943 found) and off by 0.05 for a
    single taste. A promise is made where the curve is steep, partly by luck: the 9 that were made
    were 0.03 too high on the mean.
    """
    log_k, c = _power_law(n_likes, aucs[:, None])
    known = ~np.isnan(draws).any(axis=0)
    log_ks, cs = _power_law(n_likes, draws[:, known])
    rises = bool(known.any() and np.quantile(cs, 0.05) > 0)
    now = _auc_at(n_like, log_k, c)[0]
    for times in _TIMES_LIKES:
        then = float(_auc_at(times * n_like, log_k, c)[0])
        if rises and then - now >= _MIN_GAIN:
            interval = interval90(_auc_at(times * n_like, log_ks, cs), then)
            return rises, Promise(n_more=(times - 1) * n_like, auc=then, ci90=interval)
    return rises, None


def _power_law(n_likes: NDArray[np.int_], aucs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit log(1 - AUC) = log k - c log n to each column; return log k and c, shape (n_columns,)."""
    x = np.log(n_likes) - np.log(n_likes).mean()
    y = np.log(np.maximum(1 - aucs, _LEAST_ERROR))  # (n_points, n_columns)
    c = np.maximum(-(x @ y) / (x @ x), 0.0)
    return y.mean(axis=0) + c * np.log(n_likes).mean(), c


def _auc_at(n_like: int, log_k: FloatArray, c: FloatArray) -> FloatArray:
    return np.asarray(1 - np.exp(log_k - c * np.log(n_like)))


def _mean_of_draws(
    examples: Examples, ranker: Ranker, n_like: int, n_draws: int, seed: int
) -> HeldOut | None:
    draws = [
        cross_fit(
            examples, ranker, max_like_folds=MAX_LIKE_FOLDS, n_like=n_like, seed=seed, draw=draw
        )
        for draw in range(n_draws)
    ]
    done = [draw for draw in draws if draw is not None]
    # The draws share their folds, so their pairs can be averaged one by one.
    return replace(done[0], wins=np.mean([draw.wins for draw in done], axis=0)) if done else None


def _curve_likes(examples: Examples) -> list[int]:
    """Return how many likes to try: some round numbers, and the most that can be."""
    likes = examples.groups[examples.is_like]
    sizes = np.unique(likes, return_counts=True)[1]
    # The largest share that is ever held out; one group means that songs are held out singly.
    held = sizes.max() if len(sizes) > 1 else 1
    held = max(int(held), -(-len(likes) // MAX_LIKE_FOLDS))
    most = len(likes) - held
    return sorted({n for n in (*CURVE_LIKES, most) if 2 <= n <= most})
