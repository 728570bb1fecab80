"""Move songs, and copy some in slowly, below a folder that `embed` or `serve --watch` watches.

See README.md here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote
from urllib.request import urlopen

from service.process import Service
from speed.rows import child_environment, run_child, tree_memory
from waiting import LONG_S, ended, wait_until

from cache import Catalog
from reliability.songs import Library

__all__ = ["rows"]

_SOON_S = 10.0
_PIECES, _PAUSE_S = 5, 1.0
_ENOUGH_S = 0.2
_MANY = 100  # moves for each slow copy
_N_LIKES = 7


class _Watch(Protocol):
    """A command that watches the folder of a library."""

    word: str
    pid: int

    def reports(self) -> list[dict[str, Any]]:
        """Return what it has told of each batch until now."""

    def has(self, song: Path) -> bool:
        """Whether whoever asks it is told of a song that is new."""


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Move `n` songs, one after the other, and copy one of 100 in slowly; twice.

    First `embed --watch` looks on, and then `serve --watch`, with a taste.
    """
    library = Library.make(work, "watch", n)
    for begin in (_embedding, _serving):
        with begin(library) as watch:
            n_songs = len(library.paths)
            wait_until(lambda: _found(watch) >= n_songs, f"{n_songs} songs", watch.pid)  # noqa: B023
            yield _moves(n, library, watch)
            yield _slow_copies(max(1, n // _MANY), library, watch)


@dataclass(kw_only=True)
class _Embedding:
    """A run of `embed --watch`."""

    word = "watched"
    pid: int
    out: Path
    n_found: int = 0

    def reports(self) -> list[dict[str, Any]]:
        """Return what it has printed until now."""
        lines = self.out.read_text("utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def has(self, song: Path) -> bool:
        """Whether it has told of one more song."""
        n_before, self.n_found = self.n_found, _found(self)
        return self.n_found > n_before


@contextmanager
def _embedding(library: Library) -> Iterator[_Embedding]:
    out = library.root.parent / "watch.out"
    argv = library.command("embed", library.folder, "--watch", "--json", "--encoder", "fast")
    with out.open("wb") as stdout, out.with_suffix(".err").open("wb") as stderr:
        process = subprocess.Popen(argv, stdout=stdout, stderr=stderr, env=child_environment())
    try:
        yield _Embedding(pid=process.pid, out=out)
    finally:
        process.terminate()
        ended(process)


class _Serving:
    """A run of `serve --watch`, which tells of its scans as `/v1/events`."""

    word = "served"

    def __init__(self, service: Service) -> None:
        self.pid, self._url = service.pid, service.url
        self._told: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def reports(self) -> list[dict[str, Any]]:
        """Return what has come of each scan until now."""
        return [*self._told]

    def has(self, song: Path) -> bool:
        """Whether `/v1/songs` ranks it."""
        with urlopen(f"{self._url}/v1/songs?q={quote(song.name)}", timeout=LONG_S) as answer:
            songs = json.load(answer)["songs"]
        return any(one["path"] == str(song) and one["rank"] is not None for one in songs)

    def _listen(self) -> None:
        """Follow the events until the service ends; a scan may be told twice at the beginning."""
        name = ""
        with urlopen(f"{self._url}/v1/events", timeout=LONG_S) as lines:
            for line in lines:
                field, _, value = line.decode().strip().partition(": ")
                if field == "event":
                    name = value
                elif field == "data" and name == "scan":
                    result = json.loads(value)["result"]
                    if result and result not in self._told[-1:]:
                        self._told.append(result)


@contextmanager
def _serving(library: Library) -> Iterator[_Serving]:
    likes = [word for path in library.paths[:_N_LIKES] for word in ("--like", path)]
    run_child(library.command("train", *likes, "--encoder", "fast"))
    with Service(library.root, library.folder, "--watch") as service:
        yield _Serving(service)


def _found(watch: _Watch) -> int:
    """Count the files that have come, those at the start included."""
    return sum(int(report["found"]) for report in watch.reports())


def _memory(watch: _Watch) -> int:
    """Return the bytes of the process, while it waits."""
    time.sleep(_ENOUGH_S)
    return tree_memory(watch.pid)


def _moves(n: int, library: Library, watch: _Watch) -> dict[str, Any]:
    started, first = time.monotonic(), len(watch.reports())
    before, n_before = _memory(watch), _found(watch)
    other = library.folder / f"moved while {watch.word}"
    other.mkdir()
    moved = [Path(path).rename(other / Path(path).name) for path in library.paths[:n]]
    library.paths[:n] = map(str, moved)
    wait_until(lambda: _found(watch) >= n_before + n, f"{n} moved songs", watch.pid)
    told = watch.reports()[first:]
    known = Catalog(library.root).load()
    n_known = sum(known[path].digest is not None for path in library.paths[:n])
    return {
        "fault": f"songs moved below a folder that is {watch.word}",
        "n": n,
        "survived": sum(report["cached"] for report in told),
        "lost": n - n_known,
        "wrong": sum(report["embedded"] + len(report["failed"]) for report in told),
        "batches": len(told),
        "memory_mb": [round(before / 1e6), round(_memory(watch) / 1e6)],
        "seconds": round(time.monotonic() - started, 1),
    }


def _slow_copies(n: int, library: Library, watch: _Watch) -> dict[str, Any]:
    """Copy songs in pieces, each time opened anew, with pauses; count those that are there soon."""
    started, first, n_before = time.monotonic(), len(watch.reports()), _found(watch)
    before = _memory(watch)
    waits_s = [_copied_slowly(path, library, watch) for path in _others(n, library)]
    with suppress(AssertionError):  # then the row says how many are lost
        wait_until(lambda: _found(watch) >= n_before + n, f"{n} songs to be told", watch.pid)
    told = watch.reports()[first:]
    return {
        "fault": f"songs copied slowly into a folder that is {watch.word}",
        "n": n,
        "survived": sum(wait_s <= _SOON_S for wait_s in waits_s),
        "lost": n - sum(report["embedded"] for report in told),
        "wrong": sum(len(report["failed"]) for report in told) + len(told) - n,
        "longest_wait_s": round(max(waits_s), 1),
        "memory_mb": [round(before / 1e6), round(_memory(watch) / 1e6)],
        "seconds": round(time.monotonic() - started, 1),
    }


def _others(n: int, library: Library) -> list[Path]:
    """Make songs elsewhere that the library does not have."""
    made = Library.make(library.root.parent.parent, "copies", 0)
    shutil.rmtree(made.root)
    made.paths = [""] * len(library.paths)
    made.add(n)
    return [Path(path) for path in made.paths[-n:]]


def _copied_slowly(path: Path, library: Library, watch: _Watch) -> float:
    """Return how many seconds after its last byte a song is there."""
    content = path.read_bytes()
    song = library.folder / path.name
    library.paths.append(str(song))
    watch.has(song)
    size = len(content) // _PIECES + 1
    for at in range(0, len(content), size):
        time.sleep(_PAUSE_S)
        with song.open("ab") as file:
            file.write(content[at : at + size])
    end = time.monotonic()
    while not watch.has(song) and time.monotonic() - end < 20 * _SOON_S:
        time.sleep(_ENOUGH_S)
    return time.monotonic() - end
