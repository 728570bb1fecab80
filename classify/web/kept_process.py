"""One process that is kept, one thread that waits for it, and what waits for both.

Sound from strangers is decoded in the process, so that a crash costs one task; the encoder stays
open in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from classify.web.problems import ending
from embed import Limits, WorkerPool, WorkerStopped

__all__ = ["Call", "KeptProcess"]

_T = TypeVar("_T")


class Call(Protocol):
    """Runs a function in the kept process; see `WorkerPool.call`."""

    def __call__(self, function: Callable[..., _T], /, *arguments: Any, cpu_s: float) -> _T:
        """Return the function's value, or raise what it raised."""
        ...


class KeptProcess:
    """Work is done one piece after the other, in the order in which it came.

    Nothing is started before the first piece.

    Parameters
    ----------
    name : str
        Of the thread.
    limits : Limits
        What a file may ask.
    niceness : int
        By how much the process gives way to others.
    """

    def __init__(self, name: str, *, limits: Limits | None = None, niceness: int = 0) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._pool = WorkerPool(1, limits=limits or Limits(), niceness=niceness)
        self._lock = threading.Lock()
        self._n_waiting = 0
        self._is_stopping = False

    @property
    def n_waiting(self) -> int:
        """How many pieces of work wait or are under way."""
        return self._n_waiting

    def submit(self, work: Callable[[Call], _T]) -> Future[_T]:
        """Queue a piece of work.

        Parameters
        ----------
        work : callable
            Is called in the thread, with what calls functions in the process.

        Returns
        -------
        Future
            To cancel it as long as it waits gives its turn to the next.

        Raises
        ------
        Problem
            If the service is ending.
        """
        if self._is_stopping:
            raise ending()
        try:
            future = self._thread.submit(self._do, work)
        except RuntimeError as error:  # closed by another thread since
            raise ending() from error
        with self._lock:
            self._n_waiting += 1
        future.add_done_callback(self._leave)
        return future

    def stop(self) -> None:
        """Give everything up, and return at once; what waits ends with a problem.

        It takes no lock, as a signal may have come while this thread holds one.
        """
        self._is_stopping = True
        self._pool.stop()

    def close(self) -> None:
        """Stop, and wait until the process has ended."""
        self.stop()
        self._thread.shutdown()
        self._pool.close(kill=True)

    def _leave(self, _future: Future[Any]) -> None:
        with self._lock:
            self._n_waiting -= 1

    def _do(self, work: Callable[[Call], _T]) -> _T:
        if self._is_stopping:
            raise ending()
        try:
            return work(self._pool.call)
        except WorkerStopped as error:
            raise ending() from error
