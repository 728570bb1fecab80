"""What is found in songs' files: by one kept process, one file after the other; the last kept."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from classify.web.kept_process import Call, KeptProcess
from classify.web.problems import Problem

if TYPE_CHECKING:
    from cache import FileRecord

__all__ = ["FileFindings", "changed_since"]

_T = TypeVar("_T")
_MOST_WAITING = 64
_RETRY_S = 3


class FileFindings(Generic[_T]):
    """One kind of what songs' files tell, such as their pictures. Threads may share it.

    Parameters
    ----------
    process : KeptProcess
        Opens the files; several kinds may share it.
    look : callable
        Finds what is wanted of a file that is still what the catalog says.
    kept : int
        How many are kept; of those asked for again, the last ones.
    stamp : callable, optional
        Tells of a file what else was looked at: with another stamp it is looked into anew.
    """

    def __init__(
        self,
        process: KeptProcess,
        look: Callable[[Call, FileRecord], _T],
        *,
        kept: int,
        stamp: Callable[[FileRecord], Hashable] | None = None,
    ) -> None:
        self._process = process
        self._look = look
        self._most = kept
        self._stamp = stamp
        self._kept: OrderedDict[Hashable, _T] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, song: FileRecord) -> _T | None:
        """Return what is kept of a file; None where nothing is. It may wait for a drive."""
        return self._find(self._key(song))

    def _find(self, key: Hashable) -> _T | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def look(self, song: FileRecord) -> Future[_T]:
        """Queue a file to be looked into.

        Raises
        ------
        Problem
            503 if too many wait. The future may have: 410 if the file has gone or changed, or an
            EmbedError.
        """
        if self._process.n_waiting >= _MOST_WAITING:
            raise Problem(
                503,
                f"{self._process.n_waiting} songs wait to be looked into; ask again in "
                f"{_RETRY_S} s",
                headers={"Retry-After": str(_RETRY_S)},
            )
        return self._process.submit(lambda call: self._looked(call, song))

    def _looked(self, call: Call, song: FileRecord) -> _T:
        key = self._key(song)
        kept = self._find(key)
        if kept is not None:  # while this one waited
            return kept
        _require_still(song)
        found = self._look(call, song)
        _require_still(song)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found

    def _key(self, song: FileRecord) -> Hashable:
        stamp = self._stamp and self._stamp(song)
        return (song.path, song.size_bytes, song.mtime_ns, stamp)


def changed_since(song: FileRecord) -> Problem:
    """Return what a song ends with of which the file has gone or changed.

    What is there may be anything.
    """
    return Problem(
        410,
        f"the file of this song ({os.path.basename(song.path)!r}) has gone, or changed since it "
        "was heard; scan its folder again",
    )


def _require_still(song: FileRecord) -> None:
    try:
        still = song.is_still(os.stat(song.path))
    except (OSError, ValueError):
        still = False
    if not still:
        raise changed_since(song)
