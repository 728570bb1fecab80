"""How a like that nobody has labelled scores in its own library: the yardstick of calibration.

The songs to be scored are mostly those of the library, and the head has seen them as weak
negatives, hidden likes among them. Held-out decisions of the likes would be too hopeful a yardstick
for those. So some likes are put among the unlabelled songs in turn, as spies, and the head that
learns from this scores them just as it scores a hidden like (the device is that of Liu, Lee, Yu &
Li 2002, "Partially supervised classification of text documents").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.learning.examples import DISLIKE, LIKE, UNLABELLED, Examples, example_weights
from classify.learning.heads import Learner
from classify.learning.held_out import deal_folds
from classify.learning.sampling import digest_ranks
from classify.taste.vectors import FloatArray

__all__ = ["SpyDecisions", "send_spies"]

_MAX_FOLDS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class SpyDecisions:
    """Decisions to calibrate on.

    Parameters
    ----------
    likes : ndarray, shape (n_like,), float64
        Of each like by a head that took it for unlabelled.
    unlabelled : ndarray, shape (n_unlabelled,), float64
        Of the unlabelled songs, by the head that learnt from all.
    dislikes : ndarray, shape (n_dislike,), float64
        The same for the dislikes.
    """

    likes: FloatArray
    unlabelled: FloatArray
    dislikes: FloatArray


def send_spies(
    examples: Examples, rows: FloatArray, head: Learner, *, seed: int = 0
) -> SpyDecisions | None:
    """Take the likes for unlabelled in turn, group by group, and see how they score.

    Parameters
    ----------
    examples : Examples
        All that is learnt from.
    rows : ndarray, shape (n, n_axes), float64
        Their places in song space.
    head : Learner
        Trained anew for each fold of spies.
    seed : int
        Of the folds, where there are more than ten groups of likes.

    Returns
    -------
    SpyDecisions or None
        None if no like can be spared.
    """
    labels, likes = examples.labels, np.flatnonzero(examples.is_like)
    units = examples.groups[likes]
    if len(np.unique(units)) < 2:
        units = likes  # all of one artist: the song is the unit
    folds = deal_folds(units, _MAX_FOLDS, digest_ranks(examples.digests, seed)[likes])
    if len(np.unique(folds)) < 2:
        return None
    head, shared = head.shared(rows)
    spies = np.empty(len(likes))
    for k in np.unique(folds):
        hidden = labels.copy()
        hidden[likes[folds == k]] = UNLABELLED
        spies[folds == k] = _decide(shared, hidden, head)[likes[folds == k]]
    decisions = _decide(shared, labels, head)
    return SpyDecisions(
        likes=spies,
        unlabelled=decisions[labels == UNLABELLED],
        dislikes=decisions[labels == DISLIKE],
    )


def _decide(rows: FloatArray, labels: NDArray[np.int_], head: Learner) -> FloatArray:
    return head.fit(rows, labels == LIKE, example_weights(labels)).decision_function(rows)
