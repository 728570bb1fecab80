"""How long does a large library on a music server take? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from service.music_server import PASSWORD, SUPYSONIC, serving_mpd, serving_supysonic
from speed.rows import (
    about,
    child_environment,
    measured,
    replace_rows,
    run_child,
    say,
    tree_cpu_s,
)

__all__ = ["main", "server_row"]

_PACKAGES = ("numpy", "lance")
_SCRIPT = Path(__file__).parent / "service" / "server_songs.py"
_LIKED = 10  # one song of so many

Serving = Callable[[Path, Path], AbstractContextManager[tuple[str, int]]]
"""Runs a server over a folder of music; gives what our commands call it, and its process."""


def main() -> None:
    """Fill servers, read them, match their songs, write the rows."""
    options = _options()
    base = about("servers", _PACKAGES) | ({"quick": True} if options.quick else {})
    for kind in options.kind or KINDS:
        with tempfile.TemporaryDirectory(prefix="sevensongs-servers-") as folder:
            row = server_row(
                kind, Path(folder), options.songs, reads=options.reads, runs=options.runs
            )
        say(json.dumps(row))
        replace_rows(options.out, [base | row])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=[*KINDS], help="default: all")
    parser.add_argument("--songs", type=int, default=10_000)
    parser.add_argument("--reads", type=int, default=1, help="how often the server is read")
    parser.add_argument("--runs", type=int, default=5, help="how often its songs are matched")
    parser.add_argument("--out", type=Path, default=Path("servers.jsonl"))
    parser.add_argument("--quick", action="store_true", help="few songs, once: does it work?")
    options = parser.parse_args()
    if options.quick:
        options.songs, options.reads, options.runs = 60, 1, 1
    if min(options.songs, options.reads, options.runs) < 1:
        parser.error("--songs, --reads and --runs must be at least 1")
    if "subsonic" in (options.kind or KINDS) and not SUPYSONIC.exists():
        parser.error(f"there is no supysonic in {SUPYSONIC.parent.name}; .ci/run installs it")
    return options


@contextmanager
def _subsonic(music: Path, folder: Path) -> Iterator[tuple[str, int]]:
    with serving_supysonic(music, folder) as (address, process):
        yield f"subsonic:{address.replace('//', '//ann@')}", process


@contextmanager
def _mpd(music: Path, folder: Path) -> Iterator[tuple[str, int]]:
    with serving_mpd(music, folder) as (port, process):
        yield f"mpd:127.0.0.1:{port}", process


KINDS: Mapping[str, tuple[str, Serving]] = {
    "subsonic": ("supysonic", _subsonic),
    "mpd": ("MPD", _mpd),
}


def server_row(kind: str, folder: Path, n_songs: int, *, reads: int, runs: int) -> dict[str, Any]:
    """Return what a server with so many songs takes: read, and matched with the library.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    folder : Path
        Empty.
    n_songs, reads, runs : int
    """
    name, serving = KINDS[kind]
    run_child([sys.executable, _SCRIPT, "make", folder, str(n_songs)])
    env = child_environment(SEVENSONGS_PASSWORD=PASSWORD)
    told, server_cpu_s = [], []
    with serving(folder / "music", folder / "server") as (place, process):
        run_child([sys.executable, _SCRIPT, "like", place, str(n_songs // _LIKED)], env=env)
        for _ in range(reads):
            before = tree_cpu_s(process)
            done = run_child([sys.executable, _SCRIPT, "match", folder, place, str(runs)], env=env)
            server_cpu_s.append(tree_cpu_s(process) - before)
            told.append(json.loads(done.stdout))
    row: dict[str, Any] = {"kind": kind, "server": name, "n_songs": n_songs}
    row |= {"n_reads": reads, "n_runs": reads * runs}
    for name in ("read_s", "read_cpu_s", "likes_s", "push_s"):
        row |= measured(name, [one[name] for one in told])
    row |= measured("server_cpu_s", server_cpu_s)
    row["read_peak_bytes"] = max(one["read_peak_bytes"] for one in told)
    for name in ("match_cpu_s", "match_tags_cpu_s"):
        row |= measured(name, [value for one in told for value in one[name]])
    (n_matched,) = {tuple(one["n_matched"]) for one in told}
    row["n_matched"], row["n_matched_by_tags"] = n_matched
    (row["n_likes"],) = {one["n_likes"] for one in told}
    row["n_wrong"] = sum(one["n_wrong"] for one in told)
    return row


if __name__ == "__main__":
    main()
