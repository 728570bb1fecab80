"""The outermost layer of the service.

It decides who may ask, how much and how slowly they may send, and sets the headers of every answer.

Pure ASGI, because every request goes through it: Starlette's BaseHTTPMiddleware starts a task for
each.

By hand: no middleware bounds how slowly a body may come (tests/classify/web/access/test_guard.py).
This takes 4 microseconds a request, a BaseHTTPMiddleware that does nothing 80 (AMD EPYC).
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from classify.web.access.admission import Admission
from classify.web.problems import Problem, ending, problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from classify.web.counters import Metrics
    from classify.web.settings import ServiceSettings

__all__ = ["IDLE_S", "MAX_JSON_BYTES", "MAX_LIST_BYTES", "Guard"]

MAX_JSON_BYTES = 64 * 1024
"""Of every body but an upload or a list."""
MAX_LIST_BYTES = 8 * 2**20
"""Of a playlist whose songs are imported."""
IDLE_S = 30.0
"""A client that sends nothing for so long is given up."""
# after that time, on average; else a slow one would hold its place for days
_LEAST_BYTES_A_SECOND = 10_000
_FRAME_BYTES = 16 * 1024  # of multipart, around the file
_UPLOADS = frozenset({"/v1/score", "/v1/embeddings"})
_LIST = re.compile(r"/v1/tastes/[^/]+/import")
_LINGER_S = 2.0
_MAX_URL_BYTES, _MAX_HEADERS = 8192, 100
_MB = 1e6

_ONCE = frozenset(
    {
        b"host",
        b"origin",
        b"authorization",
        b"content-length",
        b"content-type",
        b"transfer-encoding",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
    }
)
_READ = _ONCE | {b"cookie"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; frame-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_NO_STORE = (b"cache-control", b"no-store")


class Guard:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
    settings : ServiceSettings
    metrics : Metrics
        Is told of every request.
    idle_s : float
        See `IDLE_S`.
    """

    def __init__(
        self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics, *, idle_s: float = IDLE_S
    ) -> None:
        self._app = app
        self._admission = Admission(settings)
        self._max_upload_bytes = int(min(settings.limits.max_bytes, 2**62)) + _FRAME_BYTES
        self._metrics = metrics
        self._idle_s = idle_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        answer = _Answer(scope, send)
        try:
            await self._pass_on(scope, receive, answer)
        except asyncio.CancelledError:  # the service ends, and waits no longer
            if not answer.status:
                await answer.refuse(ending(), scope, receive, closes=True, lingers=False)
        finally:
            self._metrics.record(scope, answer.status, time.perf_counter() - started_s)

    async def _pass_on(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        seen: dict[bytes, bytes] = {}
        problem = _read_headers(scope, seen) or self._admission.refusal(scope, seen)
        has_body = seen.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in seen
        if not has_body and problem is None:
            await self._app(scope, receive, answer.send)
            return
        body = _Body(receive, self._limit(scope), self._idle_s)
        body.problem = problem or body.too_large(seen.get(b"content-length"))
        if body.problem is None:
            try:
                await self._app(scope, body.receive, answer.send_unless(body))
            # such as Starlette's that the client has left, which is what it was told
            except Exception:
                if body.problem is None:
                    raise
        if body.problem is not None and not answer.status:
            lingers = has_body and not body.is_idle
            await answer.refuse(body.problem, scope, receive, closes=has_body, lingers=lingers)

    def _limit(self, scope: Scope) -> int:
        if scope["method"] == "POST" and scope["path"] in _UPLOADS:
            return self._max_upload_bytes
        return MAX_LIST_BYTES if _LIST.fullmatch(scope["path"]) else MAX_JSON_BYTES


def _read_headers(scope: Scope, seen: dict[bytes, bytes]) -> Problem | None:
    """Pick the headers that matter.

    One that came twice could mean one thing to us and another to a proxy.
    """
    headers = scope["headers"]
    if len(headers) > _MAX_HEADERS:
        return Problem(
            431, f"the request has {len(headers)} headers; up to {_MAX_HEADERS} are read"
        )
    for name, value in headers:
        if name in _READ:
            if name not in seen:
                seen[name] = value
            elif name in _ONCE:
                return Problem(400, f"the header {name.decode()} is there twice")
            else:
                seen[name] += b"; " + value
    n_url = len(scope["path"]) + len(scope["query_string"])
    if n_url > _MAX_URL_BYTES:
        return Problem(414, f"the address has {n_url} characters; up to {_MAX_URL_BYTES} are read")
    return None


class _Body:
    """A request's body, counted while it comes.

    Once there is a problem, the client seems to have left.
    """

    def __init__(self, receive: Receive, limit: int, idle_s: float) -> None:
        self._receive = receive
        self._limit = limit
        self._idle_s = idle_s
        self._n_bytes = 0
        self._started: float | None = None
        self._is_complete = False
        self.problem: Problem | None = None
        self.is_idle = False

    def too_large(self, content_length: bytes | None) -> Problem | None:
        """Judge a body by what its head says."""
        if content_length is None:
            return None
        if not content_length.isdigit():
            shown = repr(content_length.decode("latin-1")[:40])
            return Problem(400, f"Content-Length is {shown}, which is no number")
        return self._too_large(int(content_length[:20]), "")

    async def receive(self) -> Message:
        if self._is_complete:
            return await self._receive()
        if self.problem is not None:
            return {"type": "http.disconnect"}
        try:
            async with asyncio.timeout_at(self._deadline()):
                message = await self._receive()
        except TimeoutError:
            self.is_idle = True
            self.problem = Problem(
                408,
                f"of the body {self._n_bytes} bytes came, and too little for {self._idle_s:g} s: "
                f"at least {_LEAST_BYTES_A_SECOND / 1000:g} kB a second are needed; send it again",
            )
            return {"type": "http.disconnect"}
        self._n_bytes += len(message.get("body", b""))
        self.problem = self._too_large(self._n_bytes, "more than ")
        if self.problem is not None:
            return {"type": "http.disconnect"}
        self._is_complete = not message.get("more_body", False)
        return message

    def _deadline(self) -> float:
        """Return when the next piece must be there.

        This ends a silence, or a body that comes too slowly as a whole.
        """
        now = asyncio.get_running_loop().time()
        if self._started is None:
            self._started = now
        latest = self._started + self._idle_s + self._n_bytes / _LEAST_BYTES_A_SECOND
        return min(now + self._idle_s, latest)

    def _too_large(self, n_bytes: int, more: str) -> Problem | None:
        if n_bytes <= self._limit:
            return None
        if self._limit in (MAX_JSON_BYTES, MAX_LIST_BYTES):
            return Problem(
                413, f"the body has {more}{n_bytes} bytes; up to {self._limit} are read here"
            )
        limit = (self._limit - _FRAME_BYTES) / _MB
        return Problem(
            413,
            f"the upload has {more}{n_bytes / _MB:.1f} MB; files of up to {limit:g} MB are taken: "
            "'sevensongs serve --max-upload' allows more, and 'sevensongs score FILE' needs no "
            "upload",
        )


class _Answer:
    """The way out: puts the headers on, and knows what was sent."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._is_api = scope["path"].startswith("/v1")
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = [*message.get("headers", ())]
            own = {name for name, _ in given}  # a report has a policy of its own
            headers = [*given, *(one for one in _HEADERS if one[0] not in own)]
            if self._is_api and not any(name == b"cache-control" for name, _ in headers):
                headers.append(_NO_STORE)
            message = {**message, "headers": headers}
        await self._send(message)

    def send_unless(self, body: _Body) -> Send:
        """Return a way out that is closed once the body is refused."""

        async def send(message: Message) -> None:
            if body.problem is None or self.status:
                await self.send(message)

        return send

    async def refuse(
        self, problem: Problem, scope: Scope, receive: Receive, *, closes: bool, lingers: bool
    ) -> None:
        """Send a problem; with a body under way, end the connection too.

        A connection that is closed while more is coming is reset, and the client may never read
        why: so what comes is taken and dropped for a moment.
        """
        response = problem_response(problem)
        headers = (
            [*response.raw_headers, (b"connection", b"close")] if closes else response.raw_headers
        )
        await self.send(
            {"type": "http.response.start", "status": problem.status, "headers": headers}
        )
        body = b"" if scope["method"] == "HEAD" else bytes(response.body)
        await self.send({"type": "http.response.body", "body": body, "more_body": lingers})
        if not lingers:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                more = True
                while more:
                    message = await receive()
                    more = message["type"] == "http.request" and message.get("more_body", False)
        await self.send({"type": "http.response.body", "body": b""})
