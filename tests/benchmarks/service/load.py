"""Clients of the service in a process of their own: each asks, waits for the answer, asks again.

Raw HTTP/1.1 on kept connections, on uvloop where it is installed, so that the clients are not what
is slow. `python service/load.py` reads one JSON document a line from stdin (`port`, `n_clients`,
`paths`, and `seconds` or `n_requests`) and answers with one: latencies in milliseconds, how many
had what status.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

__all__ = ["Load", "percentile"]

_END = b"\r\n\r\n"


class _Client(asyncio.Protocol):
    """One connection with one request under way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = bytearray()
        self._sent = 0.0
        self._is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._ask()

    def _ask(self) -> None:
        request = self._load.next_request()
        if request is None:
            self._transport.close()
            return
        self._is_waiting = True
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_END)
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        length = head.find(b"content-length:")
        if length < 0:
            raise SystemExit(f"an answer without its length: {head!r}")
        n_bytes = int(head[length + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + len(_END) + n_bytes:
            return
        self._buffer.clear()
        self._is_waiting = False
        self._load.answered(int(head[9:12]), time.perf_counter() - self._sent)
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.closed(self._is_waiting)


class Load:
    """Closed-loop clients: as many requests under way as there are clients.

    Parameters
    ----------
    port : int
        Of 127.0.0.1.
    n_clients : int
    paths : list of str
        What is asked for, one after another, all clients together.
    seconds : float, optional
        For so long; or
    n_requests : int, optional
        so many requests.
    """

    def __init__(
        self,
        *,
        port: int,
        n_clients: int,
        paths: list[str],
        seconds: float | None = None,
        n_requests: int | None = None,
    ) -> None:
        heads = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        self._requests: Iterator[bytes] = itertools.cycle(
            [f"GET {path} {heads}".encode() for path in paths]
        )
        self._port, self._n_clients, self._seconds = port, n_clients, seconds
        self._left = n_requests
        self._n_asked = 0
        self._until = float("inf")
        self._latencies_s: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._open = n_clients
        self._lost = 0

    def next_request(self) -> bytes | None:
        """Return what to ask next; None at the end, which comes after one from each client."""
        if self._left is not None:
            self._left -= 1
            return next(self._requests) if self._left >= 0 else None
        self._n_asked += 1
        is_over = time.perf_counter() >= self._until and self._n_asked > self._n_clients
        return None if is_over else next(self._requests)

    def answered(self, status: int, latency_s: float) -> None:
        """Note an answer."""
        self._statuses[status] += 1
        self._latencies_s.append(latency_s)

    def closed(self, is_lost: bool) -> None:
        """Note the end of a connection, with a request under way or without."""
        self._open -= 1
        self._lost += is_lost
        if self._open == 0:
            self._done.set_result(None)

    def _fail(self, told: dict[str, Any]) -> None:
        """End with what a client has raised.

        Without this nobody would hear of it, and all would wait.
        """
        if not self._done.done():
            self._done.set_exception(told.get("exception") or RuntimeError(told["message"]))

    async def run(self) -> dict[str, Any]:
        """Ask, and return the figures."""
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        loop.set_exception_handler(lambda _, told: self._fail(told))
        started = time.perf_counter()
        if self._seconds is not None:
            self._until = started + self._seconds
        used_s = _cpu_s()
        for _ in range(self._n_clients):
            await loop.create_connection(lambda: _Client(self), "127.0.0.1", self._port)
        await self._done
        wall_s = time.perf_counter() - started
        ordered = sorted(self._latencies_s)
        return {
            "n": len(ordered),
            "per_s": len(ordered) / wall_s,
            "statuses": dict(self._statuses),
            "lost": self._lost,
            "load_cpu": (_cpu_s() - used_s) / wall_s,
            **{f"p{q}_ms": 1000 * percentile(ordered, q) for q in (50, 95, 99)},
        }


def percentile(ordered: list[float], q: float) -> float:
    """Return the value below which q percent are; NaN of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * q / 100))] if ordered else float("nan")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _run(load: Load) -> dict[str, Any]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(load.run())
    return uvloop.run(load.run())


if __name__ == "__main__":
    print(flush=True)  # noqa: T201  ready
    for line in sys.stdin:
        print(json.dumps(_run(Load(**json.loads(line)))), flush=True)  # noqa: T201
