"""A map of the library.

Songs that sound alike lie close together, as far as two dimensions allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cache import Catalog
from classify.learning.examples import DISLIKE, LIKE, UNLABELLED
from classify.learning.sampling import sample_unlabelled
from classify.library.song_library import SongLibrary
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray, Vectors

__all__ = [
    "LibraryMap",
    "LibrarySample",
    "draw_map",
    "name_some",
    "principal_places",
    "sample_library",
]

Method = Literal["PCA", "UMAP"]

MAX_SONGS = 2000
_MIN_SONGS = 4  # fewer have no places that two axes could show
_NAMED = {LIKE: 12, DISLIKE: 6, UNLABELLED: 8}  # as far as there is room for their names
_NEIGHBOURS = 15  # UMAP's own default


@dataclass(frozen=True, kw_only=True, eq=False)
class LibrarySample:
    """The labelled songs and some of the others, as many as can be looked at.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim), float32
        Song vectors.
    labels : ndarray, shape (n,), int
        1 like, -1 dislike, 0 unlabelled.
    digests : tuple of str
        Of the songs, in the order of the vectors.
    n_songs : int
        Songs of the whole library.
    """

    vectors: Vectors
    labels: NDArray[np.int_]
    digests: tuple[str, ...]
    n_songs: int


@dataclass(frozen=True, kw_only=True, eq=False)
class LibraryMap:
    """Places of songs.

    Parameters
    ----------
    places : ndarray, shape (n, 2), float64
        They have no unit. Likes lie to the right and to the top of the mean song.
    scores : ndarray, shape (n,), float64
        The taste's own, in [0, 1].
    labels : ndarray, shape (n,), int
    method : {"PCA", "UMAP"}
    shown : float or None
        Which share of the differences between songs the two axes of a PCA hold; None for UMAP.
    n_songs : int
        Songs of the whole library.
    digests : tuple of str
        Of the songs that lie there.
    names : mapping of int to str
        What some of them are called, by their places in the arrays.
    """

    places: FloatArray
    scores: FloatArray
    labels: NDArray[np.int_]
    method: Method
    shown: float | None
    n_songs: int
    digests: tuple[str, ...]
    names: Mapping[int, str] = field(default_factory=dict)


def sample_library(taste: Taste, library: SongLibrary, *, limit: int = MAX_SONGS) -> LibrarySample:
    """Read the taste's labelled songs and up to `limit` others of the library.

    The others are the same ones each time.

    Raises
    ------
    CacheError
        If the cache can't be read.
    """
    everything = library.files()
    labelled = {*taste.likes, *taste.dislikes}
    digests = everything.digests
    others = sample_unlabelled(digests, exclude=labelled, limit=limit, seed=taste.seed)
    names, vectors = library.vectors.matrix([*taste.likes, *taste.dislikes, *others])
    label_of = dict.fromkeys(taste.likes, LIKE) | dict.fromkeys(taste.dislikes, DISLIKE)
    labels = np.array([label_of.get(name, UNLABELLED) for name in names], dtype=np.int_)
    return LibrarySample(
        vectors=vectors,
        labels=labels,
        digests=tuple(names),
        n_songs=len(labelled.union(digests)),
    )


def draw_map(
    taste: Taste, sample: LibrarySample, *, method: Method | None = None
) -> LibraryMap | None:
    """Find places for songs in two dimensions, and their scores.

    Parameters
    ----------
    taste : Taste
        Its song space is what is drawn, so songs lie as the taste hears them.
    sample : LibrarySample
    method : {"PCA", "UMAP"}, optional
        Principal components (Pearson 1901), or UMAP (McInnes, Healy & Melville 2018); default: that
        where the package `umap-learn` is installed and there are more than 15 songs.

    Returns
    -------
    LibraryMap or None
        None for fewer than 4 songs.
    """
    if len(sample.vectors) < _MIN_SONGS:
        return None
    points = taste.space(sample.vectors)
    shown: float | None = None
    if method is None:
        method = "UMAP" if find_spec("umap") is not None and len(points) > _NEIGHBOURS else "PCA"
    if method == "UMAP":
        places = _umap(points, taste.seed)
    else:
        places, shown = principal_places(points)
    return LibraryMap(
        places=_turned(places, sample.labels == LIKE),
        scores=taste.score(sample.vectors),
        labels=sample.labels,
        method=method,
        shown=shown,
        n_songs=sample.n_songs,
        digests=sample.digests,
    )


def name_some(drawn: LibraryMap, root: str | Path) -> LibraryMap:
    """Name the songs of a map that a reader looks for: likes, dislikes, and the best of the others.

    Raises
    ------
    CacheError
        If the catalog can't be read.
    """
    best = np.argsort(-drawn.scores, kind="stable")
    wanted = [
        int(i) for label, most in _NAMED.items() for i in best[drawn.labels[best] == label][:most]
    ]
    files = Catalog(root).files_of([drawn.digests[i] for i in wanted])
    titles = {file.digest: file.title or Path(file.path).stem for file in files}
    names = {i: titles[drawn.digests[i]] for i in wanted if drawn.digests[i] in titles}
    return replace(drawn, names=names)


def principal_places(points: FloatArray) -> tuple[FloatArray, float]:
    """Place points, shape (n, dim), on the two axes along which they differ most, shape (n, 2).

    The second value is the share of their differences that these axes hold.
    """
    centred = points - points.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)  # ascending
    whole = max(float(values.clip(min=0).sum()), 1e-12)
    places = centred @ axes[:, :-3:-1]
    if places.shape[1] < 2:  # a library of two kinds of song has one axis alone
        places = np.hstack([places, np.zeros((len(places), 2 - places.shape[1]))])
    return places, min(1.0, float(values[-2:].clip(min=0).sum()) / whole)


def _umap(points: FloatArray, seed: int) -> FloatArray:
    umap = import_module("umap")  # optional, and slow to import
    mapper = umap.UMAP(n_components=2, n_neighbors=_NEIGHBOURS, random_state=seed % 2**32, n_jobs=1)
    return np.asarray(mapper.fit_transform(points), dtype=np.float64)


def _turned(places: FloatArray, is_like: NDArray[np.bool_]) -> FloatArray:
    """Mirror the axes, whose direction means nothing, so that maps of one library look alike."""
    side = (places[is_like].mean(axis=0) if is_like.any() else places[0]) - places.mean(axis=0)
    return places * np.where(side < 0, -1.0, 1.0)
