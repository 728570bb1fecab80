"""The scan: what is new is embedded while the service runs.

It can be followed, left and cancelled.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from waiting import wait_until

import embed
from cache import Catalog, EmbeddingStore
from classify.web.app import create_app
from classify.web.app_state import state_of
from classify.web.live import scan as scan_module
from classify.web.live.scan import Scan
from classify.web.settings import ServiceSettings

ADDRESS = "http://127.0.0.1:8765"
NICENESS = scan_module._NICENESS


@pytest.fixture
def music(heard: Path, tmp_path: Path) -> Path:
    """A folder with four songs and a file that is none."""
    folder = tmp_path / "music"
    folder.mkdir()
    for song in sorted((heard / "music").glob("*.opus"))[:4]:
        shutil.copy(song, folder)
    (folder / "no song\u2028.mp3").write_bytes(b"no song at all" * 100)
    return folder


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a scan that gives way to all others takes minutes for each song."""
    monkeypatch.setattr(scan_module, "_NICENESS", 0)


@pytest.fixture
def settings(root: Path, music: Path) -> ServiceSettings:
    return ServiceSettings(root=root, folders=(music,), workers=1)


@pytest.fixture
def client(settings: ServiceSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url=ADDRESS) as client:
        yield client


def scan_of(client: TestClient) -> Scan:
    return state_of(client.app).scan


def events(answer: Any) -> list[tuple[str, dict[str, Any]]]:
    """Read a stream of server-sent events."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            fields = dict(line.split(": ", 1) for line in lines)
            assert set(fields) == {"event", "data"}
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def children() -> set[int]:
    """Return the processes that this one has started and that are alive."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        command = (folder / "cmdline").read_bytes() if fields[1] == str(os.getpid()) else b""
        if (
            fields[1] == str(os.getpid())
            and fields[0] != "Z"
            and b"resource_tracker" not in command
        ):
            found.add(int(folder.name))
    return found


def n_done(scan: Scan) -> int:
    return 0 if scan.progress is None else int(scan.progress["n_done"])


def niceness(process: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, process)


def many(heard: Path, tmp_path: Path) -> Path:
    """Make a folder of twelve songs."""
    folder = tmp_path / "many"
    folder.mkdir()
    for song in sorted((heard / "music").glob("*.opus"))[:12]:
        shutil.copy(song, folder)
    return folder


def test_a_scan_tells_how_far_it_is_and_the_library_has_what_is_new(
    client: TestClient, music: Path
) -> None:
    assert client.get("/v1/library/scan").json() == {
        "state": "idle",
        "progress": None,
        "result": None,
    }
    assert client.get("/v1/health").json()["n_songs"] == 0
    answer = client.post("/v1/library/scan")
    *steps, (name, done) = events(answer)
    assert steps
    assert {step for step, _ in steps} == {"progress"}
    assert steps[-1][1].keys() == {
        "n_done",
        "n_total",
        "audio_s",
        "wall_s",
        "failed",
        "stage",
    }
    assert (steps[-1][1]["n_done"], steps[-1][1]["failed"]) == (5, 1)
    assert name == "done"
    assert (done["found"], done["embedded"], done["cached"], done["cancelled"]) == (5, 4, 0, False)
    (failure,) = done["failed"]
    assert failure["path"] == str(music / "no song\u2028.mp3")
    assert "not audio" in failure["error"]
    status = client.get("/v1/library/scan").json()
    assert (status["state"], status["result"]) == ("done", done)
    assert client.get("/v1/health").json()["n_songs"] == 4
    again = events(client.post("/v1/library/scan"))
    assert again[-1][1]["cached"] == 4
    assert (
        events(client.get("/v1/library/scan", headers={"Accept": "text/event-stream"}))[-1]
        == again[-1]
    )


@pytest.mark.long
def test_a_scan_hears_songs_as_well_as_the_rest_of_the_library(
    client: TestClient, root: Path, heard: Path
) -> None:
    others = sorted((heard / "music").glob("*.opus"))[10:13]
    embed.embed_library(others, root=root, coverage=3)
    assert events(client.post("/v1/library/scan"))[-1][1]["embedded"] == 4
    part = embed.prepare_encoder("musicnn", root=root)
    store = EmbeddingStore(root, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim)
    assert set(store.held().values()) == {3}


def test_a_folder_that_is_not_served_is_not_scanned(
    client: TestClient, music: Path, root: Path
) -> None:
    for folder in (
        "/etc",
        str(music / ".."),
        str(music) + "/",
        "",
        ".",
        str(music / "no song\u2028.mp3"),
    ):
        answer = client.post("/v1/library/scan", json={"folders": [folder]})
        assert answer.status_code == 422
        assert "is not served" in answer.json()["detail"]
    assert client.post("/v1/library/scan", json={"folders": "/etc"}).status_code == 422
    assert client.post("/v1/library/scan", json={"roots": ["/etc"]}).status_code == 422
    assert client.get("/v1/library/scan").json()["state"] == "idle"
    assert Catalog(root).load() == {}
    done = events(client.post("/v1/library/scan", json={"folders": [str(music)]}))[-1]
    assert done[1]["embedded"] == 4


def test_without_a_folder_there_is_nothing_to_scan(root: Path) -> None:
    with TestClient(create_app(ServiceSettings(root=root)), base_url=ADDRESS) as client:
        answer = client.post("/v1/library/scan")
        assert answer.status_code == 409
        assert "sevensongs serve FOLDER" in answer.json()["detail"]
        assert client.delete("/v1/library/scan").status_code == 404
        assert events(client.get("/v1/library/scan", headers={"Accept": "text/event-stream"})) == []


def test_a_cancelled_scan_keeps_what_is_done_and_leaves_no_process(
    root: Path, heard: Path, tmp_path: Path
) -> None:
    folder = many(heard, tmp_path)
    before = children()
    settings = ServiceSettings(root=root, folders=(folder,), workers=1)
    with (
        TestClient(create_app(settings), base_url=ADDRESS) as client,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(scan_module, "_NICENESS", NICENESS)
        scan = scan_of(client)
        answers: list[Any] = []
        listener = threading.Thread(target=lambda: answers.append(client.post("/v1/library/scan")))
        listener.start()
        wait_until(lambda: n_done(scan) >= 2, "two songs")
        assert max(map(niceness, children() - before)) >= min(19, niceness(os.getpid()) + 15)
        assert client.post("/v1/library/scan").status_code == 409
        assert client.get("/v1/health").json()["scan"] == "running"
        assert client.get("/v1/library/scan").json()["progress"]["n_total"] == 12
        cancelled = client.delete("/v1/library/scan")
        assert (cancelled.status_code, cancelled.json()) == (202, {"state": "cancelling"})
        listener.join()
        name, done = events(answers[0])[-1]
        assert (name, done["cancelled"]) == ("done", True)
        status = client.get("/v1/library/scan").json()
        assert (status["state"], status["result"]) == ("cancelled", done)
        n_kept = client.get("/v1/health").json()["n_songs"]
        assert 2 <= done["embedded"] <= n_kept < 12
        assert children() <= before
        assert client.delete("/v1/library/scan").status_code == 404
        patch.undo()
        assert events(client.post("/v1/library/scan"))[-1][1]["cached"] == n_kept, (
            "and it goes on from there"
        )


def test_a_scan_goes_on_when_its_listener_leaves(client: TestClient) -> None:
    scan = scan_of(client)
    scan.start()  # nobody listens at all
    wait_until(lambda: not scan.is_running, "the end of a scan")
    assert scan.state == "done"
    assert client.get("/v1/health").json()["n_songs"] == 4


def test_the_end_of_the_service_ends_a_scan_and_keeps_what_is_done(
    root: Path, heard: Path, tmp_path: Path
) -> None:
    folder = many(heard, tmp_path)
    before = children()
    settings = ServiceSettings(root=root, folders=(folder,), workers=1)
    with TestClient(create_app(settings), base_url=ADDRESS) as client:
        scan = scan_of(client)
        scan.start()
        wait_until(lambda: n_done(scan) >= 1, "a song")
    assert scan.state == "cancelled"
    assert 1 <= len(Catalog(root).load()) < 12
    assert children() <= before


def test_a_scan_that_fails_says_why_and_the_service_runs_on(client: TestClient, root: Path) -> None:
    taste = root / "tastes" / "default.npz"
    taste.parent.mkdir()
    taste.write_bytes(b"no taste")
    name, data = events(client.post("/v1/library/scan"))[-1]
    assert name == "error"
    assert data["status"] == 409
    assert "taste" in data["detail"]
    assert client.get("/v1/library/scan").json()["state"] == "failed"
    taste.unlink()
    assert events(client.post("/v1/library/scan"))[-1][0] == "done"
