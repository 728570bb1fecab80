"""Learn a taste from song vectors and labels."""

import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from classify.errors import LabelError
from classify.learning.duplicates import fit_space
from classify.learning.examples import (
    DISLIKE,
    LIKE,
    UNLABELLED,
    Examples,
    LabelledSongs,
    example_weights,
    prepare_examples,
)
from classify.learning.heads import LEARNERS, Dense, Kernel, Learner
from classify.learning.held_out import HeldOut, Ranker, bootstrap_auc, cross_fit
from classify.learning.hidden_likes import SpyDecisions, send_spies
from classify.learning.mixture import fit_mixture
from classify.taste.calibration import Calibration, unsure_band
from classify.taste.familiarity import Familiarity
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray

__all__ = [
    "DEFAULT_HEAD",
    "choose_head",
    "fit_taste",
    "head_ranker",
    "make_head",
    "note_on",
    "one_thread",
]
__all__ += ["thin_out"]

DEFAULT_HEAD = "auto"

# Enough to calibrate and to tell an AUC; the final head learns from all.
MAX_HELD_OUT_NEGATIVES = 300
MAX_LIKE_FOLDS = 10
_CHANCE = 0.5
_GAMMA_OF_SEVERAL = 2.0
"""For two and three encoders: see tests/benchmarks/README.md."""
_FEW_KNOWN = (
    "too few songs to tell what is unlike them, so verdicts are unsure but for scores near 0 or 1: "
    "embed more of the library"
)


def fit_taste(
    *,
    likes: LabelledSongs,
    dislikes: LabelledSongs | None = None,
    unlabelled: LabelledSongs | None = None,
    encoder: str,
    fingerprint: str,
    blocks: Sequence[int] = (),
    head: str = DEFAULT_HEAD,
    seed: int = 0,
    created_at: str | None = None,
) -> Taste:
    """Learn what the likes have in common that the rest has not.

    Parameters
    ----------
    likes : LabelledSongs
        At least 2 different recordings; about 7 work well.
    dislikes : LabelledSongs, optional
        Each counts as much as two unlabelled songs or more.
    unlabelled : LabelledSongs, optional
        The rest of the library, as weak negatives; at most 2,000 of them are used, chosen by
        `classify.learning.sampling.sample_unlabelled`. Songs that are also labelled are left out.
    encoder, fingerprint : str
        Whose vectors these are.
    blocks : sequence of int, optional
        Widths of the parts of a composite's song vectors.
    head : str
        A name in `classify.learning.heads.LEARNERS`, or ``auto``, see `choose_head`.
    seed : int
        In [0, 2**63). The same songs and seed give the same taste bit for bit, in whatever order
        the songs come.
    created_at : str, optional
        ISO 8601; now, in UTC, by default.

    Returns
    -------
    Taste
        Calibrated on decisions that no song's own label has touched. Where nothing can be held out
        (a single negative), `auc` is None and the unsure band as wide as it gets.

    Raises
    ------
    LabelError
        With fewer than 2 different likes, no other song at all, a song liked and disliked, or an
        unknown head.
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
    >>> taste = classify.fit_taste(
    ...     likes=named("acoustic"),
    ...     unlabelled=named("electronic"),
    ...     encoder=songs.encoder,
    ...     fingerprint=songs.fingerprint,
    ... )
    >>> taste.n_like, taste.predict_proba(songs.matrix).shape
    (15, (28, 2))
    """
    with one_thread(head):
        examples = prepare_examples(
            likes=likes, dislikes=dislikes, unlabelled=unlabelled, seed=seed
        )
        head = choose_head(head)
        return _fit_taste(
            examples,
            make_head(head, seed, n_encoders=max(1, len(blocks))),
            encoder=encoder,
            fingerprint=fingerprint,
            blocks=blocks,
            head=head,
            seed=seed,
            created_at=created_at,
        )


def _fit_taste(
    library: Examples,
    learner: Learner,
    *,
    encoder: str,
    fingerprint: str,
    blocks: Sequence[int],
    head: str,
    seed: int,
    created_at: str | None,
) -> Taste:
    space, library = fit_space(library, blocks, seed=seed)
    standardised = space.standardise(library.vectors)
    used = library.is_like | library.is_negative
    examples, rows = library.take(used), space(library.vectors[used])

    few = thin_out(examples, MAX_HELD_OUT_NEGATIVES)
    some, (shared, places) = examples.take(few), learner.shared(rows[few])
    ranker = head_ranker(shared, places, some.labels)
    held_out = cross_fit(some, ranker, max_like_folds=MAX_LIKE_FOLDS, seed=seed)
    interval = None if held_out is None else bootstrap_auc(held_out, seed=seed)
    familiarity = Familiarity.fit(standardised, keep=np.flatnonzero(library.labels != UNLABELLED))
    fitted = learner.fit(rows, examples.is_like, example_weights(examples.labels))
    return Taste(
        encoder=encoder,
        fingerprint=fingerprint,
        head=head,
        space=space,
        familiarity=familiarity,
        layers=fitted.layers,
        activation=fitted.activation,
        calibration=_calibrate(held_out, send_spies(some, places, shared, seed=seed)),
        likes=examples.digests_where(examples.labels == LIKE),
        dislikes=examples.digests_where(examples.labels == DISLIKE),
        unlabelled=examples.digests_where(examples.labels == UNLABELLED),
        unsure=_unsure(held_out, interval) if familiarity.tells else unsure_band(0, 0),
        auc=None if held_out is None else held_out.auc,
        auc_ci90=interval,
        note=note_on(examples, held_out) if familiarity.tells else _FEW_KNOWN,
        seed=seed,
        created_at=created_at or datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(head),
    )


def one_thread(head: str = DEFAULT_HEAD) -> AbstractContextManager[object]:
    """Return a context in which BLAS and OpenMP use one thread while a head is trained.

    The matrices are small: a second thread costs more than it brings (three times the time for the
    dense head on two cores), and the bits of a taste would depend on how many cores there are.
    """
    from threadpoolctl import threadpool_limits

    if head == "dense":
        # Only libraries that are loaded can be limited, and scikit-learn brings BLAS and OpenMP of
        # its own.
        import sklearn.neural_network  # noqa: F401

    limits: AbstractContextManager[object] = threadpool_limits(limits=1)
    return limits


def choose_head(name: str) -> str:
    """Return which head a name stands for: ``auto`` is the kernel.

    From some 20 likes and as many dislikes on the dense head beats the logistic one; the kernel
    beats both with any number of labels that was tried, from 3 likes to 120 likes and 120 dislikes
    (tests/benchmarks).
    """
    return "kernel" if name == "auto" else name


def make_head(name: str, seed: int, *, n_encoders: int = 1) -> Learner:
    """Return the settings of a head that is to be trained.

    Parameters
    ----------
    name : str
        A name in `classify.learning.heads.LEARNERS`.
    seed : int
        Given to a head that starts at random.
    n_encoders : int
        Whose song vectors stand side by side. What two songs share in several encoders at once is
        less likely chance, and the kernel follows it more closely.

    Returns
    -------
    Learner

    Raises
    ------
    LabelError
        If there is no such head.
    """
    if name not in LEARNERS:
        raise LabelError(f"there is no head {name!r}; choose one of auto, {', '.join(LEARNERS)}")
    if name == "dense":
        return Dense(random_state=seed % 2**32)  # scikit-learn takes 32 bits
    if name == "kernel":
        return Kernel(gamma=1.0 if n_encoders == 1 else _GAMMA_OF_SEVERAL)
    return LEARNERS[name]()


def head_ranker(head: Learner, rows: FloatArray, labels: NDArray[np.int_]) -> Ranker:
    """Return a function that trains a head on some rows and decides on all.

    Parameters
    ----------
    head : Learner
        Trained anew each time.
    rows : ndarray, shape (n, n_axes), float64
        Songs in song space.
    labels : ndarray, shape (n,), int
        1 like, -1 dislike, 0 unlabelled.

    Returns
    -------
    callable
        From indices of rows to decisions, shape (n,).
    """
    head, shared = head.shared(rows)

    def rank(train: NDArray[np.intp]) -> FloatArray:
        chosen = labels[train]
        return head.fit(shared[train], chosen == LIKE, example_weights(chosen)).decision_function(
            shared
        )

    return rank


def thin_out(examples: Examples, max_unlabelled: int) -> NDArray[np.intp]:
    """Return the rows of all labelled and of at most so many unlabelled examples.

    Parameters
    ----------
    examples : Examples
    max_unlabelled : int

    Returns
    -------
    ndarray of int
        Indices, ascending; of the unlabelled ones the first in the order of their digests. That is
        as good as random, and where a few songs come or go, most of the choice stays.
    """
    unlabelled = np.flatnonzero(examples.labels == UNLABELLED)[:max_unlabelled]
    return np.concatenate([np.flatnonzero(examples.labels != UNLABELLED), unlabelled])


def note_on(examples: Examples, held_out: HeldOut | None) -> str:
    """Say in words what held-out figures mean for these examples."""
    if held_out is None:
        return (
            "too few songs to hold any out, so nothing is known of how good this taste is; "
            "embed more of the library or add dislikes"
        )
    notes = []
    if (examples.labels == UNLABELLED).any():
        notes.append(
            "unlabelled songs count as not liked, though some would be: the figures are lower "
            "bounds"
        )
    if held_out.by_song:
        notes.append(
            "all likes are of one artist or album: the figures tell how well it finds more of that"
        )
    return "; ".join(notes)


def _calibrate(held_out: HeldOut | None, spies: SpyDecisions | None) -> Calibration:
    if spies is not None and len(spies.unlabelled):
        return fit_mixture(spies.likes, spies.unlabelled, spies.dislikes)
    if held_out is None:
        return Calibration()  # the head's own logistic function; the band says "unsure" anyway
    weights = example_weights(held_out.labels)
    return Calibration.fit(held_out.decisions, held_out.is_like, weights)


def _unsure(held_out: HeldOut | None, interval: tuple[float, float] | None) -> tuple[float, float]:
    if held_out is None or interval is None or interval[0] <= _CHANCE:
        return unsure_band(0, 0)  # it may rank no better than a coin: no verdict on anything
    n_groups = len(np.unique(held_out.like_groups)), len(np.unique(held_out.other_groups))
    return unsure_band(*n_groups)


def _versions(head: str) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("sevensongs", "numpy", *(["scikit-learn"] if head == "dense" else [])):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a checkout without installing
            versions[name] = "unknown"
    return versions
