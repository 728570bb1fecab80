"""The command `serve` as a process: where it listens, what it says, how it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import httpx2
import pytest
import segno
from waiting import LONG_S, ended, run, wait_until

import classify
from cache import Catalog
from classify.web.server import address_of
from classify.web.settings import ServiceSettings
from tests.support.audio_files import KINDS, music
from tests.support.terminals import TerminalCommand

ADDRESS = re.compile(r"open (http://\S+) \(Ctrl-C ends it\)")


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command until the block ends; give the address that it tells."""
    process = subprocess.Popen(
        [sys.executable, "-m", "classify.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            found = ADDRESS.search(line)
            if found:
                yield process, found[1]
                return
        raise AssertionError(f"it ended: {said}")
    finally:
        process.kill()
        process.communicate()


def refused(*arguments: str, **environment: str) -> tuple[int, str]:
    done = run([sys.executable, "-m", "classify.cli", *arguments], env=os.environ | environment)
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join(done.stderr.replace("│", " ").split())


@pytest.fixture
def root(heard: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(heard / "cache", tmp_path / "cache"))


def test_it_watches_by_looking_and_has_a_list_follow(root: Path, tmp_path: Path) -> None:
    """`--poll` looks now and then; the list has what has come, and is true to the labels."""
    music_folder, to = tmp_path / "music", tmp_path / "all.m3u8"
    music_folder.mkdir()
    classify.train([row.path for row in Catalog(root).files().recordings()][:3], root=root)
    words = ("--cache", str(root), "serve", str(music_folder), "--port", "0")
    follow = f"score --min-score 0 -o {to}"
    with running(*words, "--watch", "--poll", "1", "--then", follow) as (process, address):
        assert httpx2.get(f"{address}v1/health", timeout=LONG_S).status_code == 200
        song = music_folder / "new.flac"
        made = KINDS["flac"].write(tmp_path / "made.flac", music(6.0, 44100), 44100)
        shutil.copy(made, song)
        wait_until(lambda: to.exists() and str(song) in to.read_text(), "the list")
        found = httpx2.get(f"{address}v1/songs?q=new.flac", timeout=LONG_S).json()["songs"]
        label = f"{address}v1/songs/{found[0]['id']}/label"
        assert httpx2.put(label, json={"label": "like"}, timeout=LONG_S).status_code == 200
        wait_until(lambda: str(song) not in to.read_text(), "the list without what is liked")
        classify.label(None, str(song), root=root)
        wait_until(lambda: str(song) in to.read_text(), "the list after a label of the command")
        process.send_signal(signal.SIGTERM)
        _, err = ended(process)
    assert "Traceback" not in err
    assert err.count("labels have changed; what '--then' names follows") == 2


def test_it_serves_on_this_machine_until_it_is_told_to_end(root: Path, heard: Path) -> None:
    with running("--cache", str(root), "serve", str(heard / "music"), "--port", "0") as (
        process,
        address,
    ):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        health = httpx2.get(f"{address}v1/health", timeout=LONG_S).json()
        assert (health["n_songs"], health["token_required"]) == (28, False)
        assert health["folders"] == [str(heard / "music")]
        assert httpx2.get(address, timeout=LONG_S).status_code == 200
        process.send_signal(signal.SIGTERM)
        out, err = ended(process)
        assert process.returncode == 128 + signal.SIGTERM
        assert out == ""
        assert "Traceback" not in err


def test_beyond_this_machine_it_asks_for_a_token(root: Path) -> None:
    with running("--cache", str(root), "serve", "--host", "0.0.0.0", "--port", "0") as (_, address):
        page, _, token = address.partition("#token=")
        assert len(token) >= 43
        port = page.rstrip("/").rpartition(":")[2]
        songs = f"http://127.0.0.1:{port}/v1/songs"
        assert httpx2.get(songs, timeout=LONG_S).status_code == 401
        answer = httpx2.get(songs, headers={"Authorization": f"Bearer {token}"}, timeout=LONG_S)
        assert answer.json()["total"] == 28


def test_a_terminal_shows_the_address_as_a_code_for_phones(root: Path) -> None:
    with TerminalCommand(
        "--cache", str(root), "serve", "--host", "0.0.0.0", "--port", "0"
    ) as terminal:
        said = "".join(terminal.until("it)").split())  # a long line is several
        address = said.partition("open")[2].partition("(Ctrl-C")[0]
        assert "#token=" in address
        code = segno.make(address, error="l", micro=False)
        width, height = code.symbol_size(border=2)
        row = re.compile(r"\x1b\[97;40m([ ▀▄█]+)\x1b\[0m")
        while len(row.findall(terminal.shown)) < (height + 1) // 2:
            terminal.until("\x1b[0m")
        rows = row.findall(terminal.shown)
    assert {len(row) for row in rows} == {width}
    # What is drawn is light: a module of the code is what is left dark.
    halves = [[one in pair for one in row] for row in rows for pair in ("▀█", "▄█")]
    dark = [[not light for light in row] for row in halves[: int(height)]]
    assert dark == [[bool(one) for one in row] for row in code.matrix_iter(border=2)]


def test_what_can_not_be_served_is_told_before_it_begins(root: Path, tmp_path: Path) -> None:
    cache = ("--cache", str(root), "serve", "--port", "0")
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = refused("--cache", str(root), "serve", "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "can't be listened on" in said
    assert "--port" in said
    code, said = refused(*cache, "--taste", "../x")
    assert (code, "is no name of a taste" in said) == (2, True)
    code, said = refused(*cache, str(tmp_path / "file"))
    assert (code, "is a file" in said) == (2, True)
    code, said = refused(*cache, SEVENSONGS_TOKEN="short")
    assert (code, "at least 16" in said) == (2, True)


def test_the_demo_can_be_shown_as_a_page(root: Path) -> None:
    with running("--cache", str(root), "demo", "--serve", "--port", "0") as (_, address):
        page = httpx2.get(f"{address}v1/songs", timeout=LONG_S).json()
        assert (page["taste"], page["total"]) == ("demo", 28)
        assert sum(song["label"] == "like" for song in page["songs"]) == 7
        # The cache holds own music too, which is another library.
        assert all("immich_memories_music" in song["path"] for song in page["songs"])
        playlist = httpx2.get(f"{address}v1/playlist.m3u8?top=9", timeout=LONG_S).text
        paths = [line for line in playlist.splitlines() if not line.startswith("#")]
        finds = [song["path"] for song in page["songs"] if song["label"] is None]
        assert paths == finds[:9]
        (folder,) = httpx2.get(f"{address}v1/health", timeout=LONG_S).json()["folders"]
        assert len(list(Path(folder).rglob("*.opus"))) == 28


def test_a_token_of_any_signs_is_in_the_address_as_the_page_reads_it() -> None:
    token = "ab+cd/ef%2Bg#h?i=&j=="
    address = address_of(ServiceSettings(root="cache", host="192.0.2.7", token=token), 80)
    assert unquote(address.partition("#token=")[2]) == token
    assert "+" not in address


def test_a_folder_is_added_where_the_person_at_the_terminal_says_yes(
    root: Path, tmp_path: Path
) -> None:
    music = tmp_path / "more music"
    music.mkdir()
    with TerminalCommand("--cache", str(root), "serve", "--port", "0") as terminal:
        found = re.search(r"http://127\.0\.0\.1:\d+/", terminal.until("ends it)"))
        assert found is not None
        with httpx2.Client(base_url=found[0], timeout=LONG_S) as client:
            before = client.get("/v1/library/folders").json()
            assert (before["folders"], before["can_add"]) == ([], True)
            asked = client.post("/v1/library/folders", json={"path": str(music)})
            assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
            # its words may stand in two lines
            assert "more music" in " ".join(terminal.until("[y/N] ").split())
            terminal.answer("y")
            wait_until(
                lambda: client.get("/v1/health").json()["folders"] == [str(music)], "the folder"
            )
