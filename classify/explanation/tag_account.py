"""The encoder's own tags as an account of a taste: how much of a score's difference each explains.

A taste knows nothing of tags. What it decides on songs of the library is fitted by tags (a
surrogate model, as in Ribeiro, Singh & Guestrin 2016, "Why should I trust you?"): least squares in
which no tag may weigh against its own correlation with the decisions. That bound alone keeps the
fit sparse and tame where tags go together (Slawski & Hein 2013, "Non-negative least squares for
high-dimensional linear models"). As much ridge as does no harm is chosen beside it by
cross-validation, which also tells how much of the taste tags explain at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.explanation.contributions import Reference
from classify.explanation.explanation import TagAccount, TagShare
from classify.library.song_library import SongLibrary
from classify.taste.vectors import FloatArray, Vectors
from embed import OwnTags

__all__ = ["TagModel", "TagScorer", "tag_account", "tag_amounts"]

MIN_SONGS = 20
"""With fewer no weight would mean anything."""
_FOLDS = 5
_RIDGES = (3.0, 1.0, 0.3, 0.1, 0.03)  # per song
_NO_HARM = 0.02  # of R2
_MOST_TAGS = 80
"""AudioSet has 521 classes, most of which never sound in anyone's music."""
_MOST_SWEEPS = 100
_FLAT = 1e-6


def tag_amounts(scores: Vectors) -> FloatArray:
    """Return the square roots of tag scores in [0, 1].

    The taste follows them better than the scores.

    Beside log-odds, whose fit is about as good, they keep still about what can't be heard: 0.001 or
    0.0001.
    """
    return np.sqrt(np.clip(scores.astype(np.float64), 0, 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class TagModel:
    """What a taste decides, told in tags.

    Attributes
    ----------
    weights : ndarray, shape (n_tags,), float64
        Decision a unit of the tag's amount; most are 0.
    r2 : float
        Share of the decisions' variance explained on songs that were left out, at most 1; 0 or
        less: nothing.
    """

    weights: FloatArray
    r2: float

    @classmethod
    def fit(cls, amounts: FloatArray, decisions: FloatArray) -> TagModel | None:
        """Fit decisions, shape (n,), by the tags of these songs, shape (n, n_tags).

        See `tag_amounts`.

        Returns
        -------
        TagModel or None
            None for fewer than 20 songs, or where the decisions do not differ.
        """
        if len(amounts) < MIN_SONGS or np.ptp(decisions) == 0:
            return None
        scale = amounts.std(axis=0)
        used = np.sort(np.argsort(-scale, kind="stable")[:_MOST_TAGS])
        used = used[scale[used] > _FLAT]
        rows = (amounts[:, used] - amounts[:, used].mean(axis=0)) / scale[used]
        folds = np.arange(len(rows)) % _FOLDS
        whole = float(np.square(decisions - decisions.mean()).sum())
        r2 = [1 - _left_out_error(rows, decisions, folds, ridge) / whole for ridge in _RIDGES]
        best = next(i for i, one in enumerate(r2) if one >= max(r2) - _NO_HARM)
        weights = np.zeros(amounts.shape[1])
        weights[used] = _fit(rows, decisions, _RIDGES[best])[0] / scale[used]
        return cls(weights=weights, r2=r2[best])


@dataclass(frozen=True, kw_only=True)
class TagScorer:
    """The tags of a library's encoders, heard in song vectors: in each song's mean sound.

    Attributes
    ----------
    parts : tuple of (OwnTags, slice)
        With where the means are in a song vector; only encoders that have tags.
    """

    parts: tuple[tuple[OwnTags, slice], ...]

    @classmethod
    def of(cls, library: SongLibrary, root: str | Path) -> TagScorer:
        """Open the tags of a library's encoders."""
        parts, column = [], 0
        for store in library.vectors.stores:
            tags = OwnTags.of(store.encoder, store.fingerprint, root=root)
            if tags is not None:
                parts.append((tags, slice(column, column + store.dim)))
            column += 2 * store.dim
        return cls(parts=tuple(parts))

    @property
    def names(self) -> list[str]:
        """What the tags are called."""
        return [name for one, _ in self.parts for name in one.names]

    def amounts(self, vectors: Vectors) -> FloatArray:
        """Return the amounts of tags in song vectors, shape (n, dim): (n, n_tags)."""
        with np.errstate(over="ignore"):  # exp(1000): a score of 0, as it should be
            return np.concatenate(
                [tag_amounts(one.scores(vectors[:, at])) for one, at in self.parts], axis=1
            )


def tag_account(
    ear: TagScorer,
    songs: Vectors,
    decisions: FloatArray,
    *,
    song: Vectors,
    reference: Reference,
    total: float,
    rate: float,
) -> TagAccount | None:
    """Tell a song's score in tags.

    Parameters
    ----------
    ear : TagScorer
    songs : ndarray, shape (n, dim), float32
        Song vectors of the library, and `decisions` on them, shape (n,).
    song : ndarray, shape (dim,), float32
        The song vector in question.
    reference : Reference
        What it is compared with.
    total : float
        By how much the decisions on them differ.
    rate : float
        Score for each unit of decision.

    Returns
    -------
    TagAccount or None
        None where there are no tags, or too few songs.
    """
    model = TagModel.fit(ear.amounts(songs), decisions) if ear.parts else None
    if model is None:
        return None
    own = ear.amounts(song[np.newaxis])[0]
    usual = reference.weights @ ear.amounts(reference.vectors)
    shares = model.weights * (own - usual) * rate
    order = np.argsort(-np.abs(shares), kind="stable")
    names = ear.names
    return TagAccount(
        tags=tuple(
            TagShare(
                tag=names[k],
                points=float(shares[k]),
                song=float(own[k] ** 2),
                usual=float(usual[k] ** 2),
            )
            for k in order[np.abs(shares[order]) > 0].tolist()
        ),
        not_told=float(total * rate - shares.sum()),
        r2=model.r2,
    )


def _left_out_error(
    rows: FloatArray, decisions: FloatArray, folds: NDArray[np.intp], ridge: float
) -> float:
    error = 0.0
    for fold in range(_FOLDS):
        out = folds == fold
        weights, offset = _fit(rows[~out], decisions[~out], ridge)
        error += float(np.square(decisions[out] - rows[out] @ weights - offset).sum())
    return error


def _fit(rows: FloatArray, decisions: FloatArray, ridge: float) -> tuple[FloatArray, float]:
    """Minimise squares and ridge by coordinate descent.

    Each weight stays on its correlation's side of zero.
    """
    centre, middle = rows.mean(axis=0), float(decisions.mean())
    centred = rows - centre
    gram = centred.T @ centred
    gram[np.diag_indices_from(gram)] += ridge * len(rows)
    target = centred.T @ (decisions - middle)
    sides = np.sign(target)
    weights, slopes = np.zeros(len(target)), target.copy()  # slopes: target - gram @ weights
    for _ in range(_MOST_SWEEPS):
        largest = 0.0
        for k in range(len(weights)):
            moved = weights[k] + slopes[k] / gram[k, k]
            step = (moved if moved * sides[k] > 0 else 0.0) - weights[k]
            if step:
                weights[k] += step
                slopes -= step * gram[k]
                largest = max(largest, abs(step))
        if largest <= 1e-6 * float(np.abs(weights).max(initial=0)):
            break
    return weights, middle - float(centre @ weights)
