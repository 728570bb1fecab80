"""The C library's allocator, told to keep what it gets back.

Reading a library takes and frees blocks of some megabytes thousands of times. By default glibc
hands each back to the system, and the next one comes with its pages to be cleared: two fifths of
the processor time of scoring 100,000 songs.
"""

from __future__ import annotations

import os

__all__ = ["keep_freed_memory", "keep_little_freed_memory"]

# mallopt's parameters, from glibc's malloc.h (see its manual, "Malloc Tunable Parameters").
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST_BLOCK = 32 << 20  # bytes; glibc takes no more
_KEPT = 256 << 20
_N_ARENAS = 2
# Blocks of what is read have up to 4 MB, whole matrices of 2,000 songs 15.
_LARGEST_BLOCK_OF_FEW, _FEW_KEPT = 8 << 20, 64 << 20
_N_READERS = "4"  # threads that read a local disk; each keeps some memory


def keep_freed_memory() -> bool:
    """Have freed memory reused by this process, up to 256 MiB; for a program, not for a library.

    Call it before threads start.

    Returns
    -------
    bool
        Whether that could be done: with glibc. Elsewhere nothing changes.
    """
    return _set_malloc(_LARGEST_BLOCK, _KEPT)


def keep_little_freed_memory(*, is_local: bool) -> bool:
    """Have blocks of up to 8 MB reused; for a program that runs for days beside others.

    Arrow, which otherwise keeps memory of its own, takes it from the C library, and Lance reads a
    local cache with few threads. Call it before any of them is imported.

    Parameters
    ----------
    is_local : bool
        Whether the cache is on a disk; an object store is read with many threads.

    Returns
    -------
    bool
        As `keep_freed_memory`.
    """
    if is_local:
        os.environ.setdefault("LANCE_IO_THREADS", _N_READERS)
    if not _set_malloc(_LARGEST_BLOCK_OF_FEW, _FEW_KEPT):
        return False
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    return True


def _set_malloc(largest_block: int, kept: int) -> bool:
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return False
    wanted = ((_MMAP_THRESHOLD, largest_block), (_TRIM_THRESHOLD, kept), (_ARENA_MAX, _N_ARENAS))
    return all(mallopt(parameter, value) for parameter, value in wanted)
