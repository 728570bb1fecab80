"""From a taste to scores: `classify.score`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cache import default_root, require_cache
from classify.library.label_file import LabelsNow
from classify.library.library_files import LibraryFiles
from classify.library.ranking import Once, choose, decide, rank
from classify.library.song_library import SongLibrary, Tell, same_encoder
from classify.output.song_results import SongResults
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray
from embed import (
    Failure,
    Paths,
    encoder_name,
    is_own_model,
    path_list,
    prepare_encoders,
    split_encoder,
)

__all__ = ["ScoredSong", "Scores", "likely_from", "score", "score_files"]

_SMALL_LIBRARY = 1000
"""Songs from which on a taste has heard most kinds of music that come."""


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


def score(
    paths: Paths = (),
    *,
    taste: str | os.PathLike[str] | Taste = DEFAULT_TASTE,
    encoder: str | None = None,
    top: int | None = None,
    min_score: float = 0.0,
    precision: float | None = None,
    labelled: bool = False,
    likely: bool = False,
    once: bool | None = None,
    per_artist: int | None = None,
    without: Collection[str] = (),
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Scores:
    """Score songs, best first.

    Parameters
    ----------
    paths : path or iterable of path
        What to score; new songs are embedded, and all of them are listed, labelled or not. A plain
        string is one path. Empty: the finds in the whole cached library, which are the songs that
        are not labelled, without files that have gone.
    taste : str, path or Taste
        A name, a file, or a taste. The labels beside its file tell which songs are labelled; of a
        taste without such a file, and of a `Taste`, those that it was trained with.
    encoder : str, optional
        Refuse a taste of any other; default: whatever the taste was trained on.
    top : int, optional
        At most so many songs.
    min_score : float
        Only songs that score at least this.
    precision : float, optional
        In [0, 1]: only songs that nobody has labelled, and so many, best first, that this share of
        them will be liked. That is estimated by their mean score, a probability calibrated on songs
        that were held out.
    labelled : bool
        Without `paths`: list the songs that are labelled, too.
    likely : bool
        Only songs whose verdict is `like`.
    once : bool, optional
        List each song once, whatever files and formats there are of it; default: where no `paths`
        are given. Of copies the best stays. Copies of labelled songs are no finds.
    per_artist : int, optional
        At most so many songs of one artist, the best of each.
    without : collection of str
        Digests of songs that are not wanted, nor, where each is listed once, their copies.
    root, workers, progress
        As for `train`.

    Raises
    ------
    TasteError
        If there is no such taste, or the songs are embedded with another encoder than it knows.
    ValueError
        If `precision` is no share, or is to leave out the labelled songs that `labelled` asks for.
    TypeError
        If something else than paths is given.
    LabelError
        If the labels beside the taste can't be read.
    EmbedError, CacheError

    Examples
    --------
    >>> import classify
    >>> {song.label for song in classify.score()}
    {None}
    >>> classify.score(labelled=True)[0].label
    'like'
    """
    _require_share(precision, labelled=labelled)
    named = path_list(paths)
    base = default_root() if root is None else root
    if not named:
        require_cache(base)
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste, root=base)
    _require_encoder(loaded, encoder, base)
    library = SongLibrary.of_taste(loaded, base)
    failed: tuple[Failure, ...] = ()
    if named:
        failed = library.embed_missing(named, workers, progress, taste=loaded)
    files = library.files(named or None)
    if not (named or len(files)):
        library.require_songs()
    n_library, n_gone = (0, 0) if named else files.n_gone()
    labels = LabelsNow.of(taste, loaded, library, None if named else files.vectors)
    found = score_files(
        files,
        loaded,
        base,
        labels=labels.by_digest,
        top=top,
        min_score=max(min_score, likely_from(loaded) if likely else 0.0),
        precision=precision,
        labelled=labelled or bool(named),
        once=not named if once is None else once,
        only_there=not named,
        per_artist=per_artist,
        without=without,
    )
    return replace(
        found,
        failed=failed,
        n_library=n_library,
        n_gone=n_gone,
        n_lacking=0 if named else library.n_lacking(files),
        n_new=_n_new(library, loaded),
        is_learnt=labels.is_learnt,
        n_like=labels.n_like,
    )


def _require_share(precision: float | None, *, labelled: bool) -> None:
    if labelled and precision is not None:
        raise ValueError("precision leaves out what labelled brings in: name one of them")
    if precision is not None and not 0 <= precision <= 1:
        raise ValueError(f"precision is {precision}; it is a share, from 0 to 1")


def likely_from(taste: Taste) -> float:
    """Return the score from which a taste's verdict is `like`.

    Examples
    --------
    >>> from classify import Taste
    >>> from classify.library.scoring import likely_from
    >>> 0.5 < likely_from(Taste.load("default")) < 1
    True
    """
    return max(taste.unsure[1], taste.threshold)  # as `Taste.verdicts`


def score_files(
    files: LibraryFiles,
    taste: Taste,
    root: str | Path,
    *,
    labels: Mapping[str, str] | None = None,
    top: int | None = None,
    min_score: float = 0.0,
    precision: float | None = None,
    labelled: bool = True,
    once: bool = False,
    only_there: bool = False,
    per_artist: int | None = None,
    without: Collection[str] = (),
) -> Scores:
    """Score files of an open library, best first; see `score`.

    Parameters
    ----------
    files : LibraryFiles
        With `precision`, labelled songs among them are passed over.
    taste : Taste
    root : path or URI
        The cache.
    labels : mapping of str to str, optional
        Digest to like or dislike; default: those that the taste was trained with.
    top, min_score, precision, labelled, once, per_artist, without
        Which are wanted.
    only_there : bool
        Pass over files that have gone.

    Raises
    ------
    CacheError
        If song vectors can't be read.
    """
    n_files = len(files)
    learnt = dict.fromkeys(taste.dislikes, "dislike") | dict.fromkeys(taste.likes, "like")
    labels = learnt if labels is None else labels
    # What is known for certain must not make up for what is not; nor must what the taste has learnt
    # by heart, should its label be gone since.
    known = [*labels, *learnt] if precision is not None or not labelled else []
    known += without
    files = files.without(known) if known else files
    # By the decisions, not by the scores: at either end those differ less than a float can tell.
    decisions = _decisions(taste, files, root)
    values = taste.calibration(decisions)
    order = rank(decisions, files.paths_at)

    def chosen_by(**wanted: Any) -> NDArray[np.intp]:
        folded = Once.beside(known, taste, files.vectors) if once else None
        return choose(files, order, values, only_there=only_there, once=folded, **wanted)

    chosen = chosen_by(top=top, min_score=min_score, precision=precision, per_artist=per_artist)
    first = chosen if len(chosen) else chosen_by(top=1, min_score=0.0, precision=None)
    return Scores(
        taste=taste,
        songs=_scored(files, taste, labels, chosen, values[chosen]),
        failed=(),
        n_scored=len(files),
        n_labelled=n_files - len(files),
        best=float(values[first[0]]) if len(first) else None,
    )


def _decisions(taste: Taste, files: LibraryFiles, root: str | Path) -> FloatArray:
    if (files.at[1:] > files.at[:-1]).all():  # as they mostly are, having come in the same order
        return decide(taste, files.vectors, files.at, root)
    recordings, place = np.unique(files.at, return_inverse=True)
    return decide(taste, files.vectors, recordings, root)[place]


def _n_new(library: SongLibrary, taste: Taste) -> int:
    """Count the songs that a small library has now and had not when a taste was learnt."""
    if not 0 < taste.n_library < _SMALL_LIBRARY:
        return 0
    return max(0, library.files().n_recordings - taste.n_library)


def _require_encoder(taste: Taste, encoder: str | None, root: str | Path) -> None:
    """Refuse a taste of another encoder than the user named.

    A model of the user's own may have moved, so this looks inside.
    """
    if encoder is None or same_encoder(encoder, taste):
        return
    name = encoder_name(encoder)
    fingerprint = ""
    if all(any(map(is_own_model, split_encoder(one))) for one in (name, taste.encoder)):
        fingerprint = prepare_encoders(encoder, root=root).fingerprint
    taste.require(encoder=name, fingerprint=fingerprint)


def _scored(
    files: LibraryFiles,
    taste: Taste,
    labels: Mapping[str, str],
    which: NDArray[np.intp],
    values: FloatArray,
) -> tuple[ScoredSong, ...]:
    rows = files.recordings(which)
    return tuple(
        ScoredSong(
            path=row.path,
            score=value,
            verdict=verdict,
            duration_s=row.duration_s,
            artist=row.artist,
            title=row.title,
            album=row.album,
            label=labels.get(row.digest or ""),
            digest=row.digest or "",  # there is one where there is a vector
        )
        for row, value, verdict in zip(rows, values.tolist(), taste.verdicts(values), strict=True)
    )
