"""Labels and the taste that is learnt from them, changed together: all of it or nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from cache import Catalog, default_root
from classify.labels.label_file import (
    LABELS,
    Label,
    labels_locked,
    labels_path,
    read_labels,
    write_labels,
)
from classify.labels.training import learn, resolved_labels
from classify.learning.examples import MIN_LIKES, sample_unlabelled
from classify.library.song_library import SongLibrary
from classify.taste.names import DEFAULT_TASTE, taste_path
from classify.taste.taste import Taste
from classify.taste.taste_file import staged_taste

__all__ = ["Change", "Relabelled", "labels_now", "relabel", "stored_labels"]

Change = Callable[[tuple[Label, ...]], tuple[Label, ...]]


@dataclass(frozen=True, kw_only=True)
class Relabelled:
    """What `relabel` did.

    Attributes
    ----------
    labels : tuple of Label
        As they are now.
    taste : Taste or None
        As it was learnt again; None where there is too little to learn from, which `note` then
        says.
    fit_s : float
        Seconds of learning.
    """

    labels: tuple[Label, ...]
    taste: Taste | None
    note: str
    fit_s: float


def relabel(
    library: SongLibrary,
    change: Change,
    *,
    path: Path,
    former: Taste | None,
    head: str | None = None,
) -> Relabelled:
    """Change labels, learn the taste again and keep both; other processes wait meanwhile.

    Parameters
    ----------
    library : SongLibrary
        All labelled songs that it does not hold keep their labels, and take no part in learning.
    change : callable
        Given the labels that there are, those that there shall be.
    path : Path
        The file of the taste.
    former : Taste or None
        The taste as it is. The unlabelled songs that it knew are learnt from again, so that only
        the labels differ.
    head : str, optional
        Another head, and all of the library to choose the unlabelled songs from; default: as
        `former`.

    Raises
    ------
    LabelError
        If the labels can't be read or written, or songs that sound the same have different labels;
        then nothing is changed.
    CacheError, TasteError
    """
    file = labels_path(path)
    with labels_locked(file, library.root):
        before = resolved_labels(library, _placed(stored_labels(path), library.paths_of))
        labels = change(before)
        started = time.monotonic()
        pool = _pool(library, before, former if head is None else None)
        learnt, note = _learn(library, labels, pool, head or (former.head if former else "auto"))
        fit_s = time.monotonic() - started
        with staged_taste(learnt, path) if learnt is not None else nullcontext():
            write_labels(file, labels)  # as in `train`
    return Relabelled(labels=tuple(labels), taste=learnt, note=note, fit_s=fit_s)


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
    catalog = Catalog(default_root() if root is None else root)
    stored = stored_labels(taste_path(taste, root=root))
    return _placed(stored, lambda digests: catalog.files().paths_of(digests))


def _placed(
    labels: Sequence[Label], paths_of: Callable[[Sequence[str]], dict[str, str]]
) -> tuple[Label, ...]:
    """Give labels the paths that their songs have now."""
    digests = [one.digest for one in labels if one.digest]
    paths = paths_of(digests) if digests else {}
    return tuple(replace(one, path=paths.get(one.digest, one.path)) for one in labels)


def stored_labels(path: Path) -> tuple[Label, ...]:
    """Read the labels of the taste in a file.

    These are the ones that people gave, or else those that the taste was trained with.

    Raises
    ------
    LabelError, TasteError
        If a file can't be read.
    """
    stored = read_labels(labels_path(path))
    if stored is not None or not path.exists():
        return stored or ()
    known = Taste.load(path)
    sides = zip(LABELS, (known.likes, known.dislikes), strict=True)
    return tuple(
        Label(label=value, path="", digest=digest) for value, side in sides for digest in side
    )


def _pool(library: SongLibrary, before: Iterable[Label], former: Taste | None) -> list[str]:
    """List the songs of which those without a label stand for what is ordinary."""
    if former is None:
        return library.files().digests
    # Those may be free again that were labelled before.
    once_known = {*former.unlabelled, *(one.digest for one in before if former.unlabelled)}
    return sorted(library.vectors.held([digest for digest in once_known if digest]))


def _learn(
    library: SongLibrary, labels: Sequence[Label], pool: Sequence[str], head: str
) -> tuple[Taste | None, str]:
    rest = sample_unlabelled(pool, exclude={one.digest for one in labels})
    n_like = sum(one.label == "like" and bool(one.digest) for one in labels)
    if n_like < MIN_LIKES:
        return (
            None,
            (
                f"{n_like} of the {MIN_LIKES} liked songs that a taste needs at least; "
                "about 7 work well"
            ),
        )
    if not rest and all(one.label == "like" for one in labels):
        return (
            None,
            (
                "no other song is in the cache to tell the likes from: "
                "'sevensongs embed PATH' adds some"
            ),
        )
    return learn(library, labels, rest, head=head), ""
