"""Nothing leaves the machine: the default paths run where no process can connect to anything.

A seccomp filter, which all child processes inherit, kills whoever asks the kernel for a connection,
or sends a packet to an address. So it holds for native code too (FFmpeg, Lance, TensorFlow), of
which hooks of Python see nothing. Sockets alone are let through: TensorFlow makes one at its start,
to see whether there is IPv6.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import run

from tests.classify.labels.made_library import make_songs

_CALLS = {"x86_64": (42, 44), "aarch64": (203, 206)}  # numbers of connect(2) and sendto(2)
_GUARD = """
import ctypes, os, struct, sys
CONNECT, SENDTO = int(sys.argv[1]), int(sys.argv[2])
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
# BPF; the call's number is at 0, sendto's address at 48 and 52
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
code = b"".join(struct.pack("HBBI", *line) for line in [
    (LOAD, 0, 0, 0), (EQUAL, 5, 0, CONNECT), (EQUAL, 0, 5, SENDTO),
    (LOAD, 0, 0, 48), (EQUAL, 0, 2, 0), (LOAD, 0, 0, 52), (EQUAL, 1, 0, 0),
    (RETURN, 0, 0, KILL_PROCESS), (RETURN, 0, 0, ALLOW),
])
held = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
prctl = ctypes.CDLL(None, use_errno=True).prctl
unsigned = ctypes.c_ulong
if prctl(38, unsigned(1), unsigned(0), unsigned(0), unsigned(0)) or prctl(22, unsigned(2), program):
    sys.exit(77)  # no new privileges; the filter
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in _CALLS,
    reason="the guard is Linux's seccomp",
)


def without_network(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, and all that it starts, where to connect is to be killed."""
    argv = [sys.executable, "-c", _GUARD, *map(str, (*_CALLS[platform.machine()], *arguments))]
    done = run(argv)
    if done.returncode == 77:
        pytest.skip("this kernel has no seccomp filters")
    return done


def test_the_guard_kills_who_connects_and_their_children_too() -> None:
    connect = "import socket; s = socket.socket({}); s.connect(('127.0.0.1', 9))"
    send = (
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', 9))"
    )
    for code in (connect.format(""), connect.format("type=socket.SOCK_DGRAM"), send):
        assert without_network("-c", code).returncode == -signal.SIGSYS
    pair = "import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))"
    assert without_network("-c", pair).stdout == "b'x'\n"
    child = (
        "import subprocess, sys; "
        f"print(subprocess.run([sys.executable, '-c', {send!r}]).returncode)"
    )
    assert without_network("-c", child).stdout == f"{-signal.SIGSYS}\n"


_LISTS = """
import sys
from typer.testing import CliRunner
from classify.cli.app import app
for words in {commands!r}:
    result = CliRunner().invoke(app, ["--cache", {root!r}, *words])
    print(result.exit_code, words[:2], result.output[-300:].splitlines()[-1:], flush=True)
"""


def test_only_a_server_that_is_named_is_asked(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_PASSWORD", "x")
    songs = make_songs(compiled, tmp_path, range(24))
    liked = tmp_path / "liked.csv"
    liked.write_text("artist,title\n" + "".join(f"act {n // 3},{n:03}\n" for n in (0, 4, 8)))
    kept = str(tmp_path / "kept.m3u8")
    here = [
        ["label", "import", str(liked)],
        ["label", "dislike", str(songs[1])],
        ["score", "-o", str(tmp_path / "finds.m3u8"), "--top", "3"],
        ["playlist", "save", "kept", "--top", "3", "--to", kept],
        ["playlist", "update"],
        ["similar", str(songs[0])],
    ]
    for asked in (
        ["label", "import", "subsonic:http://ann@127.0.0.1:9"],
        ["score", "--push", "mpd:127.0.0.1:9"],
    ):
        code = _LISTS.format(commands=[*here, asked], root=str(tmp_path / "cache"))
        done = without_network("-c", code)
        said = done.stdout.splitlines()
        assert [line[:1] for line in said] == ["0"] * len(here), done.stdout
        assert done.returncode == -signal.SIGSYS
        here = here[-1:]
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    promise = readme.partition("**Nothing leaves your machine**")[2].partition("\n- ")[0]
    assert "(classify/sources/servers/README.md)" in promise


@pytest.mark.slow
@pytest.mark.usefixtures("all_cores")
def test_the_demo_runs_from_an_empty_cache_without_network(
    tmp_path: Path, tracks: list[str]
) -> None:
    # From the start: the encoder is compiled, workers embed the songs, a taste is trained
    # and scores.
    assert os.environ.get("SEVENSONGS_MODELS") is None
    done = without_network("-m", "classify.cli", "--cache", tmp_path / "cache", "demo")
    assert done.returncode == 0, done.stderr
    assert f"{len(tracks)} embedded now" in done.stdout
    assert "of 21 on the right side" in done.stdout
    playlist = tmp_path / "x.m3u"
    playlist.write_text(f"http://127.0.0.1:9/a.mp3\nhttps://example.invalid/b.mp3\n{tracks[0]}\n")
    arguments = ("score", playlist, "--taste", "demo", "--json")
    done = without_network("-m", "classify.cli", "--cache", tmp_path / "cache", *arguments)
    assert "failed: 2 URLs, such as radio streams" in done.stderr
    assert [song["path"] for song in json.loads(done.stdout) if "score" in song] == [tracks[0]]
