"""The heads as scikit-learn estimators, for pipelines and searches of one's own.

Their arithmetic is `classify.learning.heads`, which is what `train` uses: importing scikit-learn
takes longer than training. This is the one module that imports it at its top; import it inside
functions.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: TID253
from sklearn.utils.multiclass import check_classification_targets  # noqa: TID253
from sklearn.utils.validation import (  # noqa: TID253
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from classify.learning.heads import Dense, Kernel, Learner, Logistic, TrainedHead
from classify.taste.layers import Activation, Layer
from classify.taste.vectors import FloatArray

__all__ = ["HEADS", "DenseHead", "Head", "KernelHead", "LogisticHead"]


class Head(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """What the heads have in common: two classes, a decision value, layers.

    A decision above 0 speaks for `classes_[1]`. Decisions are comparable within one fitted head;
    `classify.taste.calibration` turns them into probabilities.
    """

    activation: Activation = "relu"
    classes_: NDArray[Any]
    trained_: TrainedHead

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
        self.trained_ = self.learner().fit(X, codes == 1, weight)
        return self

    @abstractmethod
    def learner(self) -> Learner:
        """Return what trains it, with its settings."""

    def layers(self) -> list[Layer]:
        """Return the fitted head as plain arrays.

        Returns
        -------
        list of (W, b)
            `W` of shape (n_in, n_out) and `b` of shape (n_out,), float64; apply `x @ W + b` one
            after the other with `activation` between them. The last one has one output: the
            decision.
        """
        check_is_fitted(self)
        return [(weights.copy(), bias.copy()) for weights, bias in self.trained_.layers]

    def decision_function(self, X: Any) -> FloatArray:
        """Return decision values, shape (n,), float64; above 0 speaks for `classes_[1]`."""
        check_is_fitted(self)
        return self.trained_.decision_function(
            validate_data(self, X, reset=False, dtype=np.float64)
        )

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
    """Logistic regression with an L2 penalty, as an estimator of scikit-learn.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty, positive; see `classify.learning.heads.Logistic`.

    Examples
    --------
    >>> from classify import LogisticHead
    >>> LogisticHead(C=0.5).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]).predict([[2.5]])
    array([1])
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def learner(self) -> Logistic:
        """Return what trains it, with its settings."""
        return Logistic(C=self.C)


class KernelHead(Head):
    """Logistic regression on likeness, as an estimator of scikit-learn: what `train` uses.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty, positive.
    gamma : float
        How fast likeness falls with distance, positive; rows are scaled to length 1 first.
    max_landmarks : int
        Rows that others are compared with, at most; see `classify.learning.heads.Kernel`.

    Examples
    --------
    In a pipeline, on the songs that are cached:

    >>> from classify import KernelHead
    >>> from embed import open_embeddings
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> songs = open_embeddings("musicnn")
    >>> liked = ["acoustic" in path for path in songs.paths]
    >>> pipeline = make_pipeline(StandardScaler(), KernelHead())
    >>> bool(cross_val_score(pipeline, songs.matrix, liked, scoring="roc_auc").mean() > 0.9)
    True
    """

    activation: Activation = "exp"

    def __init__(self, C: float = 1.0, gamma: float = 1.0, max_landmarks: int = 400) -> None:
        self.C = C
        self.gamma = gamma
        self.max_landmarks = max_landmarks

    def learner(self) -> Kernel:
        """Return what trains it, with its settings."""
        return Kernel(C=self.C, gamma=self.gamma, max_landmarks=self.max_landmarks)


class DenseHead(Head):
    """A small committee of perceptrons, as an estimator of scikit-learn.

    Parameters
    ----------
    n_hidden : int
        Units in the hidden layer of each.
    n_members : int
        How many there are; their decisions are averaged.
    alpha : float
        Strength of the L2 penalty, 0 or more.
    max_iter : int
        Steps of the training, at most.
    random_state : int
        Seed of the first weights; see `classify.learning.heads.Dense`.

    Examples
    --------
    >>> from classify import DenseHead
    >>> head = DenseHead().fit([[-3.0], [-1.0], [1.0], [3.0]], [0, 0, 1, 1])
    >>> head.predict_proba([[2.0]]).shape
    (1, 2)
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

    def learner(self) -> Dense:
        """Return what trains it, with its settings."""
        return Dense(**self.get_params())

    @property
    def n_iter_(self) -> int:
        """Steps of the member that took most."""
        check_is_fitted(self, "trained_")
        return self.trained_.n_steps


HEADS: dict[str, type[Head]] = {"kernel": KernelHead, "logistic": LogisticHead, "dense": DenseHead}
