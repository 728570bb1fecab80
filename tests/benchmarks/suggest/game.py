"""One listener who labels one song after another, as some way of choosing asks for.

The functions are pure; see README.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from accuracy.tasks import Collection, Draw
from accuracy.ways import fit_draw
from numpy.typing import NDArray

from classify import Taste
from classify.learning.active_learning import most_informative
from classify.learning.metrics import roc_auc

__all__ = ["BATCH", "IN_BATCHES", "OURS", "RANDOM", "WAYS", "Course", "FloatArray", "Rows"]
__all__ += ["learnt", "next_songs", "opening", "play"]

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]

RANDOM, OURS, IN_BATCHES = "random", "suggest", "suggest, ten at once"
BATCH = 10
_MIN_HIDDEN = 4
"""Songs of the taste that are not known at the start.

Half of them can be found, half are the test.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """What came of it, after 0, 1, 2, ... labels.

    The AUC on the test, and how many likes are known, (n + 1,).
    """

    auc: FloatArray
    n_like: NDArray[np.int_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """What a way of choosing may look at.

    These are rows of the songs that are not labelled, and the shuffled order.
    """

    taste: Taste
    draw: Draw
    free: Rows
    shuffled: Rows

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The songs that may be labelled, shape (n_free, dim)."""
        return np.asarray(self.draw.collection.vectors[self.free])

    @property
    def labelled(self) -> NDArray[np.float32]:
        """Those that are, shape (n, dim)."""
        return np.asarray(self.draw.collection.vectors[np.r_[self.draw.likes, self.draw.dislikes]])


def opening(collection: Collection, taste: str, *, n_like: int, seed: int) -> Draw | None:
    """Deal the first likes, and halve what is left of the taste and of the others.

    The halves are library and test. Return None where the taste has too few songs.
    """
    rng = np.random.default_rng([seed, collection.names.index(taste), 7])
    liked = collection.tastes == taste
    mine, others = rng.permutation(np.flatnonzero(liked)), rng.permutation(np.flatnonzero(~liked))
    rest = mine[n_like:]
    if len(rest) < _MIN_HIDDEN:
        return None
    half, other_half = len(rest) // 2, len(others) // 2
    test = np.sort(np.concatenate([rest[half:], others[other_half:]]))
    return Draw(
        collection=collection,
        likes=mine[:n_like],
        dislikes=mine[:0],
        unlabelled=np.sort(np.concatenate([rest[:half], others[:other_half]])),
        test=test,
        truth=liked[test],
    )


def play(draw: Draw, way: str, *, n_labels: int, seed: int) -> Course:
    """Label one song after another, learn after each, and see how good the taste has become."""
    collection = draw.collection
    liked = collection.tastes == collection.tastes[draw.likes[0]]
    # The same order for every start, so that what a way is compared with does not change.
    shuffled = np.random.default_rng([seed, len(draw.unlabelled)]).permutation(draw.unlabelled)
    choose, at_once = WAYS[way]
    auc, n_like, queue = [], [], np.zeros(0, np.intp)
    for n in range(n_labels + 1):
        taste, reached = learnt(draw)
        auc.append(reached)
        n_like.append(len(draw.likes))
        if n == n_labels or not len(draw.unlabelled):
            break
        if not len(queue):
            table = Table(
                taste=taste,
                draw=draw,
                free=draw.unlabelled,
                shuffled=shuffled[np.isin(shuffled, draw.unlabelled)],
            )
            queue = choose(table, at_once)
        song, queue = queue[:1], queue[1:]
        draw = replace(
            draw,
            likes=np.concatenate([draw.likes, song[liked[song]]]),
            dislikes=np.concatenate([draw.dislikes, song[~liked[song]]]),
            unlabelled=np.setdiff1d(draw.unlabelled, song),
        )
    return Course(auc=np.array(auc), n_like=np.array(n_like))


def learnt(draw: Draw) -> tuple[Taste, float]:
    """Learn from what is labelled; return the taste and its AUC on the test."""
    taste = fit_draw(draw)
    return taste, roc_auc(draw.truth, taste.decisions(draw.collection.vectors[draw.test]))


def next_songs(taste: Taste, draw: Draw, top: int) -> Rows:
    """Return the songs that `suggest` would name, of those that are not labelled."""
    return _suggest(
        Table(taste=taste, draw=draw, free=draw.unlabelled, shuffled=draw.unlabelled), top
    )


def _random(table: Table, top: int) -> Rows:
    return table.shuffled[:top]


def _suggest(table: Table, top: int) -> Rows:
    """Choose as `classify.suggest` does."""
    space = table.taste.space
    picks = most_informative(
        space(table.vectors), table.taste.decisions(table.vectors), space(table.labelled), top=top
    )
    return table.free[[pick.row for pick in picks]]


def _doubt(table: Table, top: int) -> Rows:
    """Ask for what the head is least sure of (Lewis & Gale 1994, "uncertainty sampling")."""
    return _first(table, -np.abs(table.taste.decisions(table.vectors)), top)


def _best(table: Table, top: int) -> Rows:
    """Ask for what scores highest: what a listener sees who goes through the recommendations."""
    return _first(table, table.taste.decisions(table.vectors), top)


def _spread(table: Table, top: int) -> Rows:
    """Ask for the song farthest from all labelled ones (k-centre; Sener & Savarese 2018)."""
    space = table.taste.space
    return _first(table, -(space(table.vectors) @ space(table.labelled).T).max(axis=1), top)


def _first(table: Table, values: FloatArray, top: int) -> Rows:
    return table.free[np.argsort(-values, kind="stable")[:top]]


WAYS: dict[str, tuple[Callable[[Table, int], Rows], int]] = {
    RANDOM: (_random, 1),
    OURS: (_suggest, 1),
    IN_BATCHES: (_suggest, BATCH),
    "doubt": (_doubt, 1),
    "highest score": (_best, 1),
    "spread": (_spread, 1),
}
