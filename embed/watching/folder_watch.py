"""`FolderWatch`: the audio files of folders that are new or have changed, once they are whole."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from embed.errors import EmbedError
from embed.files.entries import is_source
from embed.files.find import FoundAudio, Paths, find_audio, path_list
from embed.files.folders import AUDIO_SUFFIXES, is_searched
from embed.pipeline.run_report import EmbedReport
from embed.watching.folder_changes import FolderChanges, FolderLooks
from embed.watching.standstill import STILL_S, FileState, Standstill, state_of

__all__ = ["FolderWatch", "NewAudio"]

_LOOK_S = 0.25  # at files that have not stood still yet
_IDLE_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class NewAudio:
    """Audio files that are new or have changed.

    Attributes
    ----------
    found : FoundAudio
        For `embed_library`.
    unsure : frozenset of str
        Those that may be half of a file still, as their copying was held up.
    have_gone : bool
        Whether files have gone, too. Where all that is new is that, none are found.
    """

    found: FoundAudio
    unsure: frozenset[str] = frozenset()
    have_gone: bool = False


class FolderWatch:
    """Watches folders, and gives what is new there, step by step.

    The first step gives all that is there. Files that are still being written come later, when they
    have stood still for some seconds; hidden ones and those of other suffixes (``.part``) when
    they have got a name of their own.

    Parameters
    ----------
    folders : path or iterable of path
    poll_s : float, optional
        Look every so many seconds; default: the system tells what changes, which network mounts do
        not.
    still_s : float
        How long a file must have stood still to be whole, in seconds.
    stop : Event, optional
        Ends a wait, from another thread.

    Raises
    ------
    EmbedError
        If there is no such folder, or the system does not watch it.

    Examples
    --------
    >>> from embed import FolderWatch
    >>> with FolderWatch("music") as watch:
    ...     new = watch.wait()
    >>> new.unsure, new.have_gone
    (frozenset(), False)
    """

    def __init__(
        self,
        folders: Paths,
        *,
        poll_s: float | None = None,
        still_s: float = STILL_S,
        stop: threading.Event | None = None,
    ) -> None:
        named = path_list(folders)
        self._folders = [os.path.abspath(os.path.expanduser(path)) for path in named]
        _check(named, poll_s)
        self._stop = stop or threading.Event()
        self._polls = poll_s is not None
        self._changes: FolderChanges | FolderLooks = (
            FolderChanges(self._folders, self._stop)
            if poll_s is None
            else FolderLooks(self._folders, poll_s, self._stop)
        )
        self._still_s = still_s
        self._standstill = Standstill(still_s)
        self._seen: set[int] = set()  # states of files, as numbers: there may be a million
        self._begun = False
        self._gone: float | None = None  # since when files are missed

    def __enter__(self) -> Self:
        self._changes.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._changes.__exit__(*error)

    def __iter__(self) -> Iterator[NewAudio]:
        while (new := self.wait()) is not None:
            yield new

    def wait(self, timeout_s: float = float("inf")) -> NewAudio | None:
        """Wait until something is new.

        Parameters
        ----------
        timeout_s : float
            Give up after so many seconds.

        Returns
        -------
        NewAudio or None
            None: nothing is, or a stop was asked for.

        Raises
        ------
        EmbedError
            If the system does not watch the folders any more.
        """
        end = time.monotonic() + timeout_s
        while not self._stop.is_set():
            if not self._begun:
                self._begun = True
                return self._first()
            new = self._new()
            if new is not None:
                return new
            left_s = end - time.monotonic()
            if left_s <= 0:
                return None
            is_idle = not len(self._standstill) and self._gone is None
            look_s = _IDLE_S if is_idle else _LOOK_S
            self._standstill.add(self._audio_of(self._changes.take(min(left_s, look_s))))
        return None

    def again(self, new: NewAudio) -> None:
        """Give new files again in a minute, as nothing could be done with them."""
        self._standstill.doubt(new.found.files)

    def accept(self, new: NewAudio, report: EmbedReport) -> EmbedReport:
        """Take note of what came of new files.

        Parameters
        ----------
        new : NewAudio
        report : EmbedReport
            Of `embed_library`, with ``new.unsure``.

        Returns
        -------
        EmbedReport
            Without the files that failed and may be half of one: these are given again when they
            have changed, or have stood still for a minute.
        """
        doubted = {one.path for one in report.failed if one.path in new.unsure}
        self._standstill.doubt(doubted)
        failed = tuple(one for one in report.failed if one.path not in doubted)
        return replace(report, found=report.found - len(doubted), failed=failed)

    def _first(self) -> NewAudio:
        """Give all that is there, without what was changed just now."""
        found = find_audio(self._folders)
        states = {path: state_of(path) for path in found.files}
        young = {path for path, state in states.items() if _is_young(path, state, self._still_s)}
        self._standstill.add(young)
        if self._polls:
            self._seen = {hash(one) for one in states.items()}
            self._changes.looked()
        files = tuple(path for path in found.files if path not in young)
        return NewAudio(found=replace(found, files=files))

    def _new(self) -> NewAudio | None:
        """Return the files that have stood still, or that files have gone and none waits.

        What has been moved goes at one place and comes to another.
        """
        rested = self._standstill.take()
        is_late = self._gone is not None and time.monotonic() - self._gone >= self._still_s
        if not rested.files and (len(self._standstill) or not is_late):
            return None
        if self._polls:
            self._seen |= {hash((path, state_of(path))) for path in rested.files}
        have_gone, self._gone = self._gone is not None, None
        found = replace(find_audio(rested.files), failures=())  # one may have just gone
        return NewAudio(found=found, unsure=rested.unsure, have_gone=have_gone)

    def _audio_of(self, paths: Iterable[str]) -> list[str]:
        """Return the audio files that are at paths, or in the folders there."""
        if not paths:
            return []
        files = {
            file
            for path in paths
            if self._is_ours(path)
            for file in (find_audio(path).files if os.path.isdir(path) else [path])
        }
        if self._polls:
            return self._not_seen(files)
        # a folder has gone with all that is in it
        if any(_has_gone(path) and self._is_ours(os.path.join(path, "a.mp3")) for path in paths):
            self._gone = time.monotonic()
        return sorted(files)

    def _is_ours(self, path: str) -> bool:
        """Whether a search of one of the folders comes to a path."""
        return any(is_searched(path, folder) for folder in self._folders if _has(folder, path))

    def _not_seen(self, files: Iterable[str]) -> list[str]:
        """Return what is not as it was at the last look, which was at all files."""
        states = {hash((path, state_of(path))): path for path in files}
        new = [path for number, path in states.items() if number not in self._seen]
        if len(self._seen) > len(states) - len(new):
            self._gone = time.monotonic()
        self._seen = set(states)
        self._changes.looked()
        return sorted(new)


def _check(folders: Sequence[str], poll_s: float | None) -> None:
    if not folders:
        raise EmbedError("no folder is named; name one to watch")
    for folder in folders:
        if is_source(folder):
            raise EmbedError(
                f"{folder} is in an object store, which tells nothing of what changes; a timer "
                f"that runs 'sevensongs embed {folder}' takes what is new"
            )
        if not os.path.isdir(os.path.expanduser(folder)):
            raise EmbedError(f"{folder or repr('')} is no folder; only folders can be watched")
    if poll_s is not None and not 0 < poll_s < float("inf"):
        raise EmbedError(f"poll_s is {poll_s} s; more than 0 s are needed")


def _has(folder: str, path: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _has_gone(path: str) -> bool:
    """Whether a path may have been that of an audio file, or of a folder, and nothing is there."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix in {"", *AUDIO_SUFFIXES} and not os.path.lexists(path)


def _is_young(path: str, state: FileState | None, still_s: float) -> bool:
    """Whether a file was changed, or came here, in the last seconds, by this computer's clock."""
    try:
        changed_s = os.stat(path).st_ctime
    except OSError:
        return False
    latest_s = max(changed_s, state[1] / 1e9 if state else 0.0)
    return time.time() - latest_s < still_s
