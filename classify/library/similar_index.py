"""A small picture of every song of a large library, so that few songs need be compared in full.

A song's picture is its place along the 64 axes on which the library differs most, in 64 bytes. All
pictures are looked at, which takes a tenth of a second for a million songs, and the 2,000 songs
whose pictures are nearest are then compared as in a small library. What is told of those is exact;
that a near one is not among them is possible, and rare (tests/benchmarks has the share).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.errors import VectorError
from classify.learning.duplicates import copy_limit
from classify.library.row_cache import PART_MARK, KeptRows, read_rows, write_rows
from classify.library.score_cache import program_hash
from classify.taste.row_products import RowMatrix, row_dots
from classify.taste.song_space import SongSpace
from classify.taste.vectors import SongTransform, Vectors

if TYPE_CHECKING:
    import pyarrow as pa

    from cache import VectorReader

__all__ = ["INDEX_FROM", "NeighbourIndex"]

INDEX_FROM = 20_000
"""Songs; fewer are compared in full in some tenths of a second."""
_AXES = 64
_CANDIDATES = 2000
_FITTED = 512
_N_FITTED = "n_fitted"  # in what is kept
_OUTGROWN = 4  # times as many songs as the axes were found for: they are found again
_KEEP_NEW_SHARE = 0.01  # of new songs, before all is written again
_WIDEST = 127
_ROOM = 1.25  # beyond the widest of the sample
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighbourIndex:
    """The pictures of some recordings.

    Attributes
    ----------
    space : SongSpace
        In which songs are compared.
    axes : ndarray, shape (dim, n_axes), float32
        Of standardised songs.
    steps : ndarray, shape (n_axes,), float32
        What one step of a picture's number is.
    codes : ndarray, shape (n, n_axes), int8
        The pictures.
    limit : float
        Squared distance in the space up to which two songs are one; see
        `classify.learning.duplicates`.
    n_fitted : int
        How many songs there were when the axes were found.
    """

    space: SongSpace
    axes: Vectors
    steps: Vectors
    codes: NDArray[np.int8]
    limit: float
    n_fitted: int

    @classmethod
    def open(
        cls,
        vectors: VectorReader,
        at: NDArray[np.int64],
        *,
        root: str | Path,
        fingerprint: str,
        fit: Callable[[], tuple[SongSpace, Vectors]],
        part: int | None = None,
        like: NeighbourIndex | None = None,
    ) -> NeighbourIndex:
        """Read what is kept, and picture the songs that are new.

        A new index is kept for the next time.

        Parameters
        ----------
        vectors : VectorReader
        at : ndarray, shape (n,), int64
            Places of the recordings there, rising, each once.
        root : path or URI
            The cache.
        fingerprint : str
            The encoders'.
        fit : callable
            Gives the library's space, and a sample of its song vectors (n, dim), where there is
            none yet.
        part : int, optional
            Of a library that is looked at in parts, which this is.
        like : NeighbourIndex, optional
            Of its first part: pictures must be along the same axes.

        Raises
        ------
        DamagedEntry, CacheError
            If song vectors can't be read.
        """
        name = _name(fingerprint) if part is None else f"{_name(fingerprint)}{PART_MARK}{part}"
        digests, crcs = vectors.digests.take(at), vectors.crcs[at]
        index, new = _kept(read_rows(root, name), vectors.dim_vector, digests, crcs)
        if index is None or not (like is None or index._is_like(like)):
            index = cls.fit(*fit(), n_songs=len(at)) if like is None else like._of_none(len(at))
            new = np.arange(len(at))
        for which, codes in vectors.map(index.pictures_at, at[new]):
            index.codes[np.searchsorted(at, which)] = codes
        if len(new) > _KEEP_NEW_SHARE * len(at):
            write_rows(root, name, digests, crcs, index.codes, **index.arrays())
        return index

    @classmethod
    def fit(cls, space: SongSpace, sample: Vectors, *, n_songs: int) -> NeighbourIndex:
        """Find the axes along which a sample of song vectors (n, dim) differs most.

        No song is pictured yet.
        """
        few = sample[
            np.arange(min(len(sample), _FITTED)) * len(sample) // min(len(sample), _FITTED)
        ]
        standardised = space.standardise(few)
        rows = _unit(standardised)
        # (dim, n_axes)
        axes = np.ascontiguousarray(np.linalg.svd(rows, full_matrices=False)[2][:_AXES].T)
        widest = np.abs(rows @ axes).max(axis=0) * _ROOM
        return cls(
            space=space,
            axes=axes,
            steps=np.maximum(widest / _WIDEST, np.finfo(np.float32).tiny).astype(np.float32),
            codes=np.zeros((n_songs, axes.shape[1]), np.int8),
            limit=copy_limit(standardised),
            n_fitted=n_songs,
        )

    def _is_like(self, other: NeighbourIndex) -> bool:
        ours, theirs = self.arrays(), other.arrays()
        return all(np.array_equal(ours[name], theirs[name]) for name in ours if name != _N_FITTED)

    def _of_none(self, n_songs: int) -> NeighbourIndex:
        codes = np.zeros((n_songs, self.axes.shape[1]), np.int8)
        return replace(self, codes=codes, n_fitted=n_songs)

    def candidates(self, vector: Vectors, *, most: int | None = None) -> NDArray[np.intp]:
        """Return which songs may be nearest to a song vector (dim,).

        They are rising, shape (n_candidates,).
        """
        most = most or _CANDIDATES
        picture = (_unit(self.space.standardise(vector[np.newaxis])) @ self.axes)[0] * self.steps
        starts = range(0, len(self.codes), _ROWS_AT_ONCE)
        near = [
            self.codes[start : start + _ROWS_AT_ONCE].astype(np.float32) @ picture
            for start in starts
        ]
        cosines = np.concatenate([np.zeros(0, np.float32), *near])
        if len(cosines) <= most:
            return np.arange(len(cosines))
        return np.sort(np.argpartition(-cosines, most)[:most])

    def pictures_at(
        self, at: NDArray[np.int64], vectors: Vectors
    ) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Picture a block of song vectors (m, dim): their places, and codes (m, n_axes)."""
        along = RowMatrix(self.axes)(_unit(self.space.standardise(vectors)))
        return at, np.clip(np.rint(along / self.steps), -_WIDEST, _WIDEST).astype(np.int8)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is kept beside the pictures."""
        return {
            "mean": self.space.standard.mean,
            "scale": self.space.standard.scale,
            "blocks": np.array(self.space.blocks),
            "basis": self.space.basis,
            "offset": self.space.offset,
            "axes": self.axes,
            "steps": self.steps,
            "limit": np.array(self.limit),
            _N_FITTED: np.array(self.n_fitted),
        }


def _kept(
    kept: KeptRows | None, dim: int, digests: pa.Array, crcs: NDArray[np.uint32]
) -> tuple[NeighbourIndex | None, NDArray[np.intp]]:
    """Make an index of what was kept, and tell which recordings it lacks.

    Return None if what was kept is of no use.
    """
    nothing = np.zeros(0, np.intp)
    if kept is None or kept.values.dtype != np.int8 or kept.crcs.shape[1] != crcs.shape[1]:
        return None, nothing
    held, rows = kept.find(digests, crcs)
    codes = np.zeros((len(digests), *kept.values.shape[1:]), np.int8)
    codes[held] = kept.values[rows]
    try:
        index = _index_of(kept.others, codes)
    except (KeyError, IndexError, TypeError, ValueError, VectorError):  # not ours
        return None, nothing
    if index.space.dim != dim or index.n_fitted * _OUTGROWN < len(digests):
        return None, nothing
    return index, np.delete(np.arange(len(digests)), held)


def _index_of(arrays: Mapping[str, NDArray[Any]], codes: NDArray[np.int8]) -> NeighbourIndex:
    return NeighbourIndex(
        space=SongSpace(
            standard=SongTransform(mean=arrays["mean"], scale=arrays["scale"]),
            blocks=tuple(arrays["blocks"].tolist()),
            basis=arrays["basis"],
            offset=arrays["offset"],
        ),
        axes=arrays["axes"],
        steps=arrays["steps"],
        codes=codes,
        limit=float(arrays["limit"]),
        n_fitted=int(arrays[_N_FITTED]),
    )


def _unit(rows: Vectors) -> Vectors:
    """Scale rows (n, dim) to unit length; zero stays zero."""
    with np.errstate(over="ignore"):  # a song of absurd size is near nothing
        lengths = np.sqrt(row_dots(rows, rows))
    return np.asarray(rows / np.where(lengths > 0, lengths, 1)[:, np.newaxis])


def _name(fingerprint: str) -> str:
    hashed = program_hash()
    hashed.update(f"\0neighbours {fingerprint}".encode())
    return hashed.hexdigest()
