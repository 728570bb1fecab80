"""Whether the service is well, what it counts, and how a browser gets in."""

from __future__ import annotations

import asyncio
import math
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cache import CacheError
from classify.output.formats import to_json
from classify.web.access.admission import AUTHORISED, COOKIE, cookie_value
from classify.web.app_state import state_of
from classify.web.counters import METRICS_TYPE
from classify.web.problems import problems
from classify.web.routes.params import LiveLibraryOfApp

__all__ = ["Health", "router"]

router = APIRouter(tags=["service"])


class Health(BaseModel):
    """That the service is well; without a token that it needs, no more than that."""

    status: Literal["ok"]
    version: str
    token_required: bool = Field(description="Whether all but this needs the token.")
    n_songs: int | None = None
    encoder: str | None = None
    taste: str | None = Field(
        default=None, description="The taste that is meant where a request names none."
    )
    tastes: list[str] | None = None
    scan: Literal["idle", "running"] | None = None
    folders: list[str] | None = Field(default=None, description="What may be scanned.")


@router.get("/health", response_model=Health, responses=problems(403))
async def health(request: Request, live: LiveLibraryOfApp) -> Response:
    """Tell that the service runs, and what it serves."""
    settings = state_of(request.app).settings
    needed = settings.token is not None
    document: dict[str, Any] = {
        "status": "ok",
        "version": version("sevensongs"),
        "token_required": needed,
    }
    if not needed or request.scope.get(AUTHORISED):
        scan, folders = state_of(request.app).scan, state_of(request.app).folders
        document |= await asyncio.to_thread(
            lambda: {
                "n_songs": live.n_songs,
                "encoder": live.encoder,
                "taste": settings.taste,
                "tastes": live.taste_names(),
                "scan": "running" if scan.is_running else "idle",
                "folders": [str(folder) for folder in folders.all],
            }
        )
    return Response(to_json(document, indent=None), media_type="application/json")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **problems(401, 403),
        200: {
            "description": "Prometheus's text.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
    },
)
async def metrics(request: Request, live: LiveLibraryOfApp) -> Response:
    """Tell what the service counts, as Prometheus reads it."""
    state = state_of(request.app)
    counted, uploads, scan = state.metrics, state.uploads, state.scan

    def text() -> bytes:
        try:
            n_songs: float = live.n_songs
        except CacheError:  # told where the library is asked for; here the other numbers count
            n_songs = math.nan
        return counted.text(
            {
                "uploads_held": uploads.n_held,
                "uploads_waiting": uploads.n_waiting,
                "songs": n_songs,
                "scan_running": scan.is_running,
            }
        )

    return Response(await asyncio.to_thread(text), media_type=METRICS_TYPE)


@router.post("/session", status_code=204, response_class=Response, responses=problems(401, 403))
async def session(
    request: Request,
    authorization: Annotated[str | None, Header(description="`Bearer TOKEN`.")] = None,  # noqa: ARG001
) -> Response:
    """Exchange the token for a cookie that no script can read; the guard has checked the token."""
    settings = state_of(request.app).settings
    response = Response(status_code=204)
    if settings.token is not None:
        response.set_cookie(
            COOKIE,
            cookie_value(settings.token),
            httponly=True,
            samesite="strict",
            path="/",
            secure=request.url.scheme == "https",
        )
    return response
