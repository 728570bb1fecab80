"""Errors as RFC 9457 problem documents, with the same words as the command's."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from cache import CacheError
from classify.errors import ClassifyError, LabelError, TasteError
from classify.web.disconnects import answer_nobody
from embed import AudioError, EmbedError, LimitExceeded

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "CatchUnexpected",
    "Problem",
    "ending",
    "problem_of",
    "problem_response",
    "problems",
    "use_problems",
]

_MEDIA_TYPE = "application/problem+json"
_MOST_ERRORS = 10
_log = logging.getLogger("sevensongs")


class Problem(Exception):  # noqa: N818  says what it is
    """An error that becomes a problem document.

    Parameters
    ----------
    status : int
        Of HTTP.
    detail : str
        What is wrong, and what to do, in a sentence.
    headers : mapping, optional
        Such as Retry-After.
    """

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def ending() -> Problem:
    """Return what those are told who wait when the service ends."""
    return Problem(
        503, "the service is ending; send it again when it runs", headers={"Retry-After": "10"}
    )


def problem_of(error: Exception) -> Problem:
    """Tell which problem an error is; what nobody expected is a 500 without its words."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return Problem(error.status_code, error.detail, headers=error.headers)
    if isinstance(error, LimitExceeded):
        return Problem(413, str(error))
    if isinstance(error, AudioError):
        return Problem(422, str(error))
    if isinstance(error, LabelError | TasteError | ClassifyError):
        return Problem(409, str(error))
    if isinstance(error, CacheError | EmbedError):
        return Problem(500, str(error))
    return Problem(
        500, "something went wrong that should not have; the service's log on stderr has the rest"
    )


def problem_response(problem: Problem, *, errors: list[dict[str, Any]] | None = None) -> Response:
    """Write a problem document."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if errors is not None:
        document["errors"] = errors
    body = json.dumps(document, ensure_ascii=True).encode()
    return Response(body, problem.status, problem.headers, _MEDIA_TYPE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the problems that a route can answer with, for its `responses`.

    422 is always documented.
    """
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {_MEDIA_TYPE: {"schema": schema}},
        }
        for status in sorted({*statuses, 422})
    }


def use_problems(app: FastAPI) -> None:
    """Let an application answer every error with a problem document."""
    app.add_middleware(CatchUnexpected)
    for kind in (Problem, HTTPException, CacheError, ClassifyError, EmbedError):
        app.add_exception_handler(kind, _handle)
    app.add_exception_handler(ClientDisconnect, answer_nobody)
    app.add_exception_handler(RequestValidationError, _handle_invalid)


async def _handle(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.detail == HTTPStatus(problem.status).phrase:  # Starlette's own, which says no more
        problem.detail = f"{request.method} {request.url.path}: there is no such thing here"
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        problem.headers["Allow"] = _methods_of(request)
    return problem_response(problem)


def _methods_of(request: Request) -> str:
    """List the methods of all routes of a path; Starlette tells those of the first one alone."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(found))


async def _handle_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()[:_MOST_ERRORS]
    errors = [
        {"where": [str(part) for part in one["loc"]], "what": str(one["msg"])} for one in found
    ]
    detail = "; ".join(f"{'.'.join(one['where'])}: {one['what']}" for one in errors)
    return problem_response(Problem(422, detail), errors=errors)


class CatchUnexpected:
    """ASGI middleware for errors that nobody expected.

    They are logged and answered, and the guard puts its headers on.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            _log.exception("%s %s failed", scope["method"], scope["path"])
            await problem_response(problem_of(error))(scope, receive, send)
