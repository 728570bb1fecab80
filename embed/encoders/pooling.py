"""What is stored of frames: their parts pooled, float16, and the song vector."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embed.errors import UnusableEmbedding

__all__ = ["pool_parts", "song_vector", "storable"]

_MAX_FLOAT16 = float(np.finfo(np.float16).max)
# Numbers pooled at a time: a ten-hour recording's frames in float64 are 150 MB. Of a scan they are
# all at once, which takes three encoders 0.4 ms; 64 columns at a time took 1.8.
_AT_ONCE, _LEAST_COLUMNS = 2**16, 64


def pool_parts(embeddings: NDArray[np.float32], parts: Sequence[int]) -> NDArray[np.float32]:
    """Average the first ``parts[k]`` embeddings of window k: (n, n_parts, dim) to (n, dim)."""
    return np.stack(
        [one[:count].mean(axis=0) for one, count in zip(embeddings, parts, strict=True)]
    )


def storable(frames: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return embeddings as they are stored.

    Raises
    ------
    UnusableEmbedding
        If they are not finite or too large for float16.
    """
    largest = float(np.abs(frames).max())
    if not largest <= _MAX_FLOAT16:
        raise UnusableEmbedding(
            f"its embedding reaches {largest:.3g}; the cache stores float16, up to {_MAX_FLOAT16:g}"
        )
    return frames.astype(np.float16)


def song_vector(
    frames: NDArray[np.float16], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Pool frame embeddings into one vector.

    Parameters
    ----------
    frames : ndarray, shape (n_frames, dim), float16
        Embeddings in time order.
    weights : ndarray, shape (n_frames,), optional
        How much of a whole frame each one covers; a recording's last may cover less.

    Returns
    -------
    ndarray, shape (2 * dim,), float32
        Mean and standard deviation over frames. The deviation is corrected for how few they are, so
        that its root is on average that over many (`_smallness`). That of a single frame, and of
        what never changes, is 0.

    Raises
    ------
    ValueError
        If there is no frame or one is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from embed import song_vector
    >>> song_vector(np.array([[1, 2], [3, 2]], dtype=np.float16)).tolist()
    [2.0, 2.0, 2.092099189758301, 0.0]
    """
    if frames.ndim != 2 or len(frames) == 0:
        raise ValueError(
            f"frames have shape {frames.shape}; (n_frames, dim) with a frame is needed"
        )
    dim = frames.shape[1]
    smallness = _smallness(np.ones(len(frames)) if weights is None else weights)
    pooled = np.empty((2, dim), dtype=np.float32)
    n_columns = max(_LEAST_COLUMNS, _AT_ONCE // len(frames))
    for low in range(0, dim, n_columns):
        values = frames[:, low : low + n_columns].astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError("frames hold NaN or infinity")
        mean = np.average(values, axis=0, weights=weights)
        same = (values == values[0]).all(
            axis=0
        )  # as in silence; by rounding, the mean may miss them a little
        mean[same] = values[0, same]
        variance = np.average(np.square(values - mean), axis=0, weights=weights)
        pooled[:, low : low + n_columns] = mean, np.sqrt(variance) / smallness
    return pooled.ravel()


def _smallness(weights: NDArray[np.float64]) -> float:
    """Return how much too small the plain deviation of weighted frames is, from 0 to 1.

    The variance misses 1 / n (with unequal weights sum(w^2) / sum(w)^2, as n is then sum(w)^2 /
    sum(w^2): Kish 1965, "Survey sampling"). The mean root of a deviation misses more, and roots are
    what tastes learn from: with normal numbers the root of one over n - 1 is, on average, that of
    the true one times (2 / (n - 1))^(1/4) gamma(n / 2 - 1 / 4) / gamma((n - 1) / 2), as of a chi
    distribution with n - 1 degrees of freedom. 1 for a single frame, of which the deviation is 0.
    """
    if len(weights) == 1:
        return 1.0
    n = float(np.square(weights.sum()) / np.square(weights).sum())
    half = (n - 1) / 2
    root = math.exp(math.lgamma(half + 0.25) - math.lgamma(half)) / math.sqrt(math.sqrt(half))
    return math.sqrt(1 - 1 / n) * root**2
