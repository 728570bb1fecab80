"""Songs that are there twice: another rip, another format, another digest, the same music.

A copy of a like among the unlabelled songs would teach that the like is not liked; a copy among the likes
would be held out beside its twin, and make any taste look right.
"""

import numpy as np
from numpy.typing import NDArray

from classify.errors import LabelError, SameSongError
from classify.examples import LIKE, MIN_LIKES, UNLABELLED, Examples
from classify.features import FloatArray, Vectors

__all__ = ["MAX_APART", "merge_duplicates"]

MAX_APART = 0.25
"""Squared distance up to which two songs count as one, where 1 is a song's usual distance from the mean.

Measured on ten songs with `musicnn` and `mtt-vgg`: 0.001 to 0.1 for another format, 0.1 to 0.2 for one that
starts 0.7 s later, 0.15 to 0.3 for 5 s later. The nearest different songs of 386 are 0.28 to 0.5 apart.
"""


def merge_duplicates(examples: Examples, standardised: Vectors) -> Examples:
    """Count near-identical songs once.

    Parameters
    ----------
    examples : Examples
    standardised : ndarray, shape (n, dim), float32
        Their vectors, standardised by the library.

    Returns
    -------
    merged : Examples
        Of near-identical likes the first stays, and of dislikes; an unlabelled song that is near-identical
        to a labelled one goes, so that it is never held against it, nor on the other side of a split.

    Raises
    ------
    SameSongError
        If a like is near-identical to a dislike.
    LabelError
        If fewer than 2 likes are left, or nothing else.
    """
    is_copy = _copies(examples, standardised)  # (n_labelled, n)
    labels = examples.labels
    stays = np.ones(len(examples), dtype=np.bool_)
    for first, row in enumerate(np.flatnonzero(labels != UNLABELLED)):
        copies = np.flatnonzero(is_copy[first])
        later = copies[copies > row]
        against = later[(labels[later] != UNLABELLED) & (labels[later] != labels[row])]
        if len(against):
            raise SameSongError(examples.digests[row], examples.digests[against[0]])
        # Unlabelled copies go with a like that goes itself: near is not transitive.
        stays[later[(labels[later] == UNLABELLED) | stays[row]]] = False
    _require_songs(labels, stays)
    return examples if stays.all() else examples.take(stays)


def _copies(examples: Examples, standardised: Vectors) -> NDArray[np.bool_]:
    """Return which songs each labelled one is a copy of."""
    rows: FloatArray = standardised.astype(np.float64)
    squares = np.square(rows).sum(axis=1)
    labelled = np.flatnonzero(examples.labels != UNLABELLED)
    apart = squares[labelled][:, np.newaxis] + squares - 2 * rows[labelled] @ rows.T
    # Not the mean: one silent track among twenty songs doubles it, and others would count as copies.
    return np.asarray(apart <= MAX_APART * np.median(squares))


def _require_songs(labels: NDArray[np.int_], stays: NDArray[np.bool_]) -> None:
    n_like = int((labels == LIKE).sum())
    if not (stays & (labels != LIKE)).any():
        raise LabelError(
            f"all other songs are copies of the {n_like} likes, so there is nothing to tell the likes from; "
            "embed more of your library ('sevensongs embed PATH') or add --dislike PATH"
        )
    left = int((stays & (labels == LIKE)).sum())
    if left < MIN_LIKES:
        raise LabelError(
            f"the {n_like} likes are {left} song, in several copies; at least {MIN_LIKES} different ones are "
            "needed, and about 7 work well: add --like PATH"
        )
