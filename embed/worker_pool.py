"""Worker processes of which one may crash: then one task is lost, not the run.

joblib's loky is used, and not the standard library's pool, because it does not import the caller's
main module again: `embed_library` works in scripts without a guard and in notebooks.

By hand: a pool of loky or of the standard library breaks whole when one process dies. Here 20 of 20
runs went on when a worker was killed, and lost no song (results/reliability.jsonl).
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from embed.errors import EmbedError, WorkerCrashed, WorkerStopped
from embed.limits import Limits, no_answer
from embed.worker_process import STALLED, depend_on, timed

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

__all__ = ["Outcome", "WorkerPool"]

# On Windows a wait without an end would not hear of Ctrl-C.
_CALL_POLL_S = None if os.name == "posix" else 1.0
# Tasks given out for each worker: enough that none waits. No more than loky's queue holds (2 n +
# 1), because its manager thread prints a KeyError when the workers are killed while tasks wait
# outside that queue.
_AHEAD = 2
# Each worker has one core; a numeric library's own threads would only fight over it.
_ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# A worker must not import a numpy.py that lies in whatever folder the command was started from.
_ENVIRONMENT["PYTHONSAFEPATH"] = "1"
# What a song takes the next one takes again: glibc's malloc keeps it, and does not give it back to
# the system in between. That is 1,600 page faults fewer a song, 3 to 30 ms of processor time.
_ENVIRONMENT |= {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**25)}

_T = TypeVar("_T")

_Call = tuple[Callable[..., Any], *tuple[Any, ...]]  # a function and its arguments


@dataclass(frozen=True, kw_only=True)
class _Task:
    key: Any
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    cpu_s: float | None
    alone: _Task | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task: its value, or the error it ended with."""

    key: Any
    value: Any = None
    error: BaseException | None = None


class WorkerPool:
    """Run tasks in processes, a bounded number ahead.

    When a worker dies, every task under way is lost with it and nobody knows which was to blame.
    They are run again one at a time; the one that kills its worker alone ends with WorkerCrashed.

    Parameters
    ----------
    n_workers : int, optional
        Default: as many as there are cores that we may use.
    max_tasks : int, optional
        How many tasks there can be at once. More workers than that would start for nothing, and all
        start with the first task.
    """

    def __init__(
        self,
        n_workers: int | None = None,
        *,
        max_tasks: int | None = None,
        setup: tuple[Callable[..., None], Any] | None = None,
        limits: Limits | None = None,
        niceness: int = 0,
    ) -> None:
        self._limits = limits or Limits(max_stall_s=math.inf)
        self._setup = setup  # what each worker calls first, with its argument
        self._niceness = niceness  # by how much workers give way to other processes
        wanted = n_workers or _n_cores()
        self._n_workers = wanted if max_tasks is None else max(1, min(wanted, max_tasks))
        self._executor: ProcessPoolExecutor | None = None
        self._running: dict[Future[Any], _Task] = {}
        self._suspects: deque[_Task] = deque()
        self._stopped: Future[None] = Future()  # is waited for beside the tasks
        self._is_stopping = False
        self.cpu_s = 0.0
        """Seconds of processor time that tasks have taken; those that failed are not counted."""

    @property
    def n_workers(self) -> int:
        """How many processes there are, or would be."""
        return self._n_workers

    @property
    def has_room(self) -> bool:
        """Whether another task should be given out."""
        return not self._suspects and len(self._running) < _AHEAD * self._n_workers

    @property
    def busy(self) -> bool:
        """Whether any task is under way."""
        return bool(self._running or self._suspects)

    def submit(
        self, key: Any, function: Callable[..., Any], *arguments: Any, cpu_s: float | None = None
    ) -> None:
        """Give out a task; `key` comes back with its outcome.

        One that takes more than `cpu_s` seconds of processor time ends with LimitExceeded: its
        worker is killed, as by a crash.
        """
        self._start(_Task(key=key, function=function, arguments=arguments, cpu_s=cpu_s))

    def submit_steps(self, key: Any, all_steps: _Call, first_step: _Call, *, cpu_s: float) -> None:
        """Give out a task that takes several steps.

        When a worker has died, only the first step is tried again, so that it shows which step is
        to blame. The task keeps to limits of its own; `cpu_s` is for the first step alone.
        """
        function, *arguments = first_step
        alone = _Task(key=key, function=function, arguments=tuple(arguments), cpu_s=cpu_s)
        function, *arguments = all_steps
        self._start(
            _Task(key=key, function=function, arguments=tuple(arguments), cpu_s=None, alone=alone)
        )

    def call(
        self, function: Callable[..., _T], /, *arguments: Any, cpu_s: float | None = None
    ) -> _T:
        """Run a function in a worker, wait until it ends, and return its value.

        For a pool that is given one task at a time: no other may be under way. The worker is kept
        for the next call. The wait takes no processor time, and has no end but the function's, its
        limits' and `stop`.

        Parameters
        ----------
        function : callable
            It, its arguments and its value can be pickled.
        cpu_s : float, optional
            The most seconds of processor time that it may take.

        Raises
        ------
        WorkerCrashed
            If the worker died, twice: what kills it must not be something else on the machine.
        LimitExceeded
            If the function took more than `cpu_s`.
        UnreadableFile
            If it waited too long for its file; see `Limits.max_stall_s`.
        WorkerStopped
            If `stop` was called, before or meanwhile.
        Exception
            What the function raised.
        """
        assert not self.busy
        if self._is_stopping:
            raise _stopped()
        self.submit(None, function, *arguments, cpu_s=cpu_s)
        try:
            while not (outcomes := list(self.outcomes(_CALL_POLL_S))):
                pass  # where waiting is polled; or its worker died, and it is tried again
        except BaseException:  # such as Ctrl-C: nobody will ask for its value
            self.close(kill=True)
            self._running.clear()
            self._suspects.clear()
            raise
        (outcome,) = outcomes
        if outcome.error is not None:
            raise outcome.error
        return cast("_T", outcome.value)

    def stop(self) -> None:
        """End what is under way, and have nothing begin any more: whoever waits gets WorkerStopped.

        It returns at once. To be called from another thread than the one that waits, also in a
        signal's handler. Where the main thread waits, a handler raises instead, as Ctrl-C does.
        """
        if not self._is_stopping:  # before anything that another signal could come upon half done
            self._is_stopping = True
            self._stopped.set_result(None)

    def outcomes(self, timeout_s: float | None) -> Iterator[Outcome]:
        """Wait for tasks to end, `timeout_s` at most; yield what became of them."""
        if self._suspects and not self._running:
            yield from self._try_alone(self._suspects.popleft())
            return
        done = self._wait(timeout_s)
        broken: list[_Task] = []
        for future in done:
            task = self._running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                broken.append(task)
            else:
                value = None if error else self._value(future)
                yield Outcome(key=task.key, value=value, error=error)
        if broken:
            self._suspects.extend(broken + list(self._running.values()))
            self._running.clear()
            self.close(kill=True)

    def close(self, *, kill: bool) -> None:
        """End the workers; `kill` does not wait for what they are doing."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=kill)
            self._executor = None

    def _wait(self, timeout_s: float | None = None) -> set[Future[Any]]:
        """Wait for any task, `timeout_s` at most; return the futures of those that have ended."""
        if not self._running:
            return set()
        either = (*self._running, self._stopped)
        done, _ = wait(either, timeout=timeout_s, return_when=FIRST_COMPLETED)
        if self._stopped in done:
            raise _stopped()
        return done

    def _start(self, task: _Task) -> None:
        if self._executor is None:
            from joblib.externals.loky import ProcessPoolExecutor  # slow, and many pools never work

            self._executor = ProcessPoolExecutor(
                max_workers=self._n_workers,
                initializer=depend_on,
                initargs=(os.getpid(), self._limits.max_stall_s, self._niceness, self._setup),
                env=_ENVIRONMENT,
            )
        try:
            with _interrupts_blocked():
                future = self._executor.submit(timed, task.cpu_s, task.function, *task.arguments)
            self._running[future] = task
        except BrokenProcessPool:  # since `outcomes` last looked
            self._suspects.append(task)
            if not self._running:
                self.close(kill=True)

    def _value(self, future: Future[Any]) -> Any:
        value, cpu_s = future.result()
        self.cpu_s += cpu_s
        return value

    def _try_alone(self, task: _Task) -> Iterator[Outcome]:
        task = task.alone or task
        started = time.monotonic()
        self._start(task)
        if not self._running:
            return  # the workers were dead already; it is a suspect again, and gets new ones
        (future,) = self._wait()
        try:
            outcome = Outcome(key=task.key, value=self._value(future))
        except BrokenProcessPool as error:
            self.close(kill=True)
            stalled = f"EXIT({STALLED})" in str(error)  # loky tells no exit codes on Windows
            wall_s = time.monotonic() - started
            cause = no_answer(self._limits.max_stall_s) if stalled else self._cause(task, wall_s)
            outcome = Outcome(key=task.key, error=cause)
        except Exception as error:  # the task's own; handed on
            outcome = Outcome(key=task.key, error=error)
        self._running.clear()
        yield outcome  # at the end, because whoever takes it may submit the next task at once

    def _cause(self, task: _Task, wall_s: float) -> EmbedError:
        """Say why a task's worker died; one that used up its processor time has lived that long."""
        if task.cpu_s is not None and wall_s >= 0.95 * task.cpu_s:  # clocks differ a little
            return self._limits.too_much_time(task.cpu_s)
        return WorkerCrashed(
            "the process that read it died: a crash of the decoder, or too little memory"
        )


def _stopped() -> WorkerStopped:
    return WorkerStopped("the workers were stopped before it was done")


def _n_cores() -> int:
    """Return how many cores we may use: affinity, cgroup."""
    from joblib import cpu_count

    return int(cpu_count())


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Have workers that are started meanwhile leave Ctrl-C to the parent.

    The parent commits what is done.

    The workers inherit the mask, so that they are quiet even while they still import.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Python's own tracker of resources, at its start, takes SIGINT out of the mask: have it started
    # before.
    resource_tracker.ensure_running()
    with _interrupts_put_off():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupts_put_off() -> Iterator[None]:
    """Act on signals that end the run only afterwards.

    This thread's mask does not keep them away: another thread takes them, and Python raises here
    all the same. A worker that is half started then prints a traceback, or the interrupt is lost
    inside the pool.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # where Python never raises them
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers = {
        number: signal.signal(number, lambda *signalled: came.append(signalled))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if callable(signal.getsignal(number))
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        # also where the block failed, or the signal would be lost
        for came_first, frame in came[:1]:
            then = handlers[signal.Signals(came_first)]
            if callable(then):
                then(came_first, frame)
