"""From decisions to the songs that are wanted, best first; only those become objects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cache import is_there
from classify.library.artist_groups import FewPerArtist
from classify.library.copy_folder import CopyFolder, limit_of
from classify.library.library_files import LibraryFiles
from classify.library.score_cache import ScoreCache
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray, Vectors

if TYPE_CHECKING:
    import pyarrow as pa

    from cache import VectorReader

__all__ = [
    "MOST_FOLDED",
    "Chosen",
    "Once",
    "Wanted",
    "choose",
    "decide",
    "decide_anew",
    "decide_files",
    "in_parts",
    "rank",
]

_KEEP_FROM = 4096  # songs; fewer are read faster than what is kept of them
_MOST = 0.99  # of all songs
_KEEP_NEW_SHARE = 0.01  # of new ones, before all is written again
_LOOK_AT_FIRST, _LOOK_AT = 64, 1024
MOST_FOLDED = 2000
"""Songs that a list holds before copies in other formats are looked for no more."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which songs a list is to have; see `classify.score`.

    Attributes
    ----------
    top, min_score, precision, labelled, once, per_artist, without
        See there.
    only_there : bool
        Pass over files that have gone.
    """

    top: int | None = None
    min_score: float = 0.0
    precision: float | None = None
    labelled: bool = True
    once: bool = False
    only_there: bool = False
    per_artist: int | None = None
    without: Collection[str] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Chosen:
    """Files that are wanted, best first.

    Attributes
    ----------
    at : ndarray, shape (n_chosen,), intp
        Indices of them.
    is_complete : bool
        False where all files were looked at, so that of more there might be more.
    """

    at: NDArray[np.intp]
    is_complete: bool


def decide(
    taste: Taste,
    vectors: VectorReader,
    at: NDArray[np.int64],
    root: str | Path,
    *,
    part: int | None = None,
) -> FloatArray:
    """Let a taste decide on recordings; in a large library, only on those that are new to it.

    Parameters
    ----------
    taste : Taste
    vectors : VectorReader
        Of the taste's encoder.
    at : ndarray, shape (n,), int64
        Places of the recordings there, rising, each once.
    root : path or URI
        The cache.
    part : int, optional
        Of a library that is scored in parts, which this is.

    Returns
    -------
    ndarray, shape (n,), float64
        As `Taste.decisions`.

    Raises
    ------
    TasteError
        If the vectors are not of the taste's width.
    CacheError
        If they can't be read, or one is damaged.
    """
    if len(at) < _KEEP_FROM:
        return decide_anew(taste, vectors, at)
    if _MOST * len(vectors) < len(at) < len(vectors):
        # the few others cost less than a copy of all names
        return decide(taste, vectors, np.arange(len(vectors)), root, part=part)[at]
    kept = ScoreCache(taste, root, part=part)
    digests, crcs = vectors.digests, vectors.crcs
    if len(at) < len(vectors):
        digests, crcs = digests.take(at), crcs[at]
    decisions = kept.load(digests, crcs)
    is_new = np.isnan(decisions)
    decisions[is_new] = decide_anew(taste, vectors, at[is_new])
    if np.count_nonzero(is_new) > _KEEP_NEW_SHARE * len(at):
        kept.save(digests, crcs, decisions)
    return decisions


def decide_files(
    taste: Taste, files: LibraryFiles, root: str | Path, *, part: int | None = None
) -> FloatArray:
    """Let a taste decide on files, copies included: as `decide`, of which the rest is."""
    if (files.at[1:] > files.at[:-1]).all():  # as they mostly are, having come in the same order
        return decide(taste, files.vectors, files.at, root, part=part)
    recordings, place = np.unique(files.at, return_inverse=True)
    return decide(taste, files.vectors, recordings, root, part=part)[place]


def decide_anew(taste: Taste, vectors: VectorReader, at: NDArray[np.int64]) -> FloatArray:
    """Let a taste decide on recordings; nothing is looked up or kept, see `decide`.

    For a taste that will soon be another one, keeping is not worth it.
    """

    def decisions_of(_: NDArray[np.int64], rows: Vectors) -> FloatArray:
        return taste.decisions(rows)

    return np.concatenate([np.zeros(0), *vectors.map(decisions_of, at)])


def rank(
    decisions: FloatArray, paths_at: Callable[[NDArray[np.intp]], pa.BinaryArray]
) -> NDArray[np.intp]:
    """Order files by decision, falling; of equal ones, by path, rising.

    Parameters
    ----------
    decisions : ndarray, shape (n,), float64
    paths_at : callable
        Returns the paths of files at some indices, see `LibraryFiles.paths_at`.

    Returns
    -------
    ndarray, shape (n,), intp
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    order = np.argsort(-decisions, kind="stable")
    ranked = decisions[order]
    like_the_next = ranked[1:] == ranked[:-1]
    # Only what stands equal to a neighbour needs its path looked at: copies, and what is capped.
    tied = np.flatnonzero(np.r_[like_the_next, False] | np.r_[False, like_the_next])
    if len(tied):
        some = order[tied]
        table = pa.table({"decision": decisions[some], "path": paths_at(some)})
        by = [("decision", "descending"), ("path", "ascending")]
        order[tied] = some[pc.sort_indices(table, sort_keys=by).to_numpy()]
    return order


def choose(
    files: LibraryFiles,
    order: NDArray[np.intp],
    scores: FloatArray,
    wanted: Wanted,
    once: Once | None = None,
) -> Chosen:
    """Take files, best first, as long as they are wanted.

    Parameters
    ----------
    files : LibraryFiles
    order : ndarray, shape (n,), intp
        From `rank`.
    scores : ndarray, shape (n,), float64
        Probability of each file, falling in that order.
    wanted : Wanted
    once : Once, optional
        Pass over copies of songs that stand further up, or that it has been told of.
    """
    chosen: list[int] = []
    total = 0.0
    few = None if wanted.per_artist is None else FewPerArtist(wanted.per_artist)

    def of_those_chosen(*, is_complete: bool) -> Chosen:
        return Chosen(at=np.array(chosen, np.intp), is_complete=is_complete)

    for at, score, path in _looked_at(files, order, scores, wanted, once):
        if score < wanted.min_score or len(chosen) == wanted.top:
            return of_those_chosen(is_complete=True)
        if wanted.only_there and not is_there(path):
            continue
        if once is not None and once.has(int(files.at[at])):
            continue
        if few is not None and not few.takes(files.artist(at)):
            continue
        total += score  # the mean only falls from here on
        if wanted.precision is not None and total < wanted.precision * (len(chosen) + 1):
            return of_those_chosen(is_complete=True)
        chosen.append(at)
    return of_those_chosen(is_complete=len(chosen) == wanted.top)


def _looked_at(
    files: LibraryFiles,
    order: NDArray[np.intp],
    scores: FloatArray,
    wanted: Wanted,
    once: Once | None,
) -> Iterator[tuple[int, float, bytes]]:
    """Yield each file's index, score and path, best first."""
    for _, part in in_parts(order):
        paths = files.paths_at(part).to_pylist()
        if once is not None:
            once.look_at(files.vectors, files.at[part[scores[part] >= wanted.min_score]])
        yield from zip(part.tolist(), scores[part].tolist(), paths, strict=True)


def in_parts(order: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Cut a ranking into pieces, each with its start, small ones first: most lists are short."""
    start, size = 0, _LOOK_AT_FIRST
    while start < len(order):
        yield start, order[start : start + size]
        start, size = start + size, min(2 * size, _LOOK_AT)


class Once:
    """Tells whether a song has been listed, itself or a copy of it.

    Files of one recording are one song in a list of any length. Other formats of a song are found
    among the first 2,000 songs that are listed: more than anybody reads, and soon compared.

    Parameters
    ----------
    taste : Taste
        In whose song space copies lie together.
    """

    def __init__(self, taste: Taste) -> None:
        self._taste = taste
        self._folder = CopyFolder(limit_of(taste), taste.space.dim)
        self._places: set[int] = set()
        self._looked_at: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._folder)

    @classmethod
    def beside(
        cls,
        known: Iterable[str],
        taste: Taste,
        vectors: VectorReader,
        *,
        listed_in: VectorReader | None = None,
    ) -> Once:
        """Begin a list to which some recordings and their copies do not belong.

        Parameters
        ----------
        known : iterable of str
        taste : Taste
        vectors : VectorReader
            From which those recordings are read.
        listed_in : VectorReader, optional
            Whose places are asked about; default: the same.
        """
        listed = cls(taste)
        digests = list(dict.fromkeys(known))
        if not digests:
            return listed
        at = vectors.places(digests)
        at = at[at >= 0]
        if len(at):
            listed._folder.add(taste.space.standardise(vectors.matrix(at)))
        asked_about = at if listed_in is None else listed_in.places(digests)
        listed._places.update(asked_about[asked_about >= 0].tolist())
        return listed

    def look_at(self, vectors: VectorReader, places: NDArray[np.int64]) -> None:
        """Read the song vectors at some places, which are asked about next, in that order."""
        self._looked_at = {}
        if not len(places) or self.is_full:
            return
        some, which = np.unique(places, return_inverse=True)
        rows = self._taste.space.standardise(vectors.matrix(some))
        first = list(dict.fromkeys(which.tolist()))  # copies of one stand at one place
        self._folder.look_at(rows[first])
        self._looked_at = {place: i for i, place in enumerate(some[first].tolist())}

    @property
    def is_full(self) -> bool:
        """Whether so many songs are listed that copies in other formats are looked for no more."""
        return len(self) >= MOST_FOLDED

    def has(self, place: int) -> bool:
        """Whether the song at a place of the vectors has been listed; from now on, it has."""
        if place in self._places:
            return True
        self._places.add(place)
        i = self._looked_at.get(place)
        return i is not None and not self.is_full and self._folder.take(i) is not None
