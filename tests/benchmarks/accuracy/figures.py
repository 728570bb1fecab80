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
]

FloatArray = NDArray[np.float64]
Figures = dict[str, float]
Found = list[dict[str, Figures]]
"""For each draw: taste -> figures."""

ASKED_PRECISIONS = (0.5, 0.7, 0.9)
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
        if not key.startswith(("picks_", "right_")):
            values = _per_draw(found, key)
            summary[key] = round(float(values.mean()), 4)
            summary[f"{key}_ci90"] = _rounded(np.quantile(values, _CI90))
    by_taste = {t: float(np.mean([draw[t]["auc"] for draw in found])) for t in found[0]}
    return summary | {"auc_by_taste": {t: round(v, 4) for t, v in by_taste.items()}}


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
