"""The library in two dimensions: the dots of the report, with all other songs among them.

The report draws labelled songs and up to 2,000 others. These have the same places here. By PCA the
other songs lie on the same two axes. Where UMAP is installed, they lie between the three drawn
songs that are nearest to them, the nearer the closer, as UMAP itself begins to place new points.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from classify.evaluation.report.library_map import draw_map, principal_places, sample_library
from classify.learning.sampling import sample_unlabelled
from classify.taste.song_space import SongSpace
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray
from classify.web.live.ranked_songs import Listing, RankedSongs
from classify.web.live.song_columns import SongColumns
from classify.web.placed_songs import PlacedSongs

__all__ = ["SongMap", "map_told", "song_map"]

_NEAREST = 3
_CLOSE = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class SongMap:
    """Where songs lie.

    Attributes
    ----------
    places : ndarray, shape (n, 2), float32
        Row by row of the columns, from -1 to 1; they have no unit.
    method : {'PCA', 'UMAP', 'none'}
        'none' where there are less than four songs, which lie on one point.
    shown : float or None
        Which share of the differences between the drawn songs two axes of a PCA hold.
    """

    places: NDArray[np.float32]
    method: Literal["PCA", "UMAP", "none"]
    shown: float | None


def song_map(columns: SongColumns, taste: Taste | None, placed: PlacedSongs) -> SongMap:
    """Find places for all songs, as a taste hears them; without one, as the library lies.

    Parameters
    ----------
    columns : SongColumns
    taste : Taste or None
    placed : PlacedSongs
        Where songs lie in its space, if that is known already: then no song is read.

    Raises
    ------
    CacheError
        If song vectors can't be read.
    """
    drawn = _drawn(columns, taste)
    if drawn is None:
        places = np.zeros((len(columns), 2), np.float32)
        return SongMap(places=places, method="none", shown=None)
    vectors, at = columns.placed
    parts = placed.on_map(drawn.space, vectors, at, drawn.place)
    if parts is None:
        parts = list(vectors.map(lambda _, rows: drawn.place(drawn.space(rows)), at))
    every = np.concatenate(parts)
    found = np.stack([columns.by_row(one) for one in every.T], axis=1)
    found -= (found.max(axis=0) + found.min(axis=0)) / 2
    found /= max(float(np.abs(found).max()), _CLOSE)
    return SongMap(places=found.astype(np.float32), method=drawn.method, shown=drawn.shown)


def map_told(ranking: RankedSongs, found: SongMap) -> dict[str, Any]:
    """Tell what `classify.web.models.MapFound` has: all songs in the order of their list."""
    rows = ranking.rows(Listing())
    scored = ranking.scored
    digests = "".join(ranking.columns.digests(rows))
    return {
        "taste": ranking.name,
        "revision": ranking.revision,
        "method": found.method,
        "shown": found.shown,
        "n": len(rows),
        "ids": _text(bytes.fromhex(digests)),
        "places": _text(found.places[rows].astype("<f2")),
        "labels": _text(ranking.labels[rows]),
        "scores": None if scored is None else _text(np.round(255 * scored.scores[rows]), np.uint8),
        "verdicts": None if scored is None else _text(scored.verdicts[rows]),
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drawn:
    """Some songs that were drawn, in a song space, and what places any song among them."""

    space: SongSpace
    place: Callable[[FloatArray], FloatArray]
    method: Literal["PCA", "UMAP"]
    shown: float | None


def _drawn(columns: SongColumns, taste: Taste | None) -> _Drawn | None:
    if taste is None:
        return _drawn_without_taste(columns)
    sample = sample_library(taste, columns.library)
    drawn = draw_map(taste, sample)
    if drawn is None:
        return None
    known, space = taste.space(sample.vectors), taste.space
    place = (
        _on_axes(known, drawn.places) if drawn.method == "PCA" else _between(known, drawn.places)
    )
    return _Drawn(space=space, place=place, method=drawn.method, shown=drawn.shown)


def _drawn_without_taste(columns: SongColumns) -> _Drawn | None:
    some = sample_unlabelled(columns.library.files().digests)
    if len(some) < 4:
        return None
    vectors = columns.library.vectors.matrix(some)[1]
    space = SongSpace.fit(vectors, blocks=columns.library.blocks)
    known = space(vectors)
    places, shown = principal_places(known)
    return _Drawn(space=space, place=_on_axes(known, places), method="PCA", shown=shown)


def _on_axes(points: FloatArray, places: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Continue places that are a linear function of points: exact for the points themselves."""
    ones = np.ones((len(points), 1))
    weights = np.linalg.lstsq(np.hstack([points, ones]), places)[0]
    return lambda some: np.asarray(some @ weights[:-1] + weights[-1])


def _between(points: FloatArray, places: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Place points between the known ones that are nearest; a known one lies where it lay."""

    def place(some: FloatArray) -> FloatArray:
        apart = 2 - 2 * (some @ points.T)  # both of unit length
        n = min(_NEAREST, len(points))
        near = np.argpartition(apart, n - 1, axis=1)[:, :n]
        weights = 1 / np.maximum(np.take_along_axis(apart, near, axis=1), _CLOSE)
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray(np.einsum("nk,nkd->nd", weights, places[near]))

    return place


def _text(values: Any, kind: Any = None) -> str:
    content = values if isinstance(values, bytes) else np.asarray(values, kind).tobytes()
    return base64.b64encode(content).decode()
