"""Memory that is free again is given back: after the library was read, and whenever much is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

__all__ = ["give_back_memory", "keep_memory_low"]

_LOOK_EACH_S = 1.0
_MUCH = 24 * 2**20  # bytes more than after the last time
_PAGES = Path("/proc/self/statm")


def give_back_memory() -> None:
    """Have the allocators hand what they keep for later to the system.

    To read a library of 100,000 songs takes 100 MB more for a moment than it takes afterwards, to
    learn again after a label as much, and allocators keep that. It costs some milliseconds, so it
    is not for every request.
    """
    import ctypes

    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # of glibc
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return


async def keep_memory_low() -> None:
    """Give memory back whenever there is much more of it than the last time; does not return."""
    least = _resident()
    while True:
        await asyncio.sleep(_LOOK_EACH_S)
        if _resident() > least + _MUCH:
            await asyncio.to_thread(give_back_memory)
            least = _resident()
        least = min(least, _resident())


def _resident() -> int:
    """Return how many bytes of memory this process has; 0 where the system does not say."""
    try:
        return int(_PAGES.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
