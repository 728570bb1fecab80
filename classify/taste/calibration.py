"""From decision values to probabilities, with an honest "can't tell" in between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.errors import ClassifyError
from classify.taste.vectors import FloatArray

__all__ = ["MIN_SLOPE", "THRESHOLD", "Calibration", "unsure_band"]

THRESHOLD = 0.5
_DOUBT = 0.005
"""Nothing is more certain than this leaves it: a few songs can't tell one in a thousand."""
_MAX_STEPS = 100
_MAX_HALF_WIDTH = 0.45
MIN_SLOPE = 0.01
"""In units of 1 / standard deviation of the decisions.

A head that ranks held-out songs backwards or by chance says nothing; so flat a slope leaves all
scores near one half, and keeps the order.
"""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The map from a decision to a probability.

    It is 1 / (1 + exp(-(a * decision + b))), between 0.005 and 0.995.

    Beside an unlabelled library (`classify.learning.mixture`) a score is the probability that a
    song *of this library* is liked: the share of likes hidden in it is estimated, for nobody labels
    songs at random, and counts of labels say nothing about it. With dislikes alone (`fit`) the
    prior is *balanced*: 0.5 means that the song fits the likes and the dislikes equally well.

    Parameters
    ----------
    a : float
        Slope, above 0: a higher decision is never a lower probability.
    b : float
        Offset.

    Raises
    ------
    ClassifyError
        If a value is not finite or the slope is not positive.
    """

    a: float = 1.0
    b: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.a) and np.isfinite(self.b) and self.a > 0):
            raise ClassifyError(
                f"calibration has slope {self.a} and offset {self.b}; both must be finite and the "
                "slope above 0: train the taste again"
            )

    def __call__(self, decisions: FloatArray) -> FloatArray:
        """Return probabilities in [0, 1], float64, in the shape of the decisions."""
        # tanh is the logistic function without overflow at either end
        with np.errstate(over="ignore"):  # of a stranger's taste; infinity is certain enough
            certain: FloatArray = 0.5 * (1 + np.tanh((self.a * decisions + self.b) / 2))
        return _DOUBT + (1 - 2 * _DOUBT) * certain

    def inverse(self, probability: float) -> float:
        """Return the decision that gets a probability, which is brought between 0.005 and 0.995."""
        certain = (probability - _DOUBT) / (1 - 2 * _DOUBT)
        certain = min(max(certain, 1e-9), 1 - 1e-9)
        return (float(np.log(certain / (1 - certain))) - self.b) / self.a

    @classmethod
    def fit(
        cls, decisions: FloatArray, is_like: NDArray[np.bool_], weights: FloatArray
    ) -> "Calibration":
        """Fit slope and offset by Newton's method.

        Parameters
        ----------
        decisions : ndarray, shape (n,), float64
            Decisions on songs that their head has *not* seen; on its own songs a head is always
            sure, and so would be the calibration.
        is_like : ndarray, shape (n,), bool
            Both values must occur.
        weights : ndarray, shape (n,), float64
            Relative weight within each side. Each side is scaled to the number of likes: that is
            the balanced prior, and keeps many weak negatives from pretending to be evidence.

        Returns
        -------
        Calibration

        Raises
        ------
        ClassifyError
            If a side is empty or a decision is not finite.

        Notes
        -----
        Targets are Platt's, (n + 1) / (n + 2) for likes and 1 / (n + 2) for the rest (Platt 1999,
        "Probabilistic outputs for support vector machines"), which keeps the fit finite when the
        sides do not overlap. The iteration is that of Lin, Lin & Weng 2007, "A note on Platt's
        probabilistic outputs".
        """
        likes = np.asarray(is_like, dtype=np.bool_)
        if likes.all() or not likes.any() or not np.isfinite(decisions).all():
            raise ClassifyError(
                f"calibration needs finite held-out decisions of both sides; it has "
                f"{int(likes.sum())} likes and {int((~likes).sum())} others"
            )
        mass = float(likes.sum())
        balanced = np.where(likes, weights / weights[likes].sum(), weights / weights[~likes].sum())
        balanced = balanced * mass
        targets = np.where(likes, (mass + 1) / (mass + 2), 1 / (mass + 2))
        centre = float(np.average(decisions, weights=balanced))
        spread = float(np.sqrt(np.average(np.square(decisions - centre), weights=balanced)))
        if spread <= 1e-9 * max(1.0, abs(centre)):  # every song alike: nothing to go on
            return cls(a=MIN_SLOPE, b=-MIN_SLOPE * centre)
        slope, offset = _newton((decisions - centre) / spread, targets, balanced)
        if slope < MIN_SLOPE:
            slope, offset = MIN_SLOPE, 0.0
        return cls(a=slope / spread, b=offset - slope * centre / spread)


def _newton(x: FloatArray, targets: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Minimise the weighted cross-entropy of slope * x + offset; convex, with step halving."""

    def loss(params: FloatArray) -> float:
        z = params[0] * x + params[1]
        return float(np.sum(weights * (np.logaddexp(0, z) - targets * z)))

    design = np.stack([x, np.ones_like(x)])  # (2, n)
    params = np.zeros(2)
    value = loss(params)
    for _ in range(_MAX_STEPS):
        p = 0.5 * (1 + np.tanh((params[0] * x + params[1]) / 2))
        gradient = design @ (weights * (p - targets))  # (2,)
        if np.abs(gradient).max() < 1e-10 * weights.sum():
            break
        curvature = (design * (weights * p * (1 - p))) @ design.T + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-10 and loss(params - size * step) > value:
            size /= 2
        if size <= 1e-10:
            break  # rounding: no step improves any more
        params = params - size * step
        value = loss(params)
    return float(params[0]), float(params[1])


def unsure_band(n_like: int, n_other: int, *, threshold: float = THRESHOLD) -> tuple[float, float]:
    """Return between which scores the honest verdict is "unsure".

    Parameters
    ----------
    n_like, n_other : int
        Independent pieces of evidence for each side: groups (artists, albums), not songs. 0 where
        nothing could be held out.
    threshold : float
        Middle of the band, in (0, 1).

    Returns
    -------
    (low, high) : tuple of float
        Symmetric about the threshold before it is cut to [0, 1]. The half-width is
        0.5 * sqrt(1 / n_like + 1 / n_other), at most 0.45: the standard error of a difference of
        two means has that form, and 0.5 is the largest standard deviation of a probability. So
        2 likes give 0.35, 7 give 0.19, 50 give 0.07 against a large library.
    """
    half = _MAX_HALF_WIDTH
    if n_like > 0 and n_other > 0:
        half = min(half, 0.5 * float(np.sqrt(1 / n_like + 1 / n_other)))
    return max(0.0, threshold - half), min(1.0, threshold + half)
