"""Which files have stood still: neither size nor time has changed for some seconds.

A file that is copied, or downloaded, under its own name is whole only then. Where the system tells
(Linux, on its own disks), one that a program still writes waits however long that program pauses.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["STILL_S", "FileState", "FilesAtRest", "Standstill", "is_whole", "state_of"]

STILL_S = 2.0
"""Seconds. It can be as short as that because a file that fails may do so once; see `doubt`."""
_DOUBTED_S = 60.0  # for a file that failed: it may be half of one, whose copying was held up
_HELD_S = 600.0  # what a program has open for so long is taken as it is
# A program that fills a file beside these, under its final name.
_BESIDE = (".aria2", ".part")

FileState = tuple[int, int]
"""Size in bytes, and time of change in nanoseconds."""


@dataclass(frozen=True, kw_only=True)
class FilesAtRest:
    """Files that have stood still.

    Attributes
    ----------
    files : tuple of str
        Absolute paths, sorted.
    unsure : frozenset of str
        Those that have stood still for seconds, not for a minute: they may be half of a file.
    """

    files: tuple[str, ...]
    unsure: frozenset[str]


@dataclass(kw_only=True)
class _Waiting:
    state: FileState
    since: float
    needs_s: float


class Standstill:
    """Files that wait until they have stood still. A file that goes is forgotten.

    Parameters
    ----------
    still_s : float
        How long.
    clock : callable
        Tells the time, in seconds.
    """

    def __init__(
        self, still_s: float = STILL_S, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._still_s = still_s
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, paths: Iterable[str]) -> None:
        """Have files wait, from now on where they are new here or have changed."""
        now = self._clock()
        for path in paths:
            state = state_of(path)
            if state is None:
                self._waiting.pop(path, None)
                continue
            known = self._waiting.get(path)
            if known is None or known.state != state:
                self._waiting[path] = _Waiting(state=state, since=now, needs_s=self._still_s)

    def doubt(self, paths: Iterable[str]) -> None:
        """Have files wait for a minute, as something is wrong with them as they are."""
        for path in paths:
            state = state_of(path)
            if state is not None:
                self._waiting[path] = _Waiting(state=state, since=self._clock(), needs_s=_DOUBTED_S)

    def take(self) -> FilesAtRest:
        """Give the files that have stood still, each once."""
        self.add(list(self._waiting))
        now = self._clock()
        taken = {
            path: one
            for path, one in self._waiting.items()
            if now - one.since >= one.needs_s
            and (now - one.since >= _HELD_S or is_whole(path, one.state))
        }
        for path in taken:
            del self._waiting[path]
        unsure = frozenset(path for path, one in taken.items() if one.needs_s < _DOUBTED_S)
        return FilesAtRest(files=tuple(sorted(taken)), unsure=unsure)


def state_of(path: str) -> FileState | None:
    """Return the size and time of a file; None where there is no regular file.

    Examples
    --------
    >>> from embed.watching.standstill import state_of
    >>> state_of("music") is None
    True
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def is_whole(path: str, state: FileState) -> bool:
    """Whether nobody seems to write a file that is in a state.

    It is opened: a network mount then asks its server for the size and time of now.

    Examples
    --------
    >>> from embed.watching.standstill import is_whole, state_of
    >>> is_whole("song.opus", state_of("song.opus")), is_whole("song.opus", (0, 0))
    (True, False)
    """
    size_bytes, _ = state
    if not size_bytes or any(os.path.exists(path + beside) for beside in _BESIDE):
        return False
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return True  # whoever reads it tells why it can't be read
    try:
        status = os.fstat(handle)
        return (status.st_size, status.st_mtime_ns) == state and not _is_being_written(handle)
    finally:
        os.close(handle)


def _is_being_written(handle: int) -> bool:
    """Whether a program has a file open to write it, as far as the system tells.

    Linux grants a lease for reading on a file of ours only where nobody has it open for writing.
    """
    try:
        import fcntl

        set_lease, set_signal = fcntl.F_SETLEASE, fcntl.F_SETSIG
    except (ImportError, AttributeError):  # another system
        return False
    try:
        # Whoever opens the file meanwhile has the system tell us by a signal: one that does nothing
        # by default, where SIGIO would end this process.
        fcntl.fcntl(handle, set_signal, signal.SIGURG)
        fcntl.fcntl(handle, set_lease, fcntl.F_RDLCK)
        fcntl.fcntl(handle, set_lease, fcntl.F_UNLCK)
    except OSError as error:  # another error: not ours, or a file system without leases
        return error.errno == errno.EAGAIN
    return False
