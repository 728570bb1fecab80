"""What a taste's own scores are worth.

They are given to songs that took no part in learning or calibrating.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.errors import LabelError
from classify.learning.examples import DISLIKE, LIKE, MIN_LIKES, UNLABELLED, Examples, LabelledSongs
from classify.learning.fit import fit_taste, thin_out
from classify.learning.held_out import IntArray, splits
from classify.learning.metrics import brier_score
from classify.taste.vectors import FloatArray

__all__ = ["HeldScores", "score_held_out"]

MAX_UNLABELLED = 200
MAX_LIKE_FOLDS = 5
_NO_CLAIM = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldScores:
    """Scores of held-out songs.

    Parameters
    ----------
    brier : float
        Mean squared error of the scores, in [0, 1].
    like, other : float
        Mean score of the likes, and of the others.
    digests : tuple of str
        The songs.
    scores : ndarray, shape (n,), float64
        Theirs; exactly 0.5 where nothing is claimed.
    labels : ndarray, shape (n,), int
        1 like, -1 dislike, 0 unlabelled.
    """

    brier: float
    like: float
    other: float
    digests: tuple[str, ...]
    scores: FloatArray
    labels: NDArray[np.int_]

    @property
    def claimed(self) -> NDArray[np.bool_]:
        """Which songs were scored at all, shape (n,)."""
        return np.asarray(self.scores != _NO_CLAIM)


def score_held_out(
    examples: Examples, *, head: str, blocks: Sequence[int] = (), seed: int = 0
) -> HeldScores:
    """Train whole tastes without some of the songs, calibration and all, and score those.

    Parameters
    ----------
    examples : Examples
        All that is learnt from; at most 200 of the unlabelled songs take part.
    head, blocks, seed
        As for `classify.learning.fit.fit_taste`.

    Returns
    -------
    HeldScores
        Likes are held out in 5 folds, each together with a fold of the others, whole groups
        at a time. Where fewer than 2 likes would be left, nothing is claimed: the score is 0.5.
    """
    examples = examples.take(thin_out(examples, MAX_UNLABELLED))
    scores = np.full(len(examples), np.nan)
    dealt = list(
        splits(examples, max_like_folds=MAX_LIKE_FOLDS, n_other_folds=MAX_LIKE_FOLDS, seed=seed)
    )
    n_like_folds = 1 + max((k for k, *_ in dealt), default=0)
    n_other_folds = 1 + max((j for _, j, *_ in dealt), default=0)
    for k, j, held, rows in dealt:
        # A diagonal through the table of splits, so that each fold of either side is there.
        if j % n_like_folds == k % n_other_folds:
            scores[held] = _scores(examples, rows, held, head, blocks, seed)
    known = ~np.isnan(scores)
    if not (known & examples.is_like).any() or not (known & ~examples.is_like).any():
        known, scores = np.ones(len(examples), dtype=np.bool_), np.full(len(examples), _NO_CLAIM)
    likes = examples.is_like[known]
    return HeldScores(
        brier=brier_score(likes, scores[known]),
        like=float(scores[known][likes].mean()),
        other=float(scores[known][~likes].mean()),
        digests=examples.digests_where(known),
        scores=scores[known],
        labels=examples.labels[known],
    )


def _scores(
    examples: Examples, rows: IntArray, held: IntArray, head: str, blocks: Sequence[int], seed: int
) -> FloatArray:
    if (examples.labels[rows] == LIKE).sum() < MIN_LIKES:
        return np.full(len(held), _NO_CLAIM)
    likes, dislikes, unlabelled = (
        _songs(examples, rows[examples.labels[rows] == label])
        for label in (LIKE, DISLIKE, UNLABELLED)
    )
    try:
        taste = fit_taste(
            likes=likes,
            dislikes=dislikes if len(dislikes) else None,
            unlabelled=unlabelled if len(unlabelled) else None,
            encoder="evaluation",
            fingerprint="",
            blocks=blocks,
            head=head,
            seed=seed,
        )
    except LabelError:  # what is left is one recording under several names
        return np.full(len(held), _NO_CLAIM)
    return taste.score(examples.vectors[held])


def _songs(examples: Examples, rows: IntArray) -> LabelledSongs:
    return LabelledSongs(
        digests=tuple(examples.digests[i] for i in rows),
        vectors=examples.vectors[rows],
        groups=tuple(str(examples.groups[i]) for i in rows),
    )
