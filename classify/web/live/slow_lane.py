"""Taking turns: what takes seconds waits in a short queue; labels that come together are learnt together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from classify.errors import LabelError
from classify.web.leaving import while_there
from classify.web.lessons import Lessons, Outcome
from classify.web.problems import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["LabelTurns", "SlowLane"]

_Result = TypeVar("_Result")
_AT_ONCE = 2
_WAITING = 64  # who leaves waits no longer, and most answers are kept and need a millisecond
_RETRY_S = 5


class SlowLane:
    """A few threads for work of seconds, so that it keeps none of those waiting that answer at once."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, "slow")
        self._turns = asyncio.Semaphore(_AT_ONCE)  # what waits does so here: a thread pool forgets nothing
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
                f"{self._n_there} requests that take seconds are there already; up to {_AT_ONCE + _WAITING} "
                f"may be: ask again in {_RETRY_S} s",
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


@dataclass(kw_only=True)
class _Turn:
    """A label that waits to be learnt."""

    digest: str
    label: str | None
    outcome: asyncio.Future[Outcome]


@dataclass(kw_only=True)
class _Queue:
    turns: list[_Turn] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class LabelTurns:
    """Labels of one taste are learnt one after the other; those that come meanwhile, all at once.

    So three quick labels cost two trainings, and each answer comes after one that includes its label.
    """

    def __init__(self, lessons: Lessons) -> None:
        self._lessons = lessons
        self._queues: dict[str, _Queue] = {}
        # Its own, as a lesson may wait half a minute for a command that holds the labels.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "lessons")

    async def label(self, name: str, digest: str, label: str | None) -> Outcome:
        """Give a song of the library a label, or take it away with None; see `Lessons.relabel`."""
        queue = self._queues.setdefault(name, _Queue())
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        queue.turns.append(_Turn(digest=digest, label=label, outcome=future))
        if queue.task is None:
            queue.task = asyncio.create_task(self._learn(name, queue))
        return await future

    def close(self) -> None:
        """Begin nothing more, and wait for the lesson that is under way."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _learn(self, name: str, queue: _Queue) -> None:
        try:
            while queue.turns:
                turns, queue.turns = queue.turns, []
                await self._learn_together(name, turns)
        finally:
            queue.task = None
            self._queues.pop(name, None)

    async def _learn_together(self, name: str, turns: list[_Turn]) -> None:
        labels = {turn.digest: turn.label for turn in turns}  # of one song the last word counts
        try:
            loop = asyncio.get_running_loop()
            outcome = await loop.run_in_executor(self._threads, self._lessons.relabel, name, labels)
        except (Problem, LabelError) as error:
            if len(turns) == 1:
                _fail(turns, error)
                return
            for turn in turns:  # one of them is refused: let it be the only one
                await self._learn_together(name, [turn])
        except Exception as error:
            _fail(turns, error)
        else:
            for turn in turns:
                if not turn.outcome.done():  # as when the client has gone
                    turn.outcome.set_result(outcome)


def _fail(turns: list[_Turn], error: Exception) -> None:
    for turn in turns:
        if not turn.outcome.done():
            turn.outcome.set_exception(error)
