"""Label songs one by one, and see at once what it changes: `classify.label`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache import Catalog, default_root
from classify.errors import LabelError
from classify.examples import MIN_LIKES, sample_unlabelled
from classify.labels import LABELS, Label, labels_locked, labels_path, read_labels, relabelled, write_labels
from classify.ranking import decide, rank
from classify.song_files import SongFiles
from classify.songs import Paths, SongLibrary, Tell
from classify.taste import Taste
from classify.taste_file import staged_taste
from classify.tastes import DEFAULT_TASTE, taste_path
from classify.training import learn, resolved_labels, songs_of
from embed import Failure, find_audio, prepare_encoders

__all__ = ["Labelled", "Moved", "label", "labels_now"]

_TOP = 20


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A song that came into the first places of the library or left them; ranks count from 1."""

    path: str
    artist: str | None
    title: str | None
    rank_before: int
    rank: int


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What `label` did.

    Attributes
    ----------
    path : Path
        The file of labels.
    n_labelled : int
        Songs that have this label now, or none any more.
    n_like, n_dislike : int
        Labels that there are now.
    taste : Taste or None
        As it was learnt again; None where there is too little to learn from, which `note` then says.
    entered, left : tuple of Moved
        What is new among the first twenty songs that nobody has labelled, and what is no longer.
    fit_s, wall_s : float
        Seconds of learning and comparing, and of everything.
    """

    path: Path
    n_labelled: int
    n_like: int
    n_dislike: int
    failed: tuple[Failure, ...]
    taste: Taste | None
    note: str
    entered: tuple[Moved, ...]
    left: tuple[Moved, ...]
    fit_s: float
    wall_s: float


def label(
    paths: Paths,
    value: str | None,
    *,
    taste: str = DEFAULT_TASTE,
    encoder: str | None = None,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Labelled:
    """Label songs, learn the taste again, and compare the two rankings.

    Parameters
    ----------
    paths : sequence of path
        Files, folders, playlists, CSVs. Songs that are not in the cache are embedded.
    value : {'like', 'dislike'} or None
        None takes the labels away.
    taste : str
        A name, or a file. Without a file of labels, those that it was trained with are taken over.
    encoder : str, optional
        Of a new taste; default: musicnn, or that of the taste there is.
    root, workers, progress
        As for `train`.

    Returns
    -------
    Labelled

    Raises
    ------
    LabelError
        If the labels can't be read or written, or songs that sound the same have different labels.
    EmbedError, CacheError, TasteError
    """
    started = time.monotonic()
    if value is not None and value not in LABELS:
        raise LabelError(f"the label is {value!r}; it is like, dislike, or None for none")
    path = taste_path(taste, root=root)
    base = default_root() if root is None else root
    former = Taste.load(path) if path.exists() else None
    name = encoder or (former.encoder if former else "musicnn")
    library = SongLibrary.of_encoders(prepare_encoders(name, root=base), base)
    file = labels_path(path)
    wanted = [*(paths if value else ()), *(one.path for one in _labels_of(path) if not one.digest)]
    failed = library.embed_missing(wanted, workers, progress)
    with labels_locked(file, base):
        before = resolved_labels(library, labels_now(str(path), root=base))
        songs = songs_of(library, paths) | ({} if value else _gone(before, paths))
        labels = relabelled(before, songs, value)
        fit_started = time.monotonic()
        learnt, note = _learn_again(library, labels, before, former)
        with staged_taste(learnt, path) if learnt is not None else nullcontext():
            write_labels(file, labels)  # as in `train`
        entered, left = _changes(library, former, learnt, base)
    return Labelled(
        path=file,
        n_labelled=len(songs),
        n_like=sum(one.label == "like" for one in labels),
        n_dislike=sum(one.label == "dislike" for one in labels),
        failed=failed,
        taste=learnt,
        note=note,
        entered=entered,
        left=left,
        fit_s=time.monotonic() - fit_started,
        wall_s=time.monotonic() - started,
    )


def labels_now(taste: str = DEFAULT_TASTE, *, root: str | Path | None = None) -> tuple[Label, ...]:
    """Read the labels of a taste, each with a path that its song has now.

    Parameters
    ----------
    taste : str
        A name, or a file. Without a file of labels, those that it was trained with count.
    root : path or URI, optional
        The cache.

    Raises
    ------
    LabelError, TasteError, CacheError
        If a file or the cache can't be read.
    """
    labels = _labels_of(taste_path(taste, root=root))
    catalog = Catalog(default_root() if root is None else root)
    paths: dict[str, str] = {}
    for row in catalog.files_of([one.digest for one in labels if one.digest]):
        if row.digest and (row.digest not in paths or os.path.exists(row.path)):
            paths[row.digest] = row.path
    return tuple(replace(one, path=paths.get(one.digest, one.path)) for one in labels)


def _labels_of(path: Path) -> tuple[Label, ...]:
    """Read the labels of the taste in a file: those that people gave, or else those it was trained with."""
    stored = read_labels(labels_path(path))
    if stored is not None or not path.exists():
        return stored or ()
    known = Taste.load(path)
    sides = zip(LABELS, (known.likes, known.dislikes), strict=True)
    return tuple(Label(label=value, path="", digest=digest) for value, side in sides for digest in side)


def _gone(labels: Iterable[Label], paths: Paths) -> dict[str, str]:
    """Find labelled songs by the path that they had when they were labelled: the files may have gone."""
    named = {*find_audio(paths).files, *(str(Path(path).expanduser().absolute()) for path in paths)}
    return {one.digest: one.path for one in labels if one.digest and one.path in named}


def _learn_again(
    library: SongLibrary, labels: Sequence[Label], before: Iterable[Label], former: Taste | None
) -> tuple[Taste | None, str]:
    """Learn from the labels and the unlabelled songs that the taste knew, so that only the labels differ."""
    labelled = {one.digest for one in labels}
    if former is None:
        pool = library.files().digests
    else:  # of which those may be free again that were labelled before
        once_known = {*former.unlabelled, *(one.digest for one in before if former.unlabelled)}
        pool = sorted(library.vectors.held([digest for digest in once_known if digest]))
    rest = sample_unlabelled(pool, exclude=labelled)
    n_like = sum(one.label == "like" and bool(one.digest) for one in labels)
    if n_like < MIN_LIKES:
        return None, f"{n_like} of the {MIN_LIKES} liked songs that a taste needs at least; about 7 work well"
    if not rest and all(one.label == "like" for one in labels):
        return None, "no other song is in the cache to tell the likes from: 'sevensongs embed PATH' adds some"
    return learn(library, labels, rest, head=former.head if former else "auto"), ""


def _changes(
    library: SongLibrary, former: Taste | None, learnt: Taste | None, root: str | Path
) -> tuple[tuple[Moved, ...], tuple[Moved, ...]]:
    """Tell which songs came into the first twenty that nobody has labelled, and which left them."""
    if former is None or learnt is None or former.fingerprint != learnt.fingerprint:
        return (), ()
    files = library.files()
    files.leave_out([*former.likes, *former.dislikes, *learnt.likes, *learnt.dislikes])
    once, place = np.unique(files.at, return_inverse=True)
    ranks = []
    for taste in (former, learnt):
        order = rank(decide(taste, files.vectors, once, root)[place], files.paths)
        ranks.append(np.empty(len(order), np.int64))
        ranks[-1][order] = np.arange(1, len(order) + 1)
    old, new = ranks
    entered = np.flatnonzero((new <= _TOP) & (old > _TOP))
    left = np.flatnonzero((old <= _TOP) & (new > _TOP))
    came = _moved(files, entered[np.argsort(new[entered])], old, new)
    return came, _moved(files, left[np.argsort(old[left])], old, new)


def _moved(
    files: SongFiles, which: NDArray[np.intp], old: NDArray[np.int64], new: NDArray[np.int64]
) -> tuple[Moved, ...]:
    rows = files.recordings(which)
    return tuple(
        Moved(path=row.path, artist=row.artist, title=row.title, rank_before=before, rank=now)
        for row, before, now in zip(rows, old[which].tolist(), new[which].tolist(), strict=True)
    )
