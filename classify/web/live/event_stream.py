"""One stream of what changes, whoever changes it: labels, tastes, the library, the scan, folders.

A thread looks at the files of the tastes and of the cache several times a second as long as anybody
listens: it sees what the command does, too. Only what it tells of is read.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cache import CacheError
from classify.errors import ClassifyError
from classify.web.live.taste_files import Stamp
from classify.web.problems import Problem

if TYPE_CHECKING:
    from classify.web.live.live_library import LiveLibrary
    from classify.web.live.scan import Scan
    from classify.web.live.served_folders import ServedFolders

__all__ = ["EventName", "EventStream", "LiveEvent"]

EventName = Literal["labels", "taste", "library", "scan", "folders"]
_EVERY_S = 0.25
_MOST_LISTENERS = 64
_MOST_WAITING = 1000  # events; a listener that takes none for so long is given up
_log = logging.getLogger("sevensongs")


@dataclass(frozen=True, kw_only=True)
class LiveEvent:
    """Something that has changed."""

    name: EventName
    data: dict[str, Any]


@dataclass(kw_only=True)
class _Seen:
    """What the thread saw last."""

    tastes: dict[str, Stamp] = field(default_factory=dict)
    cache: object = None
    scan: object = None
    folders: object = None


class EventStream:
    """Tells all listeners of one service the same.

    Parameters
    ----------
    live : LiveLibrary
    scan : Scan
    folders : ServedFolders
    """

    def __init__(self, live: LiveLibrary, scan: Scan, folders: ServedFolders) -> None:
        self._live = live
        self._scan = scan
        self._folders = folders
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[LiveEvent | None], asyncio.AbstractEventLoop] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    async def events(self, heartbeat_s: float) -> AsyncGenerator[LiveEvent | None]:
        """Follow what changes; begins with how the scan, the library and the folders are now.

        Parameters
        ----------
        heartbeat_s : float
            After so many seconds without an event, None is given.

        Raises
        ------
        Problem
            503 if 64 listen already.
        """
        queue: asyncio.Queue[LiveEvent | None] = asyncio.Queue(_MOST_WAITING)
        seen = await asyncio.to_thread(self._now)
        self._listen(queue, asyncio.get_running_loop(), seen)
        try:
            for told in await asyncio.to_thread(self._beginning):
                yield told
            while not self._stop.is_set():
                try:
                    async with asyncio.timeout(heartbeat_s):
                        event = await queue.get()
                except TimeoutError:
                    yield None
                    continue
                if event is None:  # the service ends, or too much waits
                    return
                yield event
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def require_place(self) -> None:
        """Refuse where too many listen.

        Raises
        ------
        Problem
            503
        """
        if len(self._listeners) >= _MOST_LISTENERS:
            raise Problem(
                503,
                f"{_MOST_LISTENERS} clients listen already; ask again when one has left",
                headers={"Retry-After": "10"},
            )

    def stop(self) -> None:
        """End all streams; returns at once."""
        self._stop.set()
        for queue, loop in list(self._listeners.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(_put, queue, None)

    def close(self) -> None:
        """Stop, and wait for the thread."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _listen(
        self,
        queue: asyncio.Queue[LiveEvent | None],
        loop: asyncio.AbstractEventLoop,
        seen: _Seen,
    ) -> None:
        with self._lock:
            self._listeners[queue] = loop
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._watch, args=(seen,), name="events", daemon=True
                )
                self._thread.start()

    def _watch(self, seen: _Seen) -> None:
        while not self._stop.wait(_EVERY_S):
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    return
            try:
                for event in self._changed_since(seen):
                    self._tell(event)
            except (CacheError, ClassifyError, OSError) as error:
                _log.warning("what has changed can't be told: %s", error)
                self._stop.wait(1.0)

    def _tell(self, event: LiveEvent) -> None:
        for queue, loop in list(self._listeners.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(_put, queue, event)

    def _now(self) -> _Seen:
        names = self._live.taste_names()
        return _Seen(
            tastes={name: self._live.tastes.stamp_with_colour(name) for name in names},
            cache=self._live.shown_cache(),
            scan=self._scan_now(),
            folders=self._folders.now(),
        )

    def _scan_now(self) -> object:
        return (self._scan.state, id(self._scan.progress), id(self._scan.result))

    def _beginning(self) -> list[LiveEvent]:
        try:
            library = [self._library_event()]
        except (CacheError, ClassifyError):  # told where the library is asked for
            library = []
        return [*library, self._scan_event(), self._folders_event()]

    def _changed_since(self, seen: _Seen) -> Iterator[LiveEvent]:
        """Give what is new, and remember it."""
        now = self._now()
        if now.scan != seen.scan:
            seen.scan = now.scan
            yield self._scan_event()
        if now.folders != seen.folders:
            seen.folders = now.folders
            yield self._folders_event()
        if now.cache not in (None, seen.cache):
            seen.cache = now.cache
            yield self._library_event()
        yield from self._changed_tastes(seen, now)

    def _changed_tastes(self, seen: _Seen, now: _Seen) -> Iterator[LiveEvent]:
        for name in sorted({*seen.tastes, *now.tastes}):
            was, stamp = seen.tastes.get(name), now.tastes.get(name)
            # while it is learnt here, its files are half new
            if was == stamp or self._live.is_learning(name):
                continue
            if stamp is None:
                del seen.tastes[name]
            else:
                seen.tastes[name] = stamp
            yield from self._taste_events(name, was, stamp)

    def _taste_events(
        self, name: str, was: Stamp | None, stamp: Stamp | None
    ) -> Iterator[LiveEvent]:
        data = self._told_of(name, exists=stamp is not None)
        if was is None or stamp is None or was[0] != stamp[0] or was[2:] != stamp[2:]:
            yield LiveEvent(name="taste", data=data)
        if was is None or stamp is None or was[1] != stamp[1]:
            yield LiveEvent(name="labels", data=data)

    def _told_of(self, name: str, *, exists: bool) -> dict[str, Any]:
        """Tell of a taste; its revision is that of `/v1/songs` from now on."""
        told: dict[str, Any] = {"taste": name, "exists": exists, "revision": None}
        try:
            info = self._live.taste_info(name)
            told |= {part: info[part] for part in ("n_like", "n_dislike", "trained", "colour")}
            if self._live.is_kept(name):
                told["revision"] = self._live.newest(name).revision
        except (CacheError, ClassifyError) as error:
            told["note"] = str(error)
        return told

    def _library_event(self) -> LiveEvent:
        ranking = self._live.ranking()
        data = {
            "taste": ranking.name,
            "revision": ranking.revision,
            "n_songs": len(ranking.columns),
        }
        return LiveEvent(name="library", data=data)

    def _scan_event(self) -> LiveEvent:
        scan = self._scan
        return LiveEvent(
            name="scan",
            data={
                "taste": self._live.settings.taste,
                "state": scan.state,
                "progress": scan.progress,
                "result": scan.result,
                "at": time.time(),
            },
        )

    def _folders_event(self) -> LiveEvent:
        return LiveEvent(name="folders", data=self._folders.told())


def _put(queue: asyncio.Queue[LiveEvent | None], event: LiveEvent | None) -> None:
    if queue.full():  # nobody takes them: the end is all that is left to tell
        queue.get_nowait()
        event = None
    queue.put_nowait(event)
