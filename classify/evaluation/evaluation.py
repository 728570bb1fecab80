"""How good a taste is on songs that it has not seen, beside simpler ways of ranking."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from classify.errors import LabelError
from classify.evaluation.baselines import Baseline, compare_baselines, rank_baselines
from classify.evaluation.chance_sentence import chance_sentence
from classify.evaluation.evidence import Evidence
from classify.evaluation.held_scores import HeldScores, score_held_out
from classify.evaluation.learning_curve import CurvePoint, Promise, learning_curve
from classify.evaluation.permutation import PermutationTest, permutation_test
from classify.learning.duplicates import fit_space
from classify.learning.examples import (
    DISLIKE,
    UNLABELLED,
    Examples,
    LabelledSongs,
    prepare_examples,
)
from classify.learning.fit import (
    DEFAULT_HEAD,
    choose_head,
    head_ranker,
    make_head,
    note_on,
    one_thread,
    thin_out,
)
from classify.learning.heads import Learner
from classify.learning.held_out import HeldOut, Ranker, bootstrap_auc, cross_fit
from classify.learning.metrics import average_precision, precision_at
from classify.output.formats import counted
from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray, SongTransform

__all__ = ["Evaluation", "evaluate_taste"]

MAX_NEGATIVES = 400
MAX_LIKE_FOLDS = 50
MAX_P = 0.05
_CHANCE = 0.5
# As many as some two seconds allow; the dense head is by far the slowest.
_PERMUTATIONS, _PERMUTATIONS_DENSE = 99, 39


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured on held-out songs.

    Parameters
    ----------
    head : str
    auc : float
        How often a like scores above another song, in [0, 1]; each pair judged by a head that has
        seen neither song, nor their groups.
    auc_ci90 : (float, float)
        90% interval, see `classify.learning.held_out.bootstrap_auc`.
    p_value : float or None
        How often labels without meaning do as well, in (0, 1], see
        `classify.evaluation.permutation.permutation_test`; None where that can't be tried.
    n_permutations : int
        How often that was tried; the p-value is 1 / (n_permutations + 1) at least.
    can_tell : bool
        Whether this tells the taste from chance: the interval lies above 0.5, and p is 0.05 or
        less.
    verdict : str
        That in a sentence, and what to do where it is false.
    auc_dislikes : float or None
        The AUC against the dislikes only; None without dislikes.
    average_precision, precision_at_10 : float
        Of the held-out decisions; the latter can't exceed n_like / 10.
    brier : float
        Mean squared error of the taste's own scores on songs that took no part in its learning and
        calibration; always saying 0.5 gives 0.25.
    score_like, score_other : float
        Those scores' mean for likes and for others, see
        `classify.evaluation.held_scores.score_held_out`.
    baselines : dict of str to float
        AUC of simpler ways on the same splits, see
        `classify.evaluation.baselines.compare_baselines`.
    comparisons : dict of str to Baseline
        The same with what the head gains over each, and the 90% interval of that.
    learning_curve : tuple of CurvePoint
        AUC for fewer likes, up to what there is without those held out.
    curve_rises : bool or None
        Whether it surely rises; None where there are too few points to tell.
    promise : Promise or None
        What more likes would bring; None where that is little, or nobody can tell.
    n_groups : int
        Groups of likes that were held out in turn (songs, where all likes are of one group).
    n_like, n_dislike, n_unlabelled : int
        Songs that took part.
    note : str
        What the figures mean here, in words.
    evidence : Evidence or None
        The held-out decisions and scores that the figures are made of; no part of the JSON.
    """

    head: str
    auc: float
    auc_ci90: tuple[float, float]
    p_value: float | None
    n_permutations: int
    can_tell: bool
    verdict: str
    auc_dislikes: float | None
    average_precision: float
    precision_at_10: float
    brier: float
    score_like: float
    score_other: float
    baselines: dict[str, float]
    comparisons: dict[str, Baseline]
    learning_curve: tuple[CurvePoint, ...]
    curve_rises: bool | None
    promise: Promise | None
    n_groups: int
    n_like: int
    n_dislike: int
    n_unlabelled: int
    note: str
    evidence: Evidence | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, named as in the command's contract."""
        plain = asdict(replace(self, evidence=None))
        del plain["evidence"]
        return plain


def evaluate_taste(
    *,
    likes: LabelledSongs,
    dislikes: LabelledSongs | None = None,
    unlabelled: LabelledSongs | None = None,
    head: str = DEFAULT_HEAD,
    space: SongSpace | None = None,
    blocks: Sequence[int] = (),
    seed: int = 0,
) -> Evaluation:
    """Learn again and again without some groups, and score those.

    Parameters
    ----------
    likes, dislikes, unlabelled, head, blocks, seed
        As for `classify.learning.fit.fit_taste`. At most 400 of the unlabelled songs take part.
    space : SongSpace, optional
        The taste's own; by default one is fitted on all songs given, and copies count once. A
        taste's songs are without copies already.

    Returns
    -------
    Evaluation
        Song space is fitted on all songs, held-out ones included, as it is in use: it
        needs no labels, and the songs to be scored are in the library.

    Raises
    ------
    LabelError
        As for `fit_taste`, and if there are fewer than 2 songs beside the likes.
    VectorError
        If dimensions differ or a value is not finite.

    Examples
    --------
    >>> import classify
    >>> import embed
    >>> songs = embed.open_embeddings("musicnn")
    >>> def named(kind):
    ...     rows = [row for row, path in enumerate(songs.paths) if kind in path]
    ...     digests = tuple(songs.digests[row] for row in rows)
    ...     return classify.LabelledSongs(
    ...         digests=digests, vectors=songs.matrix[rows], groups=digests
    ...     )
    >>> found = classify.evaluate_taste(likes=named("acoustic"), dislikes=named("electronic"))
    >>> found.auc > 0.9
    True
    """
    with one_thread(head):
        library = prepare_examples(likes=likes, dislikes=dislikes, unlabelled=unlabelled, seed=seed)
        if space is None:
            space, library = fit_space(library, blocks, seed=seed)
        head = choose_head(head)
        return _evaluate_taste(library, space, head=head, blocks=blocks, seed=seed)


def _evaluate_taste(
    library: Examples, space: SongSpace, *, head: str, blocks: Sequence[int], seed: int
) -> Evaluation:
    examples = library.take(library.is_like | library.is_negative)
    examples = examples.take(thin_out(examples, MAX_NEGATIVES))
    rows = space(examples.vectors)
    learner = make_head(head, seed, n_encoders=len(space.blocks))
    ranker = head_ranker(learner, rows, examples.labels)
    held_out = _cross_fit(examples, ranker, seed)
    chance = _against_chance(examples, rows, learner, head=head, seed=seed)
    interval, p_value = bootstrap_auc(held_out, seed=seed), None if chance is None else chance.p
    can_tell = interval[0] > _CHANCE and p_value is not None and p_value <= MAX_P
    n_like, n_groups = int(examples.is_like.sum()), len(np.unique(held_out.like_groups))
    simpler = _simpler(examples, library, seed)
    beside = compare_baselines(held_out, simpler, seed=seed)
    curve = learning_curve(examples, ranker, seed=seed)
    scores = score_held_out(examples, head=head, blocks=blocks, seed=seed)
    return Evaluation(
        head=head,
        auc=held_out.auc,
        auc_ci90=interval,
        p_value=p_value,
        n_permutations=0 if chance is None else chance.n_permutations,
        can_tell=can_tell,
        verdict=chance_sentence(can_tell, n_like, n_groups, _n_unlabelled(examples)),
        auc_dislikes=_auc_dislikes(held_out),
        average_precision=average_precision(held_out.is_like, held_out.decisions),
        precision_at_10=precision_at(held_out.is_like, held_out.decisions, 10),
        brier=scores.brier,
        score_like=scores.like,
        score_other=scores.other,
        baselines={name: baseline.auc for name, baseline in beside.items()},
        comparisons=beside,
        learning_curve=curve.points,
        curve_rises=curve.rises,
        promise=curve.promise,
        n_groups=n_groups,
        n_like=n_like,
        n_dislike=int((examples.labels == DISLIKE).sum()),
        n_unlabelled=_n_unlabelled(examples),
        note=note_on(examples, held_out),
        evidence=_evidence(examples, held_out, simpler, scores),
    )


def _against_chance(
    examples: Examples, rows: FloatArray, learner: Learner, *, head: str, seed: int
) -> PermutationTest | None:
    n_permutations = _PERMUTATIONS_DENSE if head == "dense" else _PERMUTATIONS
    return permutation_test(examples, rows, learner, n_permutations=n_permutations, seed=seed)


def _n_unlabelled(examples: Examples) -> int:
    return int((examples.labels == UNLABELLED).sum())


def _cross_fit(examples: Examples, ranker: Ranker, seed: int) -> HeldOut:
    held_out = cross_fit(examples, ranker, max_like_folds=MAX_LIKE_FOLDS, seed=seed)
    if held_out is None:
        raise LabelError(
            f"{counted(int(examples.is_like.sum()), 'like')} and "
            f"{counted(int((~examples.is_like).sum()), 'other song')} are too few to hold any out; "
            "2 of each are needed: embed more of the library or add dislikes"
        )
    return held_out


def _simpler(examples: Examples, library: Examples, seed: int) -> dict[str, HeldOut]:
    standard = SongTransform.fit(library.vectors)(examples.vectors)
    return rank_baselines(examples, standard, max_like_folds=MAX_LIKE_FOLDS, seed=seed)


def _evidence(
    examples: Examples, held_out: HeldOut, simpler: dict[str, HeldOut], scores: HeldScores
) -> Evidence:
    digests = tuple(examples.digests[i] for i in held_out.rows)
    return Evidence(digests=digests, held_out=held_out, simpler=simpler, scores=scores)


def _auc_dislikes(held_out: HeldOut) -> float | None:
    wins = held_out.wins[:, held_out.labels[~held_out.is_like] == DISLIKE]
    return None if np.isnan(wins).all() else float(np.nanmean(wins))
