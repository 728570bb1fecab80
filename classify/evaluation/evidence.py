"""What an evaluation's figures are made of.

These are the curves whose areas they are, and the songs behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.evaluation.held_scores import HeldScores
from classify.learning.examples import DISLIKE, LIKE
from classify.learning.held_out import HeldOut
from classify.taste.vectors import FloatArray

__all__ = [
    "Evidence",
    "Mistake",
    "ReliabilityBin",
    "mistakes",
    "precision_recall",
    "reliability",
    "roc",
]

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_Z90 = 1.6449


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Held-out decisions of the head and of simpler ways, and held-out scores.

    Parameters
    ----------
    digests : tuple of str
        The songs of `held_out.decisions`, in its order.
    held_out : HeldOut
        Of the head.
    simpler : mapping of str to HeldOut
        See `classify.evaluation.baselines.rank_baselines`.
    scores : HeldScores
    """

    digests: tuple[str, ...]
    held_out: HeldOut
    simpler: Mapping[str, HeldOut]
    scores: HeldScores


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Songs of about the same held-out score.

    Parameters
    ----------
    n : int
        How many, 1 or more.
    score : float
        Their mean score.
    liked : float
        Which share of them is liked, as far as labels tell.
    ci90 : (float, float)
        90% interval of that share by Wilson (1927, "Probable inference, the law of succession, and
        statistical inference").
    """

    n: int
    score: float
    liked: float
    ci90: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A song whose held-out score is far from its label.

    Parameters
    ----------
    digest : str
    label : int
        1 like, -1 dislike, 0 unlabelled.
    score : float
        By a taste that has not seen it, in [0, 1].
    """

    digest: str
    label: int
    score: float


def roc(held_out: HeldOut) -> tuple[FloatArray, FloatArray]:
    """Draw the ROC curve whose area is `HeldOut.auc`.

    Each like and each fold of others, judged by the same heads, give one step: at the share of
    those others that rank above it. The curve is the steps' mean (vertical averaging; Fawcett 2006,
    "An introduction to ROC analysis"), weighed by the pairs that were judged, so decisions of
    different heads are never compared.

    Returns
    -------
    false_rates, true_rates : ndarray, float64
        Corners from (0, 0) to (1, 1).
    """
    above, weights = [], []
    for fold in np.unique(held_out.other_folds):
        wins = held_out.wins[:, held_out.other_folds == fold]
        judged = (~np.isnan(wins)).sum(axis=1)
        sums = np.nansum(wins, axis=1)[judged > 0]
        above.append(1 - sums / judged[judged > 0])
        weights.append(judged[judged > 0])
    places, weight = np.concatenate(above), np.concatenate(weights).astype(np.float64)
    order = np.argsort(places, kind="stable")
    rises = np.cumsum(weight[order]) / weight.sum()
    x = np.concatenate([[0.0], np.repeat(places[order], 2), [1.0]])
    y = np.concatenate([[0.0, 0.0], np.repeat(rises, 2)])
    return x, y


def precision_recall(held_out: HeldOut) -> tuple[FloatArray, FloatArray]:
    """Draw the precision-recall curve of the held-out decisions.

    Its area is their average precision.

    Returns
    -------
    recalls, precisions : ndarray, float64
        Corners of its steps, from recall 0 to 1; likes that are tied share the last one's
        precision.
    """
    is_like, decisions = held_out.is_like, held_out.decisions
    likes = np.sort(decisions[is_like])[::-1]
    precisions = (likes >= likes[:, None]).sum(axis=1) / (decisions >= likes[:, None]).sum(axis=1)
    edges = np.arange(len(likes) + 1) / len(likes)
    return np.repeat(edges, 2)[1:-1], np.repeat(precisions, 2)


def reliability(scores: HeldScores) -> tuple[ReliabilityBin, ...]:
    """Compare scores with what is liked, in fifths of the scale that have songs."""
    claimed = scores.claimed
    values, liked = scores.scores[claimed], scores.labels[claimed] == LIKE
    at = np.clip(np.digitize(values, EDGES) - 1, 0, len(EDGES) - 2)
    bins = []
    for here in (at == i for i in range(len(EDGES) - 1)):
        if here.any():
            share = float(liked[here].mean())
            ci90 = _wilson(share, int(here.sum()))
            score = float(values[here].mean())
            bins.append(ReliabilityBin(n=int(here.sum()), score=score, liked=share, ci90=ci90))
    return tuple(bins)


def _wilson(share: float, n: int) -> tuple[float, float]:
    z2 = _Z90**2 / n
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z90 * np.sqrt(share * (1 - share) / n + z2 / (4 * n)) / (1 + z2)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def mistakes(
    scores: HeldScores, *, threshold: float, unsure: tuple[float, float]
) -> tuple[Mistake, ...]:
    """Return the songs whose score contradicts what is known of them.

    They are labelled songs on the wrong side of the threshold, and unlabelled ones that score as
    likes.

    Parameters
    ----------
    scores : HeldScores
    threshold : float
        Of the taste; likes below it and dislikes at it or above are wrong.
    unsure : (float, float)
        Unlabelled songs at the second or above would have the verdict `like`.

    Returns
    -------
    tuple of Mistake
        The labelled ones first, each kind with the largest error first.
    """
    score, labels = scores.scores, scores.labels
    sure = max(threshold, unsure[1])
    is_wrong: NDArray[np.bool_] = scores.claimed & (
        ((labels == LIKE) & (score < threshold))
        | ((labels == DISLIKE) & (score >= threshold))
        | ((labels == 0) & (score >= sure))
    )
    errors = np.where(labels == LIKE, 1 - score, score)
    rows = np.flatnonzero(is_wrong)
    rows = rows[np.lexsort((-errors[rows], labels[rows] == 0))]
    return tuple(
        Mistake(digest=scores.digests[i], label=int(labels[i]), score=float(score[i])) for i in rows
    )
