"""A file is whole once it has stood still, and nobody has it open to write it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from embed.watching.standstill import STILL_S, Standstill


class Clock:
    """Time passes only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waiting(clock: Clock) -> Standstill:
    return Standstill(clock=clock)


def test_a_file_that_grows_in_pieces_is_given_once_when_it_has_stood_still(
    tmp_path: Path, clock: Clock, waiting: Standstill
) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(b"1")
    waiting.add([str(song)])
    for _ in range(5):
        clock.now_s += STILL_S - 0.1
        with song.open("ab") as file:
            file.write(b"more")
        assert waiting.take().files == ()
    clock.now_s += STILL_S
    taken = waiting.take()
    assert taken.files == (str(song),)
    assert taken.unsure == {str(song)}
    assert not len(waiting)
    assert waiting.take().files == ()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell no leases")
def test_a_file_that_somebody_writes_waits_however_long_they_pause(
    tmp_path: Path, clock: Clock, waiting: Standstill
) -> None:
    song = tmp_path / "song.mp3"
    with song.open("wb") as file:
        file.write(b"half")
        file.flush()
        waiting.add([str(song)])
        waiting.take()
        clock.now_s += 20 * STILL_S
        assert waiting.take().files == ()
    assert waiting.take().files == (str(song),)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell no leases")
def test_a_file_that_is_held_open_for_ever_is_taken_after_ten_minutes(
    tmp_path: Path, clock: Clock, waiting: Standstill
) -> None:
    song = tmp_path / "song.mp3"
    with song.open("wb") as file:
        file.write(b"a torrent's")
        file.flush()
        waiting.add([str(song)])
        clock.now_s += 601
        assert waiting.take().files == (str(song),)


@pytest.mark.parametrize("beside", [".part", ".aria2"])
def test_a_file_that_a_download_has_reserved_waits_for_it(
    tmp_path: Path, clock: Clock, waiting: Standstill, beside: str
) -> None:
    song, download = tmp_path / "song.mp3", tmp_path / f"song.mp3{beside}"
    song.write_bytes(b"\0" * 1000)
    download.touch()
    waiting.add([str(song)])
    clock.now_s += 2 * STILL_S
    assert waiting.take().files == ()
    download.unlink()
    assert waiting.take().files == (str(song),)


def test_an_empty_file_waits_and_one_that_goes_is_forgotten(
    tmp_path: Path, clock: Clock, waiting: Standstill
) -> None:
    song = tmp_path / "song.mp3"
    song.touch()
    waiting.add([str(song), str(tmp_path / "none.mp3"), str(tmp_path)])
    assert len(waiting) == 1
    clock.now_s += 2 * STILL_S
    assert waiting.take().files == ()
    song.unlink()
    waiting.take()
    assert not len(waiting)


def test_a_file_in_doubt_waits_for_a_minute_and_is_sure_then(
    tmp_path: Path, clock: Clock, waiting: Standstill
) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(b"half")
    waiting.doubt([str(song)])
    clock.now_s += 59
    assert waiting.take().files == ()
    clock.now_s += 2
    taken = waiting.take()
    assert (taken.files, taken.unsure) == ((str(song),), frozenset())


def test_a_file_in_doubt_that_changes_is_given_soon(
    tmp_path: Path, clock: Clock, waiting: Standstill
) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(b"half")
    waiting.doubt([str(song)])
    song.write_bytes(b"the whole")
    waiting.take()
    clock.now_s += STILL_S
    assert waiting.take().unsure == {str(song)}
