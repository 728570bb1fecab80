"""What a head is and how it is learnt, with NumPy alone.

Only the dense one borrows scikit-learn's perceptron.

Each boils down to layers: matrices with one activation between them.
`classify.learning.sklearn_heads` has the same heads as scikit-learn estimators, for those who want
them in pipelines of their own.
"""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.learning.logistic import fit_logistic
from classify.taste.layers import ACTIVATIONS, Activation, Layer
from classify.taste.vectors import FloatArray

__all__ = ["LEARNERS", "Dense", "Kernel", "Learner", "Logistic", "TrainedHead"]

BoolArray = NDArray[np.bool_]
_MAX_SHARED = 1000
_COPIES = 1e-9  # added to a song's likeness to itself, 1, so that copies of a song add nothing


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedHead:
    """A trained head.

    Parameters
    ----------
    layers : tuple of (W, b)
        `W` of shape (n_in, n_out) and `b` of shape (n_out,), float64; `rows @ W + b` one after the
        other with the activation between them. The last one has one output: the decision.
    activation : str
        A name in `classify.taste.layers.ACTIVATIONS`.
    unit_rows : bool
        Whether rows are scaled to unit length first, as song space has them anyway.
    n_steps : int
        Of the slowest member of a committee; 0 for one that is not.
    """

    layers: tuple[Layer, ...]
    activation: Activation = "relu"
    unit_rows: bool = False
    n_steps: int = 0

    def decision_function(self, rows: FloatArray) -> FloatArray:
        """Return decision values of rows (n, dim), shape (n,), float64.

        Above 0 speaks for a like.
        """
        hidden = _unit(rows) if self.unit_rows else rows
        for depth, (weights, bias) in enumerate(self.layers):
            hidden = hidden if depth == 0 else ACTIVATIONS[self.activation](hidden)
            hidden = hidden @ weights + bias  # (n, n_out)
        return hidden[:, 0]


class Learner(ABC):
    """The settings of a head that is still to be trained."""

    @abstractmethod
    def fit(self, rows: FloatArray, is_like: BoolArray, weight: FloatArray) -> TrainedHead:
        """Train a head.

        Parameters
        ----------
        rows : ndarray, shape (n, dim), float64
            Songs, placed in song space; all finite.
        is_like : ndarray, shape (n,), bool
            Both values must occur among the rows of positive weight.
        weight : ndarray, shape (n,), float64
            How much each row counts, 0 or more. The weights' sum matters: twice the weight is twice
            the evidence against the regularisation.

        Returns
        -------
        TrainedHead
        """

    def shared(self, rows: FloatArray) -> "tuple[Learner, FloatArray]":
        """Return a learner and rows that give the same decisions as this one on `rows`, but faster.

        Parameters
        ----------
        rows : ndarray, shape (n, dim), float64
            All rows on which heads like this one are going to be trained and to decide.

        Returns
        -------
        (learner, rows)
            `rows` of shape (n, any), row by row with those given. No label is used.
        """
        return self, rows


@dataclass(frozen=True, kw_only=True)
class Logistic(Learner):
    """Logistic regression with an L2 penalty.

    `C` weighs evidence against penalty, for a like of weight 1.
    """

    C: float = 1.0

    def fit(self, rows: FloatArray, is_like: BoolArray, weight: FloatArray) -> TrainedHead:
        """Train a head of one layer; see `Learner.fit`."""
        coef, intercept = fit_logistic(rows, is_like, weight, C=self.C)
        return TrainedHead(layers=((coef[:, np.newaxis], np.array([intercept])),))


@dataclass(frozen=True, kw_only=True)
class Kernel(Learner):
    """Logistic regression on likeness to songs that are known: the default head.

    A line through song space can't follow a taste that is two tastes in one; likeness can, which
    falls off as exp(-2 gamma (1 - cos)) with the angle between two songs (a Gaussian kernel on the
    sphere). Where there are more songs than landmarks, likeness is taken to the landmarks alone
    (Williams & Seeger 2001, "Using the Nystroem method to speed up kernel machines"): first the
    rows of most weight, then others: the first and the last, as many of either. Where rows are
    sorted by digest these are as good as random, and most of them stay where a few songs come or
    go.

    Parameters
    ----------
    C : float
        Evidence against penalty, for a like of weight 1.
    gamma : float
        How fast likeness falls off, above 0.
    max_landmarks : int
        Most songs that likeness is taken to.
    """

    C: float = 1.0
    gamma: float = 1.0
    max_landmarks: int = 400

    def fit(self, rows: FloatArray, is_like: BoolArray, weight: FloatArray) -> TrainedHead:
        """Train a head of two layers, likenesses and their weights; see `Learner.fit`."""
        points = _unit(rows)
        order = np.argsort(-weight, kind="stable")
        heavy = order[: np.searchsorted(-weight[order], -weight.min(), side="left")][
            : self.max_landmarks
        ]
        light = np.setdiff1d(np.arange(len(rows)), heavy)
        n_light = min(len(light), self.max_landmarks - len(heavy))
        landmarks = points[np.sort(np.concatenate([heavy, light[_ends(n_light, len(light))]]))]
        features, roots = self._features(points, landmarks)
        coef, intercept = fit_logistic(features, is_like, weight, C=self.C)
        to_landmarks = 2 * self.gamma * np.ascontiguousarray(landmarks.T)  # (dim, n_landmarks)
        likeness = to_landmarks, np.full(len(landmarks), -2 * self.gamma)
        weights = (roots @ coef)[:, np.newaxis], np.array([intercept])
        return TrainedHead(layers=(likeness, weights), activation="exp", unit_rows=True)

    def _features(self, points: FloatArray, landmarks: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return rows whose inner products are the kernel.

        Return also the matrix from likenesses to them.
        """
        own = self._likeness(landmarks, landmarks)
        own[np.diag_indices_from(own)] += _COPIES
        roots = np.linalg.inv(np.linalg.cholesky(own)).T  # (n_landmarks, n_landmarks)
        return self._likeness(points, landmarks) @ roots, roots

    def _likeness(self, points: FloatArray, landmarks: FloatArray) -> FloatArray:
        return ACTIVATIONS["exp"](2 * self.gamma * (points @ landmarks.T - 1))

    def shared(self, rows: FloatArray) -> tuple[Learner, FloatArray]:
        """Return a logistic learner on kernel features, which heads on any of the rows can share.

        The decisions are the same: a kernel machine's solution lies in the span of the rows that it
        is fitted on (the representer theorem), so that more landmarks change nothing. Beyond 1,000
        rows some are left out.
        """
        points = _unit(rows)
        landmarks = points[_ends(min(len(points), _MAX_SHARED), len(points))]
        return Logistic(C=self.C), self._features(points, landmarks)[0]


@dataclass(frozen=True, kw_only=True)
class Dense(Learner):
    """A small committee of one-hidden-layer perceptrons.

    A few members that start differently are averaged, which takes most of the luck out of so small
    a fit.

    Parameters
    ----------
    n_hidden : int
        Rectifiers of each member.
    n_members : int
        Networks averaged.
    alpha : float
        L2 penalty, against likes of weight 1.
    max_iter : int
        Steps of L-BFGS; stopping early is part of the regularisation, and no warning is given.
    random_state : int
        Seed of the initial weights.
    """

    n_hidden: int = 8
    n_members: int = 3
    alpha: float = 1.0
    max_iter: int = 100
    random_state: int = 0

    def fit(self, rows: FloatArray, is_like: BoolArray, weight: FloatArray) -> TrainedHead:
        """Train a head of two layers; see `Learner.fit`."""
        mean = np.average(rows, axis=0, weights=weight)  # (dim,)
        energy = float(np.average(np.square(rows - mean).sum(axis=1), weights=weight))
        scale = np.sqrt(rows.shape[1] / energy) if energy > 0 else 1.0  # columns of unit variance
        scaled = (rows - mean) * scale
        members = [
            self._fit_member(scaled, is_like, weight, number) for number in range(self.n_members)
        ]
        first = scale * np.hstack([m.coefs_[0] for m in members])  # (dim, n_members * n_hidden)
        bias = np.hstack([m.intercepts_[0] for m in members]) - mean @ first
        last = np.vstack([m.coefs_[1] for m in members]) / self.n_members
        last_bias = np.mean([m.intercepts_[1] for m in members], axis=0)
        return TrainedHead(
            layers=((first, bias), (last, last_bias)), n_steps=max(m.n_iter_ for m in members)
        )

    def _fit_member(
        self, rows: FloatArray, is_like: BoolArray, weight: FloatArray, number: int
    ) -> Any:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier

        model = MLPClassifier(
            hidden_layer_sizes=(self.n_hidden,),
            solver="lbfgs",
            alpha=self.alpha,
            max_iter=self.max_iter,
            random_state=self.random_state + number,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(rows, is_like.astype(np.intp), sample_weight=weight)


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def _ends(n: int, n_rows: int) -> NDArray[np.intp]:
    """Return `n` of `n_rows` indices, half of them from either end.

    Likes come first and unlabelled songs last, so that neither crowd the others out.
    """
    return np.concatenate([np.arange(n - n // 2), np.arange(n_rows - n // 2, n_rows)])


LEARNERS: dict[str, type[Learner]] = {"kernel": Kernel, "logistic": Logistic, "dense": Dense}
