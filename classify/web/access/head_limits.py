"""Limits of time and size for what stands around a request's body.

uvicorn knows no bounds for it.

The guard sees a request only when its head is complete. Before that, whoever can reach the port
could hold a connection for ever, or fill the memory, without any token.

By hand: uvicorn 0.54 kept a head of 100 MB, and an unfinished one for as long as we watched, 94 s.
Here it is cut off at 64 KiB and after 30 s (tests/classify/web/access/test_head_limits.py).
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEAD_S", "MAX_HEAD_BYTES", "BoundedProtocol"]

MAX_HEAD_BYTES = 64 * 1024
HEAD_S = 30.0
"""Time from the connection, or a request's first byte, to the end of its head.

It is also the time from an answer to the end of a body that was not read before it.
"""
_IN_BODY = -1


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a deadline and a size for the heads of requests."""

    _deadline: asyncio.TimerHandle | None = None
    _n_head_bytes = 0  # of the head that is coming

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # as uvicorn declares it
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a head are counted."""
        if self._n_head_bytes != _IN_BODY:
            self._n_head_bytes += len(data)
        before = self._n_head_bytes
        super().data_received(data)
        if self._n_head_bytes == before > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of a request may have {MAX_HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._n_head_bytes = 0
        self._wait()

    def on_headers_complete(self) -> None:
        """End a head."""
        self._n_head_bytes = _IN_BODY
        self._wait_no_more()
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those that may follow a body nobody reads, however many there are."""
        if self._n_head_bytes != _IN_BODY:
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        """End a body; the next bytes are a head again."""
        self._n_head_bytes = 0
        self._wait_no_more()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """End an answer; what is left of a body that nobody wanted is dropped for a while."""
        super().on_response_complete()
        if self._n_head_bytes == _IN_BODY:
            self._wait()

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self._give_up)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()
