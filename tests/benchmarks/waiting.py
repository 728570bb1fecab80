"""Wait for processes as long as they work: on a busy machine everything takes its time.

Who waits is watched with all that it has started. A wait is given up once these have used next to
no processor time for a minute, and after a quarter of an hour in any case. Standard library alone.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["LONG_S", "Patience", "ended", "run", "wait_until"]

LONG_S = 900.0
"""The longest wait for anything.

It is also the limit of a call that takes only seconds, as those of sockets do.
"""
_IDLE_S = 60.0
# Within `_IDLE_S`. An idle service and a browser use 0.3 s in a minute; a worker that gives way to
# four busy loops (`nice` 15, two cores) is left 0.8 s.
_LITTLE_S = 0.4
_LOOK_S, _LONGEST_LOOK_S = 0.01, 1.0
_PROC = Path("/proc")


class Patience:
    """How long a wait may go on.

    Parameters
    ----------
    what : str
        What is waited for, to be told when it does not come.
    others : int
        Processes that are no descendants of this one: those whose parent was killed.
    """

    def __init__(self, what: str, *others: int) -> None:
        self._what, self._others = what, others
        self._started = self._marked = self._looked = time.monotonic()
        self._used_s, self._told = _used_by((os.getpid(), *others))

    @property
    def look_s(self) -> float:
        """How long to sleep before the next look.

        It is little at first, so that waiting costs no time.
        """
        waited_s = time.monotonic() - self._started
        return min(_LONGEST_LOOK_S, max(_LOOK_S, waited_s / 20))

    def spend(self) -> None:
        """Say that it has not come yet.

        Raises
        ------
        AssertionError
            If nobody has worked at it for a minute, or it has taken too long.
        """
        now = time.monotonic()
        if now - self._looked < _LONGEST_LOOK_S:
            return
        self._looked = now
        used_s, self._told = _used_by((os.getpid(), *self._others))
        if abs(used_s - self._used_s) >= _LITTLE_S:  # less, where a process has ended unseen
            self._used_s, self._marked = used_s, now
        idle_s, waited_s = now - self._marked, now - self._started
        is_idle = idle_s >= _IDLE_S and bool(self._told)  # without /proc nobody knows
        if is_idle or waited_s >= LONG_S:
            raise AssertionError(
                f"waited {waited_s:.0f} s for {self._what}; all that could bring it about have "
                f"used less than {_LITTLE_S} s of processor time in the last {idle_s:.0f} s: "
                f"{self._told}"
            )


def wait_until(
    holds: Callable[[], object],
    what: str,
    *others: int,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Wait until a function returns something true.

    See `Patience` for how long, and for `others`.
    """
    patience = Patience(what, *others)
    while not holds():
        patience.spend()
        sleep(patience.look_s)


def ended(process: subprocess.Popen[Any]) -> tuple[Any, Any]:
    """Wait until a process has ended, and return what it said; one that does not end is killed."""
    patience = Patience(f"the end of {process.args!r}")
    while True:
        try:
            return process.communicate(timeout=_LONGEST_LOOK_S)
        except subprocess.TimeoutExpired:
            try:
                patience.spend()
            except AssertionError:
                process.kill()
                raise


def run(argv: Iterable[str | Path], **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a process to its end, as `subprocess.run`, and take what it says as text."""
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | more
    process = subprocess.Popen(list(map(str, argv)), **more)
    stdout, stderr = ended(process)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def _used_by(pids: Iterable[int]) -> tuple[float, list[str]]:
    """Return the seconds of processor time of processes and their descendants, and what each does.

    What this thread uses is left out: it only looks.
    """
    fields = _all_fields()
    children: dict[int, list[int]] = {}
    for pid, found in fields.items():
        children.setdefault(int(found[2]), []).append(pid)
    todo, ticks, told = [pid for pid in pids if pid in fields], 0, []
    while todo:
        pid = todo.pop()
        name, state, _, *_ = fields[pid]
        # utime, stime, and those of its children that have ended
        spent = sum(map(int, fields[pid][12:16]))
        ticks += spent
        told.append(f"{name} {pid} ({state}, {spent / os.sysconf('SC_CLK_TCK')} s)")
        todo += children.get(pid, ())
    return (ticks / os.sysconf("SC_CLK_TCK") if told else 0.0) - time.thread_time(), told


def _all_fields() -> dict[int, list[str]]:
    """Return the fields of /proc/PID/stat of all processes: the name, the state, the parent, ..."""
    found = {}
    for status in _PROC.glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text("utf-8", "replace").partition(" (")[2].rpartition(") ")
        except OSError:  # it has just ended
            continue
        found[int(status.parent.name)] = [name, *rest.split()]
    return found
