"""How likely a song of the library is liked, where nobody has labelled the library.

The unlabelled decisions are taken for a mixture of two normal distributions of one width: hidden
likes, that score as the labelled likes do, and the rest (McLachlan & Peel 2000, "Finite mixture
models"). A few hundred songs seldom tell which mixture it is: a library half of which is liked also
looks like one wide heap. The best mixture jumps from one explanation to the other when a few songs
come or go. So no mixture is chosen here: the probability of a like is its mean over all mixtures,
each weighed by its posterior (Gelman et al. 2013, "Bayesian data analysis", chapter 10).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from classify.errors import ClassifyError
from classify.taste.calibration import MIN_SLOPE, Calibration
from classify.taste.vectors import FloatArray

__all__ = ["fit_mixture"]

# Where the mixtures lie, in standard deviations of all decisions from their mean. Twice as many
# points move no score by more than 0.01.
_REST_MEANS = (-1.6, 0.8, 13)
_WIDTHS = (0.25, 1.3, 7)
_LOG_ODDS_OF_SHARE = (-5.3, 2.2, 10)
_LIKE_MEANS = (-1.5, 0.0, 1.5)
"""The centre of the likes, in standard errors from their mean: a few likes don't tell it well."""

# Chosen on the tasks of tests/benchmarks/bench_accuracy.py, where calibration was best and moved
# least; half or twice as much changes little.
_PRIOR_SHARE, _PRIOR_SHARE_SONGS = 0.1, 10
_FEW_SONGS = 8
"""A library of so few songs was picked by hand: up to half of it may be liked."""
_PRIOR_VARIANCE, _PRIOR_VARIANCE_SONGS = 0.5, 4
_EVIDENCE_SONGS = 30
"""Songs of evidence that a library is worth, however large it is.

What is not liked is no normal distribution: in any library some of it lies close to the likes. So
the likelihood is tempered (Gruenwald 2012, "The safe Bayesian").
"""
_FLAT = 1e-9
_N_POINTS = 61


def fit_mixture(likes: FloatArray, unlabelled: FloatArray, dislikes: FloatArray) -> Calibration:
    """Fit a calibration beside unlabelled songs, some of which are likes not yet labelled.

    Parameters
    ----------
    likes : ndarray, shape (n_like,), float64
        Decisions on likes that the head took for unlabelled; see
        `classify.learning.hidden_likes`.
    unlabelled : ndarray, shape (n_unlabelled,), float64
        At least one.
    dislikes : ndarray, shape (n_dislike,), float64
        They belong to the rest for certain.

    Returns
    -------
    Calibration
        The logistic function that is nearest to the mean posterior.

    Raises
    ------
    ClassifyError
        If likes or unlabelled are empty or a decision is not finite.
    """
    known = np.concatenate([likes, unlabelled, dislikes])
    if not (len(likes) and len(unlabelled)) or not np.isfinite(known).all():
        raise ClassifyError(
            f"calibration needs finite decisions of both sides; it has {len(likes)} likes and "
            f"{len(unlabelled)} unlabelled songs"
        )
    centre, spread = float(known.mean()), float(known.std())
    # every song alike: nothing to go on
    if spread <= _FLAT * max(1.0, float(np.abs(known).max())):
        return Calibration(a=MIN_SLOPE, b=-MIN_SLOPE * centre)
    slope, offset = _mean_posterior(
        *((part - centre) / spread for part in (likes, unlabelled, dislikes))
    )
    if slope < MIN_SLOPE:  # likes score no higher than the rest: no claim is made
        slope, offset = MIN_SLOPE, 0.0
    return Calibration(a=slope / spread, b=offset - slope * centre / spread)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Mixtures:
    """All mixtures that are believed in, shape (n,) each."""

    like_mean: FloatArray
    rest_mean: FloatArray
    width: FloatArray
    share: FloatArray

    @property
    def slope(self) -> FloatArray:
        """Of the log-odds of a like, which are a linear function of the decision.

        0 where the likes are no higher than the rest: then a decision says nothing.
        """
        apart = np.maximum(self.like_mean - self.rest_mean, 0)
        return np.asarray(apart / np.square(self.width))

    @property
    def offset(self) -> FloatArray:
        """Of the log-odds of a like."""
        middle = (self.like_mean + self.rest_mean) / 2
        return np.asarray(np.log(self.share / (1 - self.share)) - self.slope * middle)


@lru_cache(maxsize=1)
def _grid() -> tuple[FloatArray, ...]:
    """Return like offset in standard errors, rest mean, width and share of each mixture."""
    log_odds = np.linspace(*_LOG_ODDS_OF_SHARE)
    axes = (
        np.array(_LIKE_MEANS),
        np.linspace(*_REST_MEANS),
        np.geomspace(*_WIDTHS),
        1 / (1 + np.exp(-log_odds)),
    )
    return tuple(part.ravel() for part in np.meshgrid(*axes, indexing="ij"))


def _mean_posterior(
    likes: FloatArray, unlabelled: FloatArray, dislikes: FloatArray
) -> tuple[float, float]:
    """Return slope and offset; decisions come with mean 0 and variance 1."""
    errors, rest_mean, width, share = _grid()
    like_mean = likes.mean() + errors * width / np.sqrt(len(likes))
    mixtures = _Mixtures(like_mean=like_mean, rest_mean=rest_mean, width=width, share=share)
    log_weights = _log_posterior(mixtures, likes, unlabelled, dislikes) - np.square(errors) / 2
    weights = np.exp(log_weights - log_weights.max())
    return _nearest_logistic(mixtures, weights / weights.sum())


def _log_posterior(
    mixtures: _Mixtures, likes: FloatArray, unlabelled: FloatArray, dislikes: FloatArray
) -> FloatArray:
    """Return the log of each mixture's posterior, up to a constant, shape (n,)."""
    log_width, precision = np.log(mixtures.width), 1 / (2 * np.square(mixtures.width))

    def rest(decisions: FloatArray) -> FloatArray:
        """Log-density of decisions under the rest, summed."""
        n, total, squares = len(decisions), decisions.sum(), np.square(decisions).sum()
        apart = squares - 2 * total * mixtures.rest_mean + n * np.square(mixtures.rest_mean)
        return np.asarray(-apart * precision - n * log_width)

    # log(share * N(like) + (1 - share) * N(rest)) = log((1 - share) * N(rest)) + log(1 + odds)
    mixed = rest(unlabelled) + len(unlabelled) * np.log1p(-mixtures.share)
    for decision in unlabelled:
        mixed += np.logaddexp(0, mixtures.slope * decision + mixtures.offset)
    found = mixed * min(1.0, _EVIDENCE_SONGS / len(unlabelled)) + rest(dislikes)
    found -= np.square(likes - likes.mean()).sum() * precision + (len(likes) - 1) * log_width
    n_few = _FEW_SONGS / (len(unlabelled) + _FEW_SONGS)
    share = _PRIOR_SHARE * (1 - n_few) + 0.5 * n_few
    found += _PRIOR_SHARE_SONGS * (
        share * np.log(mixtures.share) + (1 - share) * np.log1p(-mixtures.share)
    )
    return np.asarray(found - _PRIOR_VARIANCE_SONGS * (_PRIOR_VARIANCE * precision + log_width))


def _nearest_logistic(mixtures: _Mixtures, weights: FloatArray) -> tuple[float, float]:
    """Return slope and offset of the line nearest to the log-odds of the mean posterior.

    A point counts as much as it tells of the slope there, p (1 - p).
    """
    some = weights > _FLAT
    slopes, offsets = mixtures.slope[some], mixtures.offset[some]
    points = np.linspace(-4, 5, _N_POINTS)
    log_odds = slopes[:, np.newaxis] * points + offsets[:, np.newaxis]  # (n, n_points)
    liked = weights[some] @ (0.5 * (1 + np.tanh(log_odds / 2)))
    liked = np.clip(liked, _FLAT, 1 - _FLAT)
    told = np.sqrt(liked * (1 - liked) + _FLAT)
    design = np.stack([points, np.ones(_N_POINTS)], axis=1) * told[:, np.newaxis]
    (slope, offset), *_ = np.linalg.lstsq(design, np.log(liked / (1 - liked)) * told, rcond=None)
    return float(slope), float(offset)
