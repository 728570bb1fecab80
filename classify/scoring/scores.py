"""Songs and their scores: what `classify.score` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from classify.output.song_results import SongResults
from classify.taste.taste import Taste
from embed import Failure

__all__ = ["ScoredSong", "Scores"]


@dataclass(frozen=True, kw_only=True)
class ScoredSong:
    """A song and its score.

    Attributes
    ----------
    score : float
        A calibrated probability in [0, 1].
    verdict : {'like', 'unsure', 'dislike'}
    label : {'like', 'dislike'} or None
        What the listener says of it now; the taste may not have learnt it yet.
    digest : str
        Names the recording, whatever its file is called.
    """

    path: str
    score: float
    verdict: str
    duration_s: float | None
    artist: str | None
    title: str | None
    album: str | None
    label: str | None
    digest: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Scores(SongResults[ScoredSong]):
    """Songs, best first.

    Attributes
    ----------
    taste : Taste
    songs : tuple of ScoredSong
    failed : tuple of Failure
        The files that could not be scored.
    n_scored : int
        Files that were scored, also those that were not wanted; labelled ones count only where
        they may be listed.
    n_labelled : int
        Files that are not listed because they have a label.
    best : float or None
        The highest score that could be listed; None without any.
    n_library, n_gone : int
        Songs of the library, and those of them of which no file is there now, which are not listed;
        0 where paths are named. See `LibraryFiles.n_gone`.
    n_lacking : int
        Songs of the library that are embedded for other encoders only, and so are not among these;
        0 where paths are named.
    n_new : int
        Songs that have come to a small library since the taste was learnt: a head that knows few
        songs takes new kinds of music for too good. 0 in a large one, and where that is not known.
    is_learnt : bool
        False where labels have changed since the taste was learnt, so that scores are of older
        ones. Labelled songs are no finds all the same.
    n_like : int
        Songs that are liked now and that a taste can learn from.

    Examples
    --------
    >>> import classify
    >>> finds = classify.score(top=3)
    >>> len(finds)
    3
    >>> [song.label for song in finds]
    [None, None, None]
    """

    song_type: ClassVar[type] = ScoredSong
    taste: Taste
    songs: tuple[ScoredSong, ...]
    failed: tuple[Failure, ...]
    n_scored: int
    n_labelled: int = 0
    best: float | None = None
    n_library: int = 0
    n_gone: int = 0
    n_lacking: int = 0
    n_new: int = 0
    is_learnt: bool = True
    n_like: int = 0

    def _group_of(self, song: ScoredSong) -> str:
        return song.verdict
