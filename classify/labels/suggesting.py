"""What to label next: `classify.suggest`.

It chooses the few songs of a library from which a taste would learn most.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cache import FileRecord, default_root
from classify.errors import ClassifyError, TasteError
from classify.labels.labelling import labels_now
from classify.learning.active_learning import Pick, most_informative
from classify.learning.duplicates import copy_limit
from classify.library.library_files import LibraryFiles
from classify.library.ranking import decide, rank
from classify.library.song_library import SongLibrary
from classify.output.song_results import SongResults
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray, Vectors

__all__ = ["REASONS", "SuggestedSong", "Suggestions", "suggest", "suggest_from"]

# So many of the best, and as many evenly spread over all the others, are looked at: a song that is
# worth a label is either likely to be liked, or one of many of its kind.
_BEST, _SPREAD = 1000, 1000
_TOP_SONGS = 10
_COIN_FLIP = (0.3, 0.7)
# A cosine of 0.4 with one labelled song leaves so much open; songs that have nothing in common have
# about 0.
_UNLIKE_ALL = 0.95
_SOMETHING_IN_COMMON = 0.2  # cosine

REASONS = ("coin flip", "top", "unknown", "hint")
"""Why a song is suggested, the first reason that is true.

It may as well be liked as not; it would be recommended, or is among the first ten; it is unlike all
that is labelled; it has something of a labelled song, which may mean much or nothing.
"""


@dataclass(frozen=True, kw_only=True)
class SuggestedSong:
    """A song to label.

    Attributes
    ----------
    score : float
        As `classify.score` has it.
    unknown : float
        How much the labelled songs leave open of it, from 0 to 1; see
        `classify.learning.active_learning.Pick`.
    reason : str
        One of `REASONS`.
    why : str
        The reason as a sentence.
    label : None
        It has none yet.
    digest : str
        Names the recording, whatever its file is called.
    """

    path: str
    score: float
    verdict: str
    unknown: float
    reason: str
    why: str
    duration_s: float | None
    artist: str | None
    title: str | None
    album: str | None
    label: str | None
    digest: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Suggestions(SongResults[SuggestedSong]):
    """Songs, the one that teaches most first.

    `n_unlabelled` is how many there were to choose from.

    Examples
    --------
    >>> import classify
    >>> next_songs = classify.suggest(top=3)
    >>> len(next_songs), next_songs.n_unlabelled
    (3, 13)
    >>> {song.label for song in next_songs}
    {None}
    """

    song_type: ClassVar[type] = SuggestedSong
    taste: Taste
    songs: tuple[SuggestedSong, ...]
    n_unlabelled: int


def suggest(
    *,
    taste: str | os.PathLike[str] | Taste = DEFAULT_TASTE,
    top: int = 5,
    root: str | Path | None = None,
) -> Suggestions:
    """Choose the songs of the cached library from whose labels a taste would learn most.

    They differ from each other, so that all of them may be labelled before asking again. The same
    library and labels give the same songs.

    Parameters
    ----------
    taste : str, path or Taste
        A name, a file, or a taste.
    top : int
        At most so many; at least 1.
    root : path or URI, optional
        The cache.

    Returns
    -------
    Suggestions
        Without labelled songs, copies of them, copies of each other, and files that have gone.

    Raises
    ------
    TasteError
        If there is no such taste, or its labelled songs have gone from the cache.
    ClassifyError
        If no song is left to label.
    ValueError
        If `top` is below 1.
    CacheError

    Examples
    --------
    >>> import classify
    >>> suggested = classify.suggest(top=2)
    >>> [song.label for song in suggested]
    [None, None]
    """
    if top < 1:
        raise ValueError(f"top is {top}; at least 1 song can be suggested")
    base = default_root() if root is None else root
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste, root=base)
    library = SongLibrary.of_taste(loaded, base)
    now = () if isinstance(taste, Taste) else labels_now(taste, root=base)
    return suggest_from(library, loaded, labelled={one.digest: one.label for one in now}, top=top)


def suggest_from(
    library: SongLibrary,
    taste: Taste,
    *,
    labelled: Mapping[str, str],
    top: int,
    decide_on: Callable[[NDArray[np.int64]], FloatArray] | None = None,
) -> Suggestions:
    """Choose songs of an open library; see `suggest`.

    Parameters
    ----------
    library : SongLibrary
        What the taste can score.
    taste : Taste
    labelled : mapping
        Digest to like or dislike, beside those that the taste was trained with.
    top : int
    decide_on : callable, optional
        What is known already: given places of recordings, the taste's decisions on them.
    """
    files = library.files()
    if not len(files):
        library.require_songs()
    known = _labelled(library, taste, labelled)
    files = files.without([*taste.likes, *taste.dislikes, *known.digests])
    once, place = np.unique(files.at, return_inverse=True)
    decisions = decide_on(once) if decide_on else decide(taste, files.vectors, once, library.root)
    pool = _Pool.of(files, taste, known, decisions[place])
    songs = pool.suggested(top) if len(pool.which) else ()
    if not songs:
        raise ClassifyError(
            f"every one of the {len(known.digests)} songs in the cache is labelled already, or a "
            "copy of one that is, or has gone: 'sevensongs embed PATH' adds more"
        )
    return Suggestions(taste=taste, songs=songs, n_unlabelled=len(np.unique(files.at)))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Labelled:
    """Songs with a label, likes first: digests, vectors (n, dim) and how people know them."""

    digests: tuple[str, ...]
    vectors: Vectors
    names: tuple[str, ...]
    n_like: int


def _labelled(library: SongLibrary, loaded: Taste, now: Mapping[str, str]) -> _Labelled:
    """Take the labels as they are now, with those that the taste was trained with."""
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
    return _Labelled(
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
class _Pool:
    """The songs that are looked at, best first.

    They are indices of `files` (n,), decisions (n,), and places in space.
    """

    files: LibraryFiles
    taste: Taste
    labelled: _Labelled
    which: NDArray[np.intp]
    ranks: NDArray[np.int64]
    decisions: FloatArray
    points: FloatArray
    standardised: Vectors
    limit: float

    @classmethod
    def of(
        cls, files: LibraryFiles, taste: Taste, labelled: _Labelled, decisions: FloatArray
    ) -> _Pool:
        """Look at the best songs and at some of all the others.

        Each recording that is there has one file.
        """
        order = rank(decisions, files.paths)
        _, first = np.unique(files.at[order], return_index=True)
        order = order[np.sort(first)]  # of copies the one that is listed first
        rest = max(0, len(order) - _BEST)
        spread = _BEST + np.arange(min(rest, _SPREAD)) * rest // max(1, min(rest, _SPREAD))
        ranks = np.concatenate([np.arange(min(_BEST, len(order))), spread])
        paths = files.paths.take(order[ranks]).to_pylist()
        ranks = ranks[np.array([os.path.exists(path) for path in paths], np.bool_)]
        which = order[ranks]
        vectors = files.vectors.matrix(files.at[which])
        standardised = taste.space.standardise(vectors)
        known = taste.space.standardise(labelled.vectors)
        limit = copy_limit(np.concatenate([standardised, known]))
        new = ~_are_copies(standardised, known, limit)
        return cls(
            files=files,
            taste=taste,
            labelled=labelled,
            which=which[new],
            ranks=ranks[new] + 1,
            decisions=decisions[which[new]],
            points=taste.space(vectors[new]),
            standardised=standardised[new],
            limit=limit,
        )

    def suggested(self, top: int) -> tuple[SuggestedSong, ...]:
        """Choose songs and say why."""
        known = self.taste.space(self.labelled.vectors)
        picks = most_informative(
            self.points, self.decisions, known, top=top, copies=self._copies_of
        )
        rows = [pick.row for pick in picks]
        scores = self.taste.calibration(self.decisions[rows])
        cosines = self.points[rows] @ known.T  # (n_picks, n_labelled)
        found = zip(
            picks,
            self.files.recordings(self.which[rows]),
            scores.tolist(),
            self.taste.verdicts(scores),
            cosines,
            strict=True,
        )
        return tuple(self._song(*one) for one in found)

    def _song(
        self, pick: Pick, song: FileRecord, score: float, verdict: str, cosines: FloatArray
    ) -> SuggestedSong:
        place = int(self.ranks[pick.row])
        reason = _reason(score, verdict, place, pick.unknown)
        return SuggestedSong(
            path=song.path,
            score=score,
            verdict=verdict,
            unknown=pick.unknown,
            reason=reason,
            why=_why(reason, place, self.labelled, cosines),
            duration_s=song.duration_s,
            artist=song.artist,
            title=song.title,
            album=song.album,
            label=None,
            digest=song.digest or "",  # there is one where there is a vector
        )

    def _copies_of(self, row: int) -> NDArray[np.intp]:
        return np.flatnonzero(
            _are_copies(self.standardised, self.standardised[row : row + 1], self.limit)
        )


def _reason(score: float, verdict: str, place: int, unknown: float) -> str:
    low, high = _COIN_FLIP
    if low <= score <= high:
        return "coin flip"
    if verdict == "like" or (place <= _TOP_SONGS and verdict != "dislike"):
        return "top"
    return "unknown" if unknown > _UNLIKE_ALL else "hint"


def _why(reason: str, place: int, labelled: _Labelled, cosines: FloatArray) -> str:
    """Say it in words; the cosines are those with the labelled songs, shape (n_labelled,)."""
    like = labelled.names[int(cosines[: labelled.n_like].argmax())]
    dislike, in_common = "", 0.0  # with the dislike that it is nearest to
    if labelled.n_like < len(cosines):
        nearest = labelled.n_like + int(cosines[labelled.n_like :].argmax())
        dislike, in_common = labelled.names[nearest], float(cosines[nearest])
    if reason == "coin flip":
        return (
            f"a coin flip between {like} "
            f"and {dislike if in_common > _SOMETHING_IN_COMMON else 'the rest'}"
        )
    if reason == "top":
        return (
            f"would be {'your top song' if place == 1 else f'number {place} of all'}: is it really?"
        )
    if reason == "unknown":
        return "like nothing you have labelled"
    if in_common > cosines[: labelled.n_like].max():
        return f"has much of {dislike}: do you dislike it too?"
    return f"has something of {like}: does that count?"


def _are_copies(rows: Vectors, of: Vectors, limit: float) -> NDArray[np.bool_]:
    """Tell which rows (n, dim) are a copy of any other ones (m, dim)."""
    with np.errstate(over="ignore", invalid="ignore"):  # a song of absurd size is a copy of none
        squares, others = np.vecdot(rows, rows), np.vecdot(of, of)
        apart = squares[:, np.newaxis] + others - 2.0 * (rows @ of.T)
    return np.asarray((apart <= limit).any(axis=1))
