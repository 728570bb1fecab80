"""What changes, as server-sent events: labels, tastes, the library, the scan, the folders."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import StreamingResponse

from classify.output.formats import to_json
from classify.web.app_state import state_of
from classify.web.live.event_stream import EventStream
from classify.web.problems import problems

__all__ = ["follow_events", "router"]

router = APIRouter(tags=["library"])

_EVENTS = "text/event-stream"
_HEARTBEAT_S = 15.0
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "Events, as long as the client listens: `labels` and `taste` (`taste`, `exists`, "
            "`revision`, `n_like`, `n_dislike`, `trained`, `colour`), `library` (`taste`, "
            "`revision`, `n_songs`), `scan` (`taste`, `state`, `progress`, `result`), `folders` "
            "(as `/v1/library/folders` has them). It begins with the last three as they are now."
        ),
        # a schema would be of the whole stream, or of an event: readers differ
        "content": {_EVENTS: {}},
    }
}


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={**problems(401, 403, 503), **_ANSWERS},
)
async def follow_events(request: Request) -> StreamingResponse:
    """Tell what changes, whoever changes it, within a second.

    A taste's `revision` is that of `/v1/songs`; null where nobody has asked for its songs lately.
    """
    stream = state_of(request.app).events
    stream.require_place()
    # X-Accel-Buffering: nginx would keep the events back until it has a page of them.
    return StreamingResponse(
        _lines(stream), media_type=_EVENTS, headers={"X-Accel-Buffering": "no"}
    )


async def _lines(stream: EventStream) -> AsyncGenerator[bytes]:
    yield b": hello\n\n"  # so that a client knows that it is heard
    async with aclosing(stream.events(_HEARTBEAT_S)) as events:
        async for event in events:
            if event is None:
                yield b": still there\n\n"
            else:
                data = to_json(event.data, indent=None)  # one line, whatever a file is called
                yield f"event: {event.name}\ndata: {data}\n\n".encode()
