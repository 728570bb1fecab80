"""The taste: a trained head with its transform and calibration, scored with NumPy alone.

Nothing here imports scikit-learn, TensorFlow or a store: scoring from the cache must start at once.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from classify.errors import TasteError
from classify.taste.layers import ACTIVATIONS
from classify.taste.names import taste_path
from classify.taste.row_products import RowMatrix
from classify.taste.sketch import sketch
from classify.taste.taste_file import load_taste, save_taste
from classify.taste.taste_parts import TasteParts
from classify.taste.vectors import FloatArray, Vectors, as_rows

__all__ = ["Taste", "Verdict"]

Verdict = Literal["like", "unsure", "dislike"]

_ROWS_AT_ONCE = 192  # a multiple of the rows of a product (see RowMatrix)
_SKETCHED_AT_ONCE = 48  # they stay in the cache of a core
# The most that a song unlike anything known can score, as a share of the threshold: it is never a
# like.
_UNFAMILIAR = 0.98


@dataclass(frozen=True, kw_only=True, eq=False)
class Taste(TasteParts):
    """What was learnt from one listener's labels.

    Parameters
    ----------
    encoder, fingerprint : str
        Whose vectors it was trained on; it can score no others.
    head : str
        A name in `classify.learning.heads.LEARNERS`.
    space : SongSpace
        The very object that training used.
    familiarity : Familiarity
        Which songs are like those that were there in training.
    layers : tuple of (W, b)
        `W` of shape (n_in, n_out), `b` of shape (n_out,), float64, on songs placed in the space.
    activation : str
        What lies between them, a name in `classify.taste.layers.ACTIVATIONS`.
    calibration : Calibration
        From decisions to probabilities.
    likes, dislikes, unlabelled : tuple of str
        Digests of the songs it was trained on, sorted; `unlabelled` are those that served as weak
        negatives.
    threshold : float
        Score from which a song is rather liked than not, in (0, 1).
    unsure : (float, float)
        Between these scores the verdict is "unsure"; the threshold lies inside.
    auc : float or None
        Area under the ROC curve on songs held out in training; None if nothing could be held out.
    auc_ci90 : (float, float) or None
        Its 90% interval.
    note : str
        What the figures mean here, in words.
    seed : int
        Seed of the training.
    created_at : str
        ISO 8601, UTC.
    versions : mapping of str to str
        Of sevensongs, numpy and Python in training, and of scikit-learn where it was used.
    pool : tuple of str or None
        The recordings that `train --unlabelled` named, to learn again from the same; None for the
        whole library. See `classify.labels.recipe`.
    learnt_from : str
        Names the labels that it was learnt from, so that the same are not learnt again; "" where
        that is not known.
    n_library : int
        Recordings in the library when it was learnt; 0 where that is not known, or where `pool`
        names the recordings.

    Raises
    ------
    TasteError
        If the parts do not fit together or a number is out of its domain.
    """

    @property
    def dim(self) -> int:
        """Numbers in a song vector."""
        return self.space.dim

    @property
    def n_like(self) -> int:
        """Likes it was trained on."""
        return len(self.likes)

    @property
    def n_dislike(self) -> int:
        """Dislikes it was trained on."""
        return len(self.dislikes)

    @property
    def n_unlabelled(self) -> int:
        """Unlabelled songs that served as weak negatives."""
        return len(self.unlabelled)

    def require(self, *, encoder: str, fingerprint: str) -> None:
        """Refuse vectors of another encoder: they would be scored without meaning.

        Parameters
        ----------
        encoder, fingerprint : str
            Of the vectors that are about to be scored.

        Raises
        ------
        TasteError
            If the fingerprint is not the taste's.
        """
        if fingerprint == self.fingerprint:
            return
        if encoder != self.encoder:
            raise TasteError(
                f"this taste was trained on vectors of {self.encoder}, these are of {encoder}: "
                f"score with --encoder {self.encoder}, or train again with --encoder {encoder}"
            )
        raise TasteError(
            f"this taste was trained on vectors of {self.encoder} ({self.fingerprint}), these are "
            f"of {fingerprint}: the encoder's weights or settings have changed since; train the "
            "taste again"
        )

    def decisions(self, vectors: NDArray[Any]) -> FloatArray:
        """Return the head's decision values: `score` before its calibration.

        Parameters
        ----------
        vectors : ndarray, shape (n, dim), float32
            Song vectors as they are cached, not standardised.

        Returns
        -------
        ndarray, shape (n,), float64
            Unbounded; higher is more liked. Row by row independent of the other rows, bit for bit.
            A song unlike anything that was there in training gets no more than makes it "unsure".

        Raises
        ------
        TasteError
            If the vectors have another dimension than the taste.
        VectorError
            If they are not a matrix or not finite.
        """
        rows = as_rows(vectors)
        if rows.shape[1] != self.dim:
            raise TasteError(
                f"song vectors have {rows.shape[1]} numbers, the taste was trained on {self.dim} "
                f"of {self.encoder}: embed with --encoder {self.encoder}, or train again"
            )
        decisions = self.decisions_at(self.space(rows))
        # Most songs score less anyway, and to tell whether a song is familiar takes longer than to
        # score it.
        high = np.flatnonzero(decisions > self.most_unfamiliar)
        decisions[high[self.is_unfamiliar(rows[high])]] = self.most_unfamiliar
        return decisions

    def decisions_at(self, points: FloatArray) -> FloatArray:
        """Return the head's decision values at places in song space, familiar or not.

        Parameters
        ----------
        points : ndarray, shape (n, n_axes), float64
            Songs that `space` has placed.

        Returns
        -------
        ndarray, shape (n,), float64
            Each depends on its own row alone, bit for bit.
        """
        decisions = np.empty(len(points))
        for start in range(0, len(points), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            decisions[part] = self._decide(points[part])
        return decisions

    @cached_property
    def most_unfamiliar(self) -> float:
        """The highest decision on a song unlike anything that was there in training."""
        return float(self.calibration.inverse(_UNFAMILIAR * self.threshold))

    def is_unfamiliar(self, vectors: Vectors) -> NDArray[np.bool_]:
        """Return which songs are unlike anything that was there in training.

        Parameters
        ----------
        vectors : ndarray, shape (n, dim), float32
            Song vectors as they are cached, not standardised.

        Returns
        -------
        ndarray, shape (n,), bool

        Raises
        ------
        VectorError
            If a value is not finite.
        """
        if not (len(vectors) and self.familiarity.tells):
            return np.zeros(len(vectors), np.bool_)
        sketches = [
            sketch(self.space.standardise(vectors[start : start + _SKETCHED_AT_ONCE]))
            for start in range(0, len(vectors), _SKETCHED_AT_ONCE)
        ]
        return self.familiarity.is_far_sketch(np.concatenate(sketches), self.dim)

    def _decide(self, points: FloatArray) -> FloatArray:
        hidden = points
        for depth, (weights, (_, bias)) in enumerate(zip(self._matrices, self.layers, strict=True)):
            hidden = hidden if depth == 0 else ACTIVATIONS[self.activation](hidden)
            hidden = weights(hidden)  # (n, n_out)
            hidden += bias
        return hidden[:, 0]

    @cached_property
    def _matrices(self) -> tuple[RowMatrix, ...]:
        return tuple(RowMatrix(weights) for weights, _ in self.layers)

    def score(self, vectors: NDArray[Any]) -> FloatArray:
        """Score songs.

        Parameters
        ----------
        vectors : ndarray, shape (n, dim), float32
            Song vectors as they are cached, not standardised.

        Returns
        -------
        ndarray, shape (n,), float64
            Probability in [0, 1] of being liked (see `Calibration` for the prior). A song
            gets the same float alone and among others.

        Raises
        ------
        TasteError
            If the vectors have another dimension than the taste.
        VectorError
            If they are not a matrix or not finite.
        """
        return self.calibration(self.decisions(vectors))

    def predict_proba(self, vectors: NDArray[Any]) -> FloatArray:
        """Return the probabilities of both classes, in the shape that scikit-learn gives them.

        Parameters
        ----------
        vectors : ndarray, shape (n, dim), float32
            Song vectors as they are cached, not standardised; see `embed.open_embeddings`.

        Returns
        -------
        ndarray, shape (n, 2), float64
            Of not being liked and of being liked, in [0, 1]; the second column is `score`.

        Raises
        ------
        TasteError
            If the vectors have another dimension than the taste.
        VectorError
            If they are not a matrix or not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from classify import Taste
        >>> taste = Taste.load("default")
        >>> taste.predict_proba(np.zeros((2, taste.dim), dtype=np.float32)).shape
        (2, 2)
        """
        liked = self.score(vectors)
        return np.stack([1 - liked, liked], axis=1)

    def verdicts(self, scores: FloatArray) -> list[Verdict]:
        """Put scores into words.

        Parameters
        ----------
        scores : ndarray, shape (n,), float64
            From `score`.

        Returns
        -------
        list of {"like", "unsure", "dislike"}
            "unsure" strictly inside the taste's unsure band, which is wide where evidence is thin.
        """
        low, high = self.unsure
        return [
            "like" if p >= max(high, self.threshold) else "dislike" if p <= low else "unsure"
            for p in scores.tolist()
        ]

    def save(self, taste: str | os.PathLike[str], *, root: str | Path | None = None) -> None:
        """Write the taste to a file, all of it or nothing.

        Parameters
        ----------
        taste : str or path
            Where: a name or a file, as for `load`. Conventionally `*.npz`, whatever the format; its
            folder is made if missing. See `classify.taste.taste_file`.
        root : path or URI, optional
            The cache that keeps what is given by name; default: this user's.

        Raises
        ------
        TasteError
            If the file can't be written; an older file is then untouched.
        """
        save_taste(self, taste_path(taste, root=root))

    @classmethod
    def load(cls, taste: str | os.PathLike[str], *, root: str | Path | None = None) -> "Taste":
        """Read a taste, which may come from a stranger: nothing in it is executed.

        Parameters
        ----------
        taste : str or path
            A name such as ``default``, or a file that `save` wrote: the same as for
            `classify.score`. A str is a file where it has a separator in it or ends in ``.npz``.
        root : path or URI, optional
            The cache where names are looked up; default: this user's.

        Returns
        -------
        Taste

        Raises
        ------
        TasteError
            If there is no such file, or it is damaged, truncated, pickled, too large, not a taste,
            or of a newer format; if a str is neither a path nor a name.

        Examples
        --------
        >>> from classify import Taste
        >>> Taste.load("default").n_like
        15
        """
        return load_taste(taste_path(taste, root=root), cls)
