"""The stream of what changes: here and by the command; and asking for a folder."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from waiting import LONG_S

import classify
from classify.web.app import create_app
from classify.web.app_state import AppState, state_of
from classify.web.live.event_stream import LiveEvent
from classify.web.problems import Problem
from classify.web.settings import ServiceSettings


@pytest.fixture
def root(heard: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(heard / "cache", tmp_path / "cache"))


class Listener:
    """Follows a service's events."""

    def __init__(self, state: AppState) -> None:
        self._events = state.events.events(LONG_S)

    async def until(self, name: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the next event that fits; others before it are passed over."""
        async with asyncio.timeout(LONG_S):
            while True:
                event: LiveEvent | None = await anext(self._events)
                assert event is not None
                if event.name == name and fits(event.data):
                    return event.data

    async def close(self) -> None:
        await self._events.aclose()


@asynccontextmanager
async def following(state: AppState) -> AsyncIterator[Listener]:
    listener = Listener(state)
    try:
        yield listener
    finally:
        await listener.close()
        await asyncio.to_thread(state.events.close)


def test_labels_and_tastes_are_told_whoever_changes_them(root: Path, heard: Path) -> None:
    songs = sorted(str(path) for path in (heard / "music").glob("*acoustic*"))
    state = state_of(create_app(ServiceSettings(root=root)))

    async def follow() -> None:
        async with following(state) as events:
            library = await events.until("library", lambda _: True)
            assert (library["taste"], library["n_songs"]) == ("default", 28)
            assert (await events.until("scan", lambda _: True))["state"] == "idle"
            await asyncio.to_thread(
                partial(classify.label, "like", songs[:3], root=root)
            )  # the command
            labels = await events.until("labels", lambda data: data["n_like"] == 3)
            assert (labels["taste"], labels["trained"]) == ("default", True)
            ranking = state.library.ranking()
            assert (ranking.n_like, ranking.revision) == (3, labels["revision"])
            digest = ranking.columns.digest_at(songs[4])
            assert digest is not None
            done = await state.label_queue.label("default", digest, "like")  # the page
            labels = await events.until("labels", lambda data: data["n_like"] == 4)
            assert labels["revision"] == done.ranking.revision
            await asyncio.to_thread(state.taste_folder.create, "Müde & Nacht")
            made = await events.until("taste", lambda data: data["taste"] == "Müde & Nacht")
            assert (made["exists"], made["n_like"]) == (True, 0)
            await asyncio.to_thread(state.taste_folder.paint, "Müde & Nacht", "#112233")
            assert (await events.until("taste", lambda _: True))["colour"] == "#112233"
            await asyncio.to_thread(state.taste_folder.remove, "Müde & Nacht")
            assert not (await events.until("taste", lambda _: True))["exists"]

    asyncio.run(follow())


def test_no_more_than_64_listen_and_a_stop_ends_them(root: Path) -> None:
    state = state_of(create_app(ServiceSettings(root=root)))

    async def follow() -> None:
        streams = [state.events.events(LONG_S) for _ in range(64)]
        await asyncio.gather(*(anext(stream) for stream in streams))
        with pytest.raises(Problem, match="64 clients listen already") as refused:
            state.events.require_place()
        assert refused.value.status == 503
        state.events.stop()
        async with asyncio.timeout(LONG_S):
            for stream in streams:
                assert {event.name async for event in stream if event} <= {"scan", "folders"}
        state.events.require_place()

    asyncio.run(follow())


def test_a_folder_is_served_once_the_person_at_the_terminal_agrees(
    root: Path, tmp_path: Path
) -> None:
    answers, asked = threading.Semaphore(0), []

    def confirm(folder: Path) -> bool:
        asked.append(folder)
        assert answers.acquire(timeout=LONG_S)
        return folder.name != "never"

    state = state_of(create_app(ServiceSettings(root=root), confirm=confirm))
    music, never = tmp_path / "music", tmp_path / "never"
    music.mkdir()
    never.mkdir()

    def wait_for(expected: str) -> None:
        until = time.monotonic() + LONG_S
        while state.folders.told()["state"] != expected:
            assert time.monotonic() < until
            time.sleep(0.01)

    for bad in ("", "music", "/a\nb"):
        with pytest.raises(Problem, match=r"path|absolute"):
            state.folders.ask(bad)
    state.folders.ask(f"{music}/../music")
    assert state.folders.told()["state"] == "waiting"
    with pytest.raises(Problem, match="answer there first"):
        state.folders.ask(str(never))
    assert len(state.folders.all) == 0
    answers.release()
    wait_for("added")
    state.folders.ask(str(never))
    answers.release()
    wait_for("refused")
    assert state.folders.told()["folders"] == [str(music)]
    assert asked == [music, never]
    nobody = state_of(create_app(ServiceSettings(root=root)))
    with pytest.raises(Problem, match="nobody can be asked"):
        nobody.folders.ask(str(music))
