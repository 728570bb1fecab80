"""Is anything lost, whatever happens? Kills, concurrent runs, faults, damage, fuzz.

See README.md here.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from speed.rows import about, replace_rows, say

__all__ = ["main"]

_PACKAGES = ("numpy", "lance", "litert", "joblib", "av")
_Rows = Callable[[int, Path], Iterator[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A kind of rows.

    The module that makes them with `rows(n, work)`, and how often without `--n`.
    """

    module: str
    n: int


_KINDS = {
    "kills": _Kind(module="reliability.kills", n=100),
    "concurrent": _Kind(module="reliability.concurrency", n=5),
    "faults": _Kind(module="reliability.faults", n=1),
    "damage": _Kind(module="reliability.damage", n=200),
    "fuzz": _Kind(module="reliability.fuzz", n=2000),
    "data": _Kind(module="reliability.data", n=2000),
    "tags": _Kind(module="reliability.tag_kills", n=100),
    "watch": _Kind(module="reliability.watching", n=1000),
}


def main() -> None:
    """Do what was asked for, kind after kind, and write the rows."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="sevensongs-reliability-")).absolute()
    work.mkdir(parents=True, exist_ok=True)
    if options.cache is not None and not (work / "encoders").exists():
        shutil.copytree(options.cache / "encoders", work / "encoders")
    base = about("reliability", _PACKAGES)
    for name in options.kind or _KINDS:
        kind = _KINDS[name]
        make: _Rows = import_module(kind.module).rows
        started, rows = time.monotonic(), []
        for row in make(options.n or kind.n, work):
            rows.append(base | row | {"kind": name})
            say(json.dumps(row))
        say(f"{name}: {time.monotonic() - started:.0f} s")
        # kind by kind, so that a later one that breaks off loses nothing
        replace_rows(options.out, rows)
    if options.work is None:
        shutil.rmtree(work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=_KINDS, help="repeatable; default: all")
    parser.add_argument("--n", type=int, help="how often; default: each kind's own number")
    parser.add_argument(
        "--work", type=Path, help="keep what is made here; default: a temporary folder"
    )
    parser.add_argument(
        "--cache", type=Path, help="a cache with musicnn compiled, to save the time"
    )
    parser.add_argument("--out", type=Path, default=Path("reliability.jsonl"))
    options = parser.parse_args()
    if options.n is not None and options.n < 1:
        parser.error(f"--n is {options.n}; it must be at least 1")
    return options


if __name__ == "__main__":
    main()
