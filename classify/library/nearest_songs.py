"""The songs of a library that are nearest to one: in which space, among which, and how near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.errors import ClassifyError
from classify.learning.duplicates import copy_limit
from classify.learning.sampling import sample_unlabelled
from classify.library.large_library import LargeLibrary
from classify.library.library_files import LibraryFiles
from classify.library.similar_index import INDEX_FROM, NeighbourIndex
from classify.library.song_library import SongLibrary
from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray, Vectors

if TYPE_CHECKING:
    from cache import VectorReader

__all__ = ["NearSongs", "Neighbours", "Surroundings", "nearest"]


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
    return _fit_to(library, sample_unlabelled(files.digests, exclude=exclude))


def _fit_to(library: SongLibrary, usual: Sequence[str]) -> tuple[SongSpace, Vectors]:
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

    best = _none_near(space)
    for block in vectors.map(nearest_of, at):
        best = best.joined(block).best(k)
    return best


def _none_near(space: SongSpace) -> NearSongs:
    nothing = np.zeros((0, space.dim), np.float32)
    return NearSongs(at=np.zeros(0, np.int64), similarities=np.zeros(0), standardised=nothing)


def _cosines(rows: Vectors, query: Vectors) -> FloatArray:
    """Return the cosine of each row (n, dim) with the query (dim,); 0 for a row of zeros."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows).astype(np.float64) * float(query @ query))
    products = np.einsum("ij,j->i", rows, query).astype(np.float64)
    return np.asarray(np.clip(products / np.where(lengths > 0, lengths, 1), -1, 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """The songs nearest to one.

    Attributes
    ----------
    files : LibraryFiles
        Theirs, and perhaps others.
    query : ndarray, shape (dim,), float32
        The song, standardised.
    limit : float
        Squared distance up to which two songs are one.
    near : NearSongs
        Nearest first; the song itself is among them.
    """

    files: LibraryFiles
    query: Vectors
    limit: float
    near: NearSongs

    @classmethod
    def of(cls, library: SongLibrary, digest: str, *, k: int) -> Neighbours:
        """Find the `k` songs nearest to one that a library holds.

        Raises
        ------
        ClassifyError
            If no other song is embedded.
        CacheError
            If song vectors can't be read.
        """
        vector = library.vectors.matrix([digest])[1][0]
        if isinstance(library, LargeLibrary):
            return cls._in_parts(library, vector, k)
        files = library.files()
        around = Surroundings.of(library, files, digest, vector)
        query = around.space.standardise(vector[np.newaxis])[0]
        near = nearest(files.vectors, around.space, query, around.at, k=k)
        return cls(files=files, query=query, limit=around.limit, near=near)

    @classmethod
    def _in_parts(cls, library: LargeLibrary, vector: Vectors, k: int) -> Neighbours:
        parts, kept, index = library.parts, [], None
        for part in range(len(parts)):
            rows = parts.rows(part)
            files = parts.files_of(rows)
            found = NeighbourIndex.open(
                files.vectors,
                np.arange(len(files.vectors)),
                root=library.root,
                fingerprint=library.fingerprint,
                fit=lambda: _fit_to(library, library.sampled()),
                part=part,
                like=index,
            )
            if index is None:
                index, best = found, _none_near(found.space)
            query = index.space.standardise(vector[np.newaxis])[0]
            near = nearest(files.vectors, index.space, query, found.candidates(vector), k=k)
            kept.append(rows[np.isin(files.at, near.at)])
            # Where it stands in the first store tells a song among those of all parts.
            _, first = np.unique(files.at, return_index=True)
            best = best.joined(replace(near, at=rows["row"][first, 0][near.at])).best(k)
        assert index is not None, "a large library has parts"
        rows = np.concatenate(kept)
        rows = rows[np.isin(rows["row"][:, 0], best.at)]
        near = replace(best, at=np.searchsorted(np.unique(rows["row"][:, 0]), best.at))
        return cls(files=parts.files_of(rows), query=query, limit=index.limit, near=near)
