"""From a taste to scores: `classify.score`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cache import default_root
from classify.library.library_files import LibraryFiles
from classify.library.ranking import choose, decide, rank
from classify.library.song_library import SongLibrary, Tell, same_encoder
from classify.output.song_results import SongResults
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray
from embed import Failure, Paths, encoder_name, path_list, prepare_encoders

__all__ = ["ScoredSong", "Scores", "score", "score_files"]


@dataclass(frozen=True, kw_only=True)
class ScoredSong:
    """A song and its score.

    Attributes
    ----------
    score : float
        A calibrated probability in [0, 1].
    verdict : {'like', 'unsure', 'dislike'}
    label : {'like', 'dislike'} or None
        What the taste was told of it.
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
    """Songs, best first, and the files that failed; `n_scored` counts also what was not wanted.

    Examples
    --------
    >>> import classify
    >>> best = classify.score("music", top=3)
    >>> len(best)
    3
    >>> [song.label for song in best]
    ['like', 'like', 'like']
    """

    song_type: ClassVar[type] = ScoredSong
    taste: Taste
    songs: tuple[ScoredSong, ...]
    failed: tuple[Failure, ...]
    n_scored: int


def score(
    paths: Paths = (),
    *,
    taste: str | os.PathLike[str] | Taste = DEFAULT_TASTE,
    encoder: str | None = None,
    top: int | None = None,
    min_score: float = 0.0,
    precision: float | None = None,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Scores:
    """Score songs, best first.

    Parameters
    ----------
    paths : path or iterable of path
        What to score; new songs are embedded. A plain string is one path. Empty: the whole cached
        library, without files that have gone.
    taste : str, path or Taste
        A name, a file, or a taste.
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
    root, workers, progress
        As for `train`.

    Raises
    ------
    TasteError
        If there is no such taste, or the songs are embedded with another encoder than it knows.
    ValueError
        If `precision` is no share.
    TypeError
        If something else than paths is given.
    EmbedError, CacheError

    Examples
    --------
    >>> import classify
    >>> best = classify.score("music", top=3)
    >>> [song.verdict for song in best.songs]
    ['like', 'like', 'like']
    """
    if precision is not None and not 0 <= precision <= 1:
        raise ValueError(f"precision is {precision}; it is a share, from 0 to 1")
    named = path_list(paths)
    base = default_root() if root is None else root
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste, root=base)
    _require_encoder(loaded, encoder, base)
    library = SongLibrary.of_taste(loaded, base)
    failed: tuple[Failure, ...] = ()
    if named:
        failed = library.embed_missing(named, workers, progress, taste=loaded)
    files = library.files(named or None)
    if not (named or len(files)):
        library.require_songs()
    found = score_files(
        files, loaded, base, top=top, min_score=min_score, precision=precision, only_there=not named
    )
    return replace(found, failed=failed)


def score_files(
    files: LibraryFiles,
    taste: Taste,
    root: str | Path,
    *,
    top: int | None = None,
    min_score: float = 0.0,
    precision: float | None = None,
    only_there: bool = False,
) -> Scores:
    """Score files of an open library, best first; see `score`.

    Parameters
    ----------
    files : LibraryFiles
        With `precision`, labelled songs among them are passed over.
    taste : Taste
    root : path or URI
        The cache.
    top, min_score, precision
        Which are wanted.
    only_there : bool
        Pass over files that have gone.

    Raises
    ------
    CacheError
        If song vectors can't be read.
    """
    if precision is not None:  # what is known for certain must not make up for what is not
        files = files.without([*taste.likes, *taste.dislikes])
    once, place = np.unique(files.at, return_inverse=True)
    # By the decisions, not by the scores: at either end those differ less than a float can tell.
    decisions = decide(taste, files.vectors, once, root)[place]
    values = taste.calibration(decisions)
    order = rank(decisions, files.paths)
    chosen = choose(
        files,
        order,
        values,
        top=top,
        min_score=min_score,
        precision=precision,
        only_there=only_there,
    )
    songs = _scored(files, taste, chosen, values[chosen])
    return Scores(taste=taste, songs=songs, failed=(), n_scored=len(files))


def _require_encoder(taste: Taste, encoder: str | None, root: str | Path) -> None:
    """Refuse a taste of another encoder than the user named.

    A hub model may have moved, so this looks inside.
    """
    if encoder is None or same_encoder(encoder, taste):
        return
    name = encoder_name(encoder)
    fingerprint = ""
    if "hub:" in name and "hub:" in taste.encoder:
        fingerprint = prepare_encoders(encoder, root=root).fingerprint
    taste.require(encoder=name, fingerprint=fingerprint)


def _scored(
    files: LibraryFiles, taste: Taste, which: NDArray[np.intp], values: FloatArray
) -> tuple[ScoredSong, ...]:
    rows = files.recordings(which)
    labels = dict.fromkeys(taste.dislikes, "dislike") | dict.fromkeys(taste.likes, "like")
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
