"""Ray itself: one cluster of this machine for the module, two nodes of one core.

All of it keeps to 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray_nodes import RayNodes, ray_nodes
from waiting import ended, wait_until

import embed
from cache import Catalog, open_stores
from tests.cache.test_processes import child_environment
from tests.cache.test_store import assert_same, entry, n_fragments, store_at
from tests.cache.test_store import digest as digest_of
from tests.support.music_servers import free_port

pytest.importorskip("ray", reason="Ray is not installed: the extra `cluster`")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tells processes by /proc")

# In a worker that opens one file, or in a station of which a worker opens another, a crash. Some
# songs are waited for as long as a file `closed` is there.
HOOK = """
import os, signal, sys, time
def hook(name, given):
    if name == "open" and isinstance(given[0], (str, bytes)):
        path = os.fsdecode(given[0])
        while path.endswith("_s522.opus") and os.path.exists({closed!r}):
            time.sleep(0.05)
        if path.endswith("crashes its worker.opus"):
            os.kill(os.getpid(), signal.SIGKILL)
        if path.endswith("crashes its station.opus"):
            os.kill(os.getppid(), signal.SIGKILL)
sys.addaudithook(hook)
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file is there, no run comes to its end."""
    return tmp_path_factory.mktemp("hook") / "closed"


@pytest.fixture(scope="module")
def nodes(closed: Path) -> Iterator[RayNodes]:
    folder = closed.parent
    (folder / "sitecustomize.py").write_text(HOOK.format(closed=str(closed)))
    with ray_nodes(2, free_port(), PYTHONPATH=str(folder)) as started:
        yield started


@pytest.fixture(scope="module")
def music(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's songs, four copies, an empty file, noise, and a file that crashes the decoder."""
    folder = tmp_path_factory.mktemp("songs") / "music"
    shutil.copytree(heard / "music", folder)
    tracks = sorted(folder.iterdir())
    for n, track in enumerate(tracks[::7]):
        shutil.copy(track, folder / f"a copy {n}.opus")
    shutil.copy(tracks[1], folder / "crashes its worker.opus")
    (folder / "empty.mp3").touch()
    (folder / "noise.mp3").write_bytes(os.urandom(9000))
    return folder


class Run:
    """The command `embed`, on a cluster."""

    def __init__(self, root: Path, *arguments: str | Path) -> None:
        command = [sys.executable, "-P", "-m", "classify.cli", "-v", "--cache", root, "embed"]
        self.said = root / "said.txt"
        with self.said.open("w") as stderr:
            self.process = subprocess.Popen(
                [*map(str, command), "--json", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def stations(self) -> list[int]:
        """Return the processes of the stations that have begun to work."""
        return [int(pid) for pid in re.findall(r"works, as process (\d+)", self.said.read_text())]

    def wait_for_stations(self, n: int) -> list[int]:
        def holds() -> bool:
            assert self.process.poll() is None, self.said.read_text()
            return len(self.stations()) >= n

        wait_until(holds, f"{n} stations")
        return self.stations()

    def report(self, code: int = 1) -> dict[str, Any]:
        stdout, _ = ended(self.process)
        assert self.process.returncode == code, self.said.read_text()
        assert "Traceback" not in self.said.read_text()
        document: dict[str, Any] = json.loads(stdout)
        return document


def assert_all_there(root: Path, music: Path, heard: Path) -> None:
    """Every file is in the catalog, or has failed in a way that may pass; the rows are right."""
    (store,), (other,) = open_stores(root), open_stores(heard / "cache")
    assert store.verify() == []
    held = store.held()
    assert held == other.held()
    for digest in held:
        same = other.get(digest)
        assert same is not None
        assert_same(store.get(digest), same)
    rows = Catalog(root).load()
    names = {Path(path).name: row for path, row in rows.items()}
    assert len(names) == len(rows)
    assert names.keys() == {path.name for path in music.iterdir()} - {"crashes its worker.opus"}
    local = {Path(p).name: row.digest for p, row in Catalog(heard / "cache").load().items()}
    assert {name: names[name].digest for name in local} == local
    assert names["empty.mp3"].error == "is empty (0 bytes)"
    assert names["noise.mp3"].error is not None


@pytest.mark.slow
def test_stations_die_and_nodes_come_and_go_and_every_file_is_there_once(
    nodes: RayNodes, closed: Path, music: Path, heard: Path, root: Path
) -> None:
    closed.touch()
    run = Run(root, music, "--on", nodes.address)
    os.kill(run.wait_for_stations(2)[0], signal.SIGKILL)
    run.wait_for_stations(3)
    nodes.remove()
    nodes.add()
    closed.unlink()
    report = run.report()
    assert_all_there(root, music, heard)
    n = len(list(music.iterdir()))
    assert (report["found"], report["embedded"], report["cached"]) == (n, 28, n - 28 - 3)
    failed = {Path(one["path"]).name: one["error"] for one in report["failed"]}
    assert failed.keys() == {"crashes its worker.opus", "empty.mp3", "noise.mp3"}
    assert "the process that read it died" in failed["crashes its worker.opus"]


COMPACT = """
import os, sys
from cache import open_stores
from embed.cluster.ray_cluster import _RayNodes
from embed.cluster.ray_connection import connected

(store,) = open_stores(sys.argv[1])
with connected(sys.argv[2]) as ray:
    nodes = _RayNodes(ray, None, None)
    store.compact(share=nodes.share, keep_s=0)
    assert os.getpid() not in nodes.share(lambda _: os.getpid(), range(3))
"""


@pytest.mark.slow
def test_nodes_merge_small_fragments(nodes: RayNodes, root: Path) -> None:
    store = store_at(root)
    for n in range(5):
        store.put([entry(n)])
    argv = [sys.executable, "-c", COMPACT, str(root), nodes.address]
    subprocess.run(argv, check=True, env=child_environment())
    assert n_fragments(store) == 1
    assert store.verify() == []
    assert sorted(store.held()) == [digest_of(n) for n in range(5)]


@pytest.mark.long
def test_a_killed_driver_is_run_again_by_rays_client(
    nodes: RayNodes, closed: Path, music: Path, heard: Path, root: Path
) -> None:
    closed.touch()
    run = Run(root, music, "--on", nodes.address)
    run.wait_for_stations(1)
    run.process.kill()
    ended(run.process)
    closed.unlink()
    report = Run(root, music, "--on", f"ray://{nodes.client}").report()
    assert report["embedded"] + report["cached"] == len(list(music.iterdir())) - 3
    assert_all_there(root, music, heard)


@pytest.mark.slow
def test_a_cluster_of_its_own_keeps_to_this_machine_and_ends(
    music: Path, heard: Path, root: Path
) -> None:
    run = Run(root, music, "--on", "ray")
    run.wait_for_stations(1)
    family = descendants(run.process.pid)
    listening = {at for pid in family for at in listens_at(pid)}
    assert len(family) > 5
    assert listening
    assert listening <= {"0100007F", "0000000000000000FFFF00000100007F"}
    report = run.report()
    assert report["embedded"] == 28
    wait_until(lambda: not any(map(is_alive, family)), "the end of Ray's processes")


def descendants(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for tasks in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, tasks.read_text().split())
    return found


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def listens_at(pid: int) -> set[str]:
    """Return the addresses at which a process listens, in hexadecimal as the kernel has them."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            sockets.add(os.readlink(link))
        except OSError:  # it has just been closed
            continue
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if f"socket:[{words[9]}]" in sockets and words[3] in ("0A", "07"):
                found.add(words[1].partition(":")[0])
    return found


@pytest.mark.long
def test_a_file_that_kills_its_station_is_given_up(
    nodes: RayNodes, heard: Path, root: Path, tmp_path: Path
) -> None:
    tracks = sorted((heard / "music").iterdir())
    for track in tracks[:2]:
        shutil.copy(track, tmp_path)
    shutil.copy(tracks[2], tmp_path / "crashes its station.opus")
    report = Run(root, tmp_path, "--on", nodes.address).report()
    ((name, error),) = [(Path(one["path"]).name, one["error"]) for one in report["failed"]]
    assert name == "crashes its station.opus"
    assert error.startswith("was given up: 3 stations failed at this file alone")
    assert report["embedded"] == 2


def refused(root: Path, on: str) -> str:
    with pytest.raises(embed.EmbedError) as caught:
        embed.embed_library([], root=root, on=embed.RayCluster(on))
    return str(caught.value)


def test_what_can_not_be_a_cluster_is_refused_before_anything_is_done(root: Path) -> None:
    for wrong in ("", "head", "ray://head", "http://head:8265/", "ray://:10001", "ray:no"):
        with pytest.raises(embed.EmbedError, match=r"is no cluster; ray .* and ray://HOST:10001"):
            embed.RayCluster(wrong)
    assert "which ray://head:10001 can't write; name a bucket" in refused(root, "ray://head:10001")


def test_nobody_who_answers_is_told_at_once(root: Path, heard: Path) -> None:
    with socket.socket() as bound:  # and so nobody else listens there
        bound.bind(("127.0.0.1", 0))
        on = f"ray://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(embed.EmbedError, match=r"nothing answers at ray://127.* \(Connection"):
            embed.embed_library(heard / "music", root=root, on=embed.RayCluster(on))
    assert Catalog(root).load() == {}


def test_without_the_extra_it_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert refused(root, "ray").endswith("pip install 'sevensongs[cluster]'")
