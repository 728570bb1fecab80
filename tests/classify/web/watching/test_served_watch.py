"""`serve --watch`: whatever comes into a served folder is ranked, and who listens hears of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from waiting import LONG_S

from classify.web.app import create_app
from classify.web.app_state import AppState, state_of
from classify.web.settings import ServiceSettings
from tests.support.audio_files import KINDS, music


async def _until(events: Any, name: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for an event."""
    async with asyncio.timeout(LONG_S):
        async for event in events:
            if event is not None and event.name == name and fits(event.data):
                data: dict[str, Any] = event.data
                return data
    raise AssertionError(f"no event {name}")


async def _copied_and_heard(state: AppState, content: bytes, song: Path) -> dict[str, Any]:
    """Copy a song in pieces into a folder that is watched, and return how its scan ended."""
    events = state.events.events(LONG_S)
    library = await _until(events, "library", lambda _: True)
    state.watch.start()
    await _until(events, "scan", lambda data: data["state"] == "done")
    with song.open("wb") as file:
        for start in range(0, len(content), len(content) // 3 + 1):
            file.write(content[start : start + len(content) // 3 + 1])
            file.flush()
    told = await _until(
        events, "scan", lambda data: data["state"] == "done" and data["result"]["found"]
    )
    await _until(events, "library", lambda data: data["n_songs"] == library["n_songs"] + 1)
    await events.aclose()
    result: dict[str, Any] = told["result"]
    return result


def _children() -> Iterator[int]:
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # the thread has just ended
            yield from map(int, task.read_text().split())


@contextmanager
def _nicest() -> Iterator[list[int]]:
    """Look which niceness processes of ours have; the largest is there at the end."""
    found, ends = [os.getpriority(os.PRIO_PROCESS, 0)], threading.Event()

    def look() -> None:
        while not ends.wait(0.02):
            for pid in _children():
                with suppress(OSError):
                    found[0] = max(found[0], os.getpriority(os.PRIO_PROCESS, pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        ends.set()
        looking.join()


def test_a_song_that_is_copied_into_a_served_folder_is_ranked(heard: Path, tmp_path: Path) -> None:
    shutil.copytree(heard / "cache", tmp_path / "cache")
    (tmp_path / "music").mkdir()
    made = KINDS["flac"].write(tmp_path / "made.flac", music(6.0, 44100), 44100).read_bytes()
    followed = threading.Semaphore(0)
    settings = ServiceSettings(
        root=tmp_path / "cache", folders=(tmp_path / "music",), workers=1, watches=True
    )
    state = state_of(create_app(settings, then=followed.release))
    song = tmp_path / "music" / "new.flac"
    try:
        with _nicest() as nicest:
            result = asyncio.run(_copied_and_heard(state, made, song))
        assert nicest == [os.getpriority(os.PRIO_PROCESS, 0)], "one song gives way to nobody"
        assert (result["found"], result["embedded"], result["failed"]) == (1, 1, [])
        assert followed.acquire(timeout=LONG_S), "what follows"
        assert state.library.columns().digest_at(str(song)) is not None
    finally:
        for part in (state.events, state.watch, state.scan, state.library):
            part.close()
    assert not [thread for thread in threading.enumerate() if thread.name in ("watch", "scan")]
