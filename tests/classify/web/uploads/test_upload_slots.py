"""Places for uploads: who waits, who is sent away, and who has to make room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from waiting import LONG_S

from classify.web.problems import Problem
from classify.web.uploads.upload_slots import UploadSlot, UploadSlots

GRACE_S = 0.05
ENOUGH = 10**9


async def _held(places: UploadSlots, name: str, started: asyncio.Event, n_bytes: int) -> str:
    """Hold a place with an upload that never ends."""
    with places.take(Path(name)) as place:
        place.n_bytes = n_bytes
        started.set()
        await place.fill(asyncio.sleep(60))
    return name


async def _crowd(places: UploadSlots, *n_bytes: int) -> list[asyncio.Task[str]]:
    tasks = []
    for number, size in enumerate(n_bytes):
        started = asyncio.Event()
        tasks.append(asyncio.create_task(_held(places, str(number), started, size)))
        await started.wait()
    return tasks


async def _end(tasks: list[asyncio.Task[str]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_of_the_slow_the_one_with_the_least_makes_room_for_the_next() -> None:
    async def crowd() -> None:
        places = UploadSlots(3, grace_s=GRACE_S)
        tasks = await _crowd(places, ENOUGH, 200, 1000)
        await asyncio.sleep(2 * GRACE_S)
        with places.take(Path("next")):
            (done, others) = await asyncio.wait(
                tasks, timeout=LONG_S, return_when=asyncio.FIRST_COMPLETED
            )
            assert done == {tasks[1]}
            error = tasks[1].exception()
            assert isinstance(error, Problem)
            assert error.status == 408
            assert "200 bytes" in str(error)
            assert "100 kB" in str(error)
            assert len(others) == 2
            assert places.n_held == 3
        assert places.n_held == 2
        await _end(tasks)
        assert places.n_held == 0

    asyncio.run(crowd())


def test_nobody_makes_room_who_comes_fast_or_has_just_begun() -> None:
    async def crowd(places: UploadSlots, n_bytes: int) -> None:
        tasks = await _crowd(places, n_bytes, n_bytes)
        await asyncio.sleep(2 * GRACE_S)
        with pytest.raises(Problem) as refused, places.take(Path("next")):
            pass
        assert refused.value.status == 503
        assert int(refused.value.headers["Retry-After"]) > 0
        await asyncio.sleep(GRACE_S)
        assert not any(task.done() for task in tasks)
        await _end(tasks)

    asyncio.run(crowd(UploadSlots(2, grace_s=GRACE_S), ENOUGH))
    asyncio.run(crowd(UploadSlots(2, grace_s=60.0), 0))


def test_what_is_there_and_waits_to_be_heard_keeps_its_place() -> None:
    async def crowd() -> None:
        places = UploadSlots(1, grace_s=GRACE_S)
        with places.take(Path("first")) as place:
            await place.fill(asyncio.sleep(0))
            await asyncio.sleep(2 * GRACE_S)
            with pytest.raises(Problem), places.take(Path("next")):
                pass
            place.give_up()  # too late

    asyncio.run(crowd())


def test_what_goes_wrong_while_an_upload_comes_is_told_as_it_is() -> None:
    async def refused() -> None:
        raise Problem(415, "no form")

    async def fill(place: UploadSlot) -> None:
        with pytest.raises(Problem) as told:
            await place.fill(refused())
        assert told.value.status == 415

    asyncio.run(fill(UploadSlot(Path("song"), GRACE_S)))
