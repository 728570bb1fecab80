"""Song vectors, checked and standardised: the first step into song space."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.errors import VectorError

__all__ = ["FloatArray", "SongTransform", "Vectors", "as_rows"]
__all__ += ["check_vectors"]

Vectors = NDArray[np.float32]
FloatArray = NDArray[np.float64]

# Relative to a channel's own size. float32 keeps 7 digits, so a smaller spread is rounding noise,
# and dividing by it would blow that noise up to unit variance.
_FLAT = 1e-6
_ROWS_AT_ONCE = 32  # they stay in the processor's cache


def check_vectors(vectors: NDArray[Any], *, what: str = "song vectors") -> Vectors:
    """Return song vectors as float32 rows, or say what is wrong with them.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim), any real dtype
        One song a row. float32 input is not copied.
    what : str
        What to call them in the message.

    Returns
    -------
    ndarray, shape (n, dim), float32

    Raises
    ------
    VectorError
        If they are not a matrix, have no column, or hold a value that is not finite in float32.
    """
    rows = as_rows(vectors, what=what)
    # A sum is non-finite when a term is (or when it overflows: hence the slow second look).
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(~np.isfinite(rows.sum(axis=1)))
    bad = [int(i) for i in suspects if not np.isfinite(rows[i]).all()]
    if bad:
        raise VectorError(
            f"{what}: {len(bad)} of {len(rows)} rows hold a value that is not finite, the first is "
            f"row {bad[0]}; embed that song again ('sevensongs cache verify' finds damage)"
        )
    return rows


def as_rows(vectors: NDArray[Any], *, what: str = "song vectors") -> Vectors:
    """Return song vectors as float32 rows without a look at their values.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim), any real dtype
        One song a row. float32 input is not copied.
    what : str
        What to call them in the message.

    Returns
    -------
    ndarray, shape (n, dim), float32

    Raises
    ------
    VectorError
        If they are not a matrix, or have no column.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind not in "fiu":
        raise VectorError(
            f"{what} have shape {array.shape} and type {array.dtype}; a matrix of numbers "
            "(songs, dimensions) is needed: write vectors[None, :] for one song"
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf, which is not finite
        return array.astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class SongTransform:
    """Standardise song vectors by the library's mean and standard deviation.

    The library's, not the seven labelled songs': with so few labels, their own spread is mostly
    chance, and that difference alone is worth most of the accuracy (tests/benchmarks/README.md).
    The same object is fitted once, used in training, saved in the taste and used in scoring.

    Parameters
    ----------
    mean, scale : ndarray, shape (dim,), float32
        What is subtracted, and what is then divided by; `scale` is positive.

    Raises
    ------
    VectorError
        If the shapes differ, a value is not finite, or a scale is not positive.
    """

    mean: Vectors
    scale: Vectors

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.scale.shape or not self.mean.size:
            raise VectorError(
                f"transform has a mean of shape {self.mean.shape} and a scale of shape "
                f"{self.scale.shape}; both must be (dim,)"
            )
        if self.mean.dtype != np.float32 or self.scale.dtype != np.float32:
            raise VectorError(
                f"transform holds {self.mean.dtype} and {self.scale.dtype}; float32 is needed"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.scale).all()):
            raise VectorError("transform holds a value that is not finite")
        if not (self.scale > 0).all():
            raise VectorError(
                f"transform has a scale of {float(self.scale.min()):g}; it must be above 0"
            )

    @classmethod
    def fit(cls, library: Vectors) -> "SongTransform":
        """Measure mean and standard deviation over songs.

        Parameters
        ----------
        library : ndarray, shape (n, dim), float32
            All songs at hand, n >= 1. The result does not depend on the order of rows beyond
            rounding: sort them where bits matter.

        Returns
        -------
        SongTransform
            A feature that is constant over the library gets scale 1: it tells nothing, and must
            not become infinite when a new song differs.

        Raises
        ------
        VectorError
            If there is no song, or a value is not finite.
        """
        rows = check_vectors(library, what="library vectors")
        if not len(rows):
            raise VectorError("the library has 0 songs; a transform needs at least 1")
        mean, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
        parts = [
            slice(start, start + _ROWS_AT_ONCE) for start in range(0, len(rows), _ROWS_AT_ONCE)
        ]
        for part in parts:
            mean += rows[part].astype(np.float64).sum(axis=0)
        mean /= len(rows)
        for part in parts:
            centred = rows[part].astype(np.float64)
            centred -= mean
            squares += np.square(centred, out=centred).sum(axis=0)
        scale = np.sqrt(squares / len(rows))
        size = np.sqrt(np.square(mean) + np.square(scale))
        # The tiny absolute floor keeps the division inside float32's normal range.
        flat = scale <= np.maximum(_FLAT * size, np.finfo(np.float32).tiny * 1e6)
        scale[flat] = 1.0
        return cls(mean=mean.astype(np.float32), scale=scale.astype(np.float32))

    @property
    def dim(self) -> int:
        """Numbers in a song vector."""
        return int(self.mean.size)

    def __call__(self, vectors: NDArray[Any]) -> Vectors:
        """Standardise songs.

        Parameters
        ----------
        vectors : ndarray, shape (n, dim), float32
            Song vectors.

        Returns
        -------
        ndarray, shape (n, dim), float32
            Each row depends on its own song alone, bit for bit.

        Raises
        ------
        VectorError
            If the shape does not fit or a value is not finite.
        """
        rows = check_vectors(vectors)
        self.require_width(rows)
        standard = np.array(rows, order="C")
        with np.errstate(over="ignore"):
            self.standardise(standard)
        # Values far outside anything a song can give overflow to infinity; the largest float says
        # "very far" as well, and keeps every score a number.
        limit = np.finfo(np.float32).max
        return np.clip(standard, -limit, limit, out=standard)

    def require_width(self, rows: Vectors) -> None:
        """Refuse rows, shape (n, any), of another width than the library's by a VectorError."""
        if rows.shape[1] != self.dim:
            raise VectorError(
                f"song vectors have {rows.shape[1]} numbers, the transform was fitted on "
                f"{self.dim}; use vectors of the encoder that the taste was trained on"
            )

    def standardise(self, rows: Vectors) -> None:
        """Standardise checked rows, shape (n, dim), in place.

        What is beyond float32 becomes infinite.
        """
        np.subtract(rows, self.mean, out=rows)
        np.divide(rows, self.scale, out=rows)
