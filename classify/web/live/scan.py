"""One scan at a time: new songs of the served folders go into the cache, while the service runs on.

A thread runs `embed_library`; any number of listeners are told how far it is. It does not depend on
them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cache import CacheError
from classify.errors import ClassifyError
from classify.labels.hearing_order import HearingOrder
from classify.library.song_library import SongLibrary
from classify.web.problems import Problem, problem_of, problem_response
from embed import EmbedError, prepare_encoders

if TYPE_CHECKING:
    from classify.web.live.live_library import LiveLibrary
    from classify.web.live.served_folders import ServedFolders
    from classify.web.settings import ServiceSettings
    from embed import EmbedReport, FolderWatch, FoundAudio, NewAudio, Progress

__all__ = ["Scan", "ScanEvent", "ScanState"]

_log = logging.getLogger("sevensongs")

ScanState = Literal["idle", "running", "done", "cancelled", "failed"]
_NICENESS = 15  # uploads go first, and before those the page
_FEW = 10  # songs that have just come: they take seconds, and somebody waits for them
_AT_LEAST_S = 0.1  # from one event to the next: a listener need not hear of every song


@dataclass(frozen=True, kw_only=True)
class ScanEvent:
    """What a listener is told: ``progress``, or at the end ``done`` or ``error``."""

    name: Literal["progress", "done", "error"]
    data: dict[str, Any]


@dataclass(kw_only=True)
class _Wanted:
    """What a scan is to embed, and at its end what came of it."""

    audio: list[Path] | FoundAudio
    unsure: frozenset[str] = frozenset()
    accept: Callable[[EmbedReport], EmbedReport] = lambda report: report
    niceness: int = _NICENESS
    report: EmbedReport | None = None


class _Cancelled(Exception):  # noqa: N818  says what it is
    """Raised in the progress callback, to end a scan with what is done committed."""


class Scan:
    """The scans of one service.

    Parameters
    ----------
    settings : ServiceSettings
    live : LiveLibrary
        Names the encoder; is told to look again when a scan ends.
    folders : ServedFolders

    Attributes
    ----------
    state : {'idle', 'running', 'done', 'cancelled', 'failed'}
        Of the scan that runs, or of the last one.
    progress, result : dict or None
        What the last events said.
    """

    def __init__(
        self, settings: ServiceSettings, live: LiveLibrary, folders: ServedFolders
    ) -> None:
        self._settings = settings
        self._folders = folders
        self._live = live
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._ends = threading.Event()
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.state: ScanState = "idle"
        self.progress: dict[str, Any] | None = None
        self.result: dict[str, Any] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a scan is under way."""
        return self.state == "running"

    def start(self, folders: Sequence[str] | None = None) -> None:
        """Start a scan.

        Parameters
        ----------
        folders : sequence of str, optional
            Some of those that are served; default: all.

        Raises
        ------
        Problem
            409 if one is running or no folder is served, 422 for a folder that is not.
        """
        self._start(_Wanted(audio=self._chosen(folders)))

    def embed(self, new: NewAudio, watch: FolderWatch) -> EmbedReport | None:
        """Embed what has come into folders that are watched, as a scan, and wait for its end.

        A scan that runs is waited for first.

        Returns
        -------
        EmbedReport or None
            None where the scan failed or was cancelled, or the service ends.
        """
        wanted = _Wanted(
            audio=new.found,
            unsure=new.unsure,
            accept=partial(watch.accept, new),
            niceness=0 if new.found.n_songs <= _FEW else _NICENESS,
        )
        while not self._ends.is_set():
            running = self._thread
            if running is not None:
                running.join()
            try:
                self._start(wanted).join()
            except Problem:  # somebody has just started another
                continue
            return wanted.report
        return None

    def _start(self, wanted: _Wanted) -> threading.Thread:
        with self._lock:
            if self.is_running:
                raise Problem(409, "a scan is running already; wait for its end, or cancel it")
            self._stop.clear()
            self.state, self.progress, self.result = "running", None, None
            # No daemon: what is done must be committed even where the service ends without asking
            # us to.
            thread = threading.Thread(target=self._run, args=(wanted,), name="scan")
            self._thread = thread
            thread.start()
            return thread

    def cancel(self) -> None:
        """Have the running scan end; what is done is kept.

        Raises
        ------
        Problem
            404 if none runs.
        """
        if not self.is_running:
            raise Problem(404, "no scan is running")
        self._stop.set()

    def stop(self) -> None:
        """Have a scan end if one runs, as the service ends; returns at once."""
        self._ends.set()
        self._stop.set()
        self._tell()

    def close(self) -> None:
        """End a running scan and wait until what is done is committed."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    async def events(self, heartbeat_s: float) -> AsyncGenerator[ScanEvent | None]:
        """Follow the running scan, or tell how the last one ended.

        Parameters
        ----------
        heartbeat_s : float
            After so many seconds without an event, None is given.
        """
        changed = asyncio.Event()
        listener = (asyncio.get_running_loop(), changed)
        self._listeners.add(listener)
        told: dict[str, Any] | None = None
        try:
            while True:
                changed.clear()
                state, progress, result = self.state, self.progress, self.result
                if progress is not None and progress is not told:
                    told = progress
                    yield ScanEvent(name="progress", data=progress)
                if state != "running":
                    if result is not None:
                        yield ScanEvent(name="error" if state == "failed" else "done", data=result)
                    return
                try:
                    async with asyncio.timeout(heartbeat_s):
                        await changed.wait()
                    await asyncio.sleep(_AT_LEAST_S)
                except TimeoutError:
                    yield None
        finally:
            self._listeners.discard(listener)

    def _chosen(self, folders: Sequence[str] | None) -> list[Path]:
        served = {str(folder): folder for folder in self._folders.all}
        if not served:
            raise Problem(
                409, "no folder is served, so there is nothing to scan: 'sevensongs serve FOLDER'"
            )
        strange = [folder for folder in folders or () if folder not in served]
        if strange:
            raise Problem(422, f"{strange[0]!r:.200} is not served; there are {', '.join(served)}")
        return [served[folder] for folder in folders or served]

    def _run(self, wanted: _Wanted) -> None:
        started = time.monotonic()
        state: ScanState = "failed"
        try:
            wanted.report = wanted.accept(self._embed(wanted))
            state, result = "done", _result(wanted.report, cancelled=False)
        except _Cancelled:
            state, result = "cancelled", self._so_far(time.monotonic() - started)
        except Exception as error:  # told to whoever listens; the service runs on
            _say("a scan failed", error)
            result = json.loads(bytes(problem_response(problem_of(error)).body))
        try:
            self._live.refresh()
        except Exception as error:  # whoever asks next is told why
            _say("after a scan, the library can't be read", error)
        with self._lock:
            self.result = result
            self.state = state
        self._tell()

    def _embed(self, wanted: _Wanted) -> EmbedReport:
        from joblib import cpu_count  # those that we may use: affinity, cgroup

        from embed import embed_library

        library = self._library()
        coverage = library.coverage()
        self._go_on()
        return embed_library(
            wanted.audio,
            root=self._settings.root,
            encoder=library.encoder,
            coverage=coverage,
            workers=self._settings.workers or max(1, cpu_count() - 1),  # one is left for the page
            device="cpu",  # TensorFlow would stay in this process, with half a gigabyte
            unsure=wanted.unsure,
            wanted_first=HearingOrder(self._settings.root, library.encoder, self._settings.taste),
            niceness=wanted.niceness,
            progress=self._hear,
        )

    def _library(self) -> SongLibrary:
        """Return the library of the default taste.

        Where the taste has yet to be learnt, it is of the encoder that the taste will have.
        """
        root = self._settings.root
        try:
            taste = self._live.taste()
        except Problem:
            return SongLibrary.of_encoders(prepare_encoders(self._live.encoder, root=root), root)
        library = SongLibrary.of_taste(taste, root)
        library.prepared_for(taste)  # refuses a stranger's model
        return library

    def _hear(self, progress: Progress) -> None:
        told = asdict(progress)
        told["failed"] = told.pop("n_failed")
        del told["stations"]  # a scan works on this machine
        self.progress = told
        self._tell()
        self._go_on()  # after all else: this song is committed too, so it counts

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise _Cancelled

    def _so_far(self, wall_s: float) -> dict[str, Any]:
        """Tell what a scan did that was cancelled: its report is lost, its songs are not."""
        progress = self.progress or {"n_done": 0, "n_total": 0, "failed": 0}
        n_failed = progress["failed"]
        # Those that are only begun are in the library too.
        n_heard = progress["n_total" if progress.get("stage") == "rest" else "n_done"]
        return {
            "found": progress["n_total"],
            "embedded": n_heard - n_failed,
            "cached": 0,
            "failed": [],
            "cancelled": True,
            "wall_s": wall_s,
        }

    def _tell(self) -> None:
        for loop, changed in list(self._listeners):
            if not loop.is_closed():
                loop.call_soon_threadsafe(changed.set)


def _say(what: str, error: Exception) -> None:
    """Write an error to the log.

    One of ours takes a line; any other comes with all that helps to mend it.
    """
    expected = isinstance(error, CacheError | ClassifyError | EmbedError | Problem)
    _log.error("%s: %s", what, error, exc_info=None if expected else error)


def _result(report: EmbedReport, *, cancelled: bool) -> dict[str, Any]:
    return {
        "found": report.found,
        "embedded": report.embedded,
        "cached": report.cached,
        "failed": [asdict(failure) for failure in report.failed],
        "cancelled": cancelled,
        "wall_s": report.wall_s,
    }
