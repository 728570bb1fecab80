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
from classify.taste.vectors import FloatArray, Vectors
from classify.web.live.ranked_songs import Listing, RankedSongs
from classify.web.live.song_columns import SongColumns

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


def song_map(columns: SongColumns, taste: Taste | None) -> SongMap:
    """Find places for all songs, as a taste hears them; without one, as the library lies.

    Raises
    ------
    CacheError
        If song vectors can't be read.
    """
    drawn = _drawn(columns, taste)
    if drawn is None:
        places = np.zeros((len(columns), 2), np.float32)
        return SongMap(places=places, method="none", shown=None)
    place, method, shown = drawn
    by_place = np.argsort(columns.at)
    vectors = columns.library.vectors.open()
    parts = list(vectors.map(lambda _, rows: place(rows), columns.at[by_place]))
    found = np.zeros((len(columns), 2))
    found[by_place] = np.concatenate(parts)
    found -= (found.max(axis=0) + found.min(axis=0)) / 2
    found /= max(float(np.abs(found).max()), _CLOSE)
    return SongMap(places=found.astype(np.float32), method=method, shown=shown)


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


def _drawn(
    columns: SongColumns, taste: Taste | None
) -> tuple[Callable[[Vectors], FloatArray], Literal["PCA", "UMAP"], float | None] | None:
    """Draw some songs; return what places any song among them."""
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
    return lambda rows: place(space(rows)), drawn.method, drawn.shown


def _drawn_without_taste(
    columns: SongColumns,
) -> tuple[Callable[[Vectors], FloatArray], Literal["PCA", "UMAP"], float | None] | None:
    some = sample_unlabelled(columns.library.files().digests)
    if len(some) < 4:
        return None
    vectors = columns.library.vectors.matrix(some)[1]
    space = SongSpace.fit(vectors, blocks=columns.library.blocks)
    known = space(vectors)
    places, shown = principal_places(known)
    place = _on_axes(known, places)
    return lambda rows: place(space(rows)), "PCA", shown


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
