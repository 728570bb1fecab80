"""How good a taste is on songs that it has not seen, beside simpler ways of ranking."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.calibrate import Calibration
from classify.errors import LabelError
from classify.examples import DISLIKE, LIKE, Examples, example_weights, prepare_examples
from classify.features import FloatArray, LabelledSongs, SongTransform, Vectors
from classify.fit import head_ranker, make_head, note_on, one_thread, thin_out
from classify.holdout import HeldOut, Ranker, bootstrap_auc, cross_fit
from classify.metrics import average_precision, brier_score, precision_at

if TYPE_CHECKING:
    from classify.heads import Head

__all__ = ["CurvePoint", "Evaluation", "evaluate_taste"]

MAX_NEGATIVES = 400
MAX_LIKE_FOLDS = 50
CURVE_LIKES = (2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
CURVE_DRAWS = 3
CURVE_LIKE_FOLDS = 10


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One point of the learning curve.

    Parameters
    ----------
    n_like : int
        Likes learnt from.
    auc : float
        Mean over draws of that many likes.
    ci90 : (float, float)
        Bootstrap interval of that mean over groups.
    """

    n_like: int
    auc: float
    ci90: tuple[float, float]


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
        90% interval, see `classify.holdout.bootstrap_auc`.
    auc_dislikes : float or None
        The same against the dislikes only; None without dislikes.
    average_precision, precision_at_10 : float
        Of the held-out decisions; the latter can't exceed n_like / 10.
    brier : float
        Mean squared error of held-out probabilities, each side weighing half; 0.25 is no skill.
    baselines : dict of str to float
        AUC of simpler ways on the same splits: `random`, `cosine` (to the mean of the likes,
        standardised by the library) and, where there are dislikes, `tutorial` (scaler and logistic
        regression with C = 1, fitted on the labelled songs alone).
    learning_curve : tuple of CurvePoint
        AUC for fewer likes, up to what there is without those held out.
    n_groups : int
        Groups of likes that were held out in turn (songs, where all likes are of one group).
    n_like, n_dislike, n_unlabelled : int
        Songs that took part.
    note : str
        What the figures mean here, in words.
    """

    head: str
    auc: float
    auc_ci90: tuple[float, float]
    auc_dislikes: float | None
    average_precision: float
    precision_at_10: float
    brier: float
    baselines: dict[str, float]
    learning_curve: tuple[CurvePoint, ...]
    n_groups: int
    n_like: int
    n_dislike: int
    n_unlabelled: int
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, named as in the command's contract."""
        return asdict(self)


def evaluate_taste(
    *,
    likes: LabelledSongs,
    dislikes: LabelledSongs | None = None,
    unlabelled: LabelledSongs | None = None,
    head: str = "logistic",
    seed: int = 0,
) -> Evaluation:
    """Learn again and again without some groups, and score those.

    Parameters
    ----------
    likes, dislikes, unlabelled, head, seed
        As for `classify.fit.fit_taste`. At most 400 of the unlabelled songs take part.

    Returns
    -------
    Evaluation
        The standardisation is fitted on all songs, held-out ones included, as it is in use: it
        needs no labels, and the songs to be scored are in the library.

    Raises
    ------
    LabelError
        As for `fit_taste`, and if there are fewer than 2 songs beside the likes.
    VectorError
        If dimensions differ or a value is not finite.
    """
    with one_thread():
        return _evaluate_taste(
            prepare_examples(likes=likes, dislikes=dislikes, unlabelled=unlabelled, seed=seed),
            head=head,
            seed=seed,
        )


def _evaluate_taste(library: Examples, *, head: str, seed: int) -> Evaluation:
    transform = SongTransform.fit(library.vectors)
    examples = library.take(library.is_like | library.is_negative)
    examples = examples.take(thin_out(examples, MAX_NEGATIVES))
    rows = transform(examples.vectors)
    ranker = head_ranker(make_head(head, seed), rows, examples.labels)
    held_out = cross_fit(examples, ranker, max_like_folds=MAX_LIKE_FOLDS, seed=seed)
    if held_out is None:
        raise LabelError(
            f"{int(examples.is_like.sum())} likes and {int((~examples.is_like).sum())} other songs "
            "are too few to hold any out; 2 of each are needed: embed more of the library or add "
            "dislikes"
        )
    is_like, decisions = held_out.is_like, held_out.decisions
    return Evaluation(
        head=head,
        auc=held_out.auc,
        auc_ci90=bootstrap_auc(held_out, seed=seed),
        auc_dislikes=_auc_dislikes(held_out),
        average_precision=average_precision(is_like, decisions),
        precision_at_10=precision_at(is_like, decisions, 10),
        brier=brier_score(is_like, _held_out_probabilities(held_out)),
        baselines=_baselines(examples, rows, seed),
        learning_curve=tuple(_learning_curve(examples, ranker, seed)),
        n_groups=len(np.unique(held_out.like_groups)),
        n_like=int(examples.is_like.sum()),
        n_dislike=int((examples.labels == DISLIKE).sum()),
        n_unlabelled=int((examples.labels == 0).sum()),
        note=note_on(examples, held_out),
    )


def _auc_dislikes(held_out: HeldOut) -> float | None:
    wins = held_out.wins[:, held_out.labels[~held_out.is_like] == DISLIKE]
    return None if np.isnan(wins).all() else float(np.nanmean(wins))


def _held_out_probabilities(held_out: HeldOut) -> FloatArray:
    """Calibrate each fold on the others, so that no probability has seen its own song.

    Likes and others are held out fold by fold on each side; a song's probability is the mean over
    the folds of the other side.
    """
    decisions, is_like = held_out.decisions, held_out.is_like
    weights = example_weights(held_out.labels)
    sums, counts = np.zeros(len(decisions)), np.zeros(len(decisions))
    for k in np.unique(held_out.like_folds):
        for j in np.unique(held_out.other_folds):
            held = np.concatenate([held_out.like_folds == k, held_out.other_folds == j])
            if is_like[~held].any() and not is_like[~held].all():
                fitted = Calibration.fit(decisions[~held], is_like[~held], weights[~held])
                sums[held] += fitted(decisions[held])
                counts[held] += 1
    # Nothing to calibrate on: no claim is made
    return np.where(counts > 0, sums / np.maximum(counts, 1), 0.5)


def _baselines(examples: Examples, rows: Vectors, seed: int) -> dict[str, float]:
    rankers: dict[str, Ranker] = {"cosine": _cosine_ranker(rows, examples.labels)}
    if (examples.labels == DISLIKE).sum() >= 2:
        rankers["tutorial"] = _tutorial_ranker(examples.vectors, examples.labels)
    figures = {"random": 0.5}
    for name, ranker in rankers.items():
        held_out = cross_fit(examples, ranker, max_like_folds=MAX_LIKE_FOLDS, seed=seed)
        if held_out is not None:
            figures[name] = held_out.auc
    return figures


def _cosine_ranker(rows: Vectors, labels: NDArray[np.int_]) -> Ranker:
    lengths = np.linalg.norm(rows, axis=1)
    unit = rows / np.where(lengths > 0, lengths, 1)[:, None]

    def rank(train: NDArray[np.intp]) -> FloatArray:
        mean = rows[train[labels[train] == LIKE]].mean(axis=0, dtype=np.float64)
        return np.asarray(unit @ mean, dtype=np.float64)  # the mean's own length ranks nothing

    return rank


def _tutorial_ranker(vectors: Vectors, labels: NDArray[np.int_]) -> Ranker:
    """Rank the way tutorials do: everything fitted on the few labelled songs."""
    from classify.heads import LogisticHead

    def rank(train: NDArray[np.intp]) -> FloatArray:
        labelled = train[labels[train] != 0]
        is_like = labels[labelled] == LIKE
        if is_like.all():
            return np.full(len(vectors), np.nan)
        standard = SongTransform.fit(vectors[labelled])
        model: Head = LogisticHead(C=1.0).fit(standard(vectors[labelled]), is_like)
        return model.decision_function(standard(vectors))

    return rank


def _learning_curve(examples: Examples, ranker: Ranker, seed: int) -> list[CurvePoint]:
    points = []
    for n_like in _curve_likes(examples):
        draws = [
            cross_fit(
                examples,
                ranker,
                max_like_folds=CURVE_LIKE_FOLDS,
                n_like=n_like,
                seed=seed,
                draw=draw,
            )
            for draw in range(CURVE_DRAWS)
        ]
        done = [draw for draw in draws if draw is not None]
        if not done:
            continue
        # The draws share their folds, so their pairs can be averaged one by one.
        mean = replace(done[0], wins=np.mean([draw.wins for draw in done], axis=0))
        interval = bootstrap_auc(mean, seed=seed)
        points.append(CurvePoint(n_like=n_like, auc=mean.auc, ci90=interval))
    return points


def _curve_likes(examples: Examples) -> list[int]:
    """Return how many likes to try: some round numbers, and the most that can be."""
    likes = examples.groups[examples.is_like]
    sizes = np.unique(likes, return_counts=True)[1]
    # The largest share that is ever held out; one group means that songs are held out singly.
    held = sizes.max() if len(sizes) > 1 else 1
    held = max(int(held), -(-len(likes) // CURVE_LIKE_FOLDS))
    most = len(likes) - held
    return sorted({n for n in (*CURVE_LIKES, most) if 2 <= n <= most})
