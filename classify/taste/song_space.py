"""Song space: where songs that sound alike point the same way, and a few likes go a long way.

Training, evaluation and scoring share one `SongSpace`, fitted without a label on the library and
saved in the taste.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from classify.errors import VectorError
from classify.taste.placement import Placer, signed_roots
from classify.taste.vectors import FloatArray, SongTransform, Vectors, as_rows, check_vectors

__all__ = ["SongSpace"]

# Chosen on the eight tastes of tests/benchmarks/bench_accuracy.py, checked on nine others that
# nobody had tuned on.
MAX_AXES = 64
_MAX_FITTED = 512
"""Songs from which the axes are found: more would change little and cost seconds."""
_SONGS_AN_AXIS, _FEW_AXES = 2, 32
"""Songs for each axis, and the axes of a small library.

With fewer songs an axis, the library's own songs would lie otherwise in the space than songs that
it has never seen. In a small library that costs less than to do without the axes.
"""
_SONGS_A_WHITE_AXIS = 6
"""How many songs tell how large a variance is.

Whitening stops at the energy over the number of such axes.
"""
_FLAT = 1e-9
_MAX_WEIGHT = 1e9
"""No library gives more than 1e6; sums of numbers at float32's end would be infinite."""
_placers: WeakValueDictionary[bytes, Placer] = WeakValueDictionary()
"""By what they are made of. Each takes up to 20 MB, and a label makes a new taste of one space."""
_making = threading.Lock()


@dataclass(frozen=True, kw_only=True, eq=False)
class SongSpace:
    """From song vectors to points on a sphere.

    Each number's signed square root is taken, standardised by the library, and the song scaled to
    unit length (power and L2 normalisation: Perronnin, Sanchez & Mensink 2010, "Improving the
    Fisher kernel"). The result is projected on the library's principal axes, whitened as far as the
    library tells them from noise, and scaled to unit length again (Jegou & Chum 2012, "Negative
    evidences and co-occurrences in image retrieval: the benefit of PCA and whitening"). Whitening
    matters because the axes along which most songs of a library differ (loud or quiet, dense or
    sparse) are rarely the ones that a taste is about.

    Parameters
    ----------
    standard : SongTransform
        Mean and scale of the signed square roots.
    blocks : tuple of int
        Widths of the parts of a composite's song vectors; each part has the same energy. One for
        one encoder.
    basis : ndarray, shape (dim, n_axes), float32
        The whitened axes.
    offset : ndarray, shape (n_axes,), float32
        The library's mean on them.

    Raises
    ------
    VectorError
        If the shapes do not fit together, or a value is not finite or beyond 1e9.
    """

    standard: SongTransform
    blocks: tuple[int, ...]
    basis: Vectors
    offset: Vectors

    def __post_init__(self) -> None:
        if min(self.blocks, default=0) < 1 or sum(self.blocks) != self.dim:
            raise VectorError(
                f"blocks of {list(self.blocks)} numbers do not make song vectors of {self.dim}"
            )
        if (
            self.basis.ndim != 2
            or self.basis.shape != (self.dim, self.offset.size)
            or self.offset.ndim != 1
        ):
            raise VectorError(
                f"song space has axes of shape {self.basis.shape} and a mean of shape "
                f"{self.offset.shape}; ({self.dim}, n) and (n,) are needed"
            )
        if (
            self.basis.dtype != np.float32
            or self.offset.dtype != np.float32
            or not self.offset.size
        ):
            raise VectorError(
                f"song space holds {self.basis.dtype} and {self.offset.dtype}; float32 is needed"
            )
        if not (np.isfinite(self.basis).all() and np.isfinite(self.offset).all()):
            raise VectorError("song space holds a value that is not finite")
        largest = float(max(np.abs(self.basis).max(), np.abs(self.offset).max()))
        if largest > _MAX_WEIGHT:
            raise VectorError(
                f"song space holds a value of size {largest:g}; {_MAX_WEIGHT:g} is the limit"
            )

    @classmethod
    def fit(cls, library: Vectors, *, blocks: Sequence[int] = ()) -> "SongSpace":
        """Find the space of a library.

        Parameters
        ----------
        library : ndarray, shape (n, dim), float32
            All songs at hand, n >= 1, sorted by digest where bits matter. The axes are found from
            the first 512, which by digest are as good as random.
        blocks : sequence of int, optional
            Widths of the parts of a composite's song vectors; default: one part.

        Returns
        -------
        SongSpace
            With at most 64 axes, and in a library of more than 64 songs at most one for every two
            of them.

        Raises
        ------
        VectorError
            If there is no song, a value is not finite, or the blocks are not what the rows are
            wide.
        """
        rows = check_vectors(library, what="library vectors")
        widths = tuple(blocks) or (rows.shape[1],)
        standard = SongTransform.fit(signed_roots(rows))
        if min(widths) < 1 or sum(widths) != standard.dim:
            raise VectorError(
                f"blocks of {list(widths)} numbers do not make song vectors of {standard.dim}"
            )
        points = _unit(standard(signed_roots(rows[:_MAX_FITTED])), widths)
        mean = points.mean(axis=0, dtype=np.float64)
        basis = _whitened_axes(points - mean)
        return cls(
            standard=standard,
            blocks=widths,
            basis=basis.astype(np.float32),
            offset=(mean @ basis).astype(np.float32),
        )

    @property
    def dim(self) -> int:
        """Numbers in a song vector."""
        return self.standard.dim

    @property
    def n_axes(self) -> int:
        """Numbers that place a song in the space."""
        return int(self.offset.size)

    def standardise(self, vectors: NDArray[Any]) -> Vectors:
        """Standardise the signed square roots of song vectors.

        Parameters
        ----------
        vectors : ndarray, shape (n, dim), float32
            Song vectors as they are cached.

        Returns
        -------
        ndarray, shape (n, dim), float32
            All finite. Each row depends on its own song alone, bit for bit.

        Raises
        ------
        VectorError
            If the shape does not fit or a value is not finite.
        """
        return self._placer.standardise(self._songs(vectors))

    def __call__(self, vectors: NDArray[Any]) -> FloatArray:
        """Place song vectors in the space.

        Parameters
        ----------
        vectors : ndarray, shape (n, dim), float32
            Song vectors as they are cached.

        Returns
        -------
        ndarray, shape (n, n_axes), float64
            Of unit length; zero for a song that says nothing. Each row depends on its own song
            alone, bit for bit.

        Raises
        ------
        VectorError
            If the shape does not fit or a value is not finite.
        """
        return self._placer.place(self._songs(vectors))

    def rest(self) -> None:
        """Give back the room that it took to place many songs; some are placed all the same."""
        self._placer.rest()

    def is_same(self, other: "SongSpace") -> bool:
        """Whether both place every song at the same point, to the last bit."""
        arrays = [
            (space.standard.mean, space.standard.scale, space.basis, space.offset)
            for space in (self, other)
        ]
        same = (np.array_equal(one, like) for one, like in zip(*arrays, strict=True))
        return self.blocks == other.blocks and all(same)

    def _songs(self, vectors: NDArray[Any]) -> Vectors:
        songs = as_rows(vectors)
        self.standard.require_width(songs)
        return songs

    @cached_property
    def _placer(self) -> Placer:
        """The one of all equal spaces, as long as any of them lives."""
        name = self._name()
        with _making:
            found = _placers.get(name)
            if found is None:
                found = Placer(self.standard, self.blocks, self.basis, self.offset)
                _placers[name] = found
            return found

    def _name(self) -> bytes:
        named = blake2b(repr((self.blocks, self.n_axes)).encode(), digest_size=32)
        for array in (self.standard.mean, self.standard.scale, self.basis, self.offset):
            named.update(np.ascontiguousarray(array).data)
        return named.digest()


def _unit(rows: NDArray[Any], blocks: Sequence[int]) -> NDArray[Any]:
    """Scale each block of each row to the same length, and each row to unit length.

    Zero stays zero.
    """
    scaled = np.empty_like(rows)
    start = 0
    for width in blocks:
        part = slice(start, start + width)
        lengths = np.sqrt(np.square(rows[:, part], dtype=np.float64).sum(axis=1))
        lengths = np.where(lengths > _FLAT, lengths, 1.0) * np.sqrt(len(blocks))
        scaled[:, part] = rows[:, part] / lengths[:, np.newaxis]
        start += width
    return scaled


def _whitened_axes(centred: FloatArray) -> FloatArray:
    """Return principal axes over the root of their shrunken variances, shape (dim, n_axes)."""
    values, vectors = np.linalg.eigh(centred @ centred.T / len(centred))  # ascending
    n_axes = min(
        MAX_AXES, max(_FEW_AXES, len(centred) // _SONGS_AN_AXIS), len(centred) - 1, centred.shape[1]
    )
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    energy = float(values.sum())
    if energy <= _FLAT:  # all songs are the same: any axis will do
        return np.eye(centred.shape[1], 1)
    strong = np.flatnonzero(
        values[: max(1, n_axes)] > _FLAT * energy
    )  # the others are directions of rounding noise
    # (dim, n_axes)
    axes = centred.T @ (vectors[:, strong] / np.sqrt(values[strong] * len(centred)))
    # Fix the signs, which mean nothing but reach the random start of the dense head.
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    n_white = min(MAX_AXES, max(1.0, len(centred) / _SONGS_A_WHITE_AXIS))
    return np.asarray(axes / np.sqrt(values[strong] + energy / n_white))
