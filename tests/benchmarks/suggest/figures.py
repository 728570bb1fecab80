"""From courses to figures: how many labels a way needs to be as good as random labelling.

It is pure NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suggest.game import RANDOM, Course

__all__ = ["AS_GOOD_AS", "labels_needed", "rows_of"]

FloatArray = NDArray[np.float64]
Played = Mapping[str, Course]
"""One draw of one taste, by way."""

AS_GOOD_AS = (5, 10, 15, 20, 30)
_N_BOOTSTRAP = 2000
_CI90 = (0.05, 0.95)


def rows_of(draws: Sequence[Mapping[str, Played]], n_start: int) -> Iterator[dict[str, Any]]:
    """Make rows of JSON.

    Parameters
    ----------
    draws : sequence of mapping
        For each draw: taste -> way -> course; the same tastes and ways in each.
    n_start : int
        Likes at the start.
    """
    tastes, ways = list(draws[0]), list(next(iter(draws[0].values())))
    # (n_draws, n_labels + 1), the mean over tastes.
    auc = {
        way: np.array([_mean(draw[t][way].auc for t in tastes) for draw in draws]) for way in ways
    }
    likes = {
        way: np.array([_mean(draw[t][way].n_like for t in tastes) for draw in draws])
        for way in ways
    }
    again = np.random.default_rng(0).integers(len(draws), size=(_N_BOOTSTRAP, len(draws)))
    shared = {"n_start": n_start, "n_draws": len(draws), "n_tastes": len(tastes)}
    for way in ways:
        yield {
            "kind": "curve",
            "way": way,
            **shared,
            "auc": [round(float(value), 4) for value in auc[way].mean(axis=0)],
            "n_like": [round(float(value), 2) for value in likes[way].mean(axis=0)],
            "auc_by_taste": {
                taste: [round(float(v), 4) for v in _mean(draw[taste][way].auc for draw in draws)]
                for taste in tastes
            },
        }
    for way in ways:
        for k in AS_GOOD_AS:
            if way != RANDOM and k < auc[way].shape[1]:
                found = [
                    labels_needed(auc[way][some].mean(axis=0), float(auc[RANDOM][some, k].mean()))
                    for some in again
                ]
                needed = labels_needed(auc[way].mean(axis=0), float(auc[RANDOM][:, k].mean()))
                yield {
                    "kind": "labels",
                    "way": way,
                    **shared,
                    "as_good_as": k,
                    "needed": _rounded(needed),
                    "needed_ci90": [
                        _rounded(value) for value in np.quantile(found, _CI90, method="nearest")
                    ],
                    "share": _rounded(needed / k),
                }


def labels_needed(curve: FloatArray, target: float) -> float:
    """Return from how many labels on a curve stays at a target or above.

    Between two of them it follows a line.

    Infinite where its last point is below. The first time that it gets there would flatter a curve
    that goes up and down.
    """
    below = np.flatnonzero(curve < target)
    if not len(below):
        return 0.0
    last = int(below[-1])
    if last == len(curve) - 1:
        return float("inf")
    return last + (target - float(curve[last])) / float(curve[last + 1] - curve[last])


def _mean(courses: Iterable[NDArray[Any]]) -> FloatArray:
    return np.asarray(np.mean(list(courses), axis=0))


def _rounded(value: float) -> float | None:
    return round(float(value), 2) if np.isfinite(value) else None
