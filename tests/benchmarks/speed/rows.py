"""Rows of the speed benchmarks.

Here are the machine, a child process with its time and memory, medians and quartiles.

Standard library alone: a child's peak memory counts from what its parent had when it was started.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = [
    "COMMAND",
    "ChildRun",
    "about",
    "blas_kernel",
    "child_environment",
    "cores",
    "measured",
    "processor",
    "read_rows",
    "replace_rows",
    "run_child",
    "say",
    "tree_memory",
    "yardstick_s",
]

COMMAND = (sys.executable, "-P", "-m", "classify.cli")
"""The command `sevensongs`, in the environment that runs the benchmark."""
_NOT_CODE = tuple(f":(top,exclude){path}" for path in ("tests/benchmarks/results", "*.md"))
_PACKAGES = {"lance": "pylance", "litert": "ai-edge-litert"}
_SAMPLE_S = 0.05


@dataclass(frozen=True, kw_only=True)
class ChildRun:
    """What a process took.

    Attributes
    ----------
    wall_s, cpu_s : float
        From its start to its end; of it and of all processes that it started.
    peak_bytes : int
        The largest sum, over the process and those that it started, of memory in RAM, with what
        several share counted once (PSS); sampled. Without sampling the peak of the process alone.
    stdout : str
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    stdout: str


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def child_environment(**more: str) -> dict[str, str]:
    """Return our environment as a user's would be.

    Bytecode is kept, nothing points at another cache, and all cores are taken (tests take one).
    """
    left_out = (
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPROFILEIMPORTTIME",
        "SEVENSONGS_CACHE",
        "LOKY_MAX_CPU_COUNT",
    )
    return {key: value for key, value in os.environ.items() if key not in left_out} | more


_BLAS = """
import json, numpy, threadpoolctl
infos = threadpoolctl.threadpool_info()
print(json.dumps([info.get("architecture") for info in infos if info["user_api"] == "blas"]))
"""


def blas_kernel(env: dict[str, str] | None = None) -> str:
    """Return the name of the kernel that NumPy's OpenBLAS has chosen for this processor.

    Another BLAS is "unknown": Accelerate is not even listed.
    """
    found = json.loads(run_child([sys.executable, "-c", _BLAS], env=env).stdout)
    return next((name for name in found if name), "unknown")


def run_child(
    argv: Sequence[str | Path], *, env: dict[str, str] | None = None, sample: bool = False
) -> ChildRun:
    """Run a process to its end and measure it.

    Raises
    ------
    SystemExit
        If it fails, with the end of what it said.
    """
    arguments = [str(argument) for argument in argv]
    started = time.perf_counter()
    child = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env or child_environment(),
        text=True,
    )
    sampler = _Sampler(child.pid) if sample else None
    said: list[str] = []
    reader = threading.Thread(
        target=lambda: said.append(child.stderr.read() if child.stderr else "")
    )
    reader.start()
    stdout = child.stdout.read() if child.stdout else ""
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    if child.stdout and child.stderr:
        child.stdout.close()
        child.stderr.close()
    if child.returncode:
        raise SystemExit(
            f"{' '.join(arguments[-3:])} ended with {child.returncode}: {said[0][-2000:]}"
        )
    peak, cpu_s = usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime
    if sampler is not None:
        peak, sampled_cpu_s = sampler.stop()
        # workers that nobody waited for are missing in the former
        cpu_s = max(cpu_s, sampled_cpu_s)
    return ChildRun(wall_s=wall_s, cpu_s=cpu_s, peak_bytes=peak, stdout=stdout)


class _Sampler:
    """Watches a process and its descendants through /proc."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak = pid, 0
        self._cpu_s: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            pids = _tree(self._pid)
            self._peak = max(self._peak, sum(map(_memory, pids)))
            for pid in pids:
                self._cpu_s[pid] = max(self._cpu_s.get(pid, 0.0), _cpu_s(pid))

    def stop(self) -> tuple[int, float]:
        """Return the peak in bytes and the seconds of processor time seen."""
        self._ended.set()
        self._thread.join()
        return self._peak, sum(self._cpu_s.values())


def tree_memory(pid: int) -> int:
    """Return the bytes in RAM of a process and its descendants."""
    return sum(map(_memory, _tree(pid)))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for tasks in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, tasks.read_text().split())
            except OSError:  # it has just ended
                continue
    return found


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def tree_cpu_s(pid: int) -> float:
    """Return the processor time of a process, its descendants, and those that have ended."""
    return sum(_cpu_s(one, fields=4) for one in _tree(pid))


def _cpu_s(pid: int, *, fields: int = 2) -> float:
    """Return processor time: `fields` 2 of the process, 4 also of its children that have ended."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, told[11 : 11 + fields])) / os.sysconf("SC_CLK_TCK")


def measured(name: str, values: Sequence[float]) -> dict[str, Any]:
    """Return the median and the quartiles of runs, under a name, with four significant digits."""
    ordered = sorted(values)
    quartiles = (
        statistics.quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else ordered * 3
    )
    low, median, high = (float(f"{value:.4g}") for value in quartiles)
    return {name: median, f"{name}_quartiles": [low, high]}


def about(benchmark: str, packages: Sequence[str]) -> dict[str, Any]:
    """Say of what a row is: code, machine, versions."""
    return {
        "benchmark": benchmark,
        "commit": _git("rev-parse", "--short", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", ":/", *_NOT_CODE)),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": cores(),
        "yardstick_s": yardstick_s(),
        "python": platform.python_version(),
        "versions": {name: version(_PACKAGES.get(name, name)) for name in packages},
    }


def yardstick_s() -> float:
    """Return how many seconds of processor time a fixed piece of work takes, at best of five.

    Machines that are shared run at half of their speed at times, and tell no one: seconds in two
    rows compare where these do. The work is Python's own, and that of a compiled library.
    """
    taken = []
    text = bytes(number * number % 251 for number in range(1_000_000))
    for _ in range(5):
        before = time.process_time()
        total = 0
        for number in range(1_000_000):
            total += number
        zlib.compress(text)
        taken.append(time.process_time() - before)
    return round(min(taken), 4)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Return the processor's model as the system tells it."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text("utf-8").splitlines() if listed.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(*arguments: str) -> str:
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False, cwd=folder
    )
    return done.stdout.strip()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read JSON rows; none where there is no file."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def replace_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows; those of other kinds, and other choices of one kind, that are there stay."""
    new = {(row["kind"], row.get("choice")) for row in rows}
    kept = [row for row in read_rows(path) if (row["kind"], row.get("choice")) not in new]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in [*kept, *rows]), encoding="utf-8")
