"""The scan of the served folders over HTTP: start, follow, cancel."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from classify.output.formats import to_json
from classify.web.app_state import state_of
from classify.web.live.scan import Scan
from classify.web.problems import problems

__all__ = ["ScanCancelling", "ScanIn", "ScanStatus", "router"]

router = APIRouter(tags=["library"], prefix="/library/scan")

_EVENTS = "text/event-stream"
_HEARTBEAT_S = 15.0
_EVENT_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "Events: `progress` again and again, then one `done`, or `error` with a problem."
        ),
        # a schema would be of the whole stream, or of an event: readers differ
        "content": {_EVENTS: {}},
    }
}


class ScanIn(BaseModel):
    """What to scan."""

    model_config = ConfigDict(extra="forbid")

    folders: list[str] | None = Field(
        default=None, description="Some of the folders that are served; default: all."
    )


class ScanStatus(BaseModel):
    """How far a scan is, or how the last one ended."""

    state: Literal["idle", "running", "done", "cancelled", "failed"]
    progress: dict[str, Any] | None
    result: dict[str, Any] | None = Field(description="As the event `done`, or `error`, has it.")


class ScanCancelling(BaseModel):
    """A scan that is about to end."""

    state: Literal["cancelling"]


def _scan_of(request: Request) -> Scan:
    return state_of(request.app).scan


ScanOfApp = Annotated[Scan, Depends(_scan_of)]


@router.post(
    "",
    response_class=StreamingResponse,
    responses={**problems(400, 401, 403, 409, 413), **_EVENT_RESPONSE},
)
async def start_scan(scan: ScanOfApp, body: ScanIn | None = None) -> Response:
    """Embed what is new in the served folders; goes on when the client leaves."""
    scan.start(body.folders if body else None)
    return _stream(scan)


@router.get("", response_model=ScanStatus, responses={**problems(401, 403), **_EVENT_RESPONSE})
async def scan_status(request: Request, scan: ScanOfApp) -> Response:
    """Tell how far the scan is; with `Accept: text/event-stream`, as events until it ends."""
    if _EVENTS in request.headers.get("accept", ""):
        return _stream(scan)
    document = {"state": scan.state, "progress": scan.progress, "result": scan.result}
    return Response(to_json(document, indent=None), media_type="application/json")


@router.delete(
    "", status_code=202, response_model=ScanCancelling, responses=problems(401, 403, 404)
)
async def cancel_scan(scan: ScanOfApp) -> ScanCancelling:
    """End the running scan; what is done is kept."""
    scan.cancel()
    return ScanCancelling(state="cancelling")


def _stream(scan: Scan) -> StreamingResponse:
    # X-Accel-Buffering: nginx would keep the events back until it has a page of them.
    return StreamingResponse(_lines(scan), media_type=_EVENTS, headers={"X-Accel-Buffering": "no"})


async def _lines(scan: Scan) -> AsyncGenerator[bytes]:
    async with aclosing(scan.events(_HEARTBEAT_S)) as events:
        async for event in events:
            if event is None:
                yield b": still there\n\n"
            else:
                data = to_json(event.data, indent=None)  # one line, whatever a file is called
                yield f"event: {event.name}\ndata: {data}\n\n".encode()
