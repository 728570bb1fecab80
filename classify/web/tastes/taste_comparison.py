"""Two tastes beside each other: which songs both would like, and which only one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from classify.errors import TasteError
from classify.taste.vectors import FloatArray
from classify.web.live.ranked_songs import RankedSongs

__all__ = ["TasteComparison", "TasteGroup", "compare_tastes"]

TasteGroup = Literal["both", "only_a", "only_b", "neither"]
_LIKE = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class TasteComparison:
    """What two tastes make of the songs that both know.

    A song counts as liked where a taste's verdict is like, or its listener likes it; as not liked
    where its listener dislikes it.

    Attributes
    ----------
    rows : ndarray, shape (n,), int
        Songs by their rows in the columns of the first taste.
    scores_a, scores_b : ndarray, shape (n,), float64
        As the tastes score them.
    groups : mapping of str to ndarray of int
        Places in `rows`, best first: for `both` by the lower one of two scores, so that the first
        ones suit both listeners; else by the score of whoever likes it.
    """

    rows: NDArray[np.intp]
    scores_a: FloatArray
    scores_b: FloatArray
    groups: dict[TasteGroup, NDArray[np.intp]]


def compare_tastes(one: RankedSongs, other: RankedSongs) -> TasteComparison:
    """Compare two tastes on the songs that the encoders of both have heard.

    Raises
    ------
    TasteError
        If one of them has learnt nothing yet.
    """
    for ranking in (one, other):
        if ranking.scored is None:
            raise TasteError(
                f"the taste {ranking.name!r} has learnt nothing yet; like at least two songs in it"
            )
    assert one.scored is not None
    assert other.scored is not None
    theirs = one.columns.rows_in(other.columns) if one.columns is not other.columns else None
    rows_b = np.arange(len(one.columns)) if theirs is None else theirs
    rows = np.flatnonzero(rows_b >= 0)
    rows_b = rows_b[rows]
    a, b = one.scored.scores[rows], other.scored.scores[rows_b]
    likes_a, likes_b = _liked(one, rows), _liked(other, rows_b)
    groups: dict[TasteGroup, NDArray[np.intp]] = {
        "both": _best(likes_a & likes_b, np.minimum(a, b)),
        "only_a": _best(likes_a & ~likes_b, a),
        "only_b": _best(likes_b & ~likes_a, b),
        "neither": _best(~likes_a & ~likes_b, np.minimum(a, b)),
    }
    return TasteComparison(rows=rows, scores_a=a, scores_b=b, groups=groups)


def _liked(ranking: RankedSongs, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    assert ranking.scored is not None
    labels = ranking.labels[rows]
    likely = ranking.scored.verdicts[rows] == _LIKE
    return np.asarray((labels == _LIKE) | (likely & (labels == 0)))


def _best(members: NDArray[np.bool_], scores: FloatArray) -> NDArray[np.intp]:
    places = np.flatnonzero(members)
    return places[np.argsort(-scores[places], kind="stable")]
