"""Clients that leave before their answer: what waits for them alone is not begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["ABANDONED", "answer_nobody", "unless_gone", "while_there"]

ABANDONED = 499
"""The status in the log of nginx where a client has left before there was any."""

_T = TypeVar("_T")


async def answer_nobody(_request: Request, _error: Exception) -> Response:
    """Answer a client that has left; the status is for the metrics alone."""
    return Response(status_code=ABANDONED)


async def unless_gone(request: Request, future: Future[_T]) -> _T:
    """Wait for work that a request asked for.

    If the client leaves while the work waits, it is not done.

    Parameters
    ----------
    request : Request
        Its body has been read.
    future : Future
        What is under way already is waited for, as its file must stay so long.

    Raises
    ------
    ClientDisconnect
        If the client left before the work began.
    """
    waiting = asyncio.wrap_future(future)
    leaving = asyncio.ensure_future(_left(request))
    either: set[asyncio.Future[Any]] = {waiting, leaving}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done() and future.cancel():
            raise ClientDisconnect
        return await waiting
    finally:
        leaving.cancel()
        waiting.cancel()


async def while_there(request: Request, waiting: Awaitable[_T]) -> _T:
    """Wait for something, such as a turn; where the client leaves first, it is not waited for.

    Raises
    ------
    ClientDisconnect
        If the client left.
    """
    task = asyncio.ensure_future(waiting)
    leaving = asyncio.ensure_future(_left(request))
    either: set[asyncio.Future[Any]] = {task, leaving}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        leaving.cancel()
        task.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
