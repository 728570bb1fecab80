"""Where uploads are kept and heard: so many places, a private folder, one process."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect

from classify.web.hearing import Hearing
from classify.web.problems import Problem
from classify.web.worker import Call, KeptWorker

if TYPE_CHECKING:
    from starlette.requests import Request

    from classify.web.settings import ServiceSettings

__all__ = ["Ears", "unless_gone"]

_T = TypeVar("_T")
_RETRY_S = 5


class Ears:
    """Takes a few uploads at once and has them heard one after the other.

    Parameters
    ----------
    settings : ServiceSettings

    Attributes
    ----------
    hearing : Hearing
        What can be made of an upload; to be called in `hear`.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.hearing = Hearing(settings)
        self._n_places = settings.n_uploads
        self._n_held = 0
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._worker = KeptWorker("ears", stall_s=settings.limits.max_stall_s)

    @property
    def n_held(self) -> int:
        """Uploads that come in, wait or are heard."""
        return self._n_held

    @property
    def n_waiting(self) -> int:
        """Uploads that are there, and wait or are heard."""
        return self._worker.n_waiting

    @contextmanager
    def place(self) -> Iterator[Path]:
        """Take one of the places; gives it back, and removes the file, in every case.

        Yields
        ------
        Path
            Of a file that is not there yet, in a folder that only this user can open.

        Raises
        ------
        Problem
            503 if all places are taken.
        """
        with self._lock:
            if self._n_held >= self._n_places:
                raise Problem(
                    503,
                    f"{self._n_held} uploads are being taken in or heard, and {self._n_places} are the "
                    f"most at once; send it again in {_RETRY_S} s",
                    headers={"Retry-After": str(_RETRY_S)},
                )
            self._n_held += 1
        path: Path | None = None
        try:
            path = Path(self._private_folder()) / secrets.token_hex(16)
            yield path
        finally:
            if path is not None:
                with suppress(OSError):  # it was never written, or the folder is gone already
                    path.unlink(missing_ok=True)
            with self._lock:
                self._n_held -= 1

    def hear(self, work: Callable[[Call], _T]) -> Future[_T]:
        """Queue work on an upload; see `KeptWorker.submit`."""
        return self._worker.submit(work)

    def stop(self) -> None:
        """Give up what waits and what is heard, and return at once."""
        self._worker.stop()

    def close(self) -> None:
        """End the process and remove the folder."""
        self._worker.close()
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None

    def _private_folder(self) -> str:
        with self._lock:
            if self._folder is not None and not os.path.isdir(self._folder.name):  # /tmp is cleaned by age
                self._folder.cleanup()
                self._folder = None
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(  # mode 0700
                    prefix="sevensongs-uploads-", ignore_cleanup_errors=True
                )
            return self._folder.name


async def unless_gone(request: Request, future: Future[_T]) -> _T:
    """Wait for work that a request asked for; where the client leaves while it waits, it is not done.

    Parameters
    ----------
    request : Request
        Its body has been read.
    future : Future
        What is under way already is waited for, as its file must stay so long.

    Raises
    ------
    ClientDisconnect
        If the client left before the work began.
    """
    waiting = asyncio.wrap_future(future)
    leaving = asyncio.ensure_future(_left(request))
    either: set[asyncio.Future[Any]] = {waiting, leaving}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done() and future.cancel():
            raise ClientDisconnect
        return await waiting
    finally:
        leaving.cancel()
        waiting.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
