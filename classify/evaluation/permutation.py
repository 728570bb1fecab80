"""A permutation test of the whole procedure.

It asks whether labels without any meaning could have ranked as well.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classify.learning.examples import DISLIKE, LIKE, UNLABELLED, Examples
from classify.learning.fit import head_ranker, thin_out
from classify.learning.heads import Learner
from classify.learning.held_out import Ranker, splits
from classify.learning.metrics import roc_auc
from classify.taste.vectors import FloatArray

__all__ = ["PermutationTest", "permutation_test"]

MAX_UNLABELLED = 100
N_FOLDS = 3
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class PermutationTest:
    """What became of it.

    Parameters
    ----------
    p : float
        How often meaningless labels did as well, in [1 / (n_permutations + 1), 1].
    n_permutations : int
    auc : float
        Of the true labels under the reduced scheme of the test; lower than that of an evaluation.
    """

    p: float
    n_permutations: int
    auc: float


def permutation_test(
    examples: Examples,
    rows: FloatArray,
    head: Learner,
    *,
    n_permutations: int,
    seed: int = 0,
) -> PermutationTest | None:
    """Give the labels to other groups of songs, and learn and judge all over again.

    Parameters
    ----------
    examples : Examples
        All that is learnt from; at most 100 of the unlabelled songs take part.
    rows : ndarray, shape (n, n_axes), float64
        Their places in song space, which has seen no label.
    head : Learner
        Trained anew each time.
    n_permutations : int
        At least 1.
    seed : int
        Of the permutations and the folds.

    Returns
    -------
    PermutationTest or None
        p = (1 + number that did as well) / (1 + number of permutations), which is never 0 (Ojala &
        Garriga 2010, "Permutation tests for studying classifier performance", their first test).
        True and permuted labels go through the same reduced scheme of three heads, each of which
        has not seen a third of the likes and a third of the others, and ranks those. None if
        nothing can be held out.
    """
    few = thin_out(examples, MAX_UNLABELLED)
    examples, wide = examples.take(few), rows[few]
    # One artist on the side of the likes: the song is the unit, as in `cross_fit`.
    alone = len(np.unique(examples.groups[examples.is_like])) < 2
    units = np.arange(len(examples)) if alone else examples.groups

    def auc(labels: NDArray[np.int_], kept: NDArray[np.intp]) -> float | None:
        chosen = replace(examples, labels=labels, groups=units).take(kept)
        return _auc(chosen, head_ranker(head, wide[kept], chosen.labels), seed)

    observed = auc(examples.labels, np.arange(len(examples)))
    if observed is None:
        return None
    rng = np.random.default_rng(seed)
    permuted = (auc(*_permute(examples.labels, units, rng)) for _ in range(n_permutations))
    as_good = sum(figure is None or figure >= observed - _ROUNDING for figure in permuted)
    return PermutationTest(
        p=(1 + as_good) / (1 + n_permutations), n_permutations=n_permutations, auc=observed
    )


def _auc(examples: Examples, ranker: Ranker, seed: int) -> float | None:
    """Learn without a fold of likes and one of the others in turn, and compare those two."""
    aucs = []
    for k, j, held, rows in splits(
        examples, max_like_folds=N_FOLDS, n_other_folds=N_FOLDS, seed=seed
    ):
        if k == j:
            aucs.append(roc_auc(examples.is_like[held], ranker(rows)[held]))
    return float(np.mean(aucs)) if aucs else None


def _permute(
    labels: NDArray[np.int_], units: NDArray[np.intp], rng: np.random.Generator
) -> tuple[NDArray[np.int_], NDArray[np.intp]]:
    """Give each labelled group's labels to a group chosen at random.

    Return labels and rows to keep.

    A group that gets 2 likes and has 5 songs keeps those 2 only: what is not labelled of a liked
    artist takes no part (see `Examples.is_negative`). One that has too few songs likes them all,
    which makes chance less precise, and the test careful.
    """
    permuted = np.full_like(labels, UNLABELLED)
    kept = np.ones(len(labels), dtype=np.bool_)
    labelled = np.unique(units[labels != UNLABELLED])
    receivers = rng.permutation(np.unique(units))[: len(labelled)]
    for unit, receiver in zip(labelled, receivers, strict=True):
        given = labels[units == unit]
        n_like, n_dislike = int((given == LIKE).sum()), int((given == DISLIKE).sum())
        songs = rng.permutation(np.flatnonzero(units == receiver))
        permuted[songs[:n_like]] = LIKE
        permuted[songs[n_like : n_like + n_dislike]] = DISLIKE
        if n_like:
            kept[songs[n_like + n_dislike :]] = False
    return permuted, np.flatnonzero(kept)
