"""More like a song; and like it, but with more or less of a tag.

What is near is told by whole song vectors, and how much of a tag a song has by its encoder's own
tags in the same vectors. To move by a tag weighs both: a standard deviation of the tag among the
nearest songs counts as much as one of their similarities.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.library.nearest_songs import Surroundings, nearest
from classify.taste.vectors import FloatArray
from classify.web.live.song_columns import SongColumns
from classify.web.problems import Problem

__all__ = ["AlikeSongs", "TagMove", "alike_songs", "moved_by_tag", "tag_move_of"]

_NEAREST = 500
_FELT = 0.25  # of the move that was asked for: a song with less of it has not moved
_MOST = 5.0
_MOVE = re.compile(r"\s*([^:]{1,80})\s*:\s*([+-]?\d{1,2}(?:\.\d{1,3})?)\s*")


@dataclass(frozen=True, kw_only=True)
class TagMove:
    """A tag, and by how many standard deviations of the library a song shall have more of it."""

    tag: str
    by: float


@dataclass(frozen=True, kw_only=True, eq=False)
class AlikeSongs:
    """Songs that sound like one, the best first.

    Attributes
    ----------
    rows : ndarray, shape (n,), int
    similarities : ndarray, shape (n,), float64
        Cosines; see `classify.library.similar_songs.SimilarSong`.
    moved : ndarray, shape (n,), float64, or None
        How much more of the tag each has than the song in question, in standard deviations.
    """

    rows: NDArray[np.intp]
    similarities: FloatArray
    moved: FloatArray | None = None

    def told(self, places: NDArray[np.intp]) -> list[dict[str, Any]]:
        """Tell of some of the songs what `classify.web.models.ListedSong` has beside a song."""
        near = self.similarities[places].tolist()
        moved = [None] * len(near) if self.moved is None else self.moved[places].tolist()
        return [{"similarity": a, "moved": b} for a, b in zip(near, moved, strict=True)]


def tag_move_of(text: str) -> TagMove:
    """Read ``quiet:+1``.

    Raises
    ------
    Problem
        422 if it is none.
    """
    found = _MOVE.fullmatch(text)
    by = float(found[2]) if found else 0.0
    if found is None or not 0 < abs(by) <= _MOST:
        raise Problem(
            422,
            f"{text!r:.100} is no move: write TAG:+1 or TAG:-1, a tag of /v1/tags and by how many "
            f"standard deviations, up to {_MOST:g}",
        )
    return TagMove(tag=found[1].strip().lower(), by=by)


def alike_songs(columns: SongColumns, digest: str) -> AlikeSongs:
    """Find the 500 songs that are nearest to one, without it and its copies.

    Raises
    ------
    ClassifyError
        If no other song is embedded.
    CacheError
    """
    library = columns.library
    files = library.files()
    vector = library.vectors.matrix([digest])[1][0]
    around = Surroundings.of(library, files, digest, vector)
    query = around.space.standardise(vector[np.newaxis])[0]
    near = nearest(files.vectors, around.space, query, around.at, k=_NEAREST)
    apart = np.square(near.standardised.astype(np.float64) - query).sum(axis=1)
    is_other = apart > around.limit
    return AlikeSongs(
        rows=columns.rows_at(near.at[is_other]), similarities=near.similarities[is_other]
    )


def moved_by_tag(columns: SongColumns, row: int, alike: AlikeSongs, move: TagMove) -> AlikeSongs:
    """Choose among songs that are like one those that have more, or less, of a tag.

    Raises
    ------
    Problem
        422 if the encoder has no such tag.
    """
    amounts = columns.tags.beyond(move.tag, np.r_[row, alike.rows])
    if amounts is None:
        raise Problem(422, f"the encoder has no tag {move.tag!r}; /v1/tags lists those that it has")
    moved = amounts[1:] - amounts[0]
    has_moved = np.flatnonzero(moved * np.sign(move.by) > _FELT * abs(move.by))
    weight = float(alike.similarities.std()) / max(float(moved.std()), 1e-9) if len(moved) else 0.0
    closeness = alike.similarities - weight * np.abs(moved - move.by)
    order = has_moved[np.argsort(-closeness[has_moved], kind="stable")]
    return AlikeSongs(
        rows=alike.rows[order], similarities=alike.similarities[order], moved=moved[order]
    )
