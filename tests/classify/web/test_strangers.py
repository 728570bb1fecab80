"""The service beside strangers.

These are other sites, requests without its token, and paths that lead elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from service.process import Service
from waiting import LONG_S

from classify.web.app import create_app
from classify.web.settings import ServiceSettings
from tests.support.strange_clients import is_problem, labelled_service, raw

TOKEN = "a token of forty characters, for a test.."


@pytest.fixture(scope="module")
def service(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with labelled_service(heard, tmp_path_factory.mktemp("strangers")) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.url, timeout=LONG_S) as client:
        yield client


@pytest.fixture
def ids(client: httpx2.Client) -> list[str]:
    """Digests of all songs."""
    return [song["id"] for song in client.get("/v1/songs").json()["songs"]]


# Other sites


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example",
        "localhost:1",
        "0.0.0.0:{port}",
        "",
    ],
)
def test_a_name_that_points_here_by_rebinding_is_refused(host: str, service: Service) -> None:
    with httpx2.Client(base_url=service.url, timeout=LONG_S) as client:
        for path in ("/", "/v1/health", "/v1/songs", "/page/app.css"):
            answer = client.get(path, headers={"Host": host.format(port=service.port)})
            assert answer.status_code in (400, 421), path
            assert "songs" not in answer.text or is_problem(answer, answer.status_code)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LOCALHOST:{port}"]
)
def test_names_of_this_machine_are_served(
    host: str, service: Service, client: httpx2.Client
) -> None:
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
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://192.0.2.7:8765"
        ) as client:
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
def test_without_the_token_nothing_of_the_library_is_told(
    copied: Path, authorization: str | None
) -> None:
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
    status, head, body = raw(
        service, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n\r\n"
    )
    assert status in (404, 405, 422), (path, status)
    assert b"root:" not in body
    assert b"import" not in body
    assert b"index.html" not in body
    assert b"nosniff" in head


@pytest.mark.parametrize(
    "taste", ["../x", "/etc/passwd", "a/b", "x\x00y", "..", "con\n", "x" * 500]
)
def test_a_taste_is_a_name_and_no_path(taste: str, client: httpx2.Client, service: Service) -> None:
    answer = client.get("/v1/songs", params={"taste": taste})
    assert is_problem(answer, 422) or is_problem(answer, 404)
