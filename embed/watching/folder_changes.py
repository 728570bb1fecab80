"""Which paths below some folders may have changed: what the system tells, or a look now and then.

What is told is a hint. A folder that was moved here is told as one path, and one that is looked at
now and then as its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Self

from embed.errors import EmbedError

__all__ = ["FolderChanges", "FolderLooks"]

_STEP_MS, _GATHERED_MS, _TIMEOUT_MS = 100, 1000, 200
_SAME_FOLDER_S = 5.0  # between two looks at whether a folder is still the one that is watched
_START_S = 600.0  # for a system that lists a million folders


class FolderLooks:
    """Says every so many seconds that each folder may have changed, for drives that tell nothing.

    Parameters
    ----------
    folders : sequence of str
        Absolute.
    every_s : float
    stop : Event
        Ends a wait.
    """

    def __init__(self, folders: Sequence[str], every_s: float, stop: threading.Event) -> None:
        self._folders, self._every_s, self._stop = frozenset(folders), every_s, stop
        self._next = time.monotonic() + every_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def take(self, timeout_s: float) -> frozenset[str]:
        """Wait for the next look, up to a time, and return the folders, or nothing."""
        left_s = self._next - time.monotonic()
        self._stop.wait(max(0.0, min(left_s, timeout_s)))
        if time.monotonic() < self._next:
            return frozenset()
        return self._folders

    def looked(self) -> None:
        """Begin the next wait: a look at a large library takes its time."""
        self._next = time.monotonic() + self._every_s


class FolderChanges:
    """Gathers what the system tells of folders, in a thread.

    A folder that goes, as a drive does that is unmounted, is watched again once it is back.

    Parameters
    ----------
    folders : sequence of str
        Absolute.
    stop : Event
        Ends a wait.

    Raises
    ------
    EmbedError
        On entering: if the system watches no more folders; the message has the remedy.
    """

    def __init__(self, folders: Sequence[str], stop: threading.Event) -> None:
        self._folders = list(folders)
        self._ended = threading.Event()
        self._stop = stop
        self._told = threading.Event()
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._begun = threading.Event()
        self._error: EmbedError | None = None
        self._thread = threading.Thread(target=self._run, name="folder changes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait(_START_S)
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join(_GATHERED_MS / 1000)

    def take(self, timeout_s: float) -> frozenset[str]:
        """Wait for changes, up to a time, and return the paths, or nothing.

        Raises
        ------
        EmbedError
            If the system has stopped to tell.
        """
        end = time.monotonic() + timeout_s
        while not self._told.wait(min(0.5, max(0.0, end - time.monotonic()))):
            if self._stop.is_set() or time.monotonic() >= end:
                return frozenset()
        if self._error is not None:
            raise self._error
        with self._lock:
            paths, self._paths = frozenset(self._paths), set()
            self._told.clear()
        return paths

    def looked(self) -> None:
        """Nothing: changes are told when they happen."""

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._watch()
        except EmbedError as error:
            self._error = error
        except Exception as error:  # whoever takes changes raises it
            self._error = EmbedError(f"the folders can't be watched: {error}")
        self._begun.set()
        self._told.set()

    def _watch(self) -> None:
        """Watch the folders that are there, until one of them is another than it was."""
        watched = _identities(self._folders)
        # Some systems tell the paths behind links, so that is what is watched.
        named = {os.path.realpath(folder): folder for folder in self._folders if watched[folder]}
        looked = time.monotonic()
        with closing(_changes(list(named), self._ended)) as told:
            for changes in told:
                self._begun.set()
                self._add({_as_named(path, named) for path in changes})
                if time.monotonic() - looked < _SAME_FOLDER_S:
                    continue
                now, looked = _identities(self._folders), time.monotonic()
                if now != watched:
                    self._add({folder for folder in now if now[folder] != watched[folder]})
                    return

    def _add(self, paths: set[str]) -> None:
        if paths:
            with self._lock:
                self._paths |= paths
            self._told.set()


def _as_named(path: str, named: Mapping[str, str]) -> str:
    """Return a path below a real folder as one below the folder as it was named."""
    for real, folder in named.items():
        if path == real or path.startswith(os.path.join(real, "")):
            return folder + path[len(real) :]
    return path


def _identities(folders: Sequence[str]) -> dict[str, tuple[int, int] | None]:
    """Tell which folder is at each path; None where there is none."""
    found: dict[str, tuple[int, int] | None] = {}
    for folder in folders:
        try:
            status = os.stat(folder)
            found[folder] = (status.st_dev, status.st_ino)
        except OSError:
            found[folder] = None
    return found


def _changes(folders: Sequence[str], ended: threading.Event) -> Generator[set[str]]:
    """Give the paths that have changed, several times a second an empty set."""
    import watchfiles

    while not folders and not ended.wait(_TIMEOUT_MS / 1000):
        yield set()
    try:
        for changes in watchfiles.watch(
            *folders,
            watch_filter=None,
            stop_event=ended,
            step=_STEP_MS,
            debounce=_GATHERED_MS,
            rust_timeout=_TIMEOUT_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            yield {path for _, path in changes}
    except FileNotFoundError:  # a folder has just gone
        ended.wait(_TIMEOUT_MS / 1000)
    except (OSError, RuntimeError) as error:  # such as too many folders
        raise EmbedError(
            f"the system does not watch these folders ({error}); '--poll 60' looks every 60 s "
            "instead, and 'sudo sysctl fs.inotify.max_user_watches=1048576' allows more folders"
        ) from error
