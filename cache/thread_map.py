"""Tasks in a few threads, their results in order."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


__all__ = ["map_in_order"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_MAX_THREADS = 8


def map_in_order(
    work: Callable[[_Task], _Result], tasks: Iterable[_Task], *, n_threads: int | None = None
) -> Iterator[_Result]:
    """Work through tasks in a few threads; what they give comes in the tasks' order.

    Parameters
    ----------
    work : callable
        Called in several threads at once; worth it where it releases the GIL, as reading, checksums
        and matrix products do.
    tasks : iterable
        Only a few more are begun than are asked for, so memory is bounded.
    n_threads : int, optional
        Default: the cores that we may use, 8 at most.

    Yields
    ------
    What `work` returns.

    Raises
    ------
    Exception
        What `work` raises, after the tasks under way have ended.

    Examples
    --------
    >>> from cache import map_in_order
    >>> list(map_in_order(len, ["like", "unsure", ""]))
    [4, 6, 0]
    """
    todo = list(tasks)
    n_workers = min(len(todo), n_threads or min(_n_cores(), _MAX_THREADS))
    if n_workers <= 1:
        yield from map(work, todo)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(n_workers) as pool:
        waiting = deque(pool.submit(work, task) for task in todo[: 2 * n_workers])
        try:
            for task in todo[2 * n_workers :]:
                yield waiting.popleft().result()
                waiting.append(pool.submit(work, task))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _n_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
