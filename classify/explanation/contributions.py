"""What each number of a song vector, and each window of a song, adds to a taste's decision.

A song is compared with reference songs of the library that lie, on average, on the line between
like and not. Along the straight way from each of them to the song, in signed roots, the decision's
slope is added up: the integrated gradients of Sundararajan, Taly & Yan 2017 ("Axiomatic attribution
for deep networks"; Aumann & Shapley 1974), over several references (Erion et al. 2021, "Expected
gradients"). So what is added sums to the difference of the decisions. In roots, because the root's
own slope is infinite at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray, Vectors

if TYPE_CHECKING:
    from cache import Entry

__all__ = [
    "Reference",
    "Shares",
    "decide_as_if",
    "decide_with_slopes",
    "points_a_decision",
    "share_windows",
    "shares_of",
]
__all__ += ["signed_roots64"]

_FLAT = 1e-9
_AT_ONCE = 64
_NODES = 16
"""Of Gauss and Legendre's rule on each way: the smooth heads' remainder is then some 1e-11."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """What a song is compared with.

    These are likes and other songs, weighed so as to lie between like and not.

    Attributes
    ----------
    vectors : ndarray, shape (m, dim), float32
        Song vectors, at least one.
    weights : ndarray, shape (m,), float64
        They sum to 1.
    decision : float
        The mean decision, without the cap for unfamiliar songs. It is the threshold's where likes
        lie above and other songs below that, or else the nearest that can be had.
    """

    vectors: Vectors
    weights: FloatArray
    decision: float

    @classmethod
    def between(cls, taste: Taste, likes: Vectors, others: Vectors) -> Reference:
        """Weigh likes, shape (n_like, dim), and other songs, shape (n_other, dim).

        One side may be empty.
        """
        decisions = [decide_with_slopes(taste, signed_roots64(side))[0] for side in (likes, others)]
        share = float(len(likes) > 0)
        if len(likes) and len(others):
            liked, usual = (float(side.mean()) for side in decisions)
            line = taste.calibration.inverse(taste.threshold)
            share = float(np.clip((line - usual) / (liked - usual), 0, 1)) if liked > usual else 0.0
        weights = np.repeat(
            [share / max(1, len(likes)), (1 - share) / max(1, len(others))],
            [len(likes), len(others)],
        )
        return cls(
            vectors=np.concatenate([likes, others]),
            weights=weights,
            decision=float(weights @ np.concatenate(decisions)),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """What the numbers of a song vector add to its decision.

    Attributes
    ----------
    decision : float
        The song's, as `Taste.decisions` gives it.
    unfamiliar : float
        What the cap for songs unlike anything known takes away; 0 or less.
    shares : ndarray, shape (dim,), float64
        With `unfamiliar` they sum to `decision` less the reference's.
    slopes : ndarray, shape (dim,), float64
        Mean slope of the decision along the ways, by the roots of the numbers.
    """

    decision: float
    unfamiliar: float
    shares: FloatArray
    slopes: FloatArray


def signed_roots64(rows: NDArray[Any]) -> FloatArray:
    """Return the square roots of the numbers' sizes, with their signs, float64."""
    exact = rows.astype(np.float64)
    return np.asarray(np.copysign(np.sqrt(np.abs(exact)), exact))


def decide_with_slopes(taste: Taste, roots: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Decide on songs, and tell how the decision changes with each of their numbers.

    The arithmetic of `SongSpace` and of the layers, in float64 and backwards too.

    Parameters
    ----------
    taste : Taste
    roots : ndarray, shape (n, dim), float64
        Signed square roots of song vectors.

    Returns
    -------
    decisions : ndarray, shape (n,), float64
        Those of `Taste.decisions` to some 1e-6, without the cap for unfamiliar songs.
    slopes : ndarray, shape (n, dim), float64
        Their derivatives by the roots.
    """
    space = taste.space
    scale = space.standard.scale.astype(np.float64)
    rows = (roots - space.standard.mean) / scale
    unit, lengths = np.empty_like(rows), np.empty_like(rows)
    for part in _parts(space.blocks):
        found = np.linalg.norm(rows[:, part], axis=1, keepdims=True)
        lengths[:, part] = np.where(found > _FLAT, found, 1)
    np.divide(rows, lengths, out=unit)  # each block of length 1
    n_blocks = len(space.blocks)
    basis = space.basis.astype(np.float64) / np.sqrt(n_blocks)
    projected = unit @ basis - space.offset  # (n, n_axes)
    sizes = np.linalg.norm(projected, axis=1, keepdims=True)
    sizes = np.where(sizes > _FLAT, sizes, 1)
    places = projected / sizes
    decisions, slopes = _through_layers(taste, places)
    slopes = _across_unit(slopes, places) / sizes @ basis.T  # (n, dim)
    for part in _parts(space.blocks):
        slopes[:, part] = _across_unit(slopes[:, part], unit[:, part])
    return decisions, slopes / lengths / scale


def decide_as_if(
    taste: Taste, vector: Vectors, means: FloatArray, entries: Sequence[Entry]
) -> FloatArray:
    """Decide on a song as if all of it sounded like each of some moments; it stays as varied.

    Parameters
    ----------
    taste : Taste
    vector : ndarray, shape (dim,), float32
        The song's.
    means : ndarray, shape (n, dim / 2), float64
        Embeddings of the moments; of several encoders side by side.
    entries : sequence of Entry
        The song's, one for each encoder.

    Returns
    -------
    ndarray, shape (n,), float64
        Without the cap for unfamiliar songs.
    """
    is_mean = np.concatenate([np.repeat([True, False], one.frames.shape[1]) for one in entries])
    decisions = np.empty(len(means))
    for start in range(0, len(means), _AT_ONCE):
        some = means[start : start + _AT_ONCE]
        rows = np.tile(vector.astype(np.float64), (len(some), 1))
        rows[:, is_mean] = some
        decisions[start : start + _AT_ONCE] = decide_with_slopes(taste, signed_roots64(rows))[0]
    return decisions


def _parts(blocks: tuple[int, ...]) -> list[slice]:
    ends = np.cumsum(blocks).tolist()
    return [slice(end - width, end) for end, width in zip(ends, blocks, strict=True)]


def _across_unit(slopes: FloatArray, unit: FloatArray) -> FloatArray:
    """Take away what points along each unit row: scaling to unit length undoes it."""
    along = np.vecdot(slopes, unit)[:, np.newaxis]
    return np.asarray(slopes - along * unit)


def _through_layers(taste: Taste, places: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the decisions (n,) and their slopes by the places (n, n_axes)."""
    hidden, bends = places, []
    for depth, (weights, bias) in enumerate(taste.layers):
        if depth and taste.activation == "relu":
            bends.append((hidden > 0).astype(np.float64))
            hidden = np.maximum(hidden, 0)
        elif depth:
            likeness = np.exp(np.minimum(hidden, 0))
            bends.append(likeness * (hidden < 0))
            hidden = likeness
        hidden = hidden @ weights + bias
    slopes = np.ones((len(places), 1))
    for weights, _ in taste.layers[:0:-1]:
        slopes = slopes @ weights.T * bends.pop()
    return hidden[:, 0], slopes @ taste.layers[0][0].T


def shares_of(taste: Taste, vector: Vectors, reference: Reference) -> Shares:
    """Tell what each number of a song vector adds to the decision on it.

    Parameters
    ----------
    taste : Taste
    vector : ndarray, shape (dim,), float32
        The song's, as it is cached.
    reference : Reference

    Returns
    -------
    Shares
        They sum to the difference of the decisions; what the quadrature leaves (a dense head has
        kinks) is spread in proportion to their sizes.
    """
    root, others = signed_roots64(vector), signed_roots64(reference.vectors)
    ways = root - others  # (m, dim)
    slopes = np.zeros_like(ways)
    at, weights = np.polynomial.legendre.leggauss(_NODES)
    for place, weight in zip((at + 1) / 2, weights / 2, strict=True):
        slopes += weight * decide_with_slopes(taste, others + place * ways)[1]
    decision = float(taste.decisions(vector[np.newaxis])[0])
    raw = float(decide_with_slopes(taste, root[np.newaxis])[0][0])
    # Rounding apart, a decision is below the raw one only where the song is unlike anything known.
    unfamiliar = decision - raw if decision < raw - 1e-4 * max(1.0, abs(raw)) else 0.0
    shares = reference.weights @ (slopes * ways)
    sizes = np.abs(shares)
    missing = decision - unfamiliar - reference.decision - shares.sum()
    total = sizes.sum()
    shares += missing * (sizes / total if total > 0 else 1 / len(shares))
    return Shares(
        decision=decision, unfamiliar=unfamiliar, shares=shares, slopes=reference.weights @ slopes
    )


def share_windows(
    frames: NDArray[np.float16], weights: FloatArray, found: Shares, part: slice
) -> FloatArray:
    """Share out among windows what the means of one encoder's embeddings add to the decision.

    Every window gets the same of what the song's mean adds, and more or less as its roots differ
    from the windows' mean roots, by the decision's slope. What the deviations add belongs to no
    window.

    Parameters
    ----------
    frames : ndarray, shape (n, dim), float16
        Embeddings of windows.
    weights : ndarray, shape (n,), float64
        How much of a window each covers.
    found : Shares
    part : slice
        Where the encoder's means are in the song vector.

    Returns
    -------
    ndarray, shape (n,), float64
        They sum to ``found.shares[part].sum()``.
    """
    weights = weights / weights.sum()
    own = signed_roots64(frames) @ found.slopes[part]
    return np.asarray(weights * (found.shares[part].sum() + own - weights @ own))


def points_a_decision(taste: Taste, start: float, end: float) -> float:
    """Return by how much the score grows for each unit of decision between two decisions.

    What adds up to a difference of decisions, times this, adds up to the difference of the scores:
    Aumann and Shapley's shares again, as the score is a function of the decision alone.
    """
    least = 1e-4 / taste.calibration.a  # from nearer ones the difference would be mostly rounding
    if abs(end - start) < least:
        start, end = start - least, end + least
    low, high = taste.calibration(np.array([start, end])).tolist()
    return float((high - low) / (end - start))
