"""What a worker does beside its tasks: time them, and end with its parent or a stalled file."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from embed.limits import bounded_cpu

__all__ = ["STALLED", "depend_on", "timed"]

STALLED = 86
"""The exit code of a worker that gave its task up."""
_POLL_S = 0.5
_GARBAGE_FROM = 50_000
"""Objects from which on Python looks for cycles: a song has some 10,000 packets, without any.

To look at them takes 2 ms a song.
"""
_LITTLE_S = 0.001  # of processor time: a task that gets some of its file takes more

_at_work = threading.Event()  # whether there is a task


def timed(cpu_s: float | None, function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Call, in a worker; returns the value and the seconds of processor time that it took."""
    started = time.process_time()
    _at_work.set()
    try:
        with bounded_cpu(cpu_s):
            value = function(*arguments)
    finally:
        _at_work.clear()
    return value, time.process_time() - started


def depend_on(
    parent: int, stall_s: float, niceness: int, setup: tuple[Callable[..., None], Any] | None
) -> None:
    """Leave Ctrl-C to the parent and die with it, or when a task stalls; make ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if niceness and hasattr(os, "nice"):  # not on Windows
        os.nice(niceness)
    threading.Thread(target=_watch, args=(parent, stall_s), daemon=True).start()
    gc.set_threshold(_GARBAGE_FROM, *gc.get_threshold()[1:])
    if setup is not None:
        function, argument = setup
        function(argument)


def _watch(parent: int, stall_s: float) -> None:
    """End this worker when its parent was killed, or when its task stalls.

    Without its parent it would wait for ever. A task stalls that waits for a drive or a network
    which does not answer: it takes no processor time.
    """
    mark, quiet_s = 0.0, 0.0
    while os.getppid() == parent:
        time.sleep(_POLL_S)
        used = time.process_time() - time.thread_time()  # by all threads but this one
        # Counted, and not read from a clock: where all stood still (Ctrl-Z, a laptop's sleep)
        # nothing stalls.
        quiet_s = quiet_s + _POLL_S if _at_work.is_set() and used - mark < _LITTLE_S else 0.0
        mark = used if quiet_s == 0 else mark
        if quiet_s >= stall_s:
            os._exit(STALLED)
    os._exit(1)
