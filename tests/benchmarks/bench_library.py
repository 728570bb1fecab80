"""How do the commands on a library grow with it? See README.md in this folder."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speed.library import N_KINDS
from speed.rows import COMMAND, about, blas_kernel, measured, replace_rows, run_child, say

from embed import encoder_name

__all__ = ["Library", "exponent", "main"]

SIZES = (1_000, 10_000, 100_000)
_QUICK_SIZES = (100, 200)
_QUICK_IN_COMMITS = ("train", "score, first time")
_PACKAGES = ("numpy", "lance")
_PER_COMMIT = 1_000
_N_COMMITS, _N_IN_COMMITS = 1_000, 10_000
_N_LIKES, _N_NEW = 7, 10
_N_GROWTH = 3


@dataclass(kw_only=True)
class Library:
    """A synthetic cache and the folder of its files."""

    root: Path
    folder: Path
    n_songs: int = 0

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command on this cache."""
        return [*COMMAND, "--cache", str(self.root), *map(str, arguments)]

    def add(self, n_songs: int, per_commit: int = _PER_COMMIT) -> None:
        """Add songs, in a process of its own."""
        script = Path(__file__).parent / "speed/library.py"
        numbers = map(str, (self.n_songs, n_songs, per_commit))
        run_child([sys.executable, script, self.root, self.folder, *numbers])
        self.n_songs += n_songs

    def likes(self) -> list[Path]:
        """Return the files of seven songs of one style.

        They are by several artists where there are several.
        """
        artists = sorted(self.folder.iterdir())[::N_KINDS][:_N_LIKES]
        songs = [sorted(artist.rglob("*.mp3")) for artist in artists]
        return [
            songs[i % len(songs)][i * len(songs[i % len(songs)]) // _N_LIKES]
            for i in range(_N_LIKES)
        ]

    def n_bytes(self) -> int:
        """Return what songs take on disk."""
        parts = ("catalog.lance", "embeddings")
        return sum(
            p.stat().st_size for part in parts for p in (self.root / part).rglob("*") if p.is_file()
        )


@dataclass(frozen=True, kw_only=True)
class _Operation:
    """A command, and what must be done before each run of it."""

    name: str
    arguments: Callable[[Library], list[str | Path]]
    before: Callable[[Library], None] = lambda library: None


def _forget_scores(library: Library) -> None:
    """Have the next score read every song, as the first one of a new taste does."""
    shutil.rmtree(library.root / "scores", ignore_errors=True)


_SCORE = ("score", "--top", "50", "--json")
OPERATIONS = (
    _Operation(name="cache info", arguments=lambda library: ["cache", "info"]),
    _Operation(name="embed, all unchanged", arguments=lambda library: ["embed", library.folder]),
    _Operation(
        name="train",
        arguments=lambda library: [
            "train",
            *(word for like in library.likes() for word in ("--like", like)),
        ],
    ),
    _Operation(
        name="score, first time", arguments=lambda library: [*_SCORE], before=_forget_scores
    ),
    _Operation(name="score, again", arguments=lambda library: [*_SCORE]),
    _Operation(
        name="similar, first time",
        arguments=lambda library: ["similar", library.likes()[0]],
        before=_forget_scores,
    ),
    _Operation(name="similar, again", arguments=lambda library: ["similar", library.likes()[0]]),
    _Operation(name="suggest", arguments=lambda library: ["suggest"]),
    _Operation(
        name="score, ten new songs",
        arguments=lambda library: [*_SCORE],
        before=lambda library: library.add(_N_NEW),
    ),
)


def main() -> None:
    """Make the libraries, measure, write the rows."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="sevensongs-library-")).absolute()
    base = about("library", _PACKAGES) | {"kernel": blas_kernel()}
    base |= {"encoder": encoder_name("default")}
    base |= {"quick": True} if options.quick else {}
    rows = []
    for row in _rows(work, options):
        rows.append(base | row)
        say(json.dumps(row))
    replace_rows(options.out, rows)
    if options.work is None:
        shutil.rmtree(work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of songs"
    )
    parser.add_argument("--runs", type=int, default=5, help="of each command, after one to warm up")
    parser.add_argument("--operation", action="append", help="repeatable; default: all")
    parser.add_argument(
        "--no-commits", action="store_true", help="without the library of 1,000 commits"
    )
    parser.add_argument(
        "--cache", type=Path, help="a cache with the encoder compiled, to save the time"
    )
    parser.add_argument(
        "--work", type=Path, help="keep the libraries made here; default: a temporary folder"
    )
    parser.add_argument("--out", type=Path, default=Path("library.jsonl"))
    parser.add_argument(
        "--quick",
        action="store_true",
        help="hundreds of songs, one run, two commands where they came in commits: does it work?",
    )
    options = parser.parse_args()
    if options.runs < 1 or min(options.sizes) < _N_LIKES * 2:
        parser.error(f"--runs is {options.runs} and the smallest of --sizes {min(options.sizes)}")
    if options.quick:
        options.sizes, options.runs = list(_QUICK_SIZES), 1
    return options


def _rows(work: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    medians: dict[str, dict[int, float]] = {}
    for size in sorted(options.sizes):
        library = _library(work, size, _PER_COMMIT, options)
        for row in _measure(library, "at once", options, options.operation):
            medians.setdefault(row["operation"], {})[size] = row["wall_s"]
            yield row
    if not options.no_commits:
        n_songs = min(_N_IN_COMMITS, max(options.sizes))
        per_commit = max(1, n_songs // (10 if options.quick else _N_COMMITS))
        library = _library(work, n_songs, per_commit, options)
        chosen = _QUICK_IN_COMMITS if options.quick else options.operation
        yield from _measure(library, f"in commits of {per_commit}", options, chosen)
    for operation, of_size in medians.items():
        if len(of_size) > 1:
            yield {"kind": "growth", "operation": operation} | _growth(of_size)


def _library(work: Path, n_songs: int, per_commit: int, options: argparse.Namespace) -> Library:
    """Make a library, or take the one that an earlier run left."""
    base = work / f"{n_songs}-{per_commit}"
    done = base / "done"
    if not done.exists():
        say(f"making a library of {n_songs} songs, {per_commit} a commit")
        shutil.rmtree(base, ignore_errors=True)
        library = Library(root=base / "cache", folder=base / "music")
        if options.cache is not None:
            shutil.copytree(options.cache / "encoders", library.root / "encoders")
        library.add(n_songs, per_commit)
        done.write_text(str(library.n_songs))
    return Library(root=base / "cache", folder=base / "music", n_songs=int(done.read_text()))


def _measure(
    library: Library, build: str, options: argparse.Namespace, chosen: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    n_songs, n_bytes = library.n_songs, library.n_bytes()
    for operation in OPERATIONS:
        if chosen and operation.name not in chosen:
            continue
        arguments = operation.arguments(library)
        runs = []
        n_to_warm_up = 0 if options.quick else 1
        for _ in range(n_to_warm_up + options.runs):
            operation.before(library)
            runs.append(run_child(library.command(*arguments)))
        runs = runs[n_to_warm_up:]
        row: dict[str, Any] = {"kind": "library", "operation": operation.name, "n_songs": n_songs}
        row |= {"build": build, "n_runs": len(runs)}
        row |= measured("wall_s", [run.wall_s for run in runs])
        row |= measured("cpu_s", [run.cpu_s for run in runs])
        yield row | {"peak_bytes": max(run.peak_bytes for run in runs), "bytes_on_disk": n_bytes}
    (library.root.parent / "done").write_text(str(library.n_songs))


def _growth(wall_s: dict[int, float]) -> dict[str, Any]:
    """Return by which power of the size the time grows.

    Return it over the largest three, and pair by pair.
    """
    sizes = sorted(wall_s)
    pairs = {
        f"{a} to {b}": round(exponent({a: wall_s[a], b: wall_s[b]}), 3)
        for a, b in itertools.pairwise(sizes)
    }
    largest = {size: wall_s[size] for size in sizes[-_N_GROWTH:]}
    return {"sizes": sorted(largest), "exponent": round(exponent(largest), 3), "by_pair": pairs}


def exponent(seconds: dict[int, float]) -> float:
    """Return the slope of log time against log size, by least squares."""
    logs = [(math.log(size), math.log(time)) for size, time in seconds.items()]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope


if __name__ == "__main__":
    main()
