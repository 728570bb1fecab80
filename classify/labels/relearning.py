"""Labels and the taste that is learnt from them, changed together: all of it or nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cache import Catalog, CatalogFiles, default_root
from classify.errors import LabelError, SameSongError
from classify.labels.recipe import Recipe
from classify.learning.examples import MIN_LIKES
from classify.learning.sampling import MAX_LABELLED, sample_unlabelled
from classify.library.label_file import (
    LABELS,
    Label,
    labels_locked,
    labels_name,
    labels_path,
    stored_labels,
    with_digests,
    write_labels,
)
from classify.library.song_library import SongLibrary
from classify.taste.names import DEFAULT_TASTE, taste_path
from classify.taste.taste import Taste
from classify.taste.taste_file import staged_taste

__all__ = [
    "NOTHING_NEW",
    "Change",
    "Relabelled",
    "TooLittle",
    "count_songs",
    "labels_now",
    "relabel",
    "songs_of",
]

Change = Callable[[tuple[Label, ...]], tuple[Label, ...]]
TooLittle = Callable[[Sequence[Label], Sequence[str]], str]
NOTHING_NEW = "no label has changed, so nothing is learnt and the taste stays as it is"
_LEARNT_BEFORE = "the taste was learnt from these labels before, and stays as it is"


@dataclass(frozen=True, kw_only=True)
class Relabelled:
    """What `relabel` did.

    Attributes
    ----------
    labels : tuple of Label
        As they are now.
    former : Taste or None
        As the taste was before, where the recipe was taken from it.
    taste : Taste or None
        As it was learnt again, or is where nothing has changed; None where there is too little to
        learn from. `note` says either, or which labels were too many to learn from.
    changed : bool
        Whether labels or taste were written.
    fit_s : float
        Seconds of learning.
    """

    labels: tuple[Label, ...]
    former: Taste | None
    taste: Taste | None
    note: str
    changed: bool
    fit_s: float


def relabel(
    library: SongLibrary,
    labels: Change | Sequence[Label],
    *,
    path: Path,
    recipe: Recipe | None = None,
    too_little: TooLittle | None = None,
) -> Relabelled:
    """Change labels, learn the taste again and keep both; other processes wait meanwhile.

    All that learns a taste of the cache goes through here: `train`, `label` and the service. The
    taste depends on the labels, the recipe, the encoder and the recordings in the library, and not
    on the way that led to the labels.

    Parameters
    ----------
    library : SongLibrary
        All labelled songs that it does not hold keep their labels, and take no part in learning.
    labels : sequence of Label or callable
        The labels that there shall be; or given those that there are, those that there shall be.
    path : Path
        The file of the taste.
    recipe : Recipe, optional
        How to learn. Default: as the taste in the file was learnt, and not at all where it was
        learnt from the very labels that there shall be, even if songs have come to the library
        since; then the taste's file is not touched, nor that of the labels.
    too_little : callable, optional
        Given the labels and the unlabelled songs, says why nothing can be learnt, or ""; what it
        raises leaves everything as it was. Default: `Relabelled.note` tells.

    Raises
    ------
    LabelError
        If the labels can't be read or written, fewer likes than are needed are in the cache, or
        songs that sound the same have different labels; then nothing is changed.
    CacheError, TasteError
    """
    file = labels_path(path)
    with labels_locked(file, library.root):
        stored = stored_labels(path) if callable(labels) else ()
        before = _known(library, stored)
        after = labels(before) if callable(labels) else tuple(labels)
        former = Taste.load(path) if recipe is None and path.exists() else None
        name = _name(library, after)
        started = time.monotonic()
        is_known = former is not None and _is_of(former, library, name)
        if is_known:
            learnt, note = None, NOTHING_NEW if set(after) == set(before) else _LEARNT_BEFORE
        else:
            learnt, note = _learnt(library, after, recipe or Recipe.of(former), name, too_little)
        fit_s = time.monotonic() - started
        changed = bool(learnt or recipe or set(after) != set(stored))
        # There is room for both, or neither is replaced.
        with staged_taste(learnt, path) if learnt is not None else nullcontext():
            if changed:
                write_labels(file, after)  # first: from labels a taste can be learnt again
    taste = former if is_known else learnt
    return Relabelled(
        labels=after, former=former, taste=taste, note=note, changed=changed, fit_s=fit_s
    )


def _learnt(
    library: SongLibrary,
    labels: Sequence[Label],
    recipe: Recipe,
    name: str,
    too_little: TooLittle | None,
) -> tuple[Taste | None, str]:
    """Learn a taste, or say why there is none."""
    rest = recipe.unlabelled(library, labels)
    note = (
        too_little(labels, rest)
        if too_little
        else _too_little(labels, rest, is_named=recipe.pool is not None)
    )
    if note:
        return None, note
    sides = _usable(library, labels)
    taste = recipe.signed(_learn(library, sides, rest, recipe), name, library)
    return taste, _too_many(sides)


def _usable(library: SongLibrary, labels: Iterable[Label]) -> dict[str, list[str]]:
    """Return the recordings of each label that have a vector."""
    sides: dict[str, list[str]] = {label: [] for label in LABELS}
    for one in labels:
        if one.digest:
            sides[one.label].append(one.digest)
    held = library.vectors.held([digest for side in sides.values() for digest in side])
    return {label: [digest for digest in side if digest in held] for label, side in sides.items()}


def _too_many(sides: Mapping[str, Sequence[str]]) -> str:
    """Say how many labels were not learnt from; "" where all were."""
    found = [
        f"{MAX_LABELLED} of {len(side)} {label}s"
        for label, side in sides.items()
        if len(side) > MAX_LABELLED
    ]
    if not found:
        return ""
    return (
        f"the taste has learnt from {' and '.join(found)}, chosen as if by lot, as more would take "
        "minutes; the others keep their labels and are no finds"
    )


def _name(library: SongLibrary, labels: Sequence[Label]) -> str:
    digests = [one.digest for one in labels if one.digest]
    return labels_name(labels, library.vectors.held(digests) if digests else ())


def _is_of(taste: Taste, library: SongLibrary, name: str) -> bool:
    """Whether a taste was learnt from labels of some name, for the encoder of a library."""
    return taste.learnt_from == name and taste.fingerprint == library.fingerprint


def labels_now(
    taste: str | os.PathLike[str] = DEFAULT_TASTE, *, root: str | Path | None = None
) -> tuple[Label, ...]:
    """Read the labels of a taste, each with a path that its song has now.

    Parameters
    ----------
    taste : str or path
        A name, or a file. Without a file of labels, those that it was trained with count.
    root : path or URI, optional
        The cache.

    Raises
    ------
    LabelError, TasteError, CacheError
        If a file or the cache can't be read.
    """
    stored = stored_labels(taste_path(taste, root=root))
    return _placed(stored, Catalog(default_root() if root is None else root).files_with)


def _known(library: SongLibrary, stored: Sequence[Label]) -> tuple[Label, ...]:
    return with_digests(_placed(stored, library.files_with), library)


def _placed(
    labels: Sequence[Label], files_with: Callable[[Sequence[str]], CatalogFiles]
) -> tuple[Label, ...]:
    """Give labels paths that their songs have now: those by which people named them, if there."""
    named = {one.digest: one.path for one in labels if one.digest}
    paths = files_with([*named]).paths_of(named, named=named) if named else {}
    return tuple(replace(one, path=paths.get(one.digest, one.path)) for one in labels)


def songs_of(library: SongLibrary, paths: Sequence[str]) -> dict[str, str]:
    """Return the recordings of paths that are in the cache, digest to path; of copies the first."""
    songs: dict[str, str] = {}
    for row in library.rows(paths):
        if row.digest:
            songs.setdefault(row.digest, row.path)
    return songs


def _too_little(labels: Sequence[Label], rest: Sequence[str], *, is_named: bool) -> str:
    n_like = sum(one.label == "like" and bool(one.digest) for one in labels)
    if n_like < MIN_LIKES:
        return (
            f"{n_like} of the {MIN_LIKES} liked songs that a taste needs at least; "
            "about 7 work well"
        )
    if not rest and all(one.label == "like" for one in labels):
        if is_named:
            return (
                "none of the unlabelled songs that `train` was given is left to tell the likes "
                "from: 'sevensongs train' without --like learns from the whole library"
            )
        return (
            "no other song is in the cache to tell the likes from: 'sevensongs embed PATH' adds "
            "some"
        )
    return ""


def _learn(
    library: SongLibrary, sides: Mapping[str, Sequence[str]], rest: Sequence[str], recipe: Recipe
) -> Taste:
    """Learn a taste from labelled and unlabelled recordings; nothing is saved."""
    liked, disliked = (
        sample_unlabelled(sides[label], limit=MAX_LABELLED, seed=recipe.seed) for label in LABELS
    )
    if len(liked) < MIN_LIKES:
        raise LabelError(
            f"{count_songs(len(liked), 'liked')} can be used, at least {MIN_LIKES} are needed and "
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
        head=recipe.head,
        seed=recipe.seed,
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


def count_songs(n: int, what: str) -> str:
    """Say how many songs there are of some kind, as in "1 liked song"."""
    return f"{n} {what} song{'' if n == 1 else 's'}"
