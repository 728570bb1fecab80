"""Kill one command again and again, at random moments: compaction, prune, and others.

See README.md here.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from speed.rows import run_child
from waiting import LONG_S

from reliability.songs import Library
from reliability.victims import Moment, Victim, killed_at

__all__ = ["Series", "embedded_library", "kill_compaction", "kill_prune", "must_work"]

_N_SONGS = 24
_N_COMMITS = 40  # more than 32 small fragments, so that compaction is due
_COMPACT = (
    "import sys, cache\n"
    "for part in (cache.Catalog(sys.argv[1]), *cache.open_stores(sys.argv[1])):\n"
    "    part.maybe_compact(); part.compact(keep_s=0)\n"
)


@dataclass(kw_only=True)
class Series:
    """A series of kills of one command, and what was found after each.

    Attributes
    ----------
    library : Library
    seed : int
    start_s : float
        When the command begins to write, about.
    writes_s : float
        How long it writes, about.
    events : sequence of (str, str)
        What it does when it writes, see `killed_at`; empty where the writer is not Python.
    """

    library: Library
    seed: int
    start_s: float
    writes_s: float = 0.06
    events: Sequence[tuple[str, str]] = ()
    moments: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    wrong: int = 0
    errors: list[str] = field(default_factory=list)

    def kill(self, number: int, argv: Sequence[str]) -> bool:
        """Start a command and kill it: where it writes, if that can be told, or at a random moment.

        Returns
        -------
        bool
            Whether it had ended before.
        """
        rng = np.random.default_rng((self.seed, number))
        moment = Moment(delay_s=float(rng.uniform(0.7, 1.3) * self.start_s))
        if self.events and number % 4:
            argv = killed_at(*self.events[number % 4 - 1], argv)
            moment = Moment(delay_s=LONG_S)
        elif not self.events and number % 4:
            moment = Moment(
                n_changes=int(rng.integers(1, 4)), delay_s=float(rng.uniform(0, self.writes_s))
            )
        victim = Victim(argv, self.library.root.parent / "run.out")
        victim.wait_for(moment, self.library.root)
        victim.kill("group")
        exit_code = victim.end()
        ended = victim.ended_by_itself and exit_code != -signal.SIGKILL
        if victim.stderr or (ended and exit_code):
            self.errors.append(f"exit code {exit_code}: {victim.stderr[-300:]}")
        if victim.survivors():
            self.errors.append("a process outlived it")
        return ended

    def row(self, fault: str, n: int) -> dict[str, Any]:
        """Make the row, after a last look at the whole cache."""
        sound = self.library.check()
        leftovers = [path for pattern in ("tastes", "scores") for path in self._temporary(pattern)]
        return {
            "fault": fault,
            "n": n,
            "moments": dict(self.moments),
            "survived": n - len(self.errors),
            "errors": self.errors[:5],
            "lost": self.lost + sound.lost,
            "wrong": self.wrong + sound.wrong,
            "twice": sound.twice,
            "files_left": len(leftovers),
            "bytes_left": sum(path.stat().st_size for path in leftovers),
        }

    def _temporary(self, folder: str) -> list[Path]:
        return list((self.library.root / folder).glob(".*.tmp"))

    def n_temporary(self, folder: str) -> int:
        """Count the temporary files that kills have left."""
        return len(self._temporary(folder))


def kill_compaction(n: int, work: Path, *, seed: int = 5) -> dict[str, Any]:
    """Kill the compaction that ends a run of `embed`.

    The run makes 40 small commits with rows that are there twice.
    """

    def argv(library: Library) -> list[str]:
        return [sys.executable, "-P", "-c", _COMPACT, str(library.root)]

    return _kill_upkeep(n, work, "compaction", seed, argv)


def kill_prune(n: int, work: Path, *, seed: int = 5) -> dict[str, Any]:
    """Kill `cache prune`, on such a store."""

    def argv(library: Library) -> list[str]:
        return library.command("cache", "prune")

    return _kill_upkeep(n, work, "prune", seed, argv)


def _kill_upkeep(
    n: int, work: Path, name: str, seed: int, argv: Callable[[Library], list[str]]
) -> dict[str, Any]:
    library = embedded_library(work, name)
    names, vectors = library.store.matrix()
    paths = set(library.known())
    _scatter(library)
    scattered = work / name / "scattered"
    shutil.copytree(library.root, scattered)
    started = time.monotonic()
    run_child(argv(library))
    series = Series(library=library, seed=seed, start_s=time.monotonic() - started)
    for number in range(n):
        shutil.rmtree(library.root)
        shutil.copytree(scattered, library.root)
        n_before = _n_fragments(library)
        ended = series.kill(number, argv(library))
        n_after = _n_fragments(library)
        done = all(b < a for a, b in zip(n_before, n_after, strict=True))
        series.moments[
            "after" if ended or done else "before" if n_after == n_before else "in it"
        ] += 1
        names_now, vectors_now = library.store.matrix()
        series.lost += len(set(names) - set(names_now)) + len(paths - library.known())
        series.wrong += names_now != names or not np.array_equal(vectors_now, vectors)
    must_work(series, argv(library))
    return series.row(f"SIGKILL of {name}", n)


def _scatter(library: Library) -> None:
    """Put rows again that are there already, in many small commits."""
    entries = [
        entry for entry in map(library.store.get, sorted(library.embedded())) if entry is not None
    ]
    recordings = list(library.catalog.load().values())
    for number in range(_N_COMMITS):
        library.store.put([entries[number % len(entries)]])
        library.catalog.put([recordings[number % len(recordings)]])


def _n_fragments(library: Library) -> tuple[int, int]:
    import lance

    store, catalog = (lance.dataset(uri) for uri in (library.store.uri, library.catalog.uri))
    return len(store.get_fragments()), len(catalog.get_fragments())


def embedded_library(work: Path, name: str) -> Library:
    """Return a library of 24 songs, with a cache of its own; they are embedded once in `work`."""
    base, done = work / "embedded", work / "embedded" / "done"
    if not done.exists():
        first = Library.make(work, "embedded", _N_SONGS)
        run_child(first.command("embed", first.folder))
        done.touch()
    library = Library(root=work / name / "cache", folder=base / "music")
    library.paths = sorted(map(str, library.folder.glob("*.wav")))
    shutil.rmtree(work / name, ignore_errors=True)
    shutil.copytree(base / "cache", library.root)
    return library


def must_work(series: Series, argv: Sequence[str]) -> None:
    """Run a command to its end; that it fails counts as an error."""
    try:
        run_child(argv)
    except SystemExit as error:
        series.errors.append(str(error))
