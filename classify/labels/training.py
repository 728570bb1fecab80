"""From songs that a listener names to a taste: `classify.train`."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cache import default_root, require_cache
from classify.errors import LabelError, TasteError
from classify.labels.pushed_lists import refuse_pushed_lists
from classify.labels.recipe import Recipe
from classify.labels.relearning import Relabelled, count_songs, relabel, songs_of
from classify.learning.examples import MIN_LIKES
from classify.learning.sampling import MAX_LABELLED
from classify.library.label_file import Label, labels_path, relabelled, stored_labels
from classify.library.large_library import opened
from classify.library.song_library import SongLibrary, Tell
from classify.output.embed_summary import apart_from_streams
from classify.output.own_lists import refuse_own_lists
from classify.taste.names import DEFAULT_TASTE, taste_path
from classify.taste.taste import Taste
from embed import Failure, Paths, path_list, prepare_encoders

__all__ = ["Trained", "train"]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What `train` made.

    Attributes
    ----------
    failed : tuple of Failure
        Likes, dislikes or unlabelled songs that could not be used.
    n_copies : int
        Labelled songs that are copies of others, in whatever format, and so count once.
    n_left_out : int
        Labelled songs beyond those that a taste learns from, 1,000 likes and 1,000 dislikes.
    note : str
        What became of labels that are too many to learn from, in words.
    dropped : tuple of Label
        Labels that the taste had before and has no more, as others were named in their place.
    n_lacking : int
        Songs of the library that are embedded for other encoders only, so that the taste has not
        heard them; 0 where `unlabelled` are named.
    fit_s, wall_s : float
        Seconds of learning, and of everything.
    """

    taste: Taste
    path: Path
    failed: tuple[Failure, ...]
    n_copies: int
    n_left_out: int
    note: str
    dropped: tuple[Label, ...]
    n_lacking: int
    fit_s: float
    wall_s: float


def train(
    likes: Paths | None = None,
    *,
    dislikes: Paths = (),
    unlabelled: Paths | None = None,
    encoder: str = "default",
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
        it is learnt from the labels that it has (see `classify.label`), to which dislikes are
        added.
    unlabelled : path or iterable of path, optional
        The rest of the library, as weak negatives; default: all that is cached, empty: none. The
        recordings that are named are kept with the taste, and so is the head: `classify.label`
        learns from the same ones again, until the next `train`.
    encoder : str
        See `embed.ENCODERS`; several joined by +, such as ``musicnn+yamnet``; ``best`` or ``fast``.
        ``default`` without likes is that of the taste as it is.
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
    liked, disliked = None if likes is None else path_list(likes), path_list(dislikes)
    others = None if unlabelled is None else path_list(unlabelled)
    named = [*(liked or ()), *disliked]
    refuse_own_lists(named)
    path, base = taste_path(taste, root=root), default_root() if root is None else root
    library = _library(path, base, encoder, keep_encoder=liked is None)
    refuse_pushed_lists(library, named, base)
    before = _stored_labels(path, disliked) if liked is None else _labels_before(path)
    theirs = [one.path for one in before if liked is None and not one.digest]
    failed = library.embed_missing([*named, *(others or ()), *theirs], workers, progress)
    with opened(library) as known:
        done = _relabelled(known, liked, disliked, others, failed, path=path, head=head)
        n_lacking = 0 if others is not None else known.n_lacking()
    assert done.taste is not None  # `_refused` gives no reason to learn nothing
    sides = Counter(one.label for one in done.labels if one.digest)
    n_left_out = sum(max(0, n - MAX_LABELLED) for n in sides.values())
    return Trained(
        taste=done.taste,
        path=path,
        failed=failed,
        n_copies=sides.total() - n_left_out - done.taste.n_like - done.taste.n_dislike,
        n_left_out=n_left_out,
        note=done.note,
        dropped=() if liked is None else _without(before, done.labels),
        n_lacking=n_lacking,
        fit_s=done.fit_s,
        wall_s=time.monotonic() - started,
    )


def _relabelled(
    library: SongLibrary,
    liked: Sequence[str] | None,
    disliked: Sequence[str],
    others: Sequence[str] | None,
    failed: Sequence[Failure],
    *,
    path: Path,
    head: str,
) -> Relabelled:
    """Learn from the songs that are named, or from the labels that there are."""

    def with_dislikes(before: tuple[Label, ...]) -> tuple[Label, ...]:
        return relabelled(before, _dislikes(library, disliked, path), "dislike")

    return relabel(
        library,
        with_dislikes
        if liked is None
        else _named_labels(library, liked, _dislikes(library, disliked, path), failed, path),
        path=path,
        recipe=Recipe(head=head, pool=None if others is None else _pool(library, others, path)),
        too_little=partial(_refused, encoder=library.encoder, is_named=others is not None),
    )


def _library(path: Path, base: str | Path, encoder: str, *, keep_encoder: bool) -> SongLibrary:
    """Open the library for an encoder, or by default for that of the taste as it is."""
    if path.exists():  # a taste that could be lost
        require_cache(base)
        if keep_encoder and encoder == "default":
            encoder = Taste.load(path).encoder
    return SongLibrary.of_encoders(prepare_encoders(encoder, root=base), base)


def _labels_before(path: Path) -> tuple[Label, ...]:
    """Read the labels that are about to be replaced; none where they can't be read."""
    try:
        return stored_labels(path)
    except (LabelError, TasteError):
        return ()


def _without(before: Sequence[Label], now: Sequence[Label]) -> tuple[Label, ...]:
    """Return the labels of songs that have none any more."""
    kept = {name for one in now for name in (one.digest, one.path)}
    return tuple(one for one in before if (one.digest or one.path) not in kept)


def _stored_labels(path: Path, dislikes: Sequence[str]) -> tuple[Label, ...]:
    """Read the labels to learn from where no like is named; refuse where they are too few."""
    stored = stored_labels(path)
    n_like = sum(one.label == "like" for one in stored)
    if n_like >= MIN_LIKES:
        return stored
    found = f"{count_songs(n_like, 'liked')} can be found" if stored else "there are no labels"
    named = "only songs that you don't like are named" if dislikes else "no song is named"
    raise LabelError(
        f"{named}, and {found} in {labels_path(path)}: a taste needs at least {MIN_LIKES} songs "
        "that you like, and about 7 work well: add --like PATH, or label songs with 'sevensongs "
        "label like PATH'"
    )


def _pool(library: SongLibrary, others: Sequence[str], path: Path) -> list[str]:
    """Return the recordings that are to serve as weak negatives."""
    pool = library.files(others).digests
    if others and not pool:
        raise LabelError(_none_there("unlabelled", others, path))
    return pool


def _dislikes(library: SongLibrary, dislikes: Sequence[str], path: Path) -> dict[str, str]:
    """Return the recordings that are disliked, digest to path."""
    disliked = songs_of(library, dislikes)
    if dislikes and not disliked:
        raise LabelError(_none_there("disliked", dislikes, path))
    return disliked


def _none_there(what: str, named: Sequence[str], path: Path) -> str:
    """Say that what was named on one side gives no song at all, so that a taste would be worse."""
    return (
        f"no {what} song is there now: {named[0]}{', ...' if len(named) > 1 else ''} gives none; "
        f"is the drive connected?{_stays(path)}"
    )


def _stays(path: Path) -> str:
    return f"; {path} stays as it was" if path.exists() else ""


def _named_labels(
    library: SongLibrary,
    likes: Sequence[str],
    disliked: dict[str, str],
    failed: Sequence[Failure],
    path: Path,
) -> tuple[Label, ...]:
    """Label what the user has named; explain in paths what `relabel` could only say in digests."""
    liked = songs_of(library, likes)
    if len(liked) < MIN_LIKES:
        raise LabelError(
            f"{count_songs(len(liked), 'liked')} can be used"
            f"{_counted_once(library, likes, len(liked))}, at least {MIN_LIKES} are needed and "
            f"about 7 work well: add --like PATH{_why_failed(failed)}{_stays(path)}"
        )
    both = [liked[digest] for digest in liked.keys() & disliked.keys()]
    if both:
        raise LabelError(
            f"{len(both)} song{'' if len(both) == 1 else 's'} liked and disliked at once: "
            f"{', '.join(sorted(both)[:3])}{', ...' if len(both) > 3 else ''}; name it on one "
            "side only"
        )
    return relabelled(relabelled((), liked, "like"), disliked, "dislike")


def _counted_once(library: SongLibrary, named: Sequence[str], n_songs: int) -> str:
    """Say why songs that were named are fewer recordings; "" where they are not."""
    n_files = len(library.rows(named))
    if n_files > n_songs:
        return f" ({n_files} files of the same recording)"
    n_named = len({os.path.abspath(os.path.expanduser(path)) for path in named})
    return " (the same file is named twice)" if n_named < len(named) else ""


def _why_failed(failed: Sequence[Failure]) -> str:
    """Say what became of files that were named; "" where none failed."""
    if not failed:
        return ""
    others, streams = apart_from_streams(failed)
    if streams and not others:
        return f"; {streams}"
    return f"; {len(failed)} failed, the first: {failed[0].path}: {failed[0].error}"


def _refused(labels: Sequence[Label], rest: Sequence[str], *, encoder: str, is_named: bool) -> str:
    """Refuse where there is no negative: nothing is cached, or it is for another encoder."""
    if rest or is_named or any(one.label == "dislike" for one in labels):
        return ""  # `relabel` says what else there is too little of
    raise LabelError(
        f"no song but the likes is embedded with {encoder}, so there is nothing to tell them from: "
        f"run 'sevensongs embed --encoder {encoder} PATH' on your library, or add --dislike PATH"
    )
