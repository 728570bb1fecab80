"""From a taste to scores: `classify.score`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from cache import default_root, require_cache
from classify.library.label_file import LabelsNow
from classify.library.large_library import LargeLibrary
from classify.library.library_files import LibraryFiles
from classify.library.song_library import SongLibrary, Tell, same_encoder
from classify.scoring.decided_songs import DecidedSongs
from classify.scoring.file_scores import labels_and_known, likely_from, listed, scores_of
from classify.scoring.ranking import Once, Wanted
from classify.scoring.scores import Scores
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste
from embed import Paths, encoder_name, is_own_model, path_list, prepare_encoders, split_encoder

__all__ = ["score"]

_BEST, _BEST_A_SONG, _MORE = 65_536, 8, 8
"""Of a large library so many files, and so many for each that is to be listed, are looked at first;
where that is not enough, as many times more."""
_SMALL_LIBRARY = 1000
"""Songs from which on a taste has heard most kinds of music that come."""


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
    wanted = Wanted(
        top=top,
        min_score=max(min_score, likely_from(loaded) if likely else 0.0),
        precision=precision,
        labelled=labelled or bool(named),
        once=not named if once is None else once,
        only_there=not named,
        per_artist=per_artist,
        without=without,
    )
    if named:
        failed = library.embed_missing(named, workers, progress, taste=loaded)
        files = library.files(named)
        labels = LabelsNow.of(taste, loaded, library)
        found = scores_of(files, loaded, base, labels.by_digest, wanted)
        found = replace(found, failed=failed, n_new=_n_new(library, loaded))
    else:
        found, labels = _score_library(library, taste, loaded, wanted)
    return replace(found, is_learnt=labels.is_learnt, n_like=labels.n_like)


def _score_library(
    library: SongLibrary, given: str | os.PathLike[str] | Taste, taste: Taste, wanted: Wanted
) -> tuple[Scores, LabelsNow]:
    """Score all songs of a cache."""
    if library.is_large:
        with LargeLibrary.opened(library) as large:
            if large.n_recordings():  # else nothing, or nothing but the demo
                labels = LabelsNow.of(given, taste, library)
                return _score_large(large, taste, labels.by_digest, wanted), labels
    files = library.files()
    if not len(files):
        library.require_songs()
    n_library, n_gone = files.n_gone()
    labels = LabelsNow.of(given, taste, library, files.vectors)
    found = scores_of(files, taste, library.root, labels.by_digest, wanted)
    counted = replace(
        found,
        n_library=n_library,
        n_gone=n_gone,
        n_lacking=library.n_lacking(files),
        n_new=_n_new_of(files.n_recordings, taste),
    )
    return counted, labels


def _require_share(precision: float | None, *, labelled: bool) -> None:
    if labelled and precision is not None:
        raise ValueError("precision leaves out what labelled brings in: name one of them")
    if precision is not None and not 0 <= precision <= 1:
        raise ValueError(f"precision is {precision}; it is a share, from 0 to 1")


def _score_large(
    library: LargeLibrary, taste: Taste, given: Mapping[str, str], wanted: Wanted
) -> Scores:
    """Do as `scores_of`: decide part by part, then list from the best, more of them if need be."""
    labels, known = labels_and_known(taste, given, wanted)
    decided = DecidedSongs.of(taste, library.parts, library.root, without=known)
    known_vectors = library.vectors.open(list(dict.fromkeys(known)))
    is_everything = wanted.top is wanted.precision is None and not wanted.min_score
    n_best = decided.n_left if is_everything else max(_BEST, _BEST_A_SONG * (wanted.top or 0))
    is_complete = False
    while not is_complete:
        files, decisions = decided.best(n_best)

        def begun(listed: LibraryFiles = files) -> Once:
            return Once.beside(known, taste, known_vectors, listed_in=listed.vectors)

        found, is_complete = listed(files, decisions, taste, labels, wanted, begun)
        is_complete |= len(files) >= decided.n_left
        n_best *= _MORE
    n_library, n_gone = library.parts.n_gone()
    return replace(
        found,
        n_scored=decided.n_left,
        n_labelled=decided.n_files - decided.n_left,
        n_library=n_library,
        n_gone=n_gone,
        n_lacking=library.n_lacking(),
        n_new=_n_new_of(n_library, taste),
    )


def _n_new(library: SongLibrary, taste: Taste) -> int:
    """Count the songs that a small library has now and had not when a taste was learnt."""
    is_small = 0 < taste.n_library < _SMALL_LIBRARY
    return _n_new_of(library.n_recordings(), taste) if is_small else 0


def _n_new_of(n_recordings: int, taste: Taste) -> int:
    is_small = 0 < taste.n_library < _SMALL_LIBRARY
    return max(0, n_recordings - taste.n_library) if is_small else 0


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
