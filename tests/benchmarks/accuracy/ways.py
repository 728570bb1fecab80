"""The ways to score a draw: our heads, and what people do without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accuracy.tasks import Draw, unit_rows
from classify import LabelledSongs, SongTransform, Taste, fit_taste
from classify.taste.layers import ACTIVATIONS

__all__ = ["DENSE", "LIKES_ONLY", "LOGISTIC", "OURS", "WAYS", "Scored", "fit_draw"]

OURS, LOGISTIC, DENSE = "sevensongs kernel", "sevensongs logistic", "sevensongs dense"
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Scores of a draw's test songs.

    `probabilities` tells whether the scores claim to be such; `uncalibrated` are a head's own,
    before its calibration. `called` are the songs whose verdict is "like".
    """

    scores: FloatArray
    probabilities: bool = False
    uncalibrated: FloatArray | None = None
    called: NDArray[np.bool_] | None = None


def fit_draw(draw: Draw, head: str = "kernel", *, seed: int = 0) -> Taste:
    """Learn the taste of a draw as `sevensongs train` does, each song a group of its own."""
    likes = _songs(draw, draw.likes)
    assert likes is not None
    collection = draw.collection
    # Only a composite has blocks to name.
    blocks: dict[str, Any] = {"blocks": collection.blocks} if collection.blocks else {}
    return fit_taste(
        likes=likes,
        dislikes=_songs(draw, draw.dislikes),
        unlabelled=_songs(draw, draw.unlabelled),
        encoder=collection.encoder,
        fingerprint=collection.fingerprint,
        head=head,
        seed=seed,
        **blocks,
    )


def _songs(draw: Draw, rows: NDArray[np.intp]) -> LabelledSongs | None:
    names = tuple(draw.collection.digests[row] for row in rows)
    vectors = draw.collection.vectors[rows]
    return LabelledSongs(digests=names, vectors=vectors, groups=names) if len(rows) else None


def _kernel(draw: Draw) -> Scored:
    return _ours(draw, "kernel")


def _logistic(draw: Draw) -> Scored:
    return _ours(draw, "logistic")


def _dense(draw: Draw) -> Scored:
    return _ours(draw, "dense")


def _ours(draw: Draw, head: str) -> Scored:
    taste = fit_draw(draw, head)
    test = draw.collection.vectors[draw.test]
    plain = 0.5 * (1 + np.tanh(_plain_decisions(taste, test) / 2))
    scores = taste.score(test)
    called = np.array([verdict == "like" for verdict in taste.verdicts(scores)])
    return Scored(scores=scores, probabilities=True, uncalibrated=plain, called=called)


def _plain_decisions(taste: Taste, vectors: NDArray[np.float32]) -> FloatArray:
    """Decide by the layers alone.

    `Taste.decisions` is bounded by the calibration for unfamiliar songs.
    """
    hidden: FloatArray = taste.space(vectors)
    for depth, (weights, bias) in enumerate(taste.layers):
        hidden = (ACTIVATIONS[taste.activation](hidden) if depth else hidden) @ weights + bias
    return hidden[:, 0]


def _cosine(draw: Draw) -> Scored:
    rows = unit_rows(draw.collection, draw.library)
    return Scored(scores=(rows[draw.test] @ rows[draw.likes].mean(axis=0)).astype(np.float64))


def _nearest(draw: Draw) -> Scored:
    rows = unit_rows(draw.collection, draw.library)
    return Scored(scores=(rows[draw.test] @ rows[draw.likes].T).max(axis=1).astype(np.float64))


def _isolation_forest(draw: Draw) -> Scored:
    """The isolation forest of Liu, Ting & Zhou 2008.

    It splits between a channel's extremes, so a scaler changes nothing in it.
    """
    from sklearn.ensemble import IsolationForest

    rows = SongTransform.fit(draw.collection.vectors[draw.library])(draw.collection.vectors)
    forest = IsolationForest(random_state=0).fit(rows[draw.likes])
    return Scored(scores=np.asarray(forest.score_samples(rows[draw.test]), dtype=np.float64))


def _one_class_svm(draw: Draw) -> Scored:
    """The one-class machine of Schölkopf et al. 2001, behind a scaler of the likes.

    One finds it so in tutorials on novelty.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import OneClassSVM

    model = make_pipeline(StandardScaler(), OneClassSVM()).fit(draw.collection.vectors[draw.likes])
    found = model.decision_function(draw.collection.vectors[draw.test])
    return Scored(scores=np.asarray(found, dtype=np.float64))


def _tutorial(draw: Draw) -> Scored:
    """Fit a scaler and a logistic regression (C = 1) to the labelled songs alone.

    It needs both labels: without dislikes, as many random library songs as there are likes stand
    in.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    others = draw.dislikes
    if not len(others):
        rng = np.random.default_rng([int(row) for row in draw.likes])
        n_others = min(len(draw.likes), len(draw.unlabelled))
        others = rng.choice(draw.unlabelled, size=n_others, replace=False)
    labelled = np.concatenate([draw.likes, others])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(draw.collection.vectors[labelled], np.arange(len(labelled)) < len(draw.likes))
    found = model.predict_proba(draw.collection.vectors[draw.test])[:, 1]
    return Scored(scores=np.asarray(found, dtype=np.float64), probabilities=True)


WAYS: dict[str, Callable[[Draw], Scored]] = {
    OURS: _kernel,
    LOGISTIC: _logistic,
    DENSE: _dense,
    "tutorial": _tutorial,
    "cosine": _cosine,
    "nearest": _nearest,
    "isolation forest": _isolation_forest,
    "one-class SVM": _one_class_svm,
}
# These take no notice of dislikes. As test and library are the same with every kind of dislikes, so
# is what they find.
LIKES_ONLY = frozenset({"cosine", "nearest", "isolation forest", "one-class SVM"})
