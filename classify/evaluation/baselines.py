"""Simpler ways of ranking on the very splits of the head, and by how much it beats them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.learning.bootstrap import interval90, resampled_means
from classify.learning.examples import DISLIKE, LIKE, Examples
from classify.learning.heads import Logistic
from classify.learning.held_out import HeldOut, Ranker, cross_fit
from classify.taste.vectors import FloatArray, SongTransform, Vectors

__all__ = ["Baseline", "compare_baselines", "rank_baselines"]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A simpler way beside the head.

    Parameters
    ----------
    auc : float
        Its own, in [0, 1].
    gain : float
        The head's AUC less its own, over the pairs that both judged.
    gain_ci90 : (float, float)
        90% interval of the gain by bootstrap over groups, pair by pair on the same songs.
    """

    auc: float
    gain: float
    gain_ci90: tuple[float, float]


def rank_baselines(
    examples: Examples, rows: Vectors, *, max_like_folds: int, seed: int = 0
) -> dict[str, HeldOut]:
    """Rank the same held-out songs in simpler ways.

    Parameters
    ----------
    examples : Examples
        What the head learnt from.
    rows : ndarray, shape (n, dim), float32
        Their standardised vectors.
    max_like_folds, seed : int
        As for the head's `cross_fit`.

    Returns
    -------
    dict of str to HeldOut
        `cosine` to the mean of the likes, and `nearest`, the largest cosine to a like, both
        standardised by the library; where there are two dislikes or more, `tutorial`: a scaler and
        a logistic regression (C = 1), fitted on the labelled songs alone.
    """
    rankers: dict[str, Ranker] = {
        "cosine": _cosine_ranker(rows, examples.labels, lambda cosines: cosines.mean(axis=1)),
        "nearest": _cosine_ranker(rows, examples.labels, lambda cosines: cosines.max(axis=1)),
    }
    if (examples.labels == DISLIKE).sum() >= 2:
        rankers["tutorial"] = _tutorial_ranker(examples.vectors, examples.labels)
    found = {
        name: cross_fit(examples, ranker, max_like_folds=max_like_folds, seed=seed)
        for name, ranker in rankers.items()
    }
    return {name: other for name, other in found.items() if other is not None}


def compare_baselines(
    held_out: HeldOut, others: Mapping[str, HeldOut], *, seed: int = 0
) -> dict[str, Baseline]:
    """Tell what the head gains over simpler ways.

    Parameters
    ----------
    held_out : HeldOut
        What the head made of the songs.
    others : mapping of str to HeldOut
        See `rank_baselines`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Baseline
        The others, after `random` (a coin).
    """
    coin = np.full_like(held_out.wins, 0.5)
    found = {"random": _baseline(0.5, held_out, coin, seed)}
    for name, other in others.items():
        found[name] = _baseline(other.auc, held_out, _as_rows_of(held_out, other), seed)
    return found


def _as_rows_of(held_out: HeldOut, other: HeldOut) -> FloatArray:
    """Return the wins of another way on the songs of `held_out`; NaN where it judged none."""
    n_like, n_other = held_out.wins.shape
    wins = np.full((n_like, n_other), np.nan)
    likes = np.isin(held_out.rows[:n_like], other.rows[: len(other.wins)])
    others = np.isin(held_out.rows[n_like:], other.rows[len(other.wins) :])
    mine = np.isin(other.rows, held_out.rows)
    wins[np.ix_(likes, others)] = other.wins[
        np.ix_(mine[: len(other.wins)], mine[len(other.wins) :])
    ]
    return wins


def _baseline(auc: float, held_out: HeldOut, wins: FloatArray, seed: int) -> Baseline:
    gains = held_out.wins - wins
    gain = float(np.nanmean(gains))
    draws = resampled_means(
        gains, held_out.like_groups, held_out.other_groups, guess=0.0, seed=seed
    )
    return Baseline(auc=auc, gain=gain, gain_ci90=interval90(draws, gain))


def _cosine_ranker(
    rows: Vectors, labels: NDArray[np.int_], reduce: Callable[[FloatArray], FloatArray]
) -> Ranker:
    """Rank by cosines to the likes, shape (n, n_like), reduced to one number a song."""
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    unit = wide / np.where(lengths > 0, lengths, 1)[:, None]
    cosines = unit @ unit.T  # (n, n)

    def rank(train: NDArray[np.intp]) -> FloatArray:
        return reduce(cosines[:, train[labels[train] == LIKE]])

    return rank


def _tutorial_ranker(vectors: Vectors, labels: NDArray[np.int_]) -> Ranker:
    """Rank the way tutorials do: everything fitted on the few labelled songs."""

    def rank(train: NDArray[np.intp]) -> FloatArray:
        labelled = train[labels[train] != 0]
        is_like = labels[labelled] == LIKE
        if is_like.all():
            return np.full(len(vectors), np.nan)
        standard = SongTransform.fit(vectors[labelled])
        rows = standard(vectors).astype(np.float64)
        model = Logistic(C=1.0).fit(rows[labelled], is_like, np.ones(len(labelled)))
        return model.decision_function(rows)

    return rank
