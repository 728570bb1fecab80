"""Uploads from strangers: too large, too slow, broken off, misnamed, too many.

A worker is also killed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from service.process import Service
from waiting import LONG_S, wait_until

from tests.support.strange_clients import (
    is_problem,
    labelled_service,
    multipart,
    raw,
    upload_head,
    workers_of,
)

MAX_UPLOAD = 2_000_000
N_UPLOADS = 3


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service's folder for temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def service(
    heard: Path, temporary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The demo's library, with small bounds on uploads."""
    bounds = ("--max-upload", str(MAX_UPLOAD / 1e6), "--max-uploads", str(N_UPLOADS))
    folder = tmp_path_factory.mktemp("hostile")
    with labelled_service(heard, folder, *bounds, TMPDIR=str(temporary)) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.url, timeout=LONG_S) as client:
        yield client


def left_behind(temporary: Path) -> list[Path]:
    """Return the files of uploads that are there."""
    return [path for path in temporary.rglob("*") if path.is_file()]


def spooled(service: Service, temporary: Path) -> list[str]:
    """Return the files without a name that the service has open."""
    found = []
    for number in Path(f"/proc/{service.pid}/fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            found.append(os.readlink(number))
    return [name for name in found if name.startswith(str(temporary))]


def wait_until_clean(temporary: Path) -> None:
    """Wait until no upload has left anything behind."""
    wait_until(lambda: not left_behind(temporary), "the end of an upload's file")


def test_an_upload_is_too_large_by_what_it_says_before_any_of_it_is_sent(
    service: Service, temporary: Path
) -> None:
    status, head, _ = raw(service, upload_head(service, MAX_UPLOAD + 100_000))
    assert status == 413
    assert b"problem+json" in head
    assert not left_behind(temporary)


def test_an_upload_is_too_large_while_it_streams(service: Service, temporary: Path) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=LONG_S) as connection:
        connection.sendall(upload_head(service, None))
        start, _ = multipart(b"")
        connection.sendall(b"%x\r\n%s\r\n" % (len(start), start))
        sent, block = 0, b"x" * 100_000
        try:
            while sent < 20 * MAX_UPLOAD:
                connection.sendall(b"%x\r\n%s\r\n" % (len(block), block))
                sent += len(block)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            answer = connection.recv(65536)
        except ConnectionResetError:
            answer = b""
    assert sent < 20 * MAX_UPLOAD or answer.startswith(b"HTTP/1.1 413")
    assert not answer or answer.startswith(b"HTTP/1.1 413")
    wait_until_clean(temporary)


def test_a_file_that_is_not_sound_is_refused_with_the_command_s_words(
    client: httpx2.Client, temporary: Path
) -> None:
    for content in (b"", b"no music at all" * 100, b"OggS" + bytes(5000), b"RIFF" + b"\xff" * 5000):
        for path in ("/v1/score", "/v1/embeddings"):
            answer = client.post(path, files={"file": ("a.wav", content)})
            assert is_problem(answer, 422), answer.text
            assert str(temporary) not in answer.text, "no path of ours"
    wait_until_clean(temporary)


@pytest.mark.parametrize(
    "name",
    [
        "../../../../tmp/evil.opus",
        "/etc/evil",
        "a\\..\\b",
        "con.opus",
        "x" * 5000,
        "\u202egpj.exe",
        "",
    ],
)
def test_no_file_is_named_by_a_client(
    name: str, client: httpx2.Client, tracks: list[str], temporary: Path
) -> None:
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.002):
            seen.update(str(path) for path in temporary.rglob("*"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    answer = client.post("/v1/score", files={"file": (name, Path(tracks[0]).read_bytes())})
    ended.set()
    watcher.join()
    assert answer.status_code in (200, 400, 422)
    assert not any(word in path for path in seen for word in ("evil", "..", "con", "xxxx", "gpj"))
    wait_until_clean(temporary)


def test_seconds_of_sound_are_bounded_as_in_files(
    heard: Path, tmp_path: Path, tracks: list[str]
) -> None:
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    with Service(root, heard / "music", "--max-duration", "0.001") as short:
        content = Path(tracks[0]).read_bytes()  # 30 s; the limit is 3.6 s
        answer = httpx2.post(f"{short.url}/v1/embeddings", files={"file": content}, timeout=LONG_S)
        assert is_problem(answer, 413), answer.text
        assert "'sevensongs serve --max-duration 0.00" in answer.json()["detail"], (
            "what takes it here"
        )


def test_too_many_uploads_at_once_are_sent_away_and_told_when_to_come_back(
    service: Service, client: httpx2.Client, tracks: list[str], temporary: Path
) -> None:
    content = Path(tracks[3]).read_bytes()
    start, end = multipart(content)
    held = []
    try:
        for _ in range(N_UPLOADS):
            connection = socket.create_connection(("127.0.0.1", service.port), timeout=LONG_S)
            held.append(connection)
            connection.sendall(upload_head(service, len(start) + len(end)) + start[:-1000])
        held_now = re.compile(rf"^sevensongs_uploads_held {N_UPLOADS}\.0$", re.MULTILINE)
        wait_until(lambda: held_now.search(client.get("/v1/metrics").text), "three uploads' places")
        answer = client.post("/v1/score", files={"file": content})
        assert is_problem(answer, 503), answer.text
        assert int(answer.headers["retry-after"]) >= 1
        for connection in held:  # those that were let in are served
            connection.sendall(start[-1000:] + end)
            assert connection.recv(65536).startswith((b"HTTP/1.1 200", b"HTTP/1.1 409"))
    finally:
        for connection in held:
            connection.close()
    assert client.post("/v1/score", files={"file": content}).status_code in (200, 409)
    wait_until_clean(temporary)


@pytest.mark.skipif(not Path("/proc").exists(), reason="tells what a process has open")
def test_what_has_come_of_an_upload_has_no_name_and_goes_with_its_client(
    service: Service, temporary: Path
) -> None:
    start, _ = multipart(bytes(1_500_000))
    with socket.create_connection(("127.0.0.1", service.port), timeout=LONG_S) as connection:
        connection.sendall(upload_head(service, MAX_UPLOAD) + start)
        wait_until(lambda: spooled(service, temporary), "an upload on the disk")
        assert not left_behind(temporary)
    wait_until(lambda: not spooled(service, temporary), "the end of what was spooled")
    status, _, body = raw(service, upload_head(service, len(start)) + start)  # without its end
    assert status == 400, body
    assert not spooled(service, temporary)


def test_an_upload_that_is_broken_off_gives_its_place_back_and_leaves_nothing(
    service: Service, client: httpx2.Client, tracks: list[str], temporary: Path
) -> None:
    content = Path(tracks[4]).read_bytes()
    start, end = multipart(content)
    for _ in range(3 * N_UPLOADS):
        with socket.create_connection(("127.0.0.1", service.port), timeout=LONG_S) as connection:
            connection.sendall(
                upload_head(service, len(start) + len(end)) + start[: len(start) // 2]
            )
    for _ in range(3 * N_UPLOADS):  # these are whole; nobody waits for the answer
        with socket.create_connection(("127.0.0.1", service.port), timeout=LONG_S) as connection:
            connection.sendall(upload_head(service, len(start) + len(end)) + start + end)
    answers: list[httpx2.Response] = []

    def is_taken() -> bool:
        answers.append(client.post("/v1/embeddings", files={"file": content}))
        return answers[-1].status_code != 503

    wait_until(is_taken, "a place for an upload")
    assert answers[-1].status_code == 200, answers[-1].text
    wait_until_clean(temporary)


def test_a_worker_that_is_killed_costs_one_upload(
    service: Service, client: httpx2.Client, mix: Path, tracks: list[str], temporary: Path
) -> None:
    content = mix.read_bytes()[: MAX_UPLOAD - 10_000]  # a cut FLAC is heard as far as it goes
    killed: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while not killed and not ended.wait(0.01):
            for pid in workers_of(service.pid) if left_behind(temporary) else ():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    answer = client.post("/v1/embeddings", params={"coverage": "full"}, files={"file": content})
    ended.set()
    killer.join()
    assert killed
    assert answer.status_code in (200, 422, 500, 503), "it may have been tried again"
    assert answer.status_code == 200 or is_problem(answer, answer.status_code)
    after = client.post("/v1/embeddings", files={"file": Path(tracks[5]).read_bytes()})
    assert after.status_code == 200, after.text
    wait_until_clean(temporary)
