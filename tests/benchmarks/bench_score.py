"""What does it take to score millions of songs? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speed.rows import (
    COMMAND,
    about,
    blas_kernel,
    child_environment,
    measured,
    replace_rows,
    run_child,
    say,
)

__all__ = ["main"]

_PACKAGES = ("numpy", "lance", "pyarrow")
_HERE = Path(__file__).parent
_SIZES = (10**6, 10**7)
_WIDTH = 848  # of musicnn
_TOP = 50
_OPERATIONS = ("first time", "again")
_SECONDS = ("wall_s", "cpu_s")


def main() -> None:
    """Make the caches, score, write the rows."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="sevensongs-score-")).absolute()
    base = about("score", _PACKAGES) | {"kernel": blas_kernel()}
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
    parser.add_argument("--sizes", type=int, nargs="+", default=list(_SIZES), help="in songs")
    parser.add_argument("--width", type=int, default=_WIDTH, help="numbers of a song vector")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, help="keep the caches here; 34 GB for 10 million")
    parser.add_argument("--out", type=Path, default=Path("score.jsonl"))
    parser.add_argument("--quick", action="store_true", help="does it work?")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.width, options.runs = [5_000, 10_000], 16, 1
    return options


def _rows(work: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    scored = []
    for size in sorted(options.sizes):
        root = _library(work, size, options.width)
        for row in _score(root, size, options):
            scored.append(row)
            yield row
        if options.work is None:
            shutil.rmtree(root)
    if len(options.sizes) > 1:
        for operation in _OPERATIONS:
            yield _growth([row for row in scored if row["operation"] == operation])


def _growth(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare what a song of the largest library takes with what one of the smallest does."""
    smallest, largest = rows[0], rows[-1]
    n_times = largest["n_songs"] / smallest["n_songs"]
    ratios = {name: round(largest[name] / smallest[name] / n_times, 3) for name in _SECONDS}
    same = {name: largest[name] for name in ("operation", "numbers_a_vector")}
    sizes = [row["n_songs"] for row in rows]
    return {"kind": "growth"} | same | {"sizes": sizes, "a_song_ratio": ratios}


def _library(work: Path, n_songs: int, width: int) -> Path:
    """Make a cache, or take the one that an earlier run left."""
    root = work / f"{n_songs}-{width}"
    done = work / f"{root.name}.done"
    if not done.exists():
        say(f"making a cache of {n_songs} songs")
        shutil.rmtree(root, ignore_errors=True)
        argv: list[str | Path] = [sys.executable, "-P", "-m", "speed.large_library"]
        argv += [root, str(n_songs), str(width)]
        run_child(argv, env=child_environment(PYTHONPATH=str(_HERE)))
        done.touch()
    return root


def _score(root: Path, n_songs: int, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Score all of a cache: without earlier decisions, and with those just made."""
    runs: dict[str, list[Any]] = {operation: [] for operation in _OPERATIONS}
    for _ in range(options.runs):
        shutil.rmtree(root / "scores", ignore_errors=True)
        for operation in _OPERATIONS:
            child = run_child([*COMMAND, "--cache", root, "score", "--top", str(_TOP), "--json"])
            n_listed = len(json.loads(child.stdout))
            if n_listed != _TOP:
                raise SystemExit(f"{n_listed} of {n_songs} songs are listed")
            runs[operation].append(child)
    for operation, children in runs.items():
        row: dict[str, Any] = {"kind": "score", "operation": operation, "n_songs": n_songs}
        row |= {"numbers_a_vector": options.width, "n_runs": len(children)}
        for name in _SECONDS:
            row |= measured(name, [getattr(child, name) for child in children])
        yield row | {"peak_bytes": max(child.peak_bytes for child in children)}


if __name__ == "__main__":
    main()
