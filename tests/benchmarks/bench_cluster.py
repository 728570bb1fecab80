"""How fast is a cluster beside the local pool, and what do kills cost? See README.md here."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from ray_nodes import RayNodes, ray_nodes
from reliability.songs import Library
from speed.rows import about, child_environment, measured, replace_rows, say
from speed.songs import choose_songs, make_songs
from waiting import ended, wait_until

__all__ = ["main"]

_PACKAGES = ("numpy", "lance", "litert", "joblib", "av", "ray")
_N_NODES = 2
_SEED = 21
_VICTIMS = ("station", "node", "driver", "station")
# `embed_library` in a process of its own. Whenever it tells how far it is, it prints when, how many
# songs are done, and by which stations; at its end, how many bytes of reports came to the driver.
_RUN = """
import json, logging, pickle, sys, time
import embed
from embed.cluster import ray_cluster
logging.basicConfig(level=logging.DEBUG, format="%(message)s")
for name in ("ray", "asyncio", "urllib3"):
    logging.getLogger(name).setLevel(logging.WARNING)
n_bytes = 0
answer = ray_cluster._RayNodes._answer
def counted(nodes, question):
    global n_bytes
    told = answer(nodes, question)
    reports = getattr(told, "reports", ())
    n_bytes += len(pickle.dumps(reports)) if reports else 0
    return told
ray_cluster._RayNodes._answer = counted
def tell(p):
    print(json.dumps([time.monotonic(), p.n_done, p.stations]), flush=True)
root, folder, on, workers = sys.argv[1:]
on = embed.RayCluster(on) if on else None
report = embed.embed_library([folder], root=root, encoder="fast", on=on, first_look=False,
    workers=int(workers) or None, progress=tell)
print(json.dumps({"embedded": report.embedded, "failed": len(report.failed), "bytes": n_bytes}))
"""


@dataclass(kw_only=True)
class _Child:
    """A run that is under way."""

    process: subprocess.Popen[str]
    said: Path
    told: Path

    @classmethod
    def start(cls, library: Library, on: str, workers: int = 0) -> _Child:
        said, told = library.root.parent / "said.txt", library.root.parent / "told.txt"
        arguments = (library.root, library.folder, on, workers)
        with said.open("w") as stderr, told.open("w") as stdout:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RUN, *map(str, arguments)],
                stdout=stdout,
                stderr=stderr,
                text=True,
                env=child_environment(),
            )
        return cls(process=process, said=said, told=told)

    def stations(self) -> list[int]:
        """Return the processes of stations that have begun to work, the oldest first."""
        return [int(pid) for pid in re.findall(r"works, as process (\d+)", self.said.read_text())]

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.told.read_text().splitlines(keepends=False)]

    def n_done(self) -> int:
        """Return how many songs were done when it told last."""
        lines = self.told.read_text().split("\n")[:-1]
        last = json.loads(lines[-1]) if lines else [0, 0, []]
        return int(last[1]) if isinstance(last, list) else 10**9

    def finish(self) -> list[Any]:
        ended(self.process)
        if self.process.returncode:
            raise SystemExit(f"a run ended with {self.process.returncode}: {self.end_of_said()}")
        return self.lines()

    def end_of_said(self) -> str:
        return self.said.read_text()[-1500:]


def main() -> None:
    """Do what was asked for, and write the rows."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="sevensongs-cluster-")).absolute()
    work.mkdir(parents=True, exist_ok=True)
    if options.cache is not None and not (work / "encoders").exists():
        shutil.copytree(options.cache / "encoders", work / "encoders")
    base = about("cluster", _PACKAGES) | ({"quick": True} if options.quick else {})
    for kind in options.kind or ("speed", "kills"):
        rows = []
        with ray_nodes(_N_NODES, _free_port()) as nodes:
            for row in (
                _speed(nodes, work, options)
                if kind == "speed"
                else _kills(nodes, work, options.kills)
            ):
                rows.append(base | {"kind": kind} | row)
                say(json.dumps(rows[-1]))
        replace_rows(options.out, rows)
    if options.work is None:
        shutil.rmtree(work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=("speed", "kills"), help="repeatable")
    parser.add_argument("--songs", type=int, default=280, help="of the speed")
    parser.add_argument("--runs", type=int, default=3, help="of the speed, each way in turn")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--music", type=Path, help="real songs, see README; default: excerpts")
    parser.add_argument("--cache", type=Path, help="a cache with musicnn compiled")
    parser.add_argument("--work", type=Path, help="keep what is made here")
    parser.add_argument("--out", type=Path, default=Path("cluster.jsonl"))
    parser.add_argument("--quick", action="store_true", help="does it work?")
    options = parser.parse_args()
    if options.quick:
        options.songs, options.runs, options.kills = 24, 1, 3
    return options


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _speed(nodes: RayNodes, work: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Embed the same songs by two workers here, and by two nodes of one core, in turn."""
    library = Library.make(work, "speed")
    if options.music is None:
        library.excerpt_s = 27.0
        library.add(options.songs)
    else:
        make_songs(choose_songs(options.music, options.songs), library.folder)
    rates: dict[str, list[float]] = {"local": [], "cluster": []}
    starts: dict[str, list[float]] = {"local": [], "cluster": []}
    bytes_a_song = []
    for _ in range(options.runs):
        for way, on in (("local", ""), ("cluster", nodes.address)):
            _empty(library)
            began = time.monotonic()
            *told, end = _Child.start(library, on, _N_NODES if way == "local" else 0).finish()
            if end["embedded"] != options.songs:
                raise SystemExit(f"{way}: {end}")
            rate, first = _rate(told)
            rates[way].append(rate)
            starts[way].append(first - began)
            if on:
                bytes_a_song.append(end["bytes"] / options.songs)
    ratios = [b / a for a, b in zip(rates["local"], rates["cluster"], strict=True)]
    row: dict[str, Any] = {"songs": options.songs, "nodes": _N_NODES, "n_runs": options.runs}
    row["music"] = "excerpts of 27 s" if options.music is None else "songs of 2 to 5 minutes"
    for way, found in rates.items():
        row |= measured(f"{way}_songs_a_minute", found)
        row |= measured(f"{way}_start_s", starts[way])
    yield row | measured("ratio", ratios) | measured("bytes_a_song", bytes_a_song)


def _rate(told: Sequence[Any]) -> tuple[float, float]:
    """Return songs a minute after the start, and when that was over.

    It is over once there is a song of every station, or of the local pool.
    """
    first_s, first_n, _ = next(
        line for line in told if line[1] and all(n_songs for _, n_songs in line[2])
    )
    n_last = told[-1][1]
    last_s = next(at_s for at_s, n_done, _ in told if n_done == n_last)
    return 60 * (n_last - first_n) / (last_s - first_s), first_s


def _empty(library: Library) -> None:
    for name in ("embeddings", "catalog.lance"):
        shutil.rmtree(library.root / name, ignore_errors=True)


@dataclass(kw_only=True)
class _Tally:
    victims: Counter[str] = field(default_factory=Counter)
    redone: dict[str, list[int]] = field(default_factory=dict)
    vanished: int = 0
    errors: list[str] = field(default_factory=list)

    def add_redone(self, victim: str, n_songs: int) -> None:
        self.redone.setdefault(victim, []).append(max(0, n_songs))


def _kills(nodes: RayNodes, work: Path, n: int) -> Iterator[dict[str, Any]]:
    """Kill a station, a node or the driver, at random moments of runs over one library."""
    started = time.monotonic()
    library = Library.make(work, "kills")
    rng = np.random.default_rng(_SEED)
    tally = _Tally()
    pending = 240
    for number in range(n):
        library.add(pending - (len(library.paths) - len(library.known())))
        _one_kill(nodes, library, _VICTIMS[number % len(_VICTIMS)], rng, tally, pending)
    _Child.start(library, nodes.address).finish()
    library.paths.sort()
    reference = Library.make(work, "reference", min(400, len(library.paths)))
    _Child.start(reference, "").finish()
    sound = library.check(reference)
    yield {
        "fault": "SIGKILL of a station, a node or the driver; the latter is run again",
        "n": n,
        "victims": dict(tally.victims),
        "n_songs": len(library.paths),
        "errors": tally.errors[:5],
        "lost": sound.lost + tally.vanished,
        "wrong": sound.wrong,
        "twice": sound.twice,
        "redone_max": {victim: max(found) for victim, found in tally.redone.items()},
        "redone_mean": {victim: round(mean(found), 1) for victim, found in tally.redone.items()},
        "shard_songs_max": pending // 2,
        "seed": _SEED,
        "seconds": round(time.monotonic() - started, 1),
    }


def _one_kill(
    nodes: RayNodes,
    library: Library,
    victim: str,
    rng: np.random.Generator,
    tally: _Tally,
    pending: int,
) -> None:
    before = library.embedded()
    child = _Child.start(library, nodes.address)
    wait_until(lambda: child.stations() or child.process.poll() is not None, "a station")
    wanted = int(rng.integers(1, pending - 10))
    wait_until(lambda: child.n_done() >= wanted or child.process.poll() is not None, "songs")
    tally.victims[victim] += 1
    if victim == "driver":
        done = child.n_done()
        child.process.kill()
        ended(child.process)
        tally.add_redone(victim, done - len(library.embedded() - before))
    else:
        if victim == "station":
            _kill_one(child.stations(), rng)
        else:
            nodes.remove()
            nodes.add()
        ended(child.process)
        if child.process.returncode:
            tally.errors.append(child.end_of_said())
        else:
            counts = [line[1] for line in child.lines() if isinstance(line, list)]
            tally.add_redone(victim, max(0, *(a - b for a, b in pairwise(counts))))
    tally.vanished += len(before - library.embedded())


def _kill_one(stations: Sequence[int], rng: np.random.Generator) -> None:
    try:
        os.kill(stations[int(rng.integers(len(stations)))], signal.SIGKILL)
    except ProcessLookupError:  # the run has just come to its end
        return


if __name__ == "__main__":
    main()
