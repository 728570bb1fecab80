"""Processes that are killed.

Start one, wait for a moment, kill it or a part of it, and see what outlives it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from speed.rows import COMMAND, child_environment
from waiting import Patience, ended, wait_until

__all__ = ["COMMITS", "Moment", "Victim", "files_in", "killed_at"]

COMMITS = ("catalog.lance/*", "embeddings/*/*")
"""The folders of a cache in which something appears with every step of a commit."""

_POLL_S = 0.0004
_WORKER = b"popen_loky"
# The command, killed by itself just before what an audit event of Python announces, where a path is
# in it.
_KILL_AT = (
    "import os, signal, sys\n"
    "event, part = sys.argv[1:3]\n"
    "sys.argv = ['sevensongs', *sys.argv[3:]]\n"
    "def hook(name, given):\n"
    "    if name == event and part in repr(given):\n"
    "        os.kill(os.getpid(), signal.SIGKILL)\n"
    "sys.addaudithook(hook)\n"
    "from classify.cli.app import main; main()\n"
)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When to kill.

    Attributes
    ----------
    n_lines : int
        After it has printed so many lines; 0: do not wait for that.
    n_steps : int
        Before a step of a commit of this number: it kills itself there, and is only waited for.
    n_changes : int
        After something has appeared so many times in the watched folders; 0: do not wait for that.
    delay_s : float
        So long after that, or after the start.
    """

    n_changes: int = 0
    n_lines: int = 0
    n_steps: int = 0
    delay_s: float = 0.0


class Victim:
    """A process in a session of its own, so that all that it starts can be found.

    Parameters
    ----------
    argv : sequence of str
    said : Path
        Where its stdout goes; its stderr goes to the same name with ``.err``.
    """

    def __init__(self, argv: Sequence[str], said: Path) -> None:
        self._said = said
        self.ended_by_itself = False
        with said.open("wb") as stdout, said.with_suffix(".err").open("wb") as stderr:
            self._process = subprocess.Popen(
                argv, stdout=stdout, stderr=stderr, env=child_environment(), start_new_session=True
            )

    def wait_for(self, moment: Moment, root: Path, watched: Sequence[str] = COMMITS) -> None:
        """Return at the moment, or when the process has ended; `watched` are folders in `root`."""
        stamps, n_changes = _stamps(root, watched), 0
        patience = Patience(f"{moment} of {self._process.args!r}")
        while self._process.poll() is None:
            patience.spend()
            if moment.n_steps:
                time.sleep(0.01)
                continue
            if n_changes >= moment.n_changes and self._n_lines(moment.n_lines) >= moment.n_lines:
                break
            time.sleep(_POLL_S)
            before, stamps = stamps, _stamps(root, watched)
            n_changes += stamps != before
        until = time.monotonic() + moment.delay_s
        while time.monotonic() < until and self._process.poll() is None:
            time.sleep(min(0.01, max(0.0, until - time.monotonic())))
        self.ended_by_itself = self._process.poll() is not None

    def kill(self, whom: str) -> int:
        """Kill with SIGKILL: the whole ``group``, only the ``parent``, or one ``worker``.

        Returns
        -------
        int
            How many processes it was; 0 if there is no such process (any more).
        """
        pids = self._pids()
        if whom == "worker":
            pids = [pid for pid in pids if _WORKER in _command_line(pid)][:1]
        elif whom == "parent":
            pids = [pid for pid in pids if pid == self._process.pid]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(pids)

    def end(self) -> int:
        """Wait until it has ended; returns its exit code.

        Raises
        ------
        AssertionError
            If it does not end; see `Patience`. It is killed then.
        """
        try:
            ended(self._process)
        except AssertionError:
            self.kill("group")
            raise
        return int(self._process.returncode)

    def survivors(self) -> int:
        """Count what it started and what does not end; then kill these processes."""
        with suppress(AssertionError):
            what = f"the end of what {self._process.args!r} has started"
            wait_until(lambda: not self._pids(), what, *self._pids())
        left = self._pids()
        self.kill("group")
        return len(left)

    def semaphores_left(self) -> int:
        """Count the semaphores of its pool that outlived it, 32 bytes each in memory.

        Remove them.
        """
        left = list(Path("/dev/shm").glob(f"sem.loky-{self._process.pid}-*"))
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    @property
    def stdout(self) -> str:
        """What it has printed."""
        return self._said.read_text("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """What it has said.

        That is without how far it was, and without what loky's tracker of semaphores says when it
        cleans up.
        """
        text = self._said.with_suffix(".err").read_text("utf-8", "replace")
        usual = (" songs, ", "resource_tracker.py", "warnings.warn(")
        return "\n".join(
            line for line in text.splitlines() if not any(part in line for part in usual)
        )

    def _n_lines(self, wanted: int) -> int:
        return self._said.read_bytes().count(b"\n") if wanted else 0

    def _pids(self) -> list[int]:
        """Return the living processes of its session."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdecimal():
                try:
                    fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
                except OSError:  # it has just ended
                    continue
                if int(fields[3]) == self._process.pid and fields[0] not in "ZX":
                    found.append(int(name))
        return found


def killed_at(event: str, part: str, argv: Sequence[str]) -> list[str]:
    """Change the command `argv` into one that kills itself just before it does something to a file.

    Parameters
    ----------
    event : str
        An audit event: ``open``, ``os.rename``, ``os.remove``, ...
    part : str
        What the event's path or paths must hold.
    argv : sequence of str
        Beginning with `COMMAND`.
    """
    return [sys.executable, "-P", "-c", _KILL_AT, event, part, *argv[len(COMMAND) :]]


def files_in(folder: Path) -> dict[str, int]:
    """Return the files in a folder and below it, with their sizes in bytes."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            try:
                found[path] = os.stat(path).st_size
            except OSError:  # just removed
                continue
    return found


def _stamps(root: Path, watched: Sequence[str]) -> list[tuple[str, int]]:
    """Return when each watched folder has changed."""
    found = []
    for pattern in watched:
        for path in root.glob(pattern):
            try:
                found.append((path.name, path.stat().st_mtime_ns))
            except OSError:
                continue
    return found


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
