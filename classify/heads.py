"""The heads: tiny classifiers in song space, as scikit-learn estimators.

Each boils down to `layers()`: matrices with one `activation` between them, so that scoring needs NumPy
alone. This is the one module that imports scikit-learn at its top; import it inside functions.
"""

import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: TID253
from sklearn.exceptions import ConvergenceWarning  # noqa: TID253
from sklearn.linear_model import LogisticRegression  # noqa: TID253
from sklearn.neural_network import MLPClassifier  # noqa: TID253
from sklearn.utils.multiclass import check_classification_targets  # noqa: TID253
from sklearn.utils.validation import (  # noqa: TID253
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from classify.features import FloatArray
from classify.layers import ACTIVATIONS, Activation

__all__ = ["HEADS", "DenseHead", "Head", "KernelHead", "LogisticHead"]

Layers = list[tuple[FloatArray, FloatArray]]
_MAX_SHARED = 1000


class Head(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """What the heads have in common: two classes, a decision value, layers.

    A decision above 0 speaks for `classes_[1]`. Decisions are comparable within one fitted head;
    `classify.calibrate` turns them into probabilities.
    """

    activation: Activation = "relu"
    classes_: NDArray[Any]
    layers_: Layers

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Head":
        """Learn from labelled rows.

        Parameters
        ----------
        X : array-like, shape (n, dim)
            Songs, placed in song space.
        y : array-like, shape (n,)
            Two classes; the larger label is the one a positive decision speaks for.
        sample_weight : array-like, shape (n,), optional
            How much each row counts, 0 or more; 1 each by default. The weights' sum matters: twice
            the weight is twice the evidence against the regularisation.

        Returns
        -------
        Head
            Itself.

        Raises
        ------
        ValueError
            If there are not exactly two classes, or a value is not finite.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass "
                f"({len(self.classes_)} classes)."
            )
        if len(np.unique(codes[weight > 0])) < 2:
            raise ValueError("Classifier can't train when only one class is present.")
        self.layers_ = self._fit_layers(X, codes, weight)
        return self

    @abstractmethod
    def _fit_layers(self, X: FloatArray, codes: NDArray[np.intp], weight: FloatArray) -> Layers:
        """Learn from checked rows; `codes` are 0 or 1."""

    def layers(self) -> Layers:
        """Return the fitted head as plain arrays.

        Returns
        -------
        list of (W, b)
            `W` of shape (n_in, n_out) and `b` of shape (n_out,), float64; apply `x @ W + b` one
            after the other with `activation` between them. The last one has one output: the decision.
        """
        check_is_fitted(self)
        return [(weights.copy(), bias.copy()) for weights, bias in self.layers_]

    def decision_function(self, X: Any) -> FloatArray:
        """Return decision values, shape (n,), float64; above 0 speaks for `classes_[1]`."""
        check_is_fitted(self)
        hidden: FloatArray = self._inputs(validate_data(self, X, reset=False, dtype=np.float64))
        for depth, (weights, bias) in enumerate(self.layers_):
            hidden = hidden if depth == 0 else ACTIVATIONS[self.activation](hidden)
            hidden = hidden @ weights + bias  # (n, n_out)
        return hidden[:, 0]

    def _inputs(self, X: FloatArray) -> FloatArray:
        """Return what the first layer reads."""
        return X

    def shared(self, X: FloatArray) -> tuple["Head", FloatArray]:
        """Return a head and rows that give the same decisions as this head on `X`, but fit faster.

        Parameters
        ----------
        X : ndarray, shape (n, dim), float64
            All rows on which heads like this one are going to be fitted and to decide.

        Returns
        -------
        (head, rows)
            An unfitted head, and `rows` of shape (n, any), row by row with `X`. No label is used.
        """
        return self, X

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the head's own, uncalibrated probabilities, shape (n, 2), float64."""
        decision = self.decision_function(X)
        positive = 0.5 * (1 + np.tanh(decision / 2))  # the logistic function without overflow
        return np.stack([1 - positive, positive], axis=1)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likelier class of each row, shape (n,)."""
        codes = (self.decision_function(X) > 0).astype(np.intp)
        return self.classes_[codes]

    def __sklearn_tags__(self) -> Any:
        """Declare that two classes are all it does."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class LogisticHead(Head):
    """Logistic regression with an L2 penalty.

    Parameters
    ----------
    C : float
        Evidence against penalty, for a like of weight 1.
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def _fit_layers(self, X: FloatArray, codes: NDArray[np.intp], weight: FloatArray) -> Layers:
        model = LogisticRegression(C=self.C, tol=1e-5, max_iter=2000)
        model.fit(X, codes, sample_weight=weight)
        return [(np.ascontiguousarray(model.coef_.T), model.intercept_.copy())]


class KernelHead(Head):
    """Logistic regression on likeness to songs that are known: the default head.

    A line through song space can't follow a taste that is two tastes in one; likeness can, which falls off
    as exp(-2 gamma (1 - cos)) with the angle between two songs (a Gaussian kernel on the sphere). Where there
    are more songs than landmarks, likeness is taken to the landmarks alone (Williams & Seeger 2001, "Using
    the Nystroem method to speed up kernel machines"): first the rows of most weight, then others, evenly
    spaced.

    Parameters
    ----------
    C : float
        Evidence against penalty, for a like of weight 1.
    gamma : float
        How fast likeness falls off, above 0.
    max_landmarks : int
        Most songs that likeness is taken to.
    """

    activation: Activation = "exp"

    def __init__(self, C: float = 1.0, gamma: float = 1.0, max_landmarks: int = 400) -> None:
        self.C = C
        self.gamma = gamma
        self.max_landmarks = max_landmarks

    def _fit_layers(self, X: FloatArray, codes: NDArray[np.intp], weight: FloatArray) -> Layers:
        points = self._inputs(X)
        order = np.argsort(-weight, kind="stable")
        heavy = order[: np.searchsorted(-weight[order], -weight.min(), side="left")][: self.max_landmarks]
        light = np.setdiff1d(np.arange(len(X)), heavy)
        n_light = min(len(light), self.max_landmarks - len(heavy))
        landmarks = points[np.sort(np.concatenate([heavy, light[_evenly(n_light, len(light))]]))]
        features, roots = self._features(points, landmarks)
        [(coef, bias)] = LogisticHead(C=self.C)._fit_layers(features, codes, weight)
        to_landmarks = 2 * self.gamma * np.ascontiguousarray(landmarks.T)  # (dim, n_landmarks)
        return [(to_landmarks, np.full(len(landmarks), -2 * self.gamma)), (roots @ coef, bias)]

    def _inputs(self, X: FloatArray) -> FloatArray:
        lengths = np.linalg.norm(X, axis=1, keepdims=True)
        return np.asarray(X / np.where(lengths > 0, lengths, 1))

    def _features(self, points: FloatArray, landmarks: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return rows whose inner products are the kernel, and the matrix from likenesses to them."""
        values, vectors = np.linalg.eigh(self._likeness(landmarks, landmarks))
        strong = values > 1e-10 * values[-1]  # copies of a song add nothing
        roots = vectors[:, strong] / np.sqrt(values[strong])  # (n_landmarks, n_features)
        return self._likeness(points, landmarks) @ roots, roots

    def _likeness(self, points: FloatArray, landmarks: FloatArray) -> FloatArray:
        return ACTIVATIONS["exp"](2 * self.gamma * (points @ landmarks.T - 1))

    def shared(self, X: FloatArray) -> tuple[Head, FloatArray]:
        """Return a logistic head on kernel features, which heads on any of the rows can share.

        The decisions are the same: a kernel machine's solution lies in the span of the rows that it is fitted
        on (the representer theorem), so that more landmarks change nothing. Beyond 1,000 rows some are left
        out.
        """
        points = self._inputs(X)
        landmarks = points[_evenly(min(len(points), _MAX_SHARED), len(points))]
        return LogisticHead(C=self.C), self._features(points, landmarks)[0]


class DenseHead(Head):
    """A small committee of one-hidden-layer perceptrons.

    A few members that start differently are averaged, which takes most of the luck out of so small a fit.

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

    def __init__(
        self,
        n_hidden: int = 8,
        n_members: int = 3,
        alpha: float = 1.0,
        max_iter: int = 100,
        random_state: int = 0,
    ) -> None:
        self.n_hidden = n_hidden
        self.n_members = n_members
        self.alpha = alpha
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit_layers(self, X: FloatArray, codes: NDArray[np.intp], weight: FloatArray) -> Layers:
        mean = np.average(X, axis=0, weights=weight)  # (dim,)
        energy = float(np.average(np.square(X - mean).sum(axis=1), weights=weight))
        scale = np.sqrt(X.shape[1] / energy) if energy > 0 else 1.0  # unit variance, on average over columns
        members = [self._fit_member((X - mean) * scale, codes, weight, i) for i in range(self.n_members)]
        self.n_iter_ = max(m.n_iter_ for m in members)
        first = scale * np.hstack([m.coefs_[0] for m in members])  # (dim, n_members * n_hidden)
        bias = np.hstack([m.intercepts_[0] for m in members]) - mean @ first
        last = np.vstack([m.coefs_[1] for m in members]) / self.n_members
        return [(first, bias), (last, np.mean([m.intercepts_[1] for m in members], axis=0))]

    def _fit_member(self, rows: FloatArray, codes: NDArray[np.intp], weight: FloatArray, number: int) -> Any:
        model = MLPClassifier(
            hidden_layer_sizes=(self.n_hidden,),
            solver="lbfgs",
            alpha=self.alpha,
            max_iter=self.max_iter,
            random_state=self.random_state + number,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(rows, codes, sample_weight=weight)


def _evenly(n: int, n_rows: int) -> NDArray[np.intp]:
    """Return `n` of `n_rows` indices, evenly spaced."""
    return np.arange(n) * n_rows // max(1, n)


HEADS: dict[str, type[Head]] = {"kernel": KernelHead, "logistic": LogisticHead, "dense": DenseHead}
