"""`LabelWatch`: what follows each change of the library also follows labels, whoever gives them."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cache import local_root

__all__ = ["LabelWatch"]

_LOOK_S = 1.0
_QUIET_S = 5.0  # after the last label
_MOST_S = 60.0  # after the first: whoever labels on and on has lists that follow, too
_LABELS, _TASTE = ".labels.csv", ".npz"
_log = logging.getLogger("sevensongs")


class LabelWatch:
    """Watches the files of labels, in a thread of its own, and has commands follow them.

    They follow some seconds after the last of several labels, and one run at a time.

    Parameters
    ----------
    root : path or URI
        The cache.
    then : callable or None
        What follows; None: nothing. Where it changes labels itself, it follows these as well, until
        it changes no more.
    """

    def __init__(self, root: str | Path, then: Callable[[], None] | None) -> None:
        self._folder = local_root(root) / "tastes"
        self._then = then
        self._running = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._followed: dict[str, str] = {}

    def start(self) -> None:
        """Begin; what is labelled already has been followed."""
        if self._then is None:
            return
        seen = self._stamps()  # before the thread runs: labels that come right now are new
        self._followed = self._contents()
        self._thread = threading.Thread(
            target=self._watch, args=(seen,), name="labels", daemon=True
        )
        self._thread.start()

    def follow(self) -> None:
        """Run what follows, now."""
        with self._running:
            if self._then is not None and not self._stop.is_set():
                self._followed = self._contents()  # of before: labels that come meanwhile are new
                self._then()

    def stop(self) -> None:
        """End; returns at once."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait until what follows has ended."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, seen: dict[str, tuple[int, int, int]]) -> None:
        first = last = 0.0
        while not self._stop.wait(_LOOK_S):
            now, stamps = time.monotonic(), self._stamps()
            if stamps != seen:
                seen, first, last = stamps, first or now, now
            if not first or (now - last < _QUIET_S and now - first < _MOST_S):
                continue
            first = 0.0
            if self._contents() != self._followed:
                _log.info("labels have changed; what '--then' names follows")
                try:
                    self.follow()
                except Exception:  # the next labels are followed all the same
                    _log.exception("what follows labels has failed")

    def _stamps(self) -> dict[str, tuple[int, int, int]]:
        """Tell the state of tastes, too: they are learnt after their labels are written."""
        found = {}
        try:
            with os.scandir(self._folder) as files:
                for file in files:
                    if file.name.endswith((_LABELS, _TASTE)):
                        status = file.stat()
                        found[file.name] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:  # not there yet, or one has just gone: the next look tells
            pass
        return found

    def _contents(self) -> dict[str, str]:
        """Read the labels; files that are written again, but say the same, are the same."""
        found = {}
        for path in self._folder.glob(f"*{_LABELS}"):
            try:
                found[path.name] = hashlib.blake2b(path.read_bytes()).hexdigest()
            except OSError:  # it has just gone
                continue
        return found
