"""Songs that may be worth a label: which of a library are looked at, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache import FileRecord, is_there
from classify.errors import TasteError
from classify.learning.active_learning import Pick, most_informative
from classify.learning.duplicates import copy_limit
from classify.library.library_files import LibraryFiles
from classify.library.song_library import SongLibrary
from classify.scoring.ranking import rank
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray, Vectors

__all__ = ["Candidates", "LabelledNow", "labelled_now"]

# So many of the best, and as many evenly spread over all the others, are looked at: a song that is
# worth a label is either likely to be liked, or one of many of its kind.
_BEST, _SPREAD = 1000, 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledNow:
    """Songs with a label, likes first: digests, vectors (n, dim) and how people know them."""

    digests: tuple[str, ...]
    vectors: Vectors
    names: tuple[str, ...]
    n_like: int


def labelled_now(library: SongLibrary, loaded: Taste, now: Mapping[str, str]) -> LabelledNow:
    """Take the labels as they are now, with those that the taste was trained with.

    Parameters
    ----------
    library : SongLibrary
    loaded : Taste
    now : mapping
        Digest to like or dislike.

    Raises
    ------
    TasteError
        If none of the likes is in the cache.
    CacheError
    """
    sides = {"like": dict.fromkeys(loaded.likes), "dislike": dict.fromkeys(loaded.dislikes)}
    for digest, label in now.items():
        if digest and digest not in sides["like"]:
            sides[label].setdefault(digest)
    likes, vectors = library.vectors.matrix(list(sides["like"]))
    dislikes, more = library.vectors.matrix(
        [one for one in sides["dislike"] if one not in sides["like"]]
    )
    if not likes:
        raise TasteError(
            f"none of the taste's {loaded.n_like} likes is in the cache at {library.root}; embed "
            "them again, or name the right cache with --cache"
        )
    digests = (*likes, *dislikes)
    known = {row.digest: row for row in library.files_of(digests)}
    return LabelledNow(
        digests=digests,
        vectors=np.concatenate([vectors, more]),
        names=tuple(_name(known.get(one), one) for one in digests),
        n_like=len(likes),
    )


def _name(song: FileRecord | None, digest: str) -> str:
    if song is None:
        return digest
    return song.title or Path(song.path).stem


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The songs that are looked at, best first.

    They are indices of `files` (n,), decisions (n,), and places in space.
    """

    files: LibraryFiles
    taste: Taste
    labelled: LabelledNow
    which: NDArray[np.intp]
    ranks: NDArray[np.int64]
    decisions: FloatArray
    points: FloatArray
    standardised: Vectors
    limit: float

    @classmethod
    def of(
        cls, files: LibraryFiles, taste: Taste, labelled: LabelledNow, decisions: FloatArray
    ) -> Candidates:
        """Look at the best songs and at some of all the others.

        Each recording that is there has one file.
        """
        order = rank(decisions, files.paths_at)
        _, first = np.unique(files.at[order], return_index=True)
        order = order[np.sort(first)]  # of copies the one that is listed first
        rest = max(0, len(order) - _BEST)
        spread = _BEST + np.arange(min(rest, _SPREAD)) * rest // max(1, min(rest, _SPREAD))
        ranks = np.concatenate([np.arange(min(_BEST, len(order))), spread])
        paths = files.paths_at(order[ranks]).to_pylist()
        ranks = ranks[np.array([is_there(path) for path in paths], np.bool_)]
        which = order[ranks]
        vectors = files.vectors.matrix(files.at[which])
        points = taste.space(vectors)
        standardised = taste.space.standardise(vectors)
        del vectors  # each of these takes 15 MB
        known = taste.space.standardise(labelled.vectors)
        limit = copy_limit(standardised, known)
        new = ~_are_copies(standardised, known, limit)
        return cls(
            files=files,
            taste=taste,
            labelled=labelled,
            which=which[new],
            ranks=ranks[new] + 1,
            decisions=decisions[which[new]],
            points=points[new],
            standardised=standardised if new.all() else standardised[new],
            limit=limit,
        )

    def __len__(self) -> int:
        return len(self.which)

    @property
    def known(self) -> FloatArray:
        """Where the labelled songs are in space, shape (n_labelled, n_axes)."""
        return self.taste.space(self.labelled.vectors)

    def picks(self, top: int) -> list[Pick]:
        """Choose the songs from whose labels the taste would learn most."""
        return most_informative(
            self.points, self.decisions, self.known, top=top, copies=self._copies_of
        )

    def _copies_of(self, row: int) -> NDArray[np.intp]:
        return np.flatnonzero(
            _are_copies(self.standardised, self.standardised[row : row + 1], self.limit)
        )


def _are_copies(rows: Vectors, of: Vectors, limit: float) -> NDArray[np.bool_]:
    """Tell which rows (n, dim) are a copy of any other ones (m, dim)."""
    with np.errstate(over="ignore", invalid="ignore"):  # a song of absurd size is a copy of none
        squares, others = np.vecdot(rows, rows), np.vecdot(of, of)
        apart = squares[:, np.newaxis] + others - 2.0 * (rows @ of.T)
        return np.asarray((apart <= limit).any(axis=1))
