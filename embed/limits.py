"""What a file may ask of us: bytes, length, processor time, memory.

Ten-hour mixes are music, and stay far below all of it. A file of a few kilobytes can decode to
years of silence, or claim an index of many gigabytes: each limit costs only the file that goes past
it.

By hand: PyAV bounds neither the time nor the memory that a file takes. 2,000 hostile files stay
below 500 MB, the command and its workers together: 487 when 8 MB less of a file's packets were
kept (results/reliability.jsonl).
"""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from embed.errors import EmbedError, LimitExceeded, UnreadableFile

__all__ = [
    "RATES_HZ",
    "Limits",
    "bounded_cpu",
    "bounded_memory",
    "is_read",
    "no_answer",
    "too_much_memory",
]

RATES_HZ = (1000, 768000)
"""Sample rates that are read, from the lowest to the highest."""


def is_read(rate_hz: int) -> bool:
    """Whether sound of a sample rate is read.

    Examples
    --------
    >>> from embed.limits import is_read
    >>> is_read(44100), is_read(1)
    (True, False)
    """
    low, high = RATES_HZ
    return low <= rate_hz <= high


# read through, and decoded where that is needed: a tenth of what a slow core does
_BYTES_A_SECOND = 250_000
_SHARE_OF_LENGTH = 0.1  # decoding; a slow core is ten times faster
_WINDOW_S = 4.0  # for 3 s of sound in the network; 0.05 s on a usual core
_MEMORY_BYTES = 320 * 2**20  # reading and decoding take some 60 MB for a ten-hour file
_STATUS_BYTES = 256
_ENDLESS_S = 1e8  # what a timer takes is bounded
_MB, _GB, _HOUR_S = 10**6, 10**9, 3600.0
_REMEDY = "'sevensongs embed {option} --retry-failed' takes it"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is the most that one file may ask.

    Attributes
    ----------
    max_duration_s : float
        Seconds of sound; 24 hours.
    max_bytes : float
        The file's size; 64 GB, as 24 hours of 24 bits at 96 kHz are 50 GB.
    max_cpu_s : float
        Seconds of processor time for one task, beyond what its size, its length and the windows
        to embed explain at a tenth of a slow core's speed. Not enforced on Windows.
    max_stall_s : float
        Seconds in which a task waits for its file and gets nothing of it; three minutes. A drive
        that wakes up needs ten seconds, a server that starts again a minute or two.
    remedy : str
        How a refusal says what would take the file; ``{option}`` stands for an option of the
        command.
    """

    max_duration_s: float = 24 * _HOUR_S
    max_bytes: float = 64 * _GB
    max_cpu_s: float = 60.0
    max_stall_s: float = 180.0
    remedy: str = _REMEDY

    def __post_init__(self) -> None:
        for name in ("max_duration_s", "max_bytes", "max_cpu_s", "max_stall_s"):
            value = getattr(self, name)
            if not value > 0:  # NaN neither
                raise EmbedError(f"{name} is {value}; it must be more than 0")

    def require_size(self, n_bytes: int) -> None:
        """Refuse a file that is too large, before it is read."""
        if n_bytes > self.max_bytes:
            raise LimitExceeded(
                f"has {n_bytes / _GB:.2f} GB; files of up to {self.max_bytes / _GB:g} GB are read. "
                f"{_told(self.remedy, '--max-size', n_bytes / _GB)}"
            )

    def require_duration(self, duration_s: float) -> None:
        """Refuse a recording that is too long."""
        if duration_s > self.max_duration_s:
            hours = duration_s / _HOUR_S
            raise LimitExceeded(
                f"lasts {hours:.1f} hours; up to {self.max_duration_s / _HOUR_S:g} are embedded. "
                f"{_told(self.remedy, '--max-duration', hours)}"
            )

    def probing_s(self, n_bytes: int) -> float:
        """Return how much processor time reading a file through may take."""
        return self.max_cpu_s + n_bytes / _BYTES_A_SECOND

    def too_much_time(self, seconds: float) -> LimitExceeded:
        """Return what a file ends with that took more processor time than a task may."""
        return LimitExceeded(
            f"took more than {seconds:.3g} s of processor time, which no music of its size does. "
            f"{_told(self.remedy, '--max-seconds', 4 * seconds)}"
        )

    def embedding_s(self, duration_s: float, n_windows: int) -> float:
        """Return how much processor time some windows of a recording may take."""
        return self.max_cpu_s + _SHARE_OF_LENGTH * duration_s + _WINDOW_S * n_windows


def too_much_memory(n_bytes: int = _MEMORY_BYTES) -> LimitExceeded:
    """Return what is raised where there is no memory left for a file."""
    return LimitExceeded(
        f"needs more than {n_bytes / _MB:.0f} MB of memory to be read, which no music does; "
        "if it plays elsewhere, convert it"
    )


@contextmanager
def bounded_memory(n_bytes: int = _MEMORY_BYTES) -> Iterator[None]:
    """Have this process take little more memory than it has; for a worker, while it reads a file.

    `n_bytes` is how much more.

    Where the system can't (other than Linux), nothing happens.

    Raises
    ------
    LimitExceeded
        If it would have.
    """
    held = _held_bytes()
    if held is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (held + n_bytes, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    except MemoryError:
        raise too_much_memory(n_bytes) from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held_bytes() -> int | None:
    """Return what RLIMIT_DATA counts of this process; None where the system does not tell."""
    try:
        status = os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return None
    # For every span that is decoded, 34 times a song: pathlib takes 34 us, this 10.
    try:
        pages = os.read(status, _STATUS_BYTES).split()[5]  # proc(5)
    finally:
        os.close(status)
    return int(pages) * mmap.PAGESIZE


@contextmanager
def bounded_cpu(seconds: float | None) -> Iterator[None]:
    """Have the system end this process when it takes more processor time.

    This is for a worker, during a task.

    The decoder may hang in native code, where no Python runs any more. Windows has no such timer.
    """
    if seconds is None or seconds > _ENDLESS_S or not hasattr(signal, "setitimer"):
        yield
        return
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def no_answer(seconds: float) -> UnreadableFile:
    """Return what a file ends with that could not be read on for so long; another time it may."""
    return UnreadableFile(
        f"can't be read: nothing came for {seconds:.3g} s (a drive or network folder that does not "
        "answer?); see that it does, or allow more ('sevensongs embed --max-stall'), and run again"
    )


def _told(remedy: str, option: str, value: float) -> str:
    return remedy.format(option=f"{option} {value * 1.01:.3g}")
