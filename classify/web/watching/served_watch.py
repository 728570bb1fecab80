"""`ServedWatch`: a scan of whatever comes into the served folders, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from classify.web.live.scan import Scan
from classify.web.live.served_folders import ServedFolders
from embed import EmbedError, FolderWatch

__all__ = ["ServedWatch"]

_LOOK_S = 1.0  # whether other folders are served now
_AGAIN_S = 60.0
_log = logging.getLogger("sevensongs")


class ServedWatch:
    """Watches the served folders, those too that are added later.

    Parameters
    ----------
    folders : ServedFolders
    scan : Scan
        Embeds what is new; whoever listens to it hears of that.
    poll_s : float or None
        See `embed.FolderWatch`.
    then : callable, optional
        What follows each time that something is new, in the thread of the watch.
    """

    def __init__(
        self,
        folders: ServedFolders,
        scan: Scan,
        *,
        poll_s: float | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        self._folders = folders
        self._scan = scan
        self._poll_s = poll_s
        self._then = then
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin with a scan of all that is there."""
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; returns at once."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait until the scan and what follows it have ended."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            served = self._folders.all
            if not served:  # one may be added from the page
                self._stop.wait(_LOOK_S)
                continue
            try:
                self._watch(served)
            except EmbedError as error:
                _log.error("%s", error)
                self._stop.wait(_AGAIN_S)

    def _watch(self, served: tuple[Path, ...]) -> None:
        with FolderWatch(served, poll_s=self._poll_s, stop=self._stop) as watch:
            while not self._stop.is_set() and self._folders.all == served:
                new = watch.wait(_LOOK_S)
                if new is None:
                    continue
                report = self._scan.embed(new, watch)
                if report is None and self._scan.state == "failed":
                    watch.again(new)
                is_changed = report is not None and report.embedded + report.cached
                if self._then and (is_changed or new.have_gone):
                    self._then()
