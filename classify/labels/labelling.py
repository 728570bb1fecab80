"""Label songs one by one, and see at once what it changes: `classify.label`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import default_root
from classify.errors import LabelError
from classify.labels.pushed_lists import refuse_pushed_lists
from classify.labels.relearning import Change, Relabelled, labels_now, relabel, songs_of
from classify.labels.verdict_changes import VERDICTS, verdict_changes, verdict_codes
from classify.library.label_file import LABELS, Label, labels_path, relabelled, stored_labels
from classify.library.library_files import LibraryFiles
from classify.library.open_library import OpenLibrary
from classify.library.song_library import SongLibrary, Tell
from classify.output.own_lists import refuse_own_lists
from classify.scoring.ranking import decide, rank
from classify.taste.names import DEFAULT_TASTE, taste_path
from classify.taste.taste import Taste, Verdict
from classify.taste.vectors import FloatArray
from embed import Failure, Paths, find_audio, path_list, prepare_encoders

__all__ = ["Changed", "Labelled", "Moved", "change_labels", "label", "labels_now"]

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
class Changed:
    """A song that has another verdict since the taste learnt again."""

    path: str
    artist: str | None
    title: str | None
    verdict_before: str
    verdict: str
    score_before: float
    score: float


@dataclass(frozen=True, kw_only=True)
class _Differences:
    """What two tastes say otherwise; fields as in `Labelled`."""

    compared: bool = False
    n_changed: Mapping[Verdict, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    changed: tuple[Changed, ...] = ()
    entered: tuple[Moved, ...] = ()
    left: tuple[Moved, ...] = ()


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
        As it was learnt again, or is where no label has changed; None where there is too little to
        learn from. `note` says either.
    compared : bool
        Whether there was a taste before, of the same encoder; else nothing is known of changes.
    n_changed : mapping of str to int
        How many songs of the whole library have this verdict now and had another before; without
        the songs that are or were labelled.
    changed : tuple of Changed
        These songs, best first; at most 20 of each new verdict.
    entered, left : tuple of Moved
        What is new among the first twenty songs that nobody has labelled, and what is no longer.
    relearnt : bool
        Whether the taste was learnt again.
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
    compared: bool
    n_changed: Mapping[Verdict, int]
    changed: tuple[Changed, ...]
    entered: tuple[Moved, ...]
    left: tuple[Moved, ...]
    relearnt: bool
    fit_s: float
    wall_s: float


def label(
    value: str | None,
    paths: Paths,
    *,
    taste: str | os.PathLike[str] = DEFAULT_TASTE,
    encoder: str | None = None,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Labelled:
    """Label songs, learn the taste again, and tell which verdicts that changes.

    The arguments come as in the command: ``sevensongs label like PATH``. The order of earlier
    versions, a list of paths before the label, is understood too.

    Parameters
    ----------
    value : {'like', 'dislike'} or None
        None takes the labels away.
    paths : path or iterable of path
        Files, folders, playlists, CSVs; a plain string is one path. Songs that are not in the cache
        are embedded.
    taste : str or path
        A name, or a file. Without a file of labels, those that it was trained with are taken over.
    encoder : str, optional
        Of a new taste; default: that of the taste there is, else as of `train`.
    root, workers, progress
        As for `train`.

    Returns
    -------
    Labelled

    Raises
    ------
    LabelError
        If the labels can't be read or written, songs that sound the same have different labels, or
        a list is one that we made from scores.
    TypeError
        If something else than paths is given.
    EmbedError, CacheError, TasteError

    Examples
    --------
    >>> from pathlib import Path
    >>> import classify
    >>> classify.label("like", "music/happy_acoustic_1.opus", taste="mine").n_like
    1
    >>> classify.label("like", Path("music").glob("happy_*"), taste="mine").n_like
    6
    >>> classify.label(None, "music", taste="mine").n_like
    0
    """
    started = time.monotonic()
    value, named = _in_order(value, paths)
    if value:
        refuse_own_lists(named)
    path = taste_path(taste, root=root)
    base = default_root() if root is None else root
    former = Taste.load(path) if path.exists() else None
    name = encoder or (former.encoder if former else "default")
    library = SongLibrary.of_encoders(prepare_encoders(name, root=base), base)
    if value:
        refuse_pushed_lists(library, named, base)
    wanted = [
        *(named if value else ()),
        *(one.path for one in stored_labels(path) if not one.digest),
    ]
    failed = library.embed_missing(wanted, workers, progress)
    library = OpenLibrary(library, keep_bytes=0)  # what all steps look at is read once
    songs: dict[str, str] = {}

    def change(before: tuple[Label, ...]) -> tuple[Label, ...]:
        songs.update(songs_of(library, named) | ({} if value else _gone(before, named)))
        return relabelled(before, songs, value)

    return change_labels(
        library, change, songs, path=path, root=base, failed=failed, started=started
    )


def change_labels(
    library: SongLibrary,
    change: Change,
    songs: Mapping[str, str],
    *,
    path: Path,
    root: str | Path,
    failed: tuple[Failure, ...] = (),
    started: float,
) -> Labelled:
    """Change labels, learn the taste again, and tell which verdicts that changes.

    Parameters
    ----------
    library : SongLibrary
    change : callable
        See `relabel`.
    songs : mapping
        To which `change` adds the songs whose label it changes, digest to path.
    path : Path
        The file of the taste.
    root : path or URI
    failed : tuple of Failure
        Songs that could not be embedded.
    started : float
        When the work began, as `time.monotonic` tells.

    Raises
    ------
    LabelError, CacheError, TasteError
    """
    done = relabel(library, change, path=path)
    compared = time.monotonic()
    apart = _differences(library, done, root)
    return Labelled(
        path=labels_path(path),
        n_labelled=len(songs),
        n_like=sum(one.label == "like" for one in done.labels),
        n_dislike=sum(one.label == "dislike" for one in done.labels),
        failed=failed,
        taste=done.taste,
        note=done.note,
        compared=apart.compared,
        n_changed=apart.n_changed,
        changed=apart.changed,
        entered=apart.entered,
        left=apart.left,
        relearnt=done.taste not in (None, done.former),
        fit_s=done.fit_s + time.monotonic() - compared,
        wall_s=time.monotonic() - started,
    )


def _in_order(value: Any, paths: Any) -> tuple[str | None, list[str]]:
    """Tell the label from the paths.

    A list before the label, as earlier versions had it, can be told from one; a string can't.
    """
    if not (value is None or isinstance(value, str)) and (
        paths is None or (isinstance(paths, str) and paths in LABELS)
    ):
        value, paths = paths, value
    if value is not None and value not in LABELS:
        raise LabelError(
            f"the label is {value!r}; it is like, dislike, or None for none, and comes before the "
            "paths"
        )
    return value, path_list(paths)


def _gone(labels: Iterable[Label], paths: Sequence[str]) -> dict[str, str]:
    """Find labelled songs by the path that they had when they were labelled.

    The files may have gone.
    """
    named = {*find_audio(paths).paths, *(str(Path(path).expanduser().absolute()) for path in paths)}
    return {one.digest: one.path for one in labels if one.digest and one.path in named}


def _differences(library: SongLibrary, done: Relabelled, root: str | Path) -> _Differences:
    """Tell what songs that nobody has labelled have another verdict, or came to the first twenty.

    Nothing where there are no two tastes, or they are for different encoders.
    """
    former, learnt = done.former, done.taste
    if former is None or learnt is None or learnt is former:
        return _Differences()
    if former.fingerprint != learnt.fingerprint:
        return _Differences()
    labelled = [*former.likes, *former.dislikes, *(one.digest for one in done.labels if one.digest)]
    files = library.files().without(labelled)
    once, first, place = np.unique(files.at, return_index=True, return_inverse=True)
    was, now = (decide(taste, files.vectors, once, root) for taste in (former, learnt))
    scores = former.calibration(was), learnt.calibration(now)
    codes = verdict_codes(former, scores[0]), verdict_codes(learnt, scores[1])
    n_changed, rows = verdict_changes(*codes, now)
    old, new = (_ranks(one[place], files) for one in (was, now))
    entered = np.flatnonzero((new <= _TOP) & (old > _TOP))
    left = np.flatnonzero((old <= _TOP) & (new > _TOP))
    return _Differences(
        compared=True,
        n_changed=n_changed,
        changed=_changed(files, first[rows], *(one[rows] for one in (*codes, *scores))),
        entered=_moved(files, entered[np.argsort(new[entered])], old, new),
        left=_moved(files, left[np.argsort(old[left])], old, new),
    )


def _ranks(decisions: FloatArray, files: LibraryFiles) -> NDArray[np.int64]:
    ranks = np.empty(len(decisions), np.int64)
    ranks[rank(decisions, files.paths_at)] = np.arange(1, len(decisions) + 1)
    return ranks


def _changed(
    files: LibraryFiles, which: NDArray[np.intp], *columns: NDArray[Any]
) -> tuple[Changed, ...]:
    return tuple(
        Changed(
            path=row.path,
            artist=row.artist,
            title=row.title,
            verdict_before=VERDICTS[1 - was],
            verdict=VERDICTS[1 - now],
            score_before=before,
            score=score,
        )
        for row, was, now, before, score in zip(
            files.recordings(which), *(one.tolist() for one in columns), strict=True
        )
    )


def _moved(
    files: LibraryFiles, which: NDArray[np.intp], old: NDArray[np.int64], new: NDArray[np.int64]
) -> tuple[Moved, ...]:
    rows = files.recordings(which)
    return tuple(
        Moved(path=row.path, artist=row.artist, title=row.title, rank_before=before, rank=now)
        for row, before, now in zip(rows, old[which].tolist(), new[which].tolist(), strict=True)
    )
