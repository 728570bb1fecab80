"""Does a duel ("which of the two?") teach as well as one song at a time?

One press answers a pair, the two songs that `suggest` names first. If the listener likes one of
them, or both, they press one that they like: it becomes a like, and nothing is learnt of the other,
as it was only not chosen. If they like neither, they press "neither": both become dislikes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from accuracy.tasks import Draw
from numpy.typing import NDArray

from suggest.game import OURS, FloatArray, Rows, learnt, next_songs, play

__all__ = ["PRESSES", "duel_rows", "play_both"]

PRESSES = (2, 4, 6, 8)
_N_BOOTSTRAP = 2000
_CI95 = (0.025, 0.975)

Both = tuple[FloatArray, FloatArray]
"""The AUC after 0, 1, ... presses by duels; after 0, 1, ... labels of one song each."""


def play_both(draw: Draw, *, n_presses: int, seed: int) -> Both:
    """Let a listener press so often in duels, and label twice as many songs one by one.

    Returns
    -------
    tuple of ndarray, shapes (n_presses + 1,) and (2 * n_presses + 1,), float64
        Shorter where the library has no song left.
    """
    singly = play(draw, OURS, n_labels=2 * n_presses, seed=seed)
    return _duels(draw, n_presses, seed), singly.auc


def _duels(draw: Draw, n_presses: int, seed: int) -> FloatArray:
    liked = draw.collection.tastes == draw.collection.tastes[draw.likes[0]]
    rng = np.random.default_rng([seed, len(draw.unlabelled), 2])
    auc: list[float] = []
    for n in range(n_presses + 1):
        taste, reached = learnt(draw)
        auc.append(reached)
        if n == n_presses or not len(draw.unlabelled):
            break
        pair = next_songs(taste, draw, 2)
        likes, dislikes = _answer(pair, liked, rng)
        draw = replace(
            draw,
            likes=np.concatenate([draw.likes, likes]),
            dislikes=np.concatenate([draw.dislikes, dislikes]),
            # what was not chosen stays unlabelled, and may be asked about again
            unlabelled=np.setdiff1d(draw.unlabelled, np.concatenate([likes, dislikes])),
        )
    return np.array(auc)


def _answer(pair: Rows, liked: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return what becomes a like, and what a dislike."""
    fitting = pair[liked[pair]]
    if len(fitting):
        return rng.permutation(fitting)[:1], pair[:0]
    return pair[:0], pair


def duel_rows(draws: Sequence[Mapping[str, Both]], n_start: int) -> Iterator[dict[str, Any]]:
    """Make rows of JSON: by how much duels are better, as a paired difference over draws.

    Parameters
    ----------
    draws : sequence of mapping
        For each draw: taste -> what `play_both` returns; the same tastes in each.
    n_start : int
        Likes at the start.
    """
    again = np.random.default_rng(0).integers(len(draws), size=(_N_BOOTSTRAP, len(draws)))
    for presses in PRESSES:
        for cost, per_press in (("presses", 1), ("songs heard", 2)):
            pairs = [[_after(both, presses, per_press) for both in draw.values()] for draw in draws]
            by_draw = np.array(pairs).mean(axis=1)  # (n_draws, 2)
            better = by_draw[:, 0] - by_draw[:, 1]
            low, high = np.quantile(better[again].mean(axis=1), _CI95)
            yield {
                "kind": "duel",
                "equal": cost,
                "n_start": n_start,
                "n_draws": len(draws),
                "n_tastes": len(draws[0]),
                "presses": presses,
                "auc_duel": round(float(by_draw[:, 0].mean()), 4),
                "auc_single": round(float(by_draw[:, 1].mean()), 4),
                "better": round(float(better.mean()), 4),
                "better_ci95": [round(float(low), 4), round(float(high), 4)],
            }


def _after(both: Both, presses: int, per_press: int) -> tuple[float, float]:
    """Return both AUCs after so many presses of duels; the last one where songs ran out."""
    duel, single = both
    n = per_press * presses
    return float(duel[min(presses, len(duel) - 1)]), float(single[min(n, len(single) - 1)])
