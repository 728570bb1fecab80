"""Clients that leave before their answer.

What waits for them alone is not begun, what is begun is ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message
from waiting import LONG_S

from classify.web.disconnects import unless_gone
from classify.web.live.slow_lane import SlowLane
from classify.web.settings import ServiceSettings
from classify.web.uploads.upload_queue import UploadQueue

N_THREADS = 2


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[UploadQueue]:
    uploads = UploadQueue(ServiceSettings(root=tmp_path))
    yield uploads
    uploads.close()


def request_until(gone: asyncio.Event) -> Request:
    """Make a request whose client leaves when it is told to; it has no body."""
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


def test_an_upload_whose_client_leaves_while_it_waits_is_not_heard(uploads: UploadQueue) -> None:
    gate = threading.Event()
    before = uploads.hear(lambda _call: gate.wait(LONG_S))
    heard: list[int] = []

    async def leave() -> None:
        gone = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, gone.set)
        with pytest.raises(ClientDisconnect):
            await unless_gone(request_until(gone), uploads.hear(lambda _call: heard.append(1)))

    asyncio.run(leave())
    assert not before.done(), "or it was not waiting"
    gate.set()
    before.result()
    uploads.hear(lambda _call: None).result()
    assert heard == []
    assert uploads.n_waiting == 0


def test_what_takes_seconds_is_not_begun_for_a_client_that_left() -> None:
    async def leave() -> list[str]:
        lane, gate, gone = SlowLane(), threading.Event(), asyncio.Event()
        done: list[str] = []
        stays = asyncio.Event()
        busy = [
            asyncio.create_task(lane.run(gate.wait, asked_by=request_until(stays)))
            for _ in range(N_THREADS)
        ]
        await asyncio.sleep(0)
        left = asyncio.create_task(
            lane.run(lambda: done.append("left"), asked_by=request_until(gone))
        )
        stayed = asyncio.create_task(
            lane.run(lambda: done.append("stayed"), asked_by=request_until(stays))
        )
        kept = asyncio.create_task(lane.run(lambda: done.append("kept")))
        await asyncio.sleep(0)
        gone.set()
        with pytest.raises(ClientDisconnect):
            await asyncio.wait_for(left, LONG_S)
        gate.set()
        await asyncio.gather(*busy, stayed, kept)
        lane.close()
        return done

    assert sorted(asyncio.run(leave())) == ["kept", "stayed"]


def test_what_is_begun_is_ended_whoever_leaves() -> None:
    async def leave() -> str:
        lane, begun, gate, gone = SlowLane(), threading.Event(), threading.Event(), asyncio.Event()

        def work() -> str:
            begun.set()
            gate.wait(LONG_S)
            return "found"

        task = asyncio.create_task(lane.run(work, asked_by=request_until(gone)))
        await asyncio.to_thread(begun.wait, LONG_S)
        gone.set()
        await asyncio.sleep(0.05)
        assert not task.done()
        gate.set()
        found = await task
        lane.close()
        return found

    assert asyncio.run(leave()) == "found"
