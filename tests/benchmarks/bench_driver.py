"""What does the driver of a cluster take for millions of songs? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from speed.rows import about, measured, replace_rows, run_child, say

__all__ = ["main"]

_PACKAGES = ("numpy", "lance", "pyarrow", "obstore")
_SCRIPT = Path(__file__).parent / "speed/sources.py"
_PARTS = ("simulation_s", "list_s", "sift_s", "hand_out_s")
_N_FRAGMENTS = 10_000
_N_COMMITS = 10


def main() -> None:
    """Do what was asked for, and write the rows."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="sevensongs-driver-")).absolute()
    base = about("driver", _PACKAGES) | ({"quick": True} if options.quick else {})
    for kind in options.kind or ("sift", "commit"):
        rows = []
        for row in (_sift if kind == "sift" else _commit)(work, options):
            rows.append(base | {"kind": kind} | row)
            say(json.dumps(rows[-1]))
        replace_rows(options.out, rows)
    if options.work is None:
        shutil.rmtree(work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=("sift", "commit"), help="repeatable")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**6, 10**7], help="of the list")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--fragments", type=int, default=_N_FRAGMENTS, help="of the commits")
    parser.add_argument("--work", type=Path, help="keep what is made here")
    parser.add_argument("--out", type=Path, default=Path("driver.jsonl"))
    parser.add_argument("--quick", action="store_true", help="does it work?")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.runs, options.fragments = [20_000], 1, 20
    return options


def _sift(work: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """List and sift a made-up bucket, of which the catalog knows nothing, and the first half."""
    for n_songs in options.sizes:
        for n_known in (0, n_songs // 2):
            root = _cache(work, n_known)
            children = [
                run_child([sys.executable, "-P", _SCRIPT, "sift", root, str(n_songs)])
                for _ in range(options.runs)
            ]
            told = [json.loads(child.stdout) for child in children]
            if any(one["found"] != n_songs or one["left"] != n_songs - n_known for one in told):
                raise SystemExit(f"{n_songs} songs, {n_known} known: {told[0]}")
            row = {"n_songs": n_songs, "n_known": n_known, "n_runs": options.runs}
            row |= measured("cpu_s", [child.cpu_s for child in children])
            for part in _PARTS:
                row |= measured(part, [one[part] for one in told])
            yield row | {"peak_bytes": max(child.peak_bytes for child in children)}


def _commit(work: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Commit songs one by one to a catalog and to embeddings of many fragments."""
    root = _cache(work, 2 * options.fragments, "2")
    told = run_child([sys.executable, "-P", _SCRIPT, "commit", root, str(_N_COMMITS)]).stdout
    times: Sequence[dict[str, float]] = json.loads(told)
    row: dict[str, Any] = {"n_fragments": options.fragments, "n_runs": len(times)}
    for part in ("embeddings_s", "catalog_s"):
        row |= measured(part, [one[part] for one in times])
    yield row | measured("cpu_s", [sum(one.values()) for one in times])


def _cache(work: Path, n_known: int, *rows_a_fragment: str) -> Path:
    root = work / "-".join(["known", str(n_known), *rows_a_fragment])
    if not root.exists():
        say(f"making a cache of {n_known} songs")
        run_child([sys.executable, "-P", _SCRIPT, "make", root, str(n_known), *rows_a_fragment])
    return root


if __name__ == "__main__":
    main()
