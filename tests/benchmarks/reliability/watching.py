"""Move songs, and copy some in slowly, below a folder that `embed --watch` watches.

See README.md here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speed.rows import child_environment, tree_memory
from waiting import ended, wait_until

from cache import Catalog
from reliability.songs import Library

__all__ = ["rows"]

_SOON_S = 10.0
_PIECES, _PAUSE_S = 5, 1.0
_ENOUGH_S = 0.2
_MANY = 100  # moves for each slow copy


@dataclass(kw_only=True)
class _Watch:
    """A run of `embed --watch`."""

    process: subprocess.Popen[bytes]
    out: Path

    def reports(self) -> list[dict[str, Any]]:
        """Return what it has told until now."""
        lines = self.out.read_text("utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def found(self) -> int:
        """Count the files that have come, those at the start included."""
        return sum(report["found"] for report in self.reports())

    def memory(self) -> int:
        """Return the bytes of the process, while it waits."""
        time.sleep(_ENOUGH_S)
        return tree_memory(self.process.pid)


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Move `n` songs, one after the other; then copy one of 100 in slowly."""
    library = Library.make(work, "watch", n)
    watch = _begin(library)
    try:
        wait_until(lambda: watch.found() >= n, f"{n} songs", watch.process.pid)
        yield _moves(library, watch)
        yield _slow_copies(max(1, n // _MANY), library, watch)
    finally:
        watch.process.terminate()
        ended(watch.process)


def _begin(library: Library) -> _Watch:
    out = library.root.parent / "watch.out"
    argv = library.command("embed", library.folder, "--watch", "--json", "--encoder", "fast")
    with out.open("wb") as stdout, out.with_suffix(".err").open("wb") as stderr:
        process = subprocess.Popen(argv, stdout=stdout, stderr=stderr, env=child_environment())
    return _Watch(process=process, out=out)


def _moves(library: Library, watch: _Watch) -> dict[str, Any]:
    started, n, first = time.monotonic(), len(library.paths), len(watch.reports())
    before = watch.memory()
    other = library.folder / "moved"
    other.mkdir()
    for path in library.paths:
        Path(path).rename(other / Path(path).name)
    wait_until(lambda: watch.found() >= 2 * n, f"{n} moved songs", watch.process.pid)
    told = watch.reports()[first:]
    known = Catalog(library.root).load()
    n_known = sum(known[str(path)].digest is not None for path in other.iterdir())
    return {
        "fault": "songs moved below a folder that is watched",
        "n": n,
        "survived": sum(report["cached"] for report in told),
        "lost": n - n_known,
        "wrong": sum(report["embedded"] + len(report["failed"]) for report in told),
        "batches": len(told),
        "memory_mb": [round(before / 1e6), round(watch.memory() / 1e6)],
        "seconds": round(time.monotonic() - started, 1),
    }


def _slow_copies(n: int, library: Library, watch: _Watch) -> dict[str, Any]:
    """Copy songs in pieces, each time opened anew, with pauses; count those that are there soon."""
    started, first, before = time.monotonic(), len(watch.reports()), watch.memory()
    made = Library.make(library.root.parent.parent, "copies", 0)
    shutil.rmtree(made.root)
    made.paths = [""] * len(library.paths)  # so that the songs are others
    made.add(n)
    waits_s = []
    for path in made.paths[-n:]:
        content = Path(path).read_bytes()
        song, n_found = library.folder / Path(path).name, watch.found()
        size = len(content) // _PIECES + 1
        for at in range(0, len(content), size):
            with song.open("ab") as file:
                file.write(content[at : at + size])
            time.sleep(_PAUSE_S)
        end = time.monotonic() - _PAUSE_S
        while watch.found() == n_found and time.monotonic() - end < 20 * _SOON_S:
            time.sleep(_ENOUGH_S)
        waits_s.append(time.monotonic() - end)
    told = watch.reports()[first:]
    embedded = sum(report["embedded"] for report in told)
    return {
        "fault": "songs copied slowly into a folder that is watched",
        "n": n,
        "survived": sum(wait_s <= _SOON_S for wait_s in waits_s),
        "lost": n - embedded,
        "wrong": sum(len(report["failed"]) for report in told) + len(told) - n,
        "longest_wait_s": round(max(waits_s), 1),
        "memory_mb": [round(before / 1e6), round(watch.memory() / 1e6)],
        "seconds": round(time.monotonic() - started, 1),
    }
