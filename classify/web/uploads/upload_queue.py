"""Where uploads are held and decoded: so many at once, a private folder, one process."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from classify.web.kept_process import Call, KeptProcess
from classify.web.problems import Problem
from classify.web.uploads.upload_scoring import UploadScoring

if TYPE_CHECKING:
    from classify.web.settings import ServiceSettings

__all__ = ["UploadQueue"]

_T = TypeVar("_T")
_NICENESS = 10  # the page and the ranking go first
_RETRY_S = 5


class UploadQueue:
    """Takes a few uploads at once and has them heard one after the other.

    Parameters
    ----------
    settings : ServiceSettings

    Attributes
    ----------
    hearing : UploadScoring
        What can be made of an upload; to be called in `hear`.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.hearing = UploadScoring(settings)
        self._n_places = settings.n_uploads
        self._n_held = 0
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._worker = KeptProcess("uploads", limits=settings.limits, niceness=_NICENESS)

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

        To be used in the event loop's thread alone.

        Yields
        ------
        Path
            Of a file that is not there yet, in a folder that only this user can open.

        Raises
        ------
        Problem
            503 if all places are taken.
        """
        if self._n_held >= self._n_places:
            raise Problem(
                503,
                f"{self._n_held} uploads are being taken in or heard, and {self._n_places} are the "
                f"most at once; send it again in {_RETRY_S} s",
                headers={"Retry-After": str(_RETRY_S)},
            )
        path = Path(self._private_folder()) / secrets.token_hex(16)
        self._n_held += 1
        try:
            yield path
        finally:
            self._n_held -= 1
            with suppress(OSError):  # it was never written, or the folder is gone already
                path.unlink(missing_ok=True)

    def hear(self, work: Callable[[Call], _T]) -> Future[_T]:
        """Queue work on an upload; see `KeptProcess.submit`."""
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
            # /tmp is cleaned by age
            if self._folder is not None and not os.path.isdir(self._folder.name):
                self._folder.cleanup()
                self._folder = None
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(  # mode 0700
                    prefix="sevensongs-uploads-", ignore_cleanup_errors=True
                )
            return self._folder.name
