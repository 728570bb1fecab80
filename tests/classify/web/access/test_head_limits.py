"""Clients that never finish their request's head, or make it endless; over real connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from waiting import LONG_S

from classify.web.access import head_limits
from classify.web.access.head_limits import MAX_HEAD_BYTES, BoundedProtocol

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
seen: list[Scope] = []


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/read":
        while (await receive()).get("more_body"):
            pass
    seen.append(scope)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(head_limits, "HEAD_S", 1.0)  # enough to send some bytes, on any machine
    seen.clear()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=BoundedProtocol, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=LONG_S)


def rest(connection: socket.socket) -> bytes:
    """Read until the service closes; one that does not makes this time out."""
    found = b""
    while more := connection.recv(65536):
        found += more
    return found


@pytest.mark.parametrize("begun", [b"", HEAD, b"GE", b"\r\n\r\n", HEAD + b"\r\n" + HEAD])
def test_a_head_that_never_ends_costs_half_a_minute(port: int, begun: bytes) -> None:
    with connected(port) as connection:
        connection.sendall(begun)
        assert rest(connection).count(b"200 OK") == begun.count(b"\r\n\r\nGET")


def test_a_head_without_end_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_limits, "HEAD_S", 60.0)
    with connected(port) as connection:
        connection.sendall(HEAD + b"A: ")
        n_sent = 0
        with suppress(ConnectionError):
            while n_sent < 100 * MAX_HEAD_BYTES:
                n_sent += connection.send(b"x" * 1000)
                time.sleep(0.0005)
    assert n_sent < 10 * MAX_HEAD_BYTES


def test_headers_after_a_body_are_not_collected(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_limits, "HEAD_S", 60.0)
    with connected(port) as connection:
        connection.sendall(CHUNKED % b"/read" + b"0\r\n" + b"A: b\r\n" * 1000 + b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert len(seen[0]["headers"]) == 2


def test_a_body_that_nobody_wanted_is_not_dropped_for_ever(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(CHUNKED % b"/")
        assert rest(connection).startswith(b"HTTP/1.1 200 OK")


def test_requests_one_after_the_other_and_slow_bodies_are_served(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_limits, "HEAD_S", 1.5)
    with connected(port) as connection:
        connection.sendall(HEAD + b"\r\n" + HEAD + b"\r\n")
        answers = b""
        while answers.count(b"{}") < 2:
            answers += connection.recv(1000)
        connection.sendall(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n")
        time.sleep(2.0)  # the guard has a deadline for bodies
        connection.sendall(b"y" * 200_000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
