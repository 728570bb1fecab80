"""The heads: tiny classifiers on standardised song vectors, as scikit-learn estimators.

Each boils down to `layers()`: matrices with rectifiers between them, so that scoring needs NumPy
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
from sklearn.utils.extmath import randomized_svd  # noqa: TID253
from sklearn.utils.multiclass import check_classification_targets  # noqa: TID253
from sklearn.utils.validation import (  # noqa: TID253
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from classify.features import FloatArray

__all__ = ["HEADS", "DenseHead", "Head", "LogisticHead"]

Layers = list[tuple[FloatArray, FloatArray]]

_EXACT_ROWS = 1000


class Head(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """What the heads have in common: two classes, a decision value, layers.

    A decision above 0 speaks for `classes_[1]`. Decisions are comparable within one fitted head;
    `classify.calibrate` turns them into probabilities.
    """

    classes_: NDArray[Any]
    layers_: Layers

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Head":
        """Learn from labelled rows.

        Parameters
        ----------
        X : array-like, shape (n, dim)
            Standardised song vectors.
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
            after the other with max(0, .) between them. The last one has one output: the decision.
        """
        check_is_fitted(self)
        return [(weights.copy(), bias.copy()) for weights, bias in self.layers_]

    def decision_function(self, X: Any) -> FloatArray:
        """Return decision values, shape (n,), float64; above 0 speaks for `classes_[1]`."""
        check_is_fitted(self)
        hidden: FloatArray = validate_data(self, X, reset=False, dtype=np.float64)
        for depth, (weights, bias) in enumerate(self.layers_):
            hidden = hidden if depth == 0 else np.maximum(hidden, 0)
            hidden = hidden @ weights + bias  # (n, n_out)
        return hidden[:, 0]

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
    """Logistic regression with a strong L2 penalty: the default head.

    Parameters
    ----------
    C : float
        Evidence against penalty. 0.05 for a like of weight 1 is what the prototype of
        the first measurements amounts to (C = 0.01, balanced, 7 likes among some 67 songs), but
        does not depend on how large the library is.
    """

    def __init__(self, C: float = 0.05) -> None:
        self.C = C

    def _fit_layers(self, X: FloatArray, codes: NDArray[np.intp], weight: FloatArray) -> Layers:
        # The penalty is rotation invariant and the solution lies in the span of the rows (the
        # representer theorem), so n numbers a row say as much as dim: exact, and far faster.
        basis = np.linalg.qr(X.T)[0] if X.shape[1] > 2 * X.shape[0] else None  # (dim, n)
        rows = X if basis is None else X @ basis
        model = LogisticRegression(C=self.C, tol=1e-6, max_iter=2000)
        model.fit(rows, codes, sample_weight=weight)
        coef: FloatArray = model.coef_.T  # (n_in, 1)
        return [(coef if basis is None else basis @ coef, model.intercept_.copy())]


class DenseHead(Head):
    """A small committee of one-hidden-layer perceptrons on the main directions of variation.

    Seven likes can't steer 3012 inputs of a network, so the rows are first projected on their
    (weighted) principal components; a few members that start differently are averaged, which takes
    most of the luck out of so small a fit. All of it folds into two layers.

    Parameters
    ----------
    n_components : int
        Directions kept.
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
        n_components: int = 48,
        n_hidden: int = 8,
        n_members: int = 3,
        alpha: float = 2.0,
        max_iter: int = 100,
        random_state: int = 0,
    ) -> None:
        self.n_components = n_components
        self.n_hidden = n_hidden
        self.n_members = n_members
        self.alpha = alpha
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit_layers(self, X: FloatArray, codes: NDArray[np.intp], weight: FloatArray) -> Layers:
        mean = np.average(X, axis=0, weights=weight)  # (dim,)
        basis = self._directions((X - mean) * np.sqrt(weight)[:, None])  # (dim, k)
        rows = (X - mean) @ basis
        energy = float(np.average(np.square(rows).sum(axis=1), weights=weight))
        basis *= 1 / np.sqrt(energy / rows.shape[1]) if energy > 0 else 1.0
        rows = (X - mean) @ basis  # (n, k), unit variance on average over directions
        members = [self._fit_member(rows, codes, weight, i) for i in range(self.n_members)]
        self.n_iter_ = max(m.n_iter_ for m in members)
        first = basis @ np.hstack([m.coefs_[0] for m in members])  # (dim, n_members * n_hidden)
        bias = np.hstack([m.intercepts_[0] for m in members]) - mean @ first
        last = np.vstack([m.coefs_[1] for m in members]) / self.n_members
        return [(first, bias), (last, np.mean([m.intercepts_[1] for m in members], axis=0))]

    def _directions(self, rows: FloatArray) -> FloatArray:
        """Return an orthonormal basis, shape (dim, k), of the strongest directions of rows."""
        n_kept = min(self.n_components, rows.shape[0])
        if rows.shape[1] <= n_kept:
            return np.eye(rows.shape[1])
        if rows.shape[0] > _EXACT_ROWS:
            # Three rounds find the strong ones well enough; exact would take a second.
            found = randomized_svd(rows, n_kept, n_iter=3, random_state=self.random_state)
            return np.ascontiguousarray(found[2].T)
        values, vectors = np.linalg.eigh(rows @ rows.T)  # ascending
        values, vectors = values[::-1][:n_kept], vectors[:, ::-1][:, :n_kept]
        if values[0] <= 0:  # all songs are the same
            return np.eye(rows.shape[1], 1)
        strong = values > 1e-10 * values[0]  # the others are directions of rounding noise
        basis = rows.T @ (vectors[:, strong] / np.sqrt(values[strong]))  # (dim, k)
        # Fix the signs, which mean nothing but reach the random start of the networks.
        signs = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])
        return np.asarray(basis * signs)

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


HEADS: dict[str, type[Head]] = {"logistic": LogisticHead, "dense": DenseHead}
