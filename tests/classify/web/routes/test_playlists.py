"""Playlists over HTTP: their paths, the rules of `playlist save`, and a music server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner
from waiting import run

import classify
from classify.cli.app import app
from classify.playlists.kept_playlist import PlaylistRule
from classify.playlists.updating import save_playlist
from classify.sources.pushing import open_server
from classify.sources.servers.subsonic import SubsonicServer
from classify.web.app import create_app
from classify.web.settings import ServiceSettings
from tests.support.music_servers import (
    PASSWORD,
    MadeLibrary,
    free_port,
    made_library,
    running_mpd,
    running_supysonic,
)
from tests.support.tools import tool

ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def root(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's library with a taste."""
    folder = Path(shutil.copytree(heard / "cache", tmp_path_factory.mktemp("lists") / "cache"))
    acoustic = sorted(str(path) for path in (heard / "music").glob("*acoustic*"))
    classify.train(acoustic[:7], root=folder)
    return folder


@pytest.fixture(scope="module")
def client(root: Path, heard: Path) -> Iterator[TestClient]:
    settings = ServiceSettings(root=root, folders=(heard / "music",))
    with TestClient(create_app(settings), base_url=ADDRESS) as client:
        yield client


def paths(client: TestClient, **asked: object) -> list[str]:
    answer = client.get("/v1/playlist.m3u8", params={name: str(one) for name, one in asked.items()})
    assert answer.status_code == 200, answer.text
    return [line for line in answer.text.splitlines() if not line.startswith("#")]


def test_paths_are_those_of_here_of_the_list_or_of_another_computer(
    client: TestClient, heard: Path
) -> None:
    here = paths(client, top=6)
    music = str(heard / "music")
    assert all(path.startswith(f"{music}/") for path in here)
    relative = paths(client, top=6, paths="relative")
    assert relative == [f".{path.removeprefix(music)}" for path in here]
    mapped = paths(client, top=6, paths="mapped", base="M:\\Music")
    assert mapped == [f"M:\\Music\\{Path(path).name}" for path in here]
    mapped = paths(client, top=6, paths="mapped", base="/mnt/disk")
    assert mapped == [f"/mnt/disk/{Path(path).name}" for path in here]
    xspf = client.get("/v1/playlist.xspf", params={"top": 6, "paths": "relative"}).text
    located = [one.text for one in ET.fromstring(xspf).findall(".//{*}location")]
    assert located == [Path(path).name for path in here]


def test_paths_that_can_not_be_are_problems(client: TestClient, root: Path) -> None:
    wanted = {"top": "3", "paths": "mapped"}
    for base in ({}, {"base": " / "}):
        answer = client.get("/v1/playlist.m3u8", params=wanted | base)
        assert (answer.status_code, "query.base" in answer.json()["detail"]) == (422, True)
    with TestClient(create_app(ServiceSettings(root=root)), base_url=ADDRESS) as bare:
        answer = bare.get("/v1/playlist.m3u8", params={"top": "3", "paths": "relative"})
    assert (answer.status_code, "no folder is served" in answer.json()["detail"]) == (409, True)


def test_new_songs_are_those_that_no_kept_playlist_has_or_had(
    client: TestClient, root: Path
) -> None:
    every = paths(client, top=12)
    save_playlist("a", PlaylistRule(taste="default", top=2), root=root)
    save_playlist("a", PlaylistRule(taste="default", top=1), root=root)  # a version more
    save_playlist("b", PlaylistRule(taste="default", top=3), root=root)
    assert paths(client, top=9, new_only=True) == every[3:12]
    save_playlist("b", PlaylistRule(taste="default", top=28), root=root)
    answer = client.get("/v1/playlist.m3u8", params={"top": "5", "new_only": "true"})
    assert (answer.status_code, "filtered or new" in answer.json()["detail"]) == (409, True)


def test_a_list_is_as_long_as_can_be_trusted_so_far(client: TestClient, root: Path) -> None:
    by_command = classify.score(precision=0.6, root=root, labelled=False)
    assert paths(client, precision=0.6) == [song.path for song in by_command.songs]
    assert client.get("/v1/playlist.m3u8", params={"precision": "2"}).status_code == 422


def test_without_a_server_there_is_nothing_to_save_to(client: TestClient) -> None:
    assert client.get("/v1/playlist-server").json() == {"server": None}
    answer = client.post("/v1/playlist-server/playlist", json={"name": "Finds"})
    assert (answer.status_code, "--push" in answer.json()["detail"]) == (409, True)


@pytest.fixture(scope="module")
def library(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> MadeLibrary:
    return made_library(compiled, tmp_path_factory.mktemp("pushed"))


def _on_mpd(address: str) -> list[str]:
    _, host, port = address.split(":")
    mpc = [tool("mpc"), "-h", host, "-p", port]
    return run([*mpc, "-f", "%file%", "playlist", "My finds"]).stdout.splitlines()


def _on_subsonic(address: str) -> list[str]:
    server = SubsonicServer(address.partition(":")[2])
    found = server._playlist_id("My finds")  # an error if there are two
    assert found
    return [one["path"] for one in server._ask("getPlaylist", [("id", found)])["playlist"]["entry"]]


@contextmanager
def _running(kind: str, music: Path, folder: Path) -> Iterator[str]:
    """Run a music server over a folder; gives what `--push` takes."""
    if kind == "mpd":
        with running_mpd(music, folder) as port:
            yield f"mpd:127.0.0.1:{port}"
    else:
        with running_supysonic(music, folder) as address:
            yield f"subsonic:{address.replace('//', '//ann@')}"


@pytest.mark.parametrize(("kind", "entries"), [("mpd", _on_mpd), ("subsonic", _on_subsonic)])
def test_the_finds_become_a_playlist_on_the_server_that_serve_was_given(
    library: MadeLibrary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    entries: Callable[[str], list[str]],
) -> None:
    if kind == "subsonic":  # MPD has no password
        monkeypatch.setenv("SEVENSONGS_PASSWORD", PASSWORD)
    classify.train([str(path) for path in library.paths[:4]], root=library.root)
    with _running(kind, library.music, tmp_path / "server") as address:
        server = open_server(address)
        server.close()  # as MPD does by itself after a minute
        settings = ServiceSettings(root=library.root, push_to=server)
        with TestClient(create_app(settings), base_url=ADDRESS) as client:
            assert client.get("/v1/playlist-server").json()["server"] == server.name
            assert "ann" not in server.name
            wanted = [
                Path(path).relative_to(library.music).as_posix() for path in paths(client, top=9)
            ]
            for replaced in (False, True):
                answer = client.post(
                    "/v1/playlist-server/playlist", params={"top": "9"}, json={"name": "My finds"}
                )
                assert answer.status_code == 200, answer.text
                told = {"server": server.name, "name": "My finds", "n_songs": 9, "n_missing": 0}
                assert answer.json() == told | {"missing": [], "replaced": replaced}
            elsewhere = client.post(
                "/v1/playlist-server/playlist", json={}, headers={"Origin": "http://evil.example"}
            )
            assert elsewhere.status_code == 403
        assert entries(address) == wanted


def test_serve_says_at_once_that_a_server_can_not_be_reached(tmp_path: Path) -> None:
    words = ["--cache", str(tmp_path), "serve", "--port", "0", "--push"]
    for server, said in (
        (f"mpd:127.0.0.1:{free_port()}", "MPD can't be reached"),
        ("ftp:somewhere", "is no server that is known"),
    ):
        done = CliRunner().invoke(app, [*words, server])
        assert done.exit_code == 1
        assert said in " ".join(done.stderr.split())
