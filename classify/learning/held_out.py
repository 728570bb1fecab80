"""Decisions on songs that the head has not seen, for calibration and for evaluation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.learning.bootstrap import N_BOOTSTRAP, interval90, resampled_means
from classify.learning.examples import LIKE, Examples
from classify.learning.metrics import pair_wins
from classify.learning.sampling import digest_ranks
from classify.taste.vectors import FloatArray

__all__ = ["HeldOut", "Ranker", "bootstrap_auc", "cross_fit", "deal_folds", "splits"]

IntArray = NDArray[np.intp]
# Learns from some rows (indices) and returns its decisions on all rows, shape (n,).
Ranker = Callable[[IntArray], FloatArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Held-out decisions of likes and of the others.

    There is one head for each pair of a fold of likes and a fold of others; it learns from the rest
    and scores both. So each like meets each other song under one head that saw neither, nor
    anything of their groups: decisions of different heads are never compared. Pooling the decisions
    of leave-one-out heads is biased with few examples (Airola et al. 2011, "An experimental
    comparison of cross-validation techniques for estimating the area under the ROC curve").

    Parameters
    ----------
    wins : ndarray, shape (n_like, n_other), float64
        1 where the like scored above the other song, 0.5 at a tie, 0 below; NaN where no head
        could judge the pair.
    like_decisions : ndarray, shape (n_like,), float64
        Mean over the heads that did not see the like.
    other_decisions : ndarray, shape (n_other,), float64
        The same for the others.
    like_folds, other_folds : ndarray of int
        Which fold each was held out with.
    like_groups, other_groups : ndarray of int
        Which group each belongs to.
    labels : ndarray, shape (n_like + n_other,), int
        1 like, -1 dislike, 0 unlabelled, in the order of `decisions`.
    rows : ndarray, shape (n_like + n_other,), int
        Which of the examples each is, in the order of `decisions`.
    by_song : bool
        Whether groups were too few to hold out, so that single songs were.
    """

    wins: FloatArray
    like_decisions: FloatArray
    other_decisions: FloatArray
    like_folds: IntArray
    other_folds: IntArray
    like_groups: IntArray
    other_groups: IntArray
    labels: NDArray[np.int_]
    rows: IntArray
    by_song: bool

    @property
    def auc(self) -> float:
        """Area under the ROC curve over all judged pairs, in [0, 1]."""
        return float(np.nanmean(self.wins))

    @property
    def decisions(self) -> FloatArray:
        """Decisions of likes, then of the others, shape (n_like + n_other,)."""
        return np.concatenate([self.like_decisions, self.other_decisions])

    @property
    def is_like(self) -> NDArray[np.bool_]:
        """Which of `decisions` are of likes."""
        return np.asarray(self.labels == LIKE)


def cross_fit(
    examples: Examples,
    ranker: Ranker,
    *,
    max_like_folds: int,
    n_other_folds: int = 2,
    n_like: int | None = None,
    seed: int = 0,
    draw: int = 0,
) -> HeldOut | None:
    """Hold every example out once, group by group.

    Parameters
    ----------
    examples : Examples
        Likes and others, all of which are learnt from.
    ranker : callable
        Learns from the rows it is given and decides on all.
    max_like_folds : int
        Likes are left out one group at a time, or in so many folds of groups if there are more.
    n_other_folds : int
        Folds of the others.
    n_like : int, optional
        Learn from so many of the remaining likes only (the learning curve).
    seed : int
        Of the folds.
    draw : int
        With the seed, of that choice of likes; the folds stay the same.

    Returns
    -------
    HeldOut or None
        None if that can't be done: fewer than 2 others, or no head had both sides to learn from.
    """
    deal = _deal(examples, max_like_folds, n_other_folds, seed)
    if deal is None:
        return None
    likes, others, like_folds, other_folds = (
        deal.likes,
        deal.others,
        deal.like_folds,
        deal.other_folds,
    )
    draws = np.random.default_rng([seed, draw])
    like_side = np.full((len(likes), other_folds.max() + 1), np.nan)
    other_side = np.full((len(others), like_folds.max() + 1), np.nan)
    for k in range(like_folds.max() + 1):
        for j in range(other_folds.max() + 1):
            held_likes, held_others = likes[like_folds == k], others[other_folds == j]
            rows = _training_rows(examples, deal.groups, held_likes, held_others, n_like, draws)
            if rows is not None:
                decisions = ranker(rows)
                like_side[like_folds == k, j] = decisions[held_likes]
                other_side[other_folds == j, k] = decisions[held_others]
    return _held_out(examples, deal, like_side, other_side)


def splits(
    examples: Examples, *, max_like_folds: int, n_other_folds: int, seed: int = 0
) -> Iterator[tuple[int, int, IntArray, IntArray]]:
    """Go through the splits that `cross_fit` learns on.

    Parameters
    ----------
    examples, max_like_folds, n_other_folds, seed
        As for `cross_fit`.

    Yields
    ------
    (like_fold, other_fold, held, rows)
        Numbers of the folds, indices of the examples that are held out, and of those to learn from,
        which share no group with them. Nothing where `cross_fit` would return None.
    """
    deal = _deal(examples, max_like_folds, n_other_folds, seed)
    if deal is None:
        return
    for k in range(deal.like_folds.max() + 1):
        for j in range(deal.other_folds.max() + 1):
            held_likes, held_others = (
                deal.likes[deal.like_folds == k],
                deal.others[deal.other_folds == j],
            )
            rows = _training_rows(examples, deal.groups, held_likes, held_others)
            if rows is not None:
                yield k, j, np.concatenate([held_likes, held_others]), rows


@dataclass(frozen=True, kw_only=True, eq=False)
class _Deal:
    """Which fold each like and each other song is held out with; the fields as in `HeldOut`."""

    likes: IntArray
    others: IntArray
    like_folds: IntArray
    other_folds: IntArray
    groups: IntArray
    by_song: bool


def _deal(examples: Examples, max_like_folds: int, n_other_folds: int, seed: int) -> _Deal | None:
    likes, others = np.flatnonzero(examples.is_like), np.flatnonzero(~examples.is_like)
    if len(likes) < 2 or len(others) < 2:
        return None
    ranks = digest_ranks(examples.digests, seed)
    # One artist on a whole side can't be held out: then the song is the unit, and a note says so.
    songs = np.arange(len(examples))
    by_song = len(np.unique(examples.groups[likes])) < 2
    groups = songs if by_song else examples.groups
    other_units = groups if len(np.unique(groups[others])) > 1 else songs
    return _Deal(
        likes=likes,
        others=others,
        like_folds=deal_folds(groups[likes], max_like_folds, ranks[likes]),
        other_folds=deal_folds(other_units[others], n_other_folds, ranks[others]),
        groups=groups,
        by_song=by_song,
    )


def _held_out(
    examples: Examples, deal: _Deal, like_side: FloatArray, other_side: FloatArray
) -> HeldOut | None:
    # Both (n_like, n_other): the same head's decision on each of the pair.
    wins = pair_wins(like_side[:, deal.other_folds], other_side[:, deal.like_folds].T)
    judged_likes = ~np.isnan(like_side).all(axis=1)
    judged_others = ~np.isnan(other_side).all(axis=1)
    if not (judged_likes.any() and judged_others.any()):
        return None
    likes, others = deal.likes[judged_likes], deal.others[judged_others]
    rows = np.concatenate([likes, others])
    return HeldOut(
        wins=wins[np.ix_(judged_likes, judged_others)],
        like_decisions=np.nanmean(like_side[judged_likes], axis=1),
        other_decisions=np.nanmean(other_side[judged_others], axis=1),
        like_folds=deal.like_folds[judged_likes],
        other_folds=deal.other_folds[judged_others],
        like_groups=deal.groups[likes],
        other_groups=deal.groups[others],
        labels=examples.labels[rows],
        rows=rows,
        by_song=deal.by_song,
    )


def deal_folds(groups: IntArray, n_folds: int, ranks: NDArray[np.uint64]) -> IntArray:
    """Deal whole groups into folds of about equal size.

    Parameters
    ----------
    groups : ndarray of int, shape (n,)
    n_folds : int
        At most so many; not more than there are groups.
    ranks : ndarray, shape (n,), uint64
        A number of each song that looks random, see `digest_ranks`. A group has the least of its
        songs'. Groups stand by their numbers, and each fold is a stretch of that row: where a song
        comes or goes, only songs near the ends of a stretch change their fold.

    Returns
    -------
    ndarray of int, shape (n,)
        The fold of each, from 0; two folds or more where there are two groups or more.

    Examples
    --------
    >>> import numpy as np
    >>> from classify.learning.held_out import deal_folds
    >>> deal_folds(np.array([0, 0, 1, 2]), 2, np.array([7, 3, 9, 1], np.uint64))
    array([0, 0, 1, 0])
    """
    names, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    least = np.full(len(names), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, inverse, ranks)
    order = np.argsort(least, kind="stable")
    if len(names) <= n_folds:
        fold_of = np.argsort(order)  # each group its own
    else:
        in_order = sizes[order]
        middles = np.cumsum(in_order) - in_order / 2
        stretch = np.floor(middles * n_folds / sizes.sum()).astype(np.intp)
        fold_of = np.empty(len(names), dtype=np.intp)
        fold_of[order] = np.unique(stretch, return_inverse=True)[1]  # a large group may span two
    return np.asarray(fold_of[inverse], dtype=np.intp)


def _training_rows(
    examples: Examples,
    groups: IntArray,
    held_likes: IntArray,
    held_others: IntArray,
    n_like: int | None = None,
    rng: np.random.Generator | None = None,
) -> IntArray | None:
    """Return the rows to learn from, or None if a side would be empty or too small."""
    held = np.concatenate([held_likes, held_others])
    free = ~np.isin(groups, groups[held])
    free[held] = False
    rows = np.flatnonzero(free)
    likes, others = rows[examples.labels[rows] == LIKE], rows[examples.labels[rows] != LIKE]
    if n_like is not None and rng is not None and len(likes) >= n_like:
        likes = np.sort(rng.choice(likes, n_like, replace=False))
    if not len(likes) or not len(others) or (n_like is not None and len(likes) < n_like):
        return None
    return np.concatenate([likes, others])


def bootstrap_auc(
    held_out: HeldOut, *, n_draws: int = N_BOOTSTRAP, seed: int = 0
) -> tuple[float, float]:
    """Estimate the 90% interval of the AUC by drawing groups with replacement.

    Parameters
    ----------
    held_out : HeldOut
    n_draws : int
        Bootstrap draws.
    seed : int
        Of the draws.

    Returns
    -------
    (low, high) : tuple of float
        5th and 95th percentile, the AUC itself included; see
        `classify.learning.bootstrap.resampled_means`. The imaginary like is one that the head can
        only guess.
    """
    return interval90(
        resampled_means(
            held_out.wins,
            held_out.like_groups,
            held_out.other_groups,
            guess=0.5,
            n_draws=n_draws,
            seed=seed,
        ),
        held_out.auc,
    )
