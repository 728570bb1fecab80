"""What to label next: `classify.suggest`.

It chooses the few songs of a library from which a taste would learn most.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cache import FileRecord, default_root, require_cache
from classify.errors import ClassifyError
from classify.labels.candidates import Candidates, LabelledNow, labelled_now
from classify.labels.labelling import labels_now
from classify.learning.active_learning import Pick
from classify.library.large_library import LargeLibrary
from classify.library.song_library import SongLibrary
from classify.output.nothing_listed import gone_words
from classify.output.song_results import SongResults
from classify.scoring.decided_songs import DecidedSongs
from classify.scoring.ranking import decide
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray

__all__ = ["REASONS", "SuggestedSong", "Suggestions", "suggest", "suggest_from"]

_TOP_SONGS = 10
_LOOK_AT_BEST, _LOOK_AT_OTHERS = 4096, 65_536  # files of a large library
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

    `n_unlabelled` is how many there were to choose from, `n_library` how many songs the library
    has, and `n_gone` of how many of them no file is there now; see `LibraryFiles.n_gone`.
    `n_lacking` counts songs that are embedded for other encoders only, and so are not among these.

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
    n_library: int = 0
    n_gone: int = 0
    n_lacking: int = 0


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
        Without labelled songs, copies of them, copies of each other, and files that have gone. In a
        library of more than a million, of the best 4,096 files and of 65,536 spread over the rest.

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
    require_cache(base)
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste, root=base)
    library = SongLibrary.of_taste(loaded, base)
    now = () if isinstance(taste, Taste) else labels_now(taste, root=base)
    known = {one.digest: one.label for one in now}
    if library.is_large:
        with LargeLibrary.opened(library) as large:
            if large.n_recordings():  # else nothing, or nothing but the demo
                return _suggest_large(large, loaded, labelled=known, top=top)
    return suggest_from(library, loaded, labelled=known, top=top, count_gone=True)


def _suggest_large(
    library: LargeLibrary, taste: Taste, *, labelled: Mapping[str, str], top: int
) -> Suggestions:
    """Do as `suggest_from`, but look for songs among the best and some of all the others."""
    known = labelled_now(library, taste, labelled)
    labelled_ones = [*taste.likes, *taste.dislikes, *known.digests]
    decided = DecidedSongs.of(taste, library.parts, library.root, without=labelled_ones)
    files, decisions = decided.best_and_others(_LOOK_AT_BEST, _LOOK_AT_OTHERS)
    candidates = Candidates.of(files, taste, known, decisions)
    below = np.maximum(0, candidates.ranks - _LOOK_AT_BEST)  # each stands for several
    several = max(0, decided.n_left - len(files)) / max(1, len(files) - _LOOK_AT_BEST)
    ranks = candidates.ranks + (below * several).astype(np.int64)
    found = _suggested(replace(candidates, ranks=ranks), top) if len(candidates) else ()
    n_library, n_gone = library.parts.n_gone()
    if not found:
        raise ClassifyError(_why_none(n_library, n_gone))
    return Suggestions(
        taste=taste,
        songs=found,
        n_unlabelled=decided.n_recordings,
        n_library=n_library,
        n_gone=n_gone,
        n_lacking=library.n_lacking(),
    )


def suggest_from(
    library: SongLibrary,
    taste: Taste,
    *,
    labelled: Mapping[str, str],
    top: int,
    decide_on: Callable[[NDArray[np.int64]], FloatArray] | None = None,
    count_gone: bool = False,
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
    count_gone : bool
        Whether to fill `Suggestions.n_library`, `n_gone` and `n_lacking`, for which files are
        looked at.
    """
    files = library.files()
    if not len(files):
        library.require_songs()
    everything = files
    known = labelled_now(library, taste, labelled)
    files = files.without([*taste.likes, *taste.dislikes, *known.digests])
    once, place = np.unique(files.at, return_inverse=True)
    decisions = decide_on(once) if decide_on else decide(taste, files.vectors, once, library.root)
    candidates = Candidates.of(files, taste, known, decisions[place])
    songs = _suggested(candidates, top) if len(candidates) else ()
    if not songs:
        raise ClassifyError(_why_none(*everything.n_gone()))
    n_library, n_gone = everything.n_gone() if count_gone else (0, 0)
    return Suggestions(
        taste=taste,
        songs=songs,
        n_unlabelled=len(np.unique(files.at)),
        n_library=n_library,
        n_gone=n_gone,
        n_lacking=library.n_lacking(everything) if count_gone else 0,
    )


def _why_none(n_library: int, n_gone: int) -> str:
    """Say why no song is left to label, and what to do."""
    gone = gone_words(n_library, n_gone)
    if n_gone == n_library:
        return gone
    return (
        f"{f'{gone}; ' if gone else ''}every one of the {n_library - n_gone} "
        f"{'others' if gone else 'songs in the cache'} is labelled already, or a copy of one that "
        "is: 'sevensongs embed PATH' adds more"
    )


def _suggested(candidates: Candidates, top: int) -> tuple[SuggestedSong, ...]:
    """Choose songs and say why."""
    picks = candidates.picks(top)
    rows = [pick.row for pick in picks]
    scores = candidates.taste.calibration(candidates.decisions[rows])
    cosines = candidates.points[rows] @ candidates.known.T  # (n_picks, n_labelled)
    found = zip(
        picks,
        candidates.files.recordings(candidates.which[rows]),
        scores.tolist(),
        candidates.taste.verdicts(scores),
        cosines,
        strict=True,
    )
    return tuple(_song(candidates, *one) for one in found)


def _song(
    candidates: Candidates,
    pick: Pick,
    song: FileRecord,
    score: float,
    verdict: str,
    cosines: FloatArray,
) -> SuggestedSong:
    place = int(candidates.ranks[pick.row])
    reason = _reason(score, verdict, place, pick.unknown)
    return SuggestedSong(
        path=song.path,
        score=score,
        verdict=verdict,
        unknown=pick.unknown,
        reason=reason,
        why=_why(reason, place, candidates.labelled, cosines),
        duration_s=song.duration_s,
        artist=song.artist,
        title=song.title,
        album=song.album,
        label=None,
        digest=song.digest or "",  # there is one where there is a vector
    )


def _reason(score: float, verdict: str, place: int, unknown: float) -> str:
    low, high = _COIN_FLIP
    if low <= score <= high:
        return "coin flip"
    if verdict == "like" or (place <= _TOP_SONGS and verdict != "dislike"):
        return "top"
    return "unknown" if unknown > _UNLIKE_ALL else "hint"


def _why(reason: str, place: int, labelled: LabelledNow, cosines: FloatArray) -> str:
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
        where = "first" if place == 1 else f"number {place}"
        return f"stands {where} of the songs that you have not labelled: do you like it?"
    if reason == "unknown":
        return "like nothing you have labelled"
    if in_common > cosines[: labelled.n_like].max():
        return f"has much of {dislike}: do you dislike it too?"
    return f"has something of {like}: does that count?"
