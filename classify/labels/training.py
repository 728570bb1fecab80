"""From songs that a listener names to a taste: `classify.train`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cache import default_root
from classify.errors import LabelError, SameSongError
from classify.labels.label_file import (
    LABELS,
    Label,
    labels_locked,
    labels_path,
    read_labels,
    relabelled,
    write_labels,
)
from classify.learning.examples import MIN_LIKES, sample_unlabelled
from classify.library.song_library import SongLibrary, Tell
from classify.taste.names import DEFAULT_TASTE, taste_path
from classify.taste.taste import Taste
from classify.taste.taste_file import staged_taste
from embed import Failure, Paths, path_list, prepare_encoders

__all__ = ["Trained", "learn", "resolved_labels", "songs_of", "train"]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What `train` made.

    Attributes
    ----------
    failed : tuple of Failure
        Likes, dislikes or unlabelled songs that could not be used.
    n_copies : int
        Labelled songs that are copies of others, in whatever format, and so count once.
    fit_s, wall_s : float
        Seconds of learning, and of everything.
    """

    taste: Taste
    path: Path
    failed: tuple[Failure, ...]
    n_copies: int
    fit_s: float
    wall_s: float


def train(
    likes: Paths | None = None,
    *,
    dislikes: Paths = (),
    unlabelled: Paths | None = None,
    encoder: str = "musicnn",
    head: str = "auto",
    taste: str | os.PathLike[str] = DEFAULT_TASTE,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Trained:
    """Learn a taste from songs and save it.

    Parameters
    ----------
    likes, dislikes : path or iterable of path, optional
        Files, folders, playlists, CSVs; a plain string is one path. Songs that are not in the cache
        are embedded. They become the taste's labels, in place of those that it had. Without likes,
        it is learnt from the labels that it has (see `classify.label`).
    unlabelled : path or iterable of path, optional
        The rest of the library, as weak negatives; default: all that is cached, empty: none.
    encoder : str
        See `embed.ENCODERS`; several joined by +, such as ``musicnn+yamnet``.
    head : str
    taste : str or path
        A name, or a file.
    root : path or URI, optional
        The cache.
    workers : int, optional
        Processes for embedding.
    progress : callable, optional
        Told how far the embedding is.

    Returns
    -------
    Trained

    Raises
    ------
    LabelError
        With fewer than 2 likes that can be used, nothing to tell them from, or a song on both
        sides.
    TypeError
        If something else than paths is given.
    EmbedError, CacheError, TasteError

    Examples
    --------
    >>> from pathlib import Path
    >>> import classify
    >>> trained = classify.train(Path("music").glob("*acoustic*"), taste="acoustic")
    >>> trained.taste.n_like
    15
    """
    started = time.monotonic()
    liked = None if likes is None else path_list(likes)
    disliked = path_list(dislikes)
    others = None if unlabelled is None else path_list(unlabelled)
    path = taste_path(taste, root=root)
    base = default_root() if root is None else root
    prepared = prepare_encoders(encoder, root=base)
    library = SongLibrary.of_encoders(prepared, base)
    file = labels_path(path)
    theirs = (
        () if liked is not None else [one.path for one in _stored_labels(file) if not one.digest]
    )
    named = [*(liked or ()), *disliked, *(others or ()), *theirs]
    failed = library.embed_missing(named, workers, progress)
    with labels_locked(file, base):
        if liked is None:
            labels = resolved_labels(library, _stored_labels(file))
            labels = relabelled(labels, songs_of(library, disliked), "dislike")
        else:
            labels = _named_labels(library, liked, disliked, failed)
        labelled = {one.digest for one in labels if one.digest}
        rest = sample_unlabelled(library.files(others).digests, exclude=labelled)
        if not (rest or others is not None or any(one.label == "dislike" for one in labels)):
            raise LabelError(_nothing_else(prepared.name))
        fit_started = time.monotonic()
        fitted = learn(library, labels, rest, head=head)
        fit_s = time.monotonic() - fit_started
        with staged_taste(fitted, path):  # there is room for both, or neither is replaced
            write_labels(file, labels)  # first: from labels a taste can be learnt again
    return Trained(
        taste=fitted,
        path=path,
        failed=failed,
        n_copies=len(labelled) - fitted.n_like - fitted.n_dislike,
        fit_s=fit_s,
        wall_s=time.monotonic() - started,
    )


def learn(
    library: SongLibrary, labels: Iterable[Label], rest: Sequence[str], *, head: str
) -> Taste:
    """Learn a taste from labelled and unlabelled recordings; nothing is saved.

    Raises
    ------
    LabelError
        If there are too few likes in the cache, or two songs that sound the same have different
        labels.
    """
    sides = [
        [one.digest for one in labels if one.label == label and one.digest] for label in LABELS
    ]
    held = library.vectors.held([digest for side in sides for digest in side])
    liked, disliked = ([digest for digest in side if digest in held] for side in sides)
    if len(liked) < MIN_LIKES:
        raise LabelError(
            f"{_n_songs(len(liked), 'liked')} can be used, at least {MIN_LIKES} are needed and "
            "about 7 work well: 'sevensongs label like PATH' adds more"
        )
    return _fit(
        library,
        likes=library.songs(liked),
        dislikes=library.songs(disliked) if disliked else None,
        unlabelled=library.songs(rest) if rest else None,
        encoder=library.encoder,
        fingerprint=library.fingerprint,
        blocks=library.blocks,
        head=head,
    )


def resolved_labels(library: SongLibrary, labels: Iterable[Label]) -> tuple[Label, ...]:
    """Give labels that a person has written by path their digests.

    That goes only where the song is in the cache.
    """
    rows = tuple(labels)
    unknown = [one.path for one in rows if not one.digest]
    found = {row.path: row.digest for row in library.rows(unknown)} if unknown else {}
    resolved = [replace(one, digest=one.digest or found.get(one.path) or "") for one in rows]
    return tuple({one.digest or one.path: one for one in resolved}.values())


def songs_of(library: SongLibrary, paths: Sequence[str]) -> dict[str, str]:
    """Return the recordings of paths that are in the cache, digest to path; of copies the first."""
    songs: dict[str, str] = {}
    for row in library.rows(paths):
        if row.digest:
            songs.setdefault(row.digest, row.path)
    return songs


def _stored_labels(file: Path) -> tuple[Label, ...]:
    stored = read_labels(file)
    if stored is None:
        raise LabelError(
            f"no song is named, and there are no labels in {file}: add --like PATH, or label songs "
            "with 'sevensongs label like PATH'"
        )
    return stored


def _named_labels(
    library: SongLibrary, likes: Sequence[str], dislikes: Sequence[str], failed: Sequence[Failure]
) -> tuple[Label, ...]:
    """Label what the user has named; explain in paths what `learn` could only say in digests."""
    liked, disliked = songs_of(library, likes), songs_of(library, dislikes)
    if len(liked) < MIN_LIKES:
        n_files = len(library.rows(likes))
        copies = f" ({n_files} files of the same recording)" if n_files > len(liked) else ""
        why = (
            f"; {len(failed)} failed, the first: {failed[0].path}: {failed[0].error}"
            if failed
            else ""
        )
        raise LabelError(
            f"{_n_songs(len(liked), 'liked')} can be used{copies}, at least {MIN_LIKES} are needed "
            f"and about 7 work well: add --like PATH{why}"
        )
    both = [liked[digest] for digest in liked.keys() & disliked.keys()]
    if both:
        raise LabelError(
            f"{len(both)} song{'' if len(both) == 1 else 's'} liked and disliked at once: "
            f"{', '.join(sorted(both)[:3])}{', ...' if len(both) > 3 else ''}; take one of the "
            "labels away"
        )
    return relabelled(relabelled((), liked, "like"), disliked, "dislike")


def _n_songs(n: int, what: str) -> str:
    return f"{n} {what} song{'' if n == 1 else 's'}"


def _nothing_else(encoder: str) -> str:
    """Say why there is no negative: nothing is cached, or it is for another encoder."""
    return (
        f"no song but the likes is embedded with {encoder}, so there is nothing to tell them from: "
        f"run 'sevensongs embed --encoder {encoder} PATH' on your library, or add --dislike PATH"
    )


def _fit(library: SongLibrary, **arguments: Any) -> Taste:
    from classify.learning.fit import fit_taste

    try:
        return fit_taste(**arguments)
    except SameSongError as error:  # told in digests; people know paths
        paths = library.paths_of(error.digests)
        liked, disliked = (paths.get(digest, digest) for digest in error.digests)
        raise LabelError(
            f"{liked} is liked and {disliked} disliked, and they sound the same: copies of one "
            "song; take one of the labels away"
        ) from error
