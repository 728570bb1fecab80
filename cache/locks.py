"""Writers of a dataset and its repair take turns.

Any number of processes may write at once. A repair copies what is sound and puts it in the place of
the rest: what somebody wrote meanwhile would be lost, so each waits for the other.

By hand: a turn costs a commit 14 microseconds, with the system's own lock; one of
`filelock.ReadWriteLock`, which keeps an SQLite file, 167 (AMD EPYC). tests/cache/test_repair.py
holds the promise.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from cache.root import is_uri

__all__ = ["replacing", "writing"]

_log = logging.getLogger("sevensongs")


def writing(uri: str) -> AbstractContextManager[None]:
    """Be one of those who write to a dataset while the block runs; a repair is waited for.

    The lock is a file beside the dataset, ``.<name>.lock``, and the system gives it back when a
    process ends. Where there is none (Windows, network folders without locks) nothing happens. Nor
    in an object store: there a repair is one commit, and commits exclude each other.
    """
    return _locked(uri, alone=False)


def replacing(uri: str) -> AbstractContextManager[None]:
    """Be the only one who writes to a dataset while the block runs; see `writing`."""
    return _locked(uri, alone=True)


@contextmanager
def _locked(uri: str, *, alone: bool) -> Iterator[None]:
    with ExitStack() as stack:
        path = Path(uri)
        # No lock of what is not there: where a drive was mounted, nothing is begun anew.
        if not is_uri(uri) and path.suffix == ".lance" and path.is_dir():
            with suppress(OSError):  # on a full or read-only disk, writing itself says more
                handle = os.open(
                    path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666
                )
                stack.callback(os.close, handle)
                _lock(handle, uri, alone=alone)
        yield


def _lock(handle: int, uri: str, *, alone: bool) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        others = "processes that write to it" if alone else "its repair"
        _log.warning("%s: waiting for %s", uri, others)
        fcntl.flock(handle, kind)
