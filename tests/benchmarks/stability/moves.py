"""How far scores move when something changes that should not matter much.

The library is a little smaller or larger, the seed is another, the likes come in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from accuracy.tasks import Collection, Draw, hidden_draw
from accuracy.ways import fit_draw
from numpy.typing import NDArray

__all__ = ["FIRST", "IN_ANOTHER_ORDER", "LEFT_OUT", "MOVES", "move_rows", "moves_of"]

FIRST = 40
_SHARE = 0.05
_SEVEN = 7
LEFT_OUT, ADDED = "5% of the library left out", "5% others added"
ANOTHER_SEED, IN_ANOTHER_ORDER = "another seed", "the likes in another order"
MOVES = (LEFT_OUT, ADDED, ANOTHER_SEED, IN_ANOTHER_ORDER)
Moves = dict[str, dict[str, float]]
"""Of one draw and taste: move -> figures."""


def moves_of(collection: Collection, taste: str, seed: int) -> Moves | None:
    """Learn a taste and its neighbours; None where there are too few songs.

    Seven likes, and all other songs are the library, the rest of the taste among them. A twentieth
    of it is held back first, so that others can be added to the library of the reference.
    """
    draw = hidden_draw(collection, taste, n_like=_SEVEN, seed=seed)
    if draw is None:
        return None
    rng = np.random.default_rng([seed, collection.names.index(taste), 40])
    shuffled = rng.permutation(draw.unlabelled)
    n_moved = max(1, round(_SHARE * len(shuffled)))
    held_back, left_out, rest = np.split(shuffled, [n_moved, 2 * n_moved])
    reference = replace(draw, unlabelled=np.sort(np.concatenate([left_out, rest])))
    smaller = replace(draw, unlabelled=np.sort(rest))
    larger = replace(draw, unlabelled=np.sort(np.concatenate([reference.unlabelled, held_back])))
    turned = replace(reference, likes=reference.likes[::-1])
    judged = _Judge(reference)
    return {
        LEFT_OUT: judged.move(smaller),
        ADDED: judged.move(larger),
        ANOTHER_SEED: judged.move(reference, seed=1),
        IN_ANOTHER_ORDER: judged.move(turned),
    }


class _Judge:
    """The reference's ranking, and how far another taste is from it."""

    def __init__(self, reference: Draw) -> None:
        self._songs = reference.unlabelled
        self._scores, self._verdicts = _scored(reference, self._songs, seed=0)

    def move(self, other: Draw, *, seed: int = 0) -> dict[str, float]:
        """Compare the songs that the reference ranks first, of those that are in both."""
        both = np.flatnonzero(np.isin(self._songs, other.unlabelled))
        first = both[np.argsort(-self._scores[both], kind="stable")[:FIRST]]
        scores, verdicts = _scored(other, self._songs[first], seed=seed)
        moves = np.abs(scores - self._scores[first])
        return {
            "largest": float(moves.max()),
            "mean": float(moves.mean()),
            "flips": float(np.sum(verdicts != self._verdicts[first])),
        }


def _scored(
    draw: Draw, rows: NDArray[np.intp], *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    taste = fit_draw(draw, seed=seed)
    scores = taste.score(draw.collection.vectors[rows])
    return scores, np.array(taste.verdicts(scores))


def move_rows(found: Sequence[Moves]) -> list[dict[str, Any]]:
    """Sum up all draws and tastes: the median and the 95th percentile of each figure."""
    rows = []
    for move in MOVES:
        row: dict[str, Any] = {"move": move, "first": FIRST, "n": len(found)}
        for key in ("largest", "mean", "flips"):
            values = np.array([one[move][key] for one in found])
            for name, share in (("median", 0.5), ("p95", 0.95)):
                row[f"{key}_{name}"] = round(float(np.quantile(values, share)), 4)
        rows.append(row)
    return rows
