"""Songs that have another verdict since a taste has learnt again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classify.taste.taste import Taste, Verdict
from classify.taste.vectors import FloatArray

__all__ = ["MOST_TOLD", "VERDICTS", "verdict_changes", "verdict_codes"]

MOST_TOLD = 20
"""Songs of each new verdict that are named; the others are counted."""

VERDICTS: tuple[Verdict, ...] = ("like", "unsure", "dislike")


def verdict_codes(taste: Taste, scores: FloatArray) -> NDArray[np.int8]:
    """Return verdicts as numbers, to compare a million of them.

    Parameters
    ----------
    taste : Taste
    scores : ndarray, shape (n,), float64
        By this taste.

    Returns
    -------
    ndarray, shape (n,), int8
        1 for like, 0 for unsure, -1 for dislike; as `Taste.verdicts`.

    Examples
    --------
    >>> import numpy as np
    >>> from classify import Taste
    >>> from classify.labels.verdict_changes import verdict_codes
    >>> verdict_codes(Taste.load("default"), np.array([0.0, 1.0])).tolist()
    [-1, 1]
    """
    low, high = taste.unsure
    codes = (scores >= max(high, taste.threshold)).astype(np.int8)
    codes[(scores <= low) & (codes == 0)] = -1
    return codes


def verdict_changes(
    before: NDArray[np.int8],
    now: NDArray[np.int8],
    decisions: FloatArray,
    *,
    among: NDArray[np.bool_] | None = None,
) -> tuple[dict[Verdict, int], NDArray[np.intp]]:
    """Find the songs that have another verdict than before.

    Parameters
    ----------
    before, now : ndarray, shape (n,), int8
        Verdicts, see `verdict_codes`.
    decisions : ndarray, shape (n,), float64
        By the taste as it is now.
    among : ndarray, shape (n,), bool, optional
        The songs that count, such as those that nobody has labelled; default: all.

    Returns
    -------
    counts : dict of str to int
        How many songs have each verdict now that had another.
    rows : ndarray of int
        Those to name: likes first, best first, at most 20 of each verdict.

    Examples
    --------
    >>> import numpy as np
    >>> from classify.labels.verdict_changes import verdict_changes
    >>> codes = np.array([[0, 0, -1], [1, 0, 0]], np.int8)
    >>> counts, rows = verdict_changes(codes[0], codes[1], np.array([2.0, 0.1, 0.2]))
    >>> counts, rows.tolist()
    ({'like': 1, 'unsure': 1, 'dislike': 0}, [0, 2])
    """
    other = before != now
    if among is not None:
        other = other & among
    counts: dict[Verdict, int] = {}
    named = []
    for verdict, code in zip(VERDICTS, (1, 0, -1), strict=True):
        rows = np.flatnonzero(other & (now == code))
        counts[verdict] = len(rows)
        named.append(rows[np.argsort(-decisions[rows], kind="stable")][:MOST_TOLD])
    return counts, np.concatenate(named)
