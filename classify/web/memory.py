"""Memory that is free again is given back once, after the library was read."""

from __future__ import annotations

__all__ = ["give_back_memory"]


def give_back_memory() -> None:
    """Have the allocators hand what they keep for later to the system.

    To read a library of 100,000 songs takes 100 MB more for a moment than it takes afterwards, and
    allocators keep that. It costs some milliseconds, so it is not for every request.
    """
    import ctypes

    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # of glibc
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return
