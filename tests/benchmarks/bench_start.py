"""How long does the command take to start? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench_library import Library
from speed.rows import COMMAND, about, child_environment, measured, replace_rows, run_child, say

__all__ = ["import_times", "main"]

_PACKAGES = ("numpy", "lance", "typer")
_N_SONGS = 100
_REFERENCE = "import numpy"
_N_LISTED = 12


def main() -> None:
    """Let each command have its turn in every round, bare `import numpy` among them.

    Write the rows.
    """
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="sevensongs-start-")).absolute()
    commands = _commands(_library(work, options.cache))
    base = about("start", _PACKAGES) | ({"quick": True} if options.quick else {})
    runs: dict[str, list[Any]] = {name: [] for name in commands}
    n_to_warm_up = 0 if options.quick else 1
    for _ in range(n_to_warm_up + options.runs):
        for name, argv in commands.items():
            runs[name].append(run_child(argv))
    rows = []
    for name, argv in commands.items():
        warm = runs[name][n_to_warm_up:]
        row: dict[str, Any] = {"kind": "start", "command": name, "n_runs": len(warm)}
        row |= measured("wall_s", [run.wall_s for run in warm])
        row |= measured("cpu_s", [run.cpu_s for run in warm])
        row["peak_bytes"] = max(run.peak_bytes for run in warm)
        rows.append(row | ({} if name == _REFERENCE else {"import_s": import_times(argv)}))
    reference = next(row["wall_s"] for row in rows if row["command"] == _REFERENCE)
    for row in rows:
        row["times_import_numpy"] = float(f"{row['wall_s'] / reference:.4g}")
        say(json.dumps(row))
    replace_rows(options.out, [base | row for row in rows])
    if options.work is None:
        shutil.rmtree(work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="after one to warm up")
    parser.add_argument(
        "--cache", type=Path, help="a cache with musicnn compiled, to save the time"
    )
    parser.add_argument(
        "--work", type=Path, help="keep the library made here; default: a temporary folder"
    )
    parser.add_argument("--out", type=Path, default=Path("start.jsonl"))
    parser.add_argument("--quick", action="store_true", help="one run: does it work?")
    options = parser.parse_args()
    if options.quick:
        options.runs = 1
    if options.runs < 1:
        parser.error(f"--runs is {options.runs}; at least 1 is needed")
    return options


def _library(work: Path, cache: Path | None) -> Library:
    library = Library(root=work / "start" / "cache", folder=work / "start" / "music")
    if library.root.exists():
        library.n_songs = _N_SONGS
        return library
    if cache is not None:
        shutil.copytree(cache / "encoders", library.root / "encoders")
    library.add(_N_SONGS)
    return library


def _commands(library: Library) -> dict[str, Sequence[str]]:
    song = library.likes()[0]
    likes = [word for like in library.likes() for word in ("--like", like)]
    run_child(library.command("train", *likes))
    return {
        _REFERENCE: [sys.executable, "-c", "import numpy"],
        "--help": [*COMMAND, "--help"],
        "score of a cached song": library.command("score", song),
        "embed of a cached file": library.command("embed", song),
        f"train on {_N_SONGS} cached songs": library.command("train", *likes),
    }


def import_times(argv: Sequence[str]) -> dict[str, float]:
    """Return the seconds that the slowest top-level packages take to import.

    Each counts without the others.

    Python's own modules are one, `the standard library`.
    """
    text = _said([argv[0], "-X", "importtime", *argv[1:]])
    seconds: dict[str, float] = {}
    for own_us, name in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)", text, re.MULTILINE):
        package = name.partition(".")[0]
        top = "the standard library" if package in sys.stdlib_module_names else package
        seconds[top] = seconds.get(top, 0.0) + int(own_us) / 1e6
    slowest = sorted(seconds, key=lambda package: -seconds[package])[:_N_LISTED]
    return {package: round(seconds[package], 4) for package in slowest}


def _said(argv: Sequence[str]) -> str:
    env = child_environment()
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=env)
    return done.stderr


if __name__ == "__main__":
    main()
