"""The guard: who may ask, how much may be sent and how slowly, and what stands on every answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from classify.web.access.admission import AUTHORISED, cookie_value
from classify.web.access.guard import MAX_JSON_BYTES, Guard
from classify.web.counters import Metrics
from classify.web.settings import ServiceSettings
from embed import Limits

PORT = 8765
OURS = f"127.0.0.1:{PORT}"
TOKEN = "something that nobody guesses"
MAX_BYTES = 300_000


class Inner:
    """An application that reads a body and remembers what it saw."""

    def __init__(self) -> None:
        self.n_calls = 0
        self.n_bytes = 0
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.n_calls += 1
        self.scope = scope
        async for piece in Request(scope, receive).stream():
            self.n_bytes += len(piece)
        await Response(b"{}", headers={"X-Own": "1"})(scope, receive, send)


def settings(**changes: Any) -> ServiceSettings:
    return ServiceSettings(
        root=Path("nowhere"), **({"limits": Limits(max_bytes=MAX_BYTES)} | changes)
    )


class Asked:
    """What came back."""

    def __init__(self, messages: list[Message]) -> None:
        start = messages[0]
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])
        self.problem: dict[str, Any] = json.loads(self.body) if self.status >= 400 else {}


async def _pieces(body: Sequence[bytes], pause_s: float, ends: bool) -> AsyncIterator[Message]:
    for i, piece in enumerate(body):
        if pause_s:
            await asyncio.sleep(pause_s)
        yield {"type": "http.request", "body": piece, "more_body": not ends or i < len(body) - 1}
    await asyncio.sleep(60)


def ask(
    inner: Callable[..., Any],
    *headers: tuple[str, str],
    method: str = "GET",
    path: str = "/v1/songs",
    body: Sequence[bytes] = (b"",),
    pause_s: float = 0.0,
    ends: bool = True,
    idle_s: float = 30.0,
    host: str | None = OURS,
    bound: str = "127.0.0.1",
    **changes: Any,
) -> Asked:
    """Send a request through a guard, without a network."""
    guard = Guard(inner, settings(host=bound, **changes), Metrics(), idle_s=idle_s)
    named = [] if host is None else [("host", host)]
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "server": ("127.0.0.1", PORT),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in (*named, *headers)],
    }
    sent: list[Message] = []

    async def run() -> None:
        pieces = _pieces(body, pause_s, ends)

        async def receive() -> Message:
            return await anext(pieces)

        async def send(message: Message) -> None:
            sent.append(message)

        await guard(scope, receive, send)

    asyncio.run(run())
    return Asked(sent)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", OURS, "localhost", f"LocalHost:{PORT}", "[::1]", f"[::1]:{PORT}"]
)
def test_the_names_of_this_machine_are_ours(host: str) -> None:
    assert ask(Inner(), host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1:80",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "localhost.",
        "192.0.2.1",
        "127.0.0.1:8765:8765",
        "127.0.0.1:",
        "local\thost",
        "\xfflocalhost",
    ],
)
def test_a_name_that_was_made_to_point_here_is_not_ours(host: str | None) -> None:
    inner = Inner()
    asked = ask(inner, host=host)
    assert asked.status == 421
    assert "--allow-host" in asked.problem["detail"]
    assert inner.n_calls == 0


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (f"192.0.2.7:{PORT}", 200),
        ("[2001:db8::1]", 200),
        ("music.lan", 200),
        ("tunnel.lan:9000", 200),
        ("localhost", 200),
        ("tunnel.lan:9001", 421),
        ("evil.example", 421),
        ("192.0.2.7:80", 421),
        ("0.0.0.0.evil.example", 421),
    ],
)
def test_beyond_loopback_addresses_and_allowed_names_are_ours(name: str, status: int) -> None:
    allowed = ("music.lan", "tunnel.lan:9000")
    asked = ask(
        Inner(),
        ("authorization", f"Bearer {TOKEN}"),
        host=name,
        bound="0.0.0.0",
        token=TOKEN,
        allowed_hosts=allowed,
    )
    assert asked.status == status


@pytest.mark.parametrize("origin", [f"http://{OURS}", f"https://{OURS}", f"HTTP://{OURS}"])
def test_our_own_page_may_ask(origin: str) -> None:
    assert (
        ask(Inner(), ("origin", origin), ("sec-fetch-site", "same-origin"), method="POST").status
        == 200
    )


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "http://127.0.0.1", "http://localhost:8765", "", "file://"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_page_of_another_origin_may_not(origin: str, method: str) -> None:
    inner = Inner()
    assert ask(inner, ("origin", origin), method=method).status == 403
    assert inner.n_calls == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something new"])
def test_what_another_site_has_a_browser_send_is_refused(site: str) -> None:
    elsewhere = ("sec-fetch-site", site)
    navigation = (("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"))
    assert ask(Inner(), elsewhere).status == 403
    assert ask(Inner(), elsewhere, *navigation).status == 403, (
        "no answer of the API is opened from elsewhere"
    )
    assert ask(Inner(), elsewhere, *navigation, path="/", method="POST").status == 403
    assert (
        ask(Inner(), elsewhere, ("sec-fetch-mode", "no-cors"), path="/page/main.js").status == 403
    )
    framed = (("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe"))
    assert ask(Inner(), elsewhere, *framed, path="/").status == 403
    assert ask(Inner(), elsewhere, *navigation, path="/").status == 200, "a link leads to the page"


@pytest.mark.parametrize(
    "name",
    [
        "host",
        "origin",
        "authorization",
        "content-length",
        "content-type",
        "transfer-encoding",
        "sec-fetch-site",
    ],
)
def test_a_header_that_could_mean_two_things_is_refused(name: str) -> None:
    inner = Inner()
    twice = [] if name == "host" else [(name, "1")]
    asked = ask(inner, *twice, (name, "2"))
    assert asked.status == 400
    assert "twice" in asked.problem["detail"]
    assert inner.n_calls == 0


def test_more_headers_and_longer_addresses_than_anyone_needs_are_refused() -> None:
    assert ask(Inner(), *[("x", "1")] * 200).status == 431
    assert ask(Inner(), path="/v1/" + "x" * 9000).status == 414


@pytest.mark.parametrize(
    "path", ["/v1/songs", "/v1/metrics", "/v1/openapi.json", "/v1", "/v1/session"]
)
def test_with_a_token_the_api_is_closed_without_it(path: str) -> None:
    inner = Inner()
    asked = ask(inner, path=path, token=TOKEN)
    assert asked.status == 401
    assert asked.headers["www-authenticate"].startswith("Bearer")
    assert inner.n_calls == 0


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/v1/health"])
def test_with_a_token_the_page_and_health_are_open(path: str) -> None:
    inner = Inner()
    assert ask(inner, path=path, token=TOKEN).status == 200
    assert inner.scope[AUTHORISED] is False


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (("authorization", f"Bearer {TOKEN}"), 200),
        (("authorization", f"bearer {TOKEN}"), 200),
        (("authorization", f"Bearer {TOKEN}x"), 401),
        (("authorization", f"Bearer {TOKEN[:-1]}"), 401),
        (("authorization", f"Basic {TOKEN}"), 401),
        (("authorization", "Bearer"), 401),
        (("authorization", "Bearer \xff\xfe"), 401),
        (("cookie", f"a=b; sevensongs={cookie_value(TOKEN)}"), 200),
        (("cookie", f"sevensongs=another; sevensongs={cookie_value(TOKEN)}"), 200),
        (("cookie", f"sevensongs={TOKEN}"), 401),
        (("cookie", f"other={cookie_value(TOKEN)}"), 401),
        (("cookie", "sevensongs="), 401),
    ],
)
def test_the_token_opens_and_nothing_else_does(header: tuple[str, str], status: int) -> None:
    assert ask(Inner(), header, token=TOKEN).status == status


def test_a_wrong_token_is_not_helped_by_a_right_cookie_of_another_site() -> None:
    cookie = ("cookie", f"sevensongs={cookie_value(TOKEN)}")
    assert ask(Inner(), cookie, ("origin", "http://evil.example"), token=TOKEN).status == 403
    assert ask(Inner(), ("authorization", "Bearer wrong"), cookie, token=TOKEN).status == 401


def test_every_answer_has_the_headers_that_keep_a_browser_in_check() -> None:
    for asked in (
        ask(Inner()),
        ask(Inner(), path="/"),
        ask(Inner(), host="evil.example"),
        ask(Inner(), ("content-length", "999999"), method="POST"),
    ):
        assert asked.headers["x-content-type-options"] == "nosniff"
        assert asked.headers["referrer-policy"] == "no-referrer"
        assert asked.headers["cross-origin-resource-policy"] == "same-origin"
        assert asked.headers["cross-origin-opener-policy"] == "same-origin"
        policy = asked.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert ask(Inner()).headers["cache-control"] == "no-store"
    assert "cache-control" not in ask(Inner(), path="/page/main.js").headers


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    inner = Inner()
    asked = ask(
        inner, ("content-length", str(MAX_JSON_BYTES + 1)), method="PUT", body=[b"x"], ends=True
    )
    assert asked.status == 413
    assert asked.headers["connection"] == "close"
    assert str(MAX_JSON_BYTES) in asked.problem["detail"]
    assert inner.n_calls == 0


def test_a_body_that_grows_too_large_is_cut_off() -> None:
    inner = Inner()
    pieces = [bytes(20_000)] * 10
    asked = ask(inner, ("transfer-encoding", "chunked"), method="PUT", body=pieces)
    assert asked.status == 413
    assert inner.n_bytes <= MAX_JSON_BYTES


def test_an_upload_may_be_larger_and_is_counted_too() -> None:
    inner = Inner()
    chunked = ("transfer-encoding", "chunked")
    asked = ask(inner, chunked, method="POST", path="/v1/score", body=[bytes(100_000)] * 3)
    assert (asked.status, inner.n_bytes) == (200, MAX_BYTES)
    asked = ask(Inner(), chunked, method="POST", path="/v1/score", body=[bytes(100_000)] * 5)
    assert asked.status == 413
    assert "--max-upload" in asked.problem["detail"]
    assert (
        ask(Inner(), ("content-length", "1000000"), method="POST", path="/v1/embeddings").status
        == 413
    )


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "+5", " "])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    assert ask(Inner(), ("content-length", length), method="POST").status == 400


def test_a_client_that_sends_nothing_more_is_given_up() -> None:
    inner = Inner()
    asked = ask(
        inner, ("content-length", "1000"), method="PUT", body=[b"x"], ends=False, idle_s=0.05
    )
    assert asked.status == 408
    assert asked.headers["connection"] == "close"
    assert inner.n_bytes == 1


def test_a_client_that_sends_a_byte_now_and_then_is_given_up_too() -> None:
    drops = [b"x"] * 200
    asked = ask(
        Inner(),
        ("content-length", "200"),
        method="PUT",
        body=drops,
        pause_s=0.02,
        idle_s=0.1,
        ends=True,
    )
    assert asked.status == 408


def test_a_complete_body_has_no_deadline() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b"{}"
        leaving = asyncio.ensure_future(receive())
        await asyncio.sleep(0.2)
        assert not leaving.done()
        leaving.cancel()
        await Response()(scope, receive, send)

    asked = ask(inner, ("content-length", "2"), method="PUT", body=[b"{}"], idle_s=0.05)
    assert asked.status == 200


def test_a_web_socket_is_refused() -> None:
    inner = Inner()
    guard = Guard(inner, settings(), Metrics())
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    asyncio.run(guard({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert inner.n_calls == 0


def test_who_still_waits_when_the_service_has_ended_is_told_so() -> None:
    sent: list[Message] = []

    async def forever(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.sleep(60)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def end() -> None:
        guard = Guard(forever, settings(), Metrics())
        scope = {"type": "http", "method": "GET", "path": "/v1/songs", "query_string": b""}
        scope |= {"server": ("127.0.0.1", PORT), "headers": [(b"host", OURS.encode())]}
        task = asyncio.create_task(guard(scope, receive, send))
        await asyncio.sleep(0.01)
        task.cancel()  # as uvicorn does where something has not ended in time
        await task

    asyncio.run(end())
    assert Asked(sent).status == 503
    assert "ending" in Asked(sent).problem["detail"]
