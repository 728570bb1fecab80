"""Does a recording keep its verdict when it is changed as recordings are every day?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from accuracy.tasks import Collection, hidden_draw
from accuracy.ways import fit_draw
from numpy.typing import NDArray

__all__ = ["GROUPS", "Changed", "Pairs", "everyday_rows", "pairs_of"]

Changed = Mapping[str, tuple[NDArray[np.float32], NDArray[np.intp]]]
"""By change: song vectors (n, dim_vector), and the row of the original in the collection (n,)."""
Pairs = dict[str, dict[str, NDArray[np.float64]]]
"""By change and group: for each song, how far its score moved and 1 where it kept its verdict,
shape (n, 2).
"""
GROUPS = ("songs", "liked songs", "likes")
"""All that is not labelled, what of it is liked, and the seven likes themselves."""
_SEVEN = 7


def pairs_of(collection: Collection, changed: Changed, taste: str, seed: int) -> Pairs | None:
    """Learn a taste from the originals; judge every change of every song beside the original.

    Seven likes, the whole collection is the library. None where there are too few songs.
    """
    draw = hidden_draw(collection, taste, n_like=_SEVEN, seed=seed)
    if draw is None:
        return None
    learnt = fit_draw(draw)
    scores = learnt.score(collection.vectors)
    verdicts = np.array(learnt.verdicts(scores))
    liked = collection.tastes == taste
    is_like = np.isin(np.arange(len(liked)), draw.likes)
    groups = dict(zip(GROUPS, (~is_like, liked & ~is_like, is_like), strict=True))
    found: Pairs = {}
    for change, (vectors, rows) in changed.items():
        new = learnt.score(vectors)
        kept = np.array(learnt.verdicts(new)) == verdicts[rows]
        pairs = np.column_stack([np.abs(new - scores[rows]), kept])
        found[change] = {group: pairs[inside[rows]] for group, inside in groups.items()}
    return found


def everyday_rows(found: Sequence[Pairs]) -> list[dict[str, Any]]:
    """Sum up all pairs of a song and a taste, over the draws."""
    rows = []
    for change in found[0]:
        for group in GROUPS:
            pairs = np.concatenate([one[change][group] for one in found])
            if not len(pairs):
                continue
            moves, kept = pairs.T
            rows.append(
                {
                    "change": change,
                    "group": group,
                    "n_pairs": len(pairs),
                    "kept": round(float(kept.mean()), 4),
                    "move_mean": round(float(moves.mean()), 4),
                    "move_p95": round(float(np.quantile(moves, 0.95)), 4),
                }
            )
    return rows
