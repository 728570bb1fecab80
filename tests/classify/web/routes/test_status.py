"""Health, what is counted, and the cookie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from classify.web.app import create_app
from classify.web.counters import Metrics
from classify.web.settings import ServiceSettings

ADDRESS = "http://127.0.0.1:8765"
TOKEN = "a token with ; and é in it"


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(
        create_app(ServiceSettings(root=root, folders=(root,))), base_url=ADDRESS
    ) as client:
        yield client


def numbers(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in re.findall(r"^(\w\S*(?: \S+)*) (\S+)$", text, re.MULTILINE)
    }


def test_health_tells_what_is_served(client: TestClient, root: Path) -> None:
    assert client.get("/v1/health").json() == {
        "status": "ok",
        "version": version("sevensongs"),
        "token_required": False,
        "n_songs": 0,
        "encoder": "musicnn",
        "taste": "default",
        "tastes": ["default"],
        "scan": "idle",
        "folders": [str(root)],
    }


def test_with_a_token_health_tells_strangers_no_more_than_that_it_runs(root: Path) -> None:
    settings = ServiceSettings(root=root, host="192.0.2.7", token=TOKEN)
    with TestClient(create_app(settings), base_url="http://192.0.2.7:8765") as client:
        stranger = client.get("/v1/health").json()
        assert stranger == {
            "status": "ok",
            "version": version("sevensongs"),
            "token_required": True,
        }
        bearer = {b"Authorization": b"Bearer " + TOKEN.encode()}
        assert client.get("/v1/health", headers=bearer).json()["n_songs"] == 0
        assert client.post("/v1/session").status_code == 401
        assert client.get("/v1/metrics").status_code == 401
        opened = client.post("/v1/session", headers=bearer)
        assert (opened.status_code, opened.content) == (204, b"")
        cookie = opened.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
        assert TOKEN not in cookie
        assert client.get("/v1/metrics").status_code == 200, "with the cookie alone"
        assert client.get("/v1/health").json()["n_songs"] == 0


def test_without_a_token_a_session_sets_no_cookie(client: TestClient) -> None:
    answer = client.post("/v1/session")
    assert answer.status_code == 204
    assert "set-cookie" not in answer.headers


def test_requests_are_counted_by_route_and_never_by_what_a_client_made_up(
    client: TestClient,
) -> None:
    for i in range(3):
        client.get(f"/v1/songs/{i:032x}")
        client.get(f"/v1/made-up-{i}")
        client.get(f"/made-up-{i}")
        client.request(f"MADEUP{i}", "/v1/health")
    client.get("/v1/health")
    answer = client.get("/v1/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "made-up" not in answer.text
    assert "MADEUP" not in answer.text
    counted = numbers(answer.text)
    found = {
        name: value
        for name, value in counted.items()
        if name.startswith("sevensongs_requests_total")
    }
    labels = {
        tuple(sorted(re.findall(r'(\w+)="([^"]*)"', name))): value for name, value in found.items()
    }
    labels = {
        (route, method, status): value
        for ((_, method), (_, route), (_, status)), value in labels.items()
    }
    (health,) = (
        route for route, method, status in labels if route.endswith("/health") and method == "GET"
    )
    assert labels[health, "GET", "200"] == 1
    assert labels["none", "GET", "404"] == 6
    assert sum(value for (_, method, _), value in labels.items() if method == "other") == 3
    assert sum(value for (_, _, status), value in labels.items() if status == "404") == 9
    assert counted["sevensongs_songs"] == 0
    assert counted["sevensongs_uploads_held"] == 0
    assert counted["sevensongs_scan_running"] == 0
    assert 1e7 < counted["sevensongs_resident_bytes"] < 1e11
    name = f'sevensongs_request_seconds_count{{route="{health}"}}'
    assert counted[name] == 4


def test_two_applications_count_by_themselves(root: Path) -> None:
    first, second = Metrics(), Metrics()
    first.record({"method": "GET"}, 200, 0.001)
    assert b'requests_total{method="GET",route="none",status="200"} 1.0' in first.text({})
    assert b"requests_total{" not in second.text({})


def test_a_client_that_left_is_counted_as_one() -> None:
    metrics = Metrics()
    metrics.record({"method": "POST"}, 0, 1.0)
    assert b'status="499"' in metrics.text({})


def test_the_api_is_described_and_no_page_of_it_loads_scripts_from_elsewhere(
    client: TestClient,
) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    assert {
        "/v1/health",
        "/v1/metrics",
        "/v1/session",
        "/v1/library/scan",
        "/v1/score",
    } <= paths.keys()
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
