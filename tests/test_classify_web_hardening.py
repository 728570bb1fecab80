"""The service beside strangers: other sites, slow and broken clients, crowds, and what they may leave behind.

It runs as its own process; raw sockets say what no well-behaved client would.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from service_load import Load
from service_process import Service
from speed_rows import tree_memory

from classify.service import create_app
from classify.web.settings import ServiceSettings

TOKEN = "a token of forty characters, for a test.."
MAX_UPLOAD = 2_000_000
N_UPLOADS = 3
N_MEMORY = 2_000
MAX_GROWTH_BYTES = 8e6


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service's folder for temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def service(heard: Path, temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The demo's library, with small bounds on uploads."""
    root = tmp_path_factory.mktemp("hardening") / "cache"
    shutil.copytree(heard / "cache", root)
    bounds = ("--max-upload", str(MAX_UPLOAD / 1e6), "--max-uploads", str(N_UPLOADS))
    with Service(root, heard / "music", *bounds, TMPDIR=str(temporary)) as running:
        with httpx2.Client(base_url=running.url, timeout=60) as client:
            songs = client.get("/v1/songs").json()["songs"]
            for song in [song for song in songs if "acoustic" in song["path"]][::2][:7]:
                assert client.put(f"/v1/songs/{song['id']}/label", json={"label": "like"}).status_code == 200
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.url, timeout=60) as client:
        yield client


@pytest.fixture
def ids(client: httpx2.Client) -> list[str]:
    """Digests of all songs."""
    return [song["id"] for song in client.get("/v1/songs").json()["songs"]]


def is_problem(answer: httpx2.Response, status: int) -> bool:
    """Whether an answer is a problem document of this status, with the headers that every answer has."""
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert document["status"] == answer.status_code, answer.text
    assert document["title"]
    assert document["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return bool(answer.status_code == status)


# Other sites


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost:1", "0.0.0.0:{port}", ""],
)
def test_a_name_that_points_here_by_rebinding_is_refused(host: str, service: Service) -> None:
    with httpx2.Client(base_url=service.url) as client:
        for path in ("/", "/v1/health", "/v1/songs", "/page/app.css"):
            answer = client.get(path, headers={"Host": host.format(port=service.port)})
            assert answer.status_code in (400, 421), path
            assert "songs" not in answer.text or is_problem(answer, answer.status_code)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LOCALHOST:{port}"])
def test_names_of_this_machine_are_served(host: str, service: Service, client: httpx2.Client) -> None:
    answer = client.get("/v1/health", headers={"Host": host.format(port=service.port)})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_can_change_nothing_and_read_nothing(
    headers: dict[str, str], client: httpx2.Client, ids: list[str]
) -> None:
    before = client.get("/v1/songs").json()
    asked = [
        client.put(f"/v1/songs/{ids[5]}/label", json={"label": "like"}, headers=headers),
        client.delete(f"/v1/songs/{ids[0]}/label", headers=headers),
        client.post("/v1/tastes/default/train", headers=headers),
        client.post("/v1/library/scan", headers=headers),
        client.post("/v1/score", files={"file": b"x"}, headers=headers),
        client.get("/v1/songs", headers=headers),
        client.get(f"/v1/songs/{ids[0]}/audio", headers=headers),
    ]
    assert all(is_problem(answer, 403) for answer in asked)
    assert not any("access-control-allow-origin" in answer.headers for answer in asked)
    assert client.get("/v1/songs").json() == before
    assert client.get("/v1/library/scan").json()["state"] == "idle"


def test_a_form_of_another_site_that_sends_json_as_text_is_refused(
    client: httpx2.Client, ids: list[str]
) -> None:
    body = json.dumps({"label": "like"})
    plain = {"Content-Type": "text/plain"}
    answer = client.put(f"/v1/songs/{ids[5]}/label", content=body, headers=plain)
    assert is_problem(answer, answer.status_code)
    assert answer.status_code in (415, 422)


def test_a_browser_that_asks_before_is_told_nothing(client: httpx2.Client, ids: list[str]) -> None:
    asks = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PUT"}
    answer = client.options(f"/v1/songs/{ids[0]}/label", headers=asks)
    assert answer.status_code in (403, 405)
    assert not any(name.startswith("access-control") for name in answer.headers)


# A token, where others can reach the service. Nothing is bound: the application is called directly.


def beyond(root: Path, path: str, method: str = "GET", **headers: str) -> httpx2.Response:
    """Ask an application that is bound to 192.0.2.7, under that address."""
    settings = ServiceSettings(root=root, host="192.0.2.7", token=TOKEN)

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(create_app(settings), client=("192.0.2.9", 1234))
        async with httpx2.AsyncClient(transport=transport, base_url="http://192.0.2.7:8765") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def copied(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(heard / "cache", tmp_path_factory.mktemp("token") / "cache"))


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN} ",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
    ],
)
def test_without_the_token_nothing_of_the_library_is_told(copied: Path, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    if authorization == f"Bearer {TOKEN} ":
        headers = {"Authorization": f"Bearer  {TOKEN[:-2]}"}
    for method, path in (
        ("GET", "/v1/songs"),
        ("GET", "/v1/tastes"),
        ("GET", "/v1/metrics"),
        ("GET", "/v1/openapi.json"),
        ("GET", "/v1/nothing"),
        ("POST", "/v1/library/scan"),
        ("POST", "/v1/session"),
    ):
        answer = beyond(copied, path, method, **headers)
        assert is_problem(answer, 401), (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "set-cookie" not in answer.headers
    health = beyond(copied, "/v1/health", **headers)
    assert health.status_code == 200
    assert set(health.json()) == {"status", "version", "token_required"}


def test_with_the_token_or_the_cookie_it_gives_all_is_told(copied: Path) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert beyond(copied, "/v1/songs", **right).json()["total"] == 28
    session = beyond(copied, "/v1/session", "POST", **right)
    assert session.status_code == 204
    cookie = session.headers["set-cookie"]
    assert all(word in cookie.lower() for word in ("httponly", "samesite=strict", "path=/"))
    value = cookie.partition(";")[0]
    assert beyond(copied, "/v1/songs", Cookie=value).json()["total"] == 28
    assert is_problem(beyond(copied, "/v1/songs", Cookie=value[:-1]), 401)
    assert is_problem(beyond(copied, "/v1/songs", Cookie=value, Origin="http://evil.example"), 403)
    assert is_problem(beyond(copied, "/v1/songs", Host="evil.example", **right), 421)
    assert TOKEN not in beyond(copied, "/v1/openapi.json", **right).text


def test_the_token_is_in_no_picture_of_the_settings(copied: Path) -> None:
    assert TOKEN not in repr(ServiceSettings(root=copied, host="192.0.2.7", token=TOKEN))


# Names and paths


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page",
        "/page/../pages.py",
        "/page/..%2fpages.py",
        "/page/%2e%2e/pages.py",
        "/page/%2e%2e%2f%2e%2e%2fservice.py",
        "/page/..%5cpages.py",
        "/page//etc/passwd",
        "/page/%2fetc%2fpasswd",
        "/page/index.html%00.js",
        "/page/.",
        "/page/./../__init__.py",
        "/v1/",
        "/docs",
        "/redoc",
        "/v1/docs",
        "/v1/songs/..%2f..%2fetc%2fpasswd/audio",
        "/v1/songs/%2fetc%2fpasswd/audio",
        "/v1/tastes/..%2f..%2fsecret",
        "/v1/tastes/%2e%2e",
    ],
)
def test_no_path_leads_out_and_no_folder_is_listed(path: str, service: Service) -> None:
    status, head, body = raw(service, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n\r\n")
    assert status in (404, 405, 422), (path, status)
    assert b"root:" not in body
    assert b"import" not in body
    assert b"index.html" not in body
    assert b"nosniff" in head


@pytest.mark.parametrize("taste", ["../x", "/etc/passwd", "a/b", "x\x00y", "..", "con\n", "x" * 500])
def test_a_taste_is_a_name_and_no_path(taste: str, client: httpx2.Client, service: Service) -> None:
    answer = client.get("/v1/songs", params={"taste": taste})
    assert is_problem(answer, 422) or is_problem(answer, 404)


def raw(service: Service, request: str | bytes, timeout_s: float = 20) -> tuple[int, bytes, bytes]:
    """Send bytes as they are; return the status, the head and the body of the answer."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=timeout_s) as connection:
        connection.sendall(request.encode() if isinstance(request, str) else request)
        connection.settimeout(timeout_s)
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return 0, b"", b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), head.lower(), body


# Uploads


def multipart(content: bytes, name: str = "song.opus") -> tuple[bytes, bytes]:
    """Return the head and the tail of a form that holds one file, to put around its bytes."""
    head = (
        f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: audio/ogg\r\n\r\n"
    )
    return head.encode("utf-8", "surrogateescape") + content, b"\r\n--edge--\r\n"


def upload_head(service: Service, length: int | None, path: str = "/v1/score") -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        "Content-Type: multipart/form-data; boundary=edge",
        size,
        "\r\n",
    )
    return "\r\n".join(lines).encode()


def left_behind(temporary: Path) -> list[Path]:
    """Return the files of uploads that are there."""
    return [path for path in temporary.rglob("*") if path.is_file()]


def wait_until_clean(temporary: Path, seconds: float = 15) -> list[Path]:
    """Return what is left behind when nothing is, or after so many seconds."""
    until = time.monotonic() + seconds
    while left_behind(temporary) and time.monotonic() < until:
        time.sleep(0.05)
    return left_behind(temporary)


def test_an_upload_is_too_large_by_what_it_says_before_any_of_it_is_sent(
    service: Service, temporary: Path
) -> None:
    status, head, _ = raw(service, upload_head(service, MAX_UPLOAD + 100_000), timeout_s=5)
    assert status == 413
    assert b"problem+json" in head
    assert not left_behind(temporary)


def test_an_upload_is_too_large_while_it_streams(service: Service, temporary: Path) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
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
    assert not wait_until_clean(temporary)


def test_a_file_that_is_not_sound_is_refused_with_the_command_s_words(
    client: httpx2.Client, temporary: Path
) -> None:
    for content in (b"", b"no music at all" * 100, b"OggS" + bytes(5000), b"RIFF" + b"\xff" * 5000):
        for path in ("/v1/score", "/v1/embeddings"):
            answer = client.post(path, files={"file": ("a.wav", content)})
            assert is_problem(answer, 422), answer.text
            assert str(temporary) not in answer.text, "no path of ours"
    assert not wait_until_clean(temporary)


@pytest.mark.parametrize(
    "name",
    ["../../../../tmp/evil.opus", "/etc/evil", "a\\..\\b", "con.opus", "x" * 5000, "\u202egpj.exe", ""],
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
    assert not wait_until_clean(temporary)


def test_seconds_of_sound_are_bounded_as_in_files(heard: Path, tmp_path: Path, tracks: list[str]) -> None:
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    with Service(root, heard / "music", "--max-duration", "0.001") as short, httpx2.Client() as client:
        content = Path(tracks[0]).read_bytes()  # 30 s; the limit is 3.6 s
        answer = client.post(f"{short.url}/v1/embeddings", files={"file": content}, timeout=60)
        assert is_problem(answer, 413), answer.text
        assert "--max-duration" in answer.json()["detail"]


def test_too_many_uploads_at_once_are_sent_away_and_told_when_to_come_back(
    service: Service, client: httpx2.Client, tracks: list[str], temporary: Path
) -> None:
    content = Path(tracks[3]).read_bytes()
    start, end = multipart(content)
    held = []
    try:
        for _ in range(N_UPLOADS):
            connection = socket.create_connection(("127.0.0.1", service.port), timeout=20)
            held.append(connection)
            connection.sendall(upload_head(service, len(start) + len(end)) + start[:-1000])
        time.sleep(0.3)
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
    assert not wait_until_clean(temporary)


def test_an_upload_that_is_broken_off_gives_its_place_back_and_leaves_nothing(
    service: Service, client: httpx2.Client, tracks: list[str], temporary: Path
) -> None:
    content = Path(tracks[4]).read_bytes()
    start, end = multipart(content)
    for _ in range(3 * N_UPLOADS):
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
            connection.sendall(upload_head(service, len(start) + len(end)) + start[: len(start) // 2])
    for _ in range(3 * N_UPLOADS):  # these are whole; nobody waits for the answer
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
            connection.sendall(upload_head(service, len(start) + len(end)) + start + end)
    until = time.monotonic() + 30
    while (answer := client.post("/v1/embeddings", files={"file": content})).status_code == 503:
        assert time.monotonic() < until, answer.text
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    assert not wait_until_clean(temporary)


def test_a_worker_that_is_killed_costs_one_upload(
    service: Service, client: httpx2.Client, mix: Path, tracks: list[str], temporary: Path
) -> None:
    content = mix.read_bytes()[: MAX_UPLOAD - 10_000]  # a cut FLAC is heard as far as it goes
    killed: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while not killed and not ended.wait(0.01):
            for pid in _workers(service.pid) if left_behind(temporary) else ():
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
    assert not wait_until_clean(temporary)


def _workers(pid: int) -> list[int]:
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            name = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"resource_tracker" not in name:
                found.append(child)
    return found


# Crowds and slow clients


def test_slow_clients_hold_up_nobody(service: Service, client: httpx2.Client, ids: list[str]) -> None:
    slow = []
    try:
        for number in range(60):
            connection = socket.create_connection(("127.0.0.1", service.port), timeout=20)
            slow.append(connection)
            if number % 2:  # never ends its headers
                connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            else:  # never sends its body
                connection.sendall(upload_head(service, 100_000, f"/v1/songs/{ids[0]}/label"))
        started = time.monotonic()
        for digest in ids:
            assert client.get(f"/v1/songs/{digest}/score").status_code == 200
        assert time.monotonic() - started < 10
    finally:
        for connection in slow:
            connection.close()


def test_a_slow_reader_of_sound_holds_up_nobody(
    service: Service, client: httpx2.Client, ids: list[str]
) -> None:
    slow = []
    try:
        for digest in ids[:20]:
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", service.port))
            slow.append(connection)
            connection.sendall(
                f"GET /v1/songs/{digest}/audio HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n\r\n".encode()
            )
        assert client.get(f"/v1/songs/{ids[0]}/score").status_code == 200
        assert client.get(f"/v1/songs/{ids[0]}/audio").status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_two_hundred_at_once_are_all_answered(service: Service, ids: list[str]) -> None:
    paths = [f"/v1/songs/{digest}/score" for digest in ids[:20]]
    paths += ["/v1/songs?limit=50", "/v1/health", "/v1/tastes", "/v1/suggestions", "/", "/v1/nothing"]
    found = asyncio.run(Load(port=service.port, n_clients=200, paths=paths, n_requests=1000).run())
    assert found["lost"] == 0
    assert found["n"] == 1000
    assert set(found["statuses"]) == {200, 404}


def test_labels_and_uploads_at_once_are_all_kept(
    service: Service, client: httpx2.Client, ids: list[str], tracks: list[str]
) -> None:
    def label(digest: str) -> int:
        with httpx2.Client(base_url=service.url, timeout=60) as one:
            return one.put(f"/v1/songs/{digest}/label", json={"label": "like"}).status_code

    def upload(track: str) -> int:
        with httpx2.Client(base_url=service.url, timeout=60) as one:
            return one.post("/v1/embeddings", files={"file": Path(track).read_bytes()}).status_code

    with ThreadPoolExecutor(12) as pool:
        labelled = [pool.submit(label, digest) for digest in ids[:8]]
        uploaded = [pool.submit(upload, track) for track in tracks[:2]]
        assert {one.result() for one in labelled} == {200}
        assert {one.result() for one in uploaded} <= {200, 503}
    songs = client.get("/v1/songs").json()["songs"]
    assert {song["id"] for song in songs if song["label"] == "like"} >= set(ids[:8])


def test_memory_stays_flat(service: Service, ids: list[str]) -> None:
    paths = [f"/v1/songs/{digest}/score" for digest in ids]
    paths += [
        "/v1/songs?limit=100",
        "/v1/songs?q=a&sort=title",
        f"/v1/songs/{ids[0]}/audio",
        "/v1/nothing",
        "/",
    ]

    def ask(n_requests: int) -> int:
        load = Load(port=service.port, n_clients=20, paths=paths, n_requests=n_requests)
        found = asyncio.run(load.run())
        assert found["lost"] == 0
        return tree_memory(service.pid)

    ask(500)
    before = ask(500)
    assert ask(N_MEMORY) - before < MAX_GROWTH_BYTES


def test_what_it_has_written_is_no_traceback(service: Service) -> None:
    assert "Traceback" not in service.said()
