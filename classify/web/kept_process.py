"""One process that is kept, one thread that owns it, and a queue before it.

Sound from strangers is decoded in the process, so that a crash costs one task; the encoder stays
open in it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from classify.web.problems import ending
from embed import Limits

if TYPE_CHECKING:
    from embed import WorkerPool

__all__ = ["Call", "KeptProcess"]

_T = TypeVar("_T")
_POLL_S = 0.2
_JOIN_S = 3.0  # for the thread to end by itself; then its process is killed under it


class Call(Protocol):
    """Runs a function in the kept process; raises what it raised."""

    def __call__(self, function: Callable[..., _T], /, *arguments: Any, cpu_s: float) -> _T:
        """Return the function's value.

        If that takes more than `cpu_s` of processor time, LimitExceeded is raised.
        """
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
        self._name = name
        self._niceness = niceness
        self._limits = limits or Limits()
        self._queue: queue.SimpleQueue[tuple[Callable[[Call], Any], Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._lock = threading.RLock()  # a signal may come while this thread holds it, and stops us
        self._thread: threading.Thread | None = None
        self._pool: WorkerPool | None = None
        self._stopping = threading.Event()
        self._n_waiting = 0

    @property
    def n_waiting(self) -> int:
        """How many pieces of work wait or are under way."""
        return self._n_waiting

    def submit(self, work: Callable[[Call], _T]) -> Future[_T]:
        """Queue a piece of work.

        Parameters
        ----------
        work : callable
            Is called in the owner's thread, with what calls functions in the process.

        Returns
        -------
        Future
            To cancel it as long as it waits gives its turn to the next.

        Raises
        ------
        Problem
            If the service is ending.
        """
        future: Future[_T] = Future()
        future.add_done_callback(self._leave)
        with self._lock:
            if self._stopping.is_set():
                raise ending()
            self._n_waiting += 1
            self._queue.put((work, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._own, name=self._name, daemon=True)
                self._thread.start()
        return future

    def stop(self) -> None:
        """Give everything up, and return at once; what waits ends with a problem."""
        with self._lock:
            self._stopping.set()
            self._queue.put(None)

    def close(self) -> None:
        """Stop, and wait until the process has ended."""
        self.stop()
        if self._thread is None:
            return
        self._thread.join(_JOIN_S)
        # it tries a task alone, and hears nothing
        if self._thread.is_alive() and self._pool is not None:
            self._pool.close(kill=True)
        self._thread.join()

    def _leave(self, _future: Future[Any]) -> None:
        with self._lock:
            self._n_waiting -= 1

    def _own(self) -> None:
        from embed import WorkerPool  # imports joblib

        self._pool = WorkerPool(1, limits=self._limits, niceness=self._niceness)
        try:
            while (item := self._queue.get()) is not None and not self._stopping.is_set():
                self._do(*item)
            self._refuse(item)
        finally:
            self._pool.close(kill=True)

    def _do(self, work: Callable[[Call], Any], future: Future[Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            value = work(self._call)
        except BaseException as error:  # handed on, whatever it is: this thread must live
            future.set_exception(error)
        else:
            future.set_result(value)

    def _refuse(self, item: tuple[Callable[[Call], Any], Future[Any]] | None) -> None:
        with suppress(queue.Empty):
            while True:
                if item is not None and item[1].set_running_or_notify_cancel():
                    item[1].set_exception(ending())
                item = self._queue.get_nowait()

    def _call(self, function: Callable[..., _T], /, *arguments: Any, cpu_s: float) -> _T:
        pool = self._pool
        assert pool is not None  # this is its thread
        pool.submit(None, function, *arguments, cpu_s=cpu_s)
        while True:
            for outcome in list(pool.outcomes(_POLL_S)):
                if outcome.error is not None:
                    raise outcome.error
                return cast("_T", outcome.value)
            if self._stopping.is_set():
                raise ending()
