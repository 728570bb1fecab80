"""The songs of a library that are nearest to one: in which space, among which, and how near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.errors import ClassifyError
from classify.learning.duplicates import copy_limit
from classify.learning.sampling import sample_unlabelled
from classify.library.library_files import LibraryFiles
from classify.library.similar_index import INDEX_FROM, NeighbourIndex
from classify.library.song_library import SongLibrary
from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray, Vectors

if TYPE_CHECKING:
    from cache import VectorReader

__all__ = ["NearSongs", "Surroundings", "nearest"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """How a song is compared with others.

    In which space, from which squared distance on, and with which songs (n,).
    """

    space: SongSpace
    limit: float
    at: NDArray[np.int64]

    @classmethod
    def of(
        cls, library: SongLibrary, files: LibraryFiles, asked: str, vector: Vectors
    ) -> Surroundings:
        """Find the space of a library, and there the songs that may be the nearest to one.

        Raises
        ------
        ClassifyError
            If no other song is embedded.
        CacheError
            If song vectors can't be read.
        """
        at = np.unique(files.at)
        if len(at) < INDEX_FROM:
            space, sample = _fit(library, files, asked)
            return cls(space=space, limit=copy_limit(space.standardise(sample)), at=at)
        index = NeighbourIndex.open(
            files.vectors,
            at,
            root=library.root,
            fingerprint=library.fingerprint,
            fit=lambda: _fit(library, files),
        )
        return cls(space=index.space, limit=index.limit, at=at[index.candidates(vector)])


def _fit(library: SongLibrary, files: LibraryFiles, *exclude: str) -> tuple[SongSpace, Vectors]:
    """Find the space of a library.

    Return with it the song vectors (n, dim) from which it was found.
    """
    usual = sample_unlabelled(files.digests, exclude=exclude)
    if not usual:
        raise ClassifyError(
            f"no other song is embedded with {library.encoder}: run 'sevensongs embed --encoder "
            f"{library.encoder} PATH' on your library"
        )
    vectors = library.vectors.matrix(usual)[1]
    return SongSpace.fit(vectors, blocks=library.blocks), vectors


@dataclass(frozen=True, kw_only=True)
class NearSongs:
    """Songs with their similarities and vectors.

    They are places in `VectorReader` (n,), similarities (n,) and standardised vectors (n, dim).
    """

    at: NDArray[np.int64]
    similarities: FloatArray
    standardised: Vectors

    def best(self, k: int) -> NearSongs:
        """Return the `k` nearest; of equally near ones those that were stored first."""
        order = np.lexsort((self.at, -self.similarities))[:k]
        return NearSongs(
            at=self.at[order],
            similarities=self.similarities[order],
            standardised=self.standardised[order],
        )

    def joined(self, other: NearSongs) -> NearSongs:
        """Return both together."""
        return NearSongs(
            at=np.concatenate([self.at, other.at]),
            similarities=np.concatenate([self.similarities, other.similarities]),
            standardised=np.concatenate([self.standardised, other.standardised]),
        )


def nearest(
    vectors: VectorReader, space: SongSpace, query: Vectors, at: NDArray[np.int64], *, k: int
) -> NearSongs:
    """Find the songs nearest to one; it takes little memory, however many songs there are.

    Parameters
    ----------
    vectors : VectorReader
    space : SongSpace
    query : ndarray, shape (dim,), float32
        The song, standardised.
    at : ndarray, shape (n,), int64
        Places of the songs to compare it with, rising.
    k : int
        At most so many.

    Raises
    ------
    CacheError
        If song vectors can't be read.
    """

    def nearest_of(at: NDArray[np.int64], some: Vectors) -> NearSongs:
        rows = space.standardise(some)
        return NearSongs(at=at, similarities=_cosines(rows, query), standardised=rows).best(k)

    nothing = np.zeros((0, space.dim), np.float32)
    best = NearSongs(at=np.zeros(0, np.int64), similarities=np.zeros(0), standardised=nothing)
    for block in vectors.map(nearest_of, at):
        best = best.joined(block).best(k)
    return best


def _cosines(rows: Vectors, query: Vectors) -> FloatArray:
    """Return the cosine of each row (n, dim) with the query (dim,); 0 for a row of zeros."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows).astype(np.float64) * float(query @ query))
    products = np.einsum("ij,j->i", rows, query).astype(np.float64)
    return np.asarray(np.clip(products / np.where(lengths > 0, lengths, 1), -1, 1))
