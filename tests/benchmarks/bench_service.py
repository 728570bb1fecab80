"""How many does the service serve, and how soon? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench_library import Library
from service.hearing import hearing_rows
from service.page import page_rows
from service.process import Service
from speed.rows import about, measured, replace_rows, run_child, say, tree_cpu_s, tree_memory
from speed.server import Server

__all__ = ["main"]

_PACKAGES = ("fastapi", "lance", "numpy", "uvicorn", "uvloop")
_CLIENTS = (1, 50, 200)
_N_UPLOADERS = 6
_REST_S = 15.0  # the service looks each 5 s whether there is memory to give back
_FEW, _MANY = 1_000, 10_000
_FINDS = "/v1/songs?label=none&once=true&limit=100"  # as the page asks
_LATENCIES = ("p50_ms", "p95_ms", "p99_ms")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is done."""

    songs: int = 10_000
    many_songs: int = 100_000
    runs: int = 5
    seconds: float = 5.0
    few_requests: int = _FEW
    many_requests: int = _MANY


QUICK = Plan(songs=300, many_songs=300, runs=1, seconds=0.3, few_requests=100, many_requests=300)


class Client:
    """One kept connection that asks and waits, timed."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> Any:
        """Return what is answered, read as JSON.

        Raises
        ------
        SystemExit
            If the answer is not that it went well.
        """
        self._connection.request(
            method, path, body=body, headers={"Content-Type": kind} if body else {}
        )
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)

    def upload(self, audio: Path) -> Any:
        """Have a file scored."""
        head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="song"\r\n\r\n'
        body = head + audio.read_bytes() + b"\r\n--edge--\r\n"
        return self.ask("POST", "/v1/score", body, "multipart/form-data; boundary=edge")

    def ids(self, n: int) -> list[str]:
        """Return the digests of the first songs."""
        found: list[str] = []
        while len(found) < n:
            page = self.ask("GET", f"/v1/songs?limit=1000&offset={len(found)}")
            found += [song["id"] for song in page["songs"]]
            if not page["songs"]:
                break
        return found[:n]


def main() -> None:
    """Make the libraries, measure, write the rows."""
    options = _options()
    plan = QUICK if options.quick else Plan(runs=options.runs)
    work = Path(options.work or tempfile.mkdtemp(prefix="sevensongs-service-")).absolute()
    base = about("service", _PACKAGES) | ({"quick": True} if options.quick else {})
    rows = []
    for kind, measure in KINDS.items():
        if options.kind and kind not in options.kind:
            continue
        for row in measure(plan, work, options.cache):
            rows.append(base | {"kind": kind} | row)
            say(json.dumps(rows[-1]))
    replace_rows(options.out, rows)
    if options.work is None:
        shutil.rmtree(work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kind", action="append", choices=list(KINDS), help="repeatable; default: all"
    )
    parser.add_argument("--runs", type=int, default=5, help="of each, after one to warm up")
    parser.add_argument(
        "--cache", type=Path, help="a cache with musicnn compiled, to save the time"
    )
    parser.add_argument(
        "--work", type=Path, help="keep the libraries made here; default: a temporary folder"
    )
    parser.add_argument("--out", type=Path, default=Path("service.jsonl"))
    parser.add_argument(
        "--quick", action="store_true", help="hundreds of songs, one run: does it work?"
    )
    options = parser.parse_args()
    if options.runs < 1:
        parser.error(f"--runs is {options.runs}; at least 1")
    return options


def library(work: Path, n_songs: int, compiled: Path | None) -> Library:
    """Make a library with a taste, or take the one that an earlier run left."""
    base = work / f"service-{n_songs}"
    made = Library(root=base / "cache", folder=base / "music", n_songs=n_songs)
    if (base / "done").exists():
        return made
    say(f"making a library of {n_songs} songs")
    shutil.rmtree(base, ignore_errors=True)
    if compiled is not None:
        shutil.copytree(compiled / "encoders", made.root / "encoders")
    made.n_songs = 0
    made.add(n_songs)
    run_child(made.command("train", *(word for like in made.likes() for word in ("--like", like))))
    (base / "done").touch()
    return made


def _scores(plan: Plan, work: Path, compiled: Path | None) -> Iterator[dict[str, Any]]:
    """Scores of songs in the library.

    1, 50 and 200 clients ask for them, and wait for each answer.
    """
    made = library(work, plan.songs, compiled)
    with Service(made.root) as service, Server("service/load.py", "") as load:
        paths = _score_paths(service, plan.songs)
        for n_clients in _CLIENTS:
            question = {
                "port": service.port,
                "n_clients": n_clients,
                "paths": paths,
                "seconds": plan.seconds,
            }
            yield {"n_clients": n_clients, "n_songs": plan.songs} | _latencies(plan, load, question)


def _score_paths(service: Service, n_songs: int) -> list[str]:
    return [f"/v1/songs/{one}/score" for one in Client(service.port).ids(min(n_songs, 5_000))]


def _latencies(plan: Plan, load: Server, question: dict[str, Any]) -> dict[str, Any]:
    """Ask again and again.

    Return requests a second and latencies over runs, after one to warm up.
    """
    runs = [load.ask(question) for _ in range(plan.runs + 1)][1:]
    for run in runs:
        if set(run["statuses"]) != {"200"} or run["lost"]:
            raise SystemExit(f"not all went well: {run}")
    row: dict[str, Any] = {"n_runs": len(runs), "n_requests": sum(run["n"] for run in runs)}
    for name in ("per_s", *_LATENCIES, "load_cpu"):
        row |= measured(name, [run[name] for run in runs])
    return row


def _uploads(plan: Plan, work: Path, compiled: Path | None) -> Iterator[dict[str, Any]]:
    """Uploads of the demo's tracks by clients that wait, and what 50 others feel of it."""
    made = library(work, plan.songs, compiled)
    with Service(made.root) as service, Server("service/load.py", "") as load:
        question = {
            "port": service.port,
            "n_clients": 50,
            "paths": _score_paths(service, plan.songs),
        }
        alone = [_upload_for(service, plan.seconds) for _ in range(plan.runs + 1)][1:]
        yield {"n_runs": plan.runs, "n_uploaders": _N_UPLOADERS, "beside": "nobody"} | measured(
            "per_s", alone
        )
        ended, rates = threading.Event(), []
        uploader = threading.Thread(
            target=lambda: rates.append(_upload_until(service, ended.is_set))
        )
        uploader.start()
        row = _latencies(plan, load, question | {"seconds": plan.seconds})
        ended.set()
        uploader.join()
        row = {f"scores_{name}" if name.startswith("per_s") else name: row[name] for name in row}
        yield {"n_uploaders": _N_UPLOADERS, "beside": "50 clients"} | row | measured("per_s", rates)


def _upload_for(service: Service, seconds: float) -> float:
    until = time.perf_counter() + seconds
    return _upload_until(service, lambda: time.perf_counter() > until)


def _upload_until(service: Service, ended: Callable[[], bool]) -> float:
    """Upload from several clients, each after its last answer; return uploads a second."""
    from classify.demo import demo_tracks

    tracks = [Path(track) for track in demo_tracks()]
    n_done = [0] * _N_UPLOADERS

    def upload(number: int) -> None:
        client = Client(service.port)
        while not ended():
            client.upload(tracks[(number + n_done[number] * _N_UPLOADERS) % len(tracks)])
            n_done[number] += 1

    started = time.perf_counter()
    threads = [threading.Thread(target=upload, args=(number,)) for number in range(_N_UPLOADERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(n_done) / (time.perf_counter() - started)


def _memory(plan: Plan, work: Path, compiled: Path | None) -> Iterator[dict[str, Any]]:
    """What the service takes after a thousand requests of every kind, and after ten thousand."""
    for n_songs in dict.fromkeys((plan.songs, plan.many_songs)):
        yield _memory_of(plan, library(work, n_songs, compiled), n_songs)


def _memory_of(plan: Plan, made: Library, n_songs: int) -> dict[str, Any]:
    with Service(made.root) as service, Server("service/load.py", "") as load:
        scores = _score_paths(service, n_songs)
        others = [
            "/v1/songs?limit=200",
            "/v1/songs?q=album&sort=title",
            "/v1/health",
            "/v1/tastes",
            "/",
        ]
        paths = [one for i, score in enumerate(scores) for one in (score, others[i % len(others)])]
        question = {"port": service.port, "n_clients": 20, "paths": paths}
        sizes: dict[str, int] = {}
        for name, n in (("few", plan.few_requests), ("many", plan.many_requests)):
            load.ask(question | {"n_requests": n - sizes.get("n", 0)})
            sizes |= {"n": n, f"bytes_after_{name}": tree_memory(service.pid)}
        _use_the_page(Client(service.port))
        sizes["bytes_after_the_page"] = tree_memory(service.pid)
        time.sleep(_REST_S)
        sizes["bytes_at_rest"] = tree_memory(service.pid)
        del sizes["n"]
        row = {"n_songs": n_songs, "few": plan.few_requests, "many": plan.many_requests}
        return row | sizes | {"n_runs": 1}


def _use_the_page(client: Client) -> None:
    """Do what keeps most in memory: a label, and so a former order; the map; what to teach next."""
    song = client.ask("GET", _FINDS)["songs"][60]["id"]
    for method, label in (("PUT", b'{"label": "like"}'), ("DELETE", b"")):
        client.ask(method, f"/v1/songs/{song}/label", label)
        for path in (_FINDS, "/v1/map", "/v1/suggestions"):
            client.ask("GET", path)


def _labels(plan: Plan, work: Path, compiled: Path | None) -> Iterator[dict[str, Any]]:
    """From a like until "Apply new order" can be pressed, and until the new finds are there."""
    for n_songs in dict.fromkeys((plan.songs, plan.many_songs)):
        yield _labels_of(plan, work, library(work, n_songs, compiled), n_songs)


def _labels_of(plan: Plan, work: Path, made: Library, n_songs: int) -> dict[str, Any]:
    copied = work / "labelled"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(made.root, copied)
    with Service(copied) as service:
        client = Client(service.port)
        before = client.ask("GET", _FINDS)
        ready, there, learning, cpu = [], [], [], []
        for number in range(plan.runs + 1):
            song = before["songs"][50 + number]["id"]
            cpu_s, started = tree_cpu_s(service.pid), time.perf_counter()
            label = json.dumps({"label": "like"}).encode()
            answer = client.ask("PUT", f"/v1/songs/{song}/label", label)
            ready.append(time.perf_counter() - started)
            page = client.ask("GET", _FINDS)
            there.append(time.perf_counter() - started)
            cpu.append(tree_cpu_s(service.pid) - cpu_s)
            learning.append(answer["wall_s"])
            if page["revision"] < answer["revision"] or page["revision"] == before["revision"]:
                raise SystemExit("the ranking is not the new one")
    shutil.rmtree(copied)
    row: dict[str, Any] = {"n_songs": n_songs, "n_runs": plan.runs}
    row |= measured("ready_s", ready[1:]) | measured("wall_s", there[1:])
    return row | measured("learning_s", learning[1:]) | measured("cpu_s", cpu[1:])


def _pages(plan: Plan, work: Path, compiled: Path | None) -> Iterator[dict[str, Any]]:
    """Pages of a hundred songs of a large library, from its start, middle and end.

    There are also pages of a search.
    """
    made = library(work, plan.many_songs, compiled)
    with Service(made.root) as service, Server("service/load.py", "") as load:
        started = time.perf_counter()
        Client(service.port).ask("GET", "/v1/songs")
        first_s = time.perf_counter() - started
        for asked, queries in _page_queries(plan.many_songs).items():
            paths = [f"/v1/songs?limit=100&{query}" for query in queries]
            question = {
                "port": service.port,
                "n_clients": 1,
                "paths": paths,
                "seconds": plan.seconds / 2,
            }
            row = {
                "asked": asked,
                "n_songs": plan.many_songs,
                "n_clients": 1,
                "first_s": round(first_s, 2),
            }
            yield row | _latencies(plan, load, question)


def _page_queries(n_songs: int) -> dict[str, Sequence[str]]:
    offsets = [0, n_songs // 3, n_songs // 2, n_songs - 100]
    return {
        "by score": [f"offset={offset}" for offset in offsets],
        "by title": [f"sort=title&offset={offset}" for offset in offsets],
        "search": [f"q=song+00{number:03}&sort=score" for number in range(0, 1000, 7)],
    }


def _hearing(plan: Plan, work: Path, compiled: Path | None) -> Iterator[dict[str, Any]]:
    """Why a song has its score, and its picture."""

    def ask(service: Service, path: str) -> None:
        with urlopen(f"{service.url}{path}", timeout=600) as answer:
            answer.read()

    yield from hearing_rows(work, compiled, plan.runs, ask)


def _page(plan: Plan, work: Path, compiled: Path | None) -> Iterator[dict[str, Any]]:
    """How soon the page is there, and its map at how many frames a second."""
    for n_songs in dict.fromkeys((plan.songs, plan.many_songs)):
        with Service(library(work, n_songs, compiled).root) as service:
            yield from page_rows(service, n_songs, plan.runs)


KINDS: dict[str, Callable[[Plan, Path, Path | None], Iterator[dict[str, Any]]]] = {
    "scores": _scores,
    "uploads": _uploads,
    "memory": _memory,
    "labels": _labels,
    "pages": _pages,
    "hearing": _hearing,
    "page": _page,
}


if __name__ == "__main__":
    main()
