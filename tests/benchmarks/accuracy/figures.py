"""Metrics of one draw; means, intervals and paired differences over draws. Pure NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accuracy.ways import Scored
from classify.learning.metrics import average_precision, precision_at, roc_auc

__all__ = [
    "ASKED_PRECISIONS",
    "Figures",
    "Found",
    "calibration_error",
    "judge",
    "paired_difference",
    "precision_rows",
    "summarise",
    "verdict_figures",
]

FloatArray = NDArray[np.float64]
Figures = dict[str, float]
Found = list[dict[str, Figures]]
"""For each draw: taste -> figures."""

ASKED_PRECISIONS = (0.5, 0.7, 0.9)
_FIRST = 10
_COUNTS = ("picks_", "right_", "n_")
"""How keys begin that are counted over all cells, and have no mean of their own."""
_PAIRED = ("auc", "average_precision", "precision_at_10", "ece", "brier")
_N_BOOTSTRAP = 10_000
_CI90 = (0.05, 0.95)


def judge(truth: NDArray[np.bool_], scored: Scored, *, picks: bool = False) -> Figures:
    """Judge one draw: ranking always, probabilities where the scores claim to be some."""
    scores = scored.scores
    figures = {
        "auc": roc_auc(truth, scores),
        "average_precision": average_precision(truth, scores),
        "precision_at_10": precision_at(truth, scores, 10),
    }
    if scored.probabilities:
        figures["brier"] = float(np.mean(np.square(scores - truth)))
        figures["ece"] = calibration_error(truth, scores)
        figures["accuracy"] = float(np.mean((scores >= 0.5) == truth))
    if scored.uncalibrated is not None:
        figures["brier_uncalibrated"] = float(np.mean(np.square(scored.uncalibrated - truth)))
        figures["ece_uncalibrated"] = calibration_error(truth, scored.uncalibrated)
    if picks and scored.probabilities:
        for asked in ASKED_PRECISIONS:
            figures |= _picks(truth, scores, asked)
    if picks and scored.called is not None:
        figures["n_liked"] = float(truth.sum())
        figures["n_called"] = float(scored.called.sum())
        figures["n_called_right"] = float((scored.called & truth).sum())
    return figures


def calibration_error(truth: NDArray[np.bool_], scores: FloatArray, n_bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015).

    It is |mean score - share of likes| over equal bins.
    """
    bins = np.minimum((scores * n_bins).astype(int), n_bins - 1)
    gaps = [
        abs(scores[bins == k].mean() - truth[bins == k].mean()) * np.mean(bins == k)
        for k in np.unique(bins)
    ]
    return float(np.sum(gaps))


def _picks(truth: NDArray[np.bool_], scores: FloatArray, asked: float) -> Figures:
    """Pick the most songs, best first, whose mean score is still what is asked."""
    order = np.argsort(-scores, kind="stable")
    means = np.cumsum(scores[order]) / np.arange(1, len(scores) + 1)  # never rises
    n_picks = int((means >= asked).sum())
    return {f"picks_{asked}": float(n_picks), f"right_{asked}": float(truth[order[:n_picks]].sum())}


def precision_rows(found: Found) -> list[dict[str, Any]]:
    """Compare asked with achieved precision, over every taste and draw."""
    rows = []
    for asked in ASKED_PRECISIONS:
        cells = [figures for draw in found for figures in draw.values()]
        n_picks = np.array([cell[f"picks_{asked}"] for cell in cells])
        right = np.array([cell[f"right_{asked}"] for cell in cells])
        some = n_picks > 0
        share = right[some] / n_picks[some]
        rows.append(
            {
                "asked_precision": asked,
                "achieved_precision": round(float(share.mean()), 4) if some.any() else None,
                "achieved_precision_of_all_picks": round(float(right.sum() / n_picks.sum()), 4)
                if some.any()
                else None,
                "n_picks": round(float(n_picks.mean()), 2),
                "share_without_picks": round(float(1 - some.mean()), 4),
            }
        )
    return rows


def summarise(found: Found) -> dict[str, Any]:
    """Mean over tastes for each draw, then mean and 90% interval over draws, and AUC by taste."""
    summary: dict[str, Any] = {"n_draws": len(found), "n_tastes": len(found[0])}
    for key in next(iter(found[0].values())):
        if not key.startswith(_COUNTS):
            values = _per_draw(found, key)
            summary[key] = round(float(values.mean()), 4)
            summary[f"{key}_ci90"] = _rounded(np.quantile(values, _CI90))
    by_taste = {t: float(np.mean([draw[t]["auc"] for draw in found])) for t in found[0]}
    return summary | {"auc_by_taste": {t: round(v, 4) for t, v in by_taste.items()}}


def verdict_figures(found: Found) -> dict[str, Any]:
    """Say what the verdicts are worth, over every taste and draw; {} where none were counted.

    `like_precision` is the share of the songs called "like" that are liked, as the mean over the
    tastes and draws that call any, and over all such songs together (`_of_all`). `like_recall` is
    the share of the liked songs that are called so. `first_ten` is the share of the ten songs
    ranked first that are liked, and `first_ten_at_best` what it could be: some tastes have fewer
    than ten to find.
    """
    cells = [figures for draw in found for figures in draw.values()]
    if "n_called" not in cells[0]:
        return {}
    liked, called, right = (
        np.array([cell[key] for cell in cells]) for key in ("n_liked", "n_called", "n_called_right")
    )
    some = called > 0
    precision = float((right[some] / called[some]).mean()) if some.any() else None
    of_all = float(right.sum() / called.sum()) if some.any() else None
    return {
        "like_precision": None if precision is None else round(precision, 4),
        "like_precision_of_all": None if of_all is None else round(of_all, 4),
        "like_recall": round(float((right / liked).mean()), 4),
        "n_called": round(float(called.mean()), 2),
        "share_without_calls": round(float(1 - some.mean()), 4),
        "first_ten": round(float(np.mean([cell["precision_at_10"] for cell in cells])), 4),
        "first_ten_at_best": round(float(np.minimum(liked, _FIRST).mean() / _FIRST), 4),
    }


def paired_difference(found: Found, reference: Found) -> dict[str, Any]:
    """Compare two ways on the same draws: `found` minus `reference`.

    `ci90_of_mean` is a bootstrap over draws of the mean difference: "beaten" means that it excludes
    zero. `ci90_of_draws` are the 5th and 95th percentile of the draws' differences: what a single
    draw may show.
    """
    if [sorted(draw) for draw in found] != [sorted(draw) for draw in reference]:
        raise ValueError("the two ways were not judged on the same draws and tastes")
    first, second = next(iter(found[0].values())), next(iter(reference[0].values()))
    differences: dict[str, Any] = {}
    for key in _PAIRED:
        if key in first and key in second:
            values = _per_draw(found, key) - _per_draw(reference, key)
            resampled = np.random.default_rng(0).integers(
                len(values), size=(_N_BOOTSTRAP, len(values))
            )
            means = values[resampled].mean(axis=1)
            differences[key] = {
                "mean": round(float(values.mean()), 4),
                "ci90_of_mean": _rounded(np.quantile(means, _CI90)),
                "ci90_of_draws": _rounded(np.quantile(values, _CI90)),
            }
    return differences


def _per_draw(found: Found, key: str) -> FloatArray:
    return np.array([np.mean([figures[key] for figures in draw.values()]) for draw in found])


def _rounded(values: FloatArray) -> list[float]:
    return [round(float(value), 4) + 0.0 for value in values]  # no -0.0
