"""The C library's allocator, told to keep what it gets back.

Reading a library takes and frees blocks of some megabytes thousands of times. By default glibc
hands each back to the system, and the next one comes with its pages to be cleared: two fifths of
the processor time of scoring 100,000 songs.
"""

from __future__ import annotations

__all__ = ["keep_freed_memory"]

# mallopt's parameters, from glibc's malloc.h (see its manual, "Malloc Tunable Parameters").
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST_BLOCK = 32 << 20  # bytes; glibc takes no more
_KEPT = 256 << 20
_N_ARENAS = 2


def keep_freed_memory() -> bool:
    """Have freed memory reused by this process, up to 256 MiB; for a program, not for a library.

    Call it before threads start.

    Returns
    -------
    bool
        Whether that could be done: with glibc. Elsewhere nothing changes.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return False
    wanted = ((_MMAP_THRESHOLD, _LARGEST_BLOCK), (_TRIM_THRESHOLD, _KEPT), (_ARENA_MAX, _N_ARENAS))
    return all(mallopt(parameter, value) for parameter, value in wanted)
