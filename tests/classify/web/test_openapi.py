"""The OpenAPI document is what the service does.

Schemathesis asks, and a client is made from it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from service.process import Service
from waiting import LONG_S

from tests.support.strange_clients import draw_first_picture

METHODS = ("get", "put", "post", "delete", "patch")
N_EXAMPLES = 3


@pytest.fixture(scope="module")
def service(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The demo's library with a taste, over a copy of the cache."""
    root = Path(shutil.copytree(heard / "cache", tmp_path_factory.mktemp("openapi") / "cache"))
    with Service(root, heard / "music") as running:
        with httpx2.Client(base_url=running.url, timeout=LONG_S) as client:
            songs = client.get("/v1/songs").json()["songs"]
            for song in [song for song in songs if "acoustic" in song["path"]][::2][:7]:
                client.put(f"/v1/songs/{song['id']}/label", json={"label": "like"})
        draw_first_picture(running)
        yield running


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{service.url}/v1/openapi.json", timeout=LONG_S).json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def test_a_client_is_made_from_the_document_and_works(
    document: dict[str, Any], service: Service, tmp_path: Path
) -> None:
    """A generic client: it knows nothing but the document, and asks by the names of operations."""
    songs = httpx2.get(f"{service.url}/v1/songs?limit=3", timeout=LONG_S).json()
    values = {"song_id": songs["songs"][0]["id"], "name": "default", "kind": "m3u8"}
    asked = []
    for method, path, operation in operations(document):
        if method != "get" or "text/event-stream" in json.dumps(operation["responses"]["200"]):
            continue
        filled = path.format(**values)
        if filled == "/v1/playlist.m3u8":
            filled += "?top=3"  # nothing here is likely, and a list of nothing is a conflict
        answer = httpx2.get(f"{service.url}{filled}", timeout=LONG_S)
        wanted = 204 if path.endswith("/cover.jpg") else 200  # no song here has one
        assert answer.status_code == wanted, f"{path}: {answer.text[:300]}"
        if wanted == 204:
            continue
        media = answer.headers["content-type"].partition(";")[0]
        declared = operation["responses"]["200"].get("content", {})
        assert media in declared or any(kind.endswith("/*") for kind in declared), (
            f"{path}: {media}"
        )
        asked.append(operation["operationId"])
    assert len(asked) >= 10


@pytest.mark.slow
def test_schemathesis_finds_nothing(
    service: Service, document: dict[str, Any], tmp_path: Path
) -> None:
    songs = httpx2.get(f"{service.url}/v1/songs", timeout=LONG_S).json()["songs"]
    (tmp_path / "schemathesis.toml").write_text(_known(songs[0]["id"]), "utf-8")
    options: tuple[str, ...] = ("--phases", "coverage,fuzzing,stateful", "--checks", "all")
    # an id of the right form may be nobody's
    options += ("--exclude-checks", "positive_data_acceptance")
    options += ("--exclude-path", "/v1/events")  # which does not end
    options += ("--max-examples", str(N_EXAMPLES))
    options += ("--generation-deterministic", "--warnings", "off", "--no-color")
    # seconds say nothing on a busy machine
    options += ("--request-timeout", str(LONG_S), "--max-response-time", str(LONG_S))
    argv = [
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{service.url}/v1/openapi.json",
        *options,
    ]
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        list(map(str, argv)), capture_output=True, text=True, check=False, cwd=tmp_path, env=quiet
    )
    told = "\n".join(line[:300] for line in done.stdout.splitlines())
    assert done.returncode == 0, told[-8000:] + done.stderr[-2000:]
    n = len(operations(document))
    assert f"Selected: {n - 1}/{n}" in told
    assert httpx2.get(f"{service.url}/v1/health", timeout=LONG_S).status_code == 200
    assert "Traceback" not in service.said()


def _known(digest: str) -> str:
    """Let two of three generated ids be that of a song, so that more than a 404 is seen."""
    return f"""[dictionaries.songs]
values = ["{digest}"]
[parameters]
"path.song_id" = {{ dictionary = "songs", probability = 0.66 }}
"""


def test_every_operation_has_what_a_client_needs(document: dict[str, Any]) -> None:
    found = operations(document)
    names = [operation["operationId"] for _, _, operation in found]
    assert len(set(names)) == len(names) >= 18
    for method, path, operation in found:
        where = f"{method} {path}"
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), where
        assert operation.get("summary"), where
        answers = operation["responses"]
        assert any(status.startswith("2") for status in answers), where
        for status, answer in answers.items():
            if status.startswith(("4", "5")):
                assert set(answer["content"]) == {"application/problem+json"}, f"{where} {status}"
        if "{" in path:
            assert "404" in answers, where
        if "requestBody" in operation or operation.get("parameters"):
            assert "422" in answers, where


def test_the_document_names_no_path_of_this_machine(document: dict[str, Any], heard: Path) -> None:
    text = json.dumps(document)
    assert str(heard) not in text
    assert str(Path.home()) not in text
