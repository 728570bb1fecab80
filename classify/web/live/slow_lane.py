"""What takes seconds waits in a short queue, so that it keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from classify.web.disconnects import while_there
from classify.web.problems import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["SlowLane"]

_Result = TypeVar("_Result")
_AT_ONCE = 2
_WAITING = 64  # who leaves waits no longer, and most answers are kept and need a millisecond
_RETRY_S = 5


class SlowLane:
    """A few threads for work of seconds.

    So such work keeps nobody waiting whose answer comes at once.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, "slow")
        # what waits does so here: a thread pool forgets nothing
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._n_there = 0

    async def run(self, work: Callable[[], _Result], *, asked_by: Request | None = None) -> _Result:
        """Do work in a thread.

        Parameters
        ----------
        work : callable
        asked_by : Request, optional
            Whose client alone the work is for: where that leaves while it waits, it is not done.

        Raises
        ------
        Problem
            503: too much is waiting already.
        ClientDisconnect
            If the client left.
        """
        if self._n_there >= _AT_ONCE + _WAITING:
            raise Problem(
                503,
                f"{self._n_there} requests that take seconds are there already; up to "
                f"{_AT_ONCE + _WAITING} may be: ask again in {_RETRY_S} s",
                headers={"Retry-After": str(_RETRY_S)},
            )
        self._n_there += 1
        try:
            turn = self._turns.acquire()
            await (turn if asked_by is None else while_there(asked_by, turn))
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
            finally:
                self._turns.release()
        finally:
            self._n_there -= 1

    def close(self) -> None:
        """Begin nothing more; what is being worked on ends by itself."""
        self._threads.shutdown(wait=True, cancel_futures=True)
