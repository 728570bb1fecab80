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

_CALLS = {"x86_64": (42, 44), "aarch64": (203, 206)}  # numbers of connect(2) and sendto(2)
_GUARD = """
import ctypes, os, struct, sys
CONNECT, SENDTO = int(sys.argv[1]), int(sys.argv[2])
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF; the call's number is at 0, sendto's address at 48 and 52
code = b"".join(struct.pack("HBBI", *line) for line in [
    (LOAD, 0, 0, 0), (EQUAL, 5, 0, CONNECT), (EQUAL, 0, 5, SENDTO), (LOAD, 0, 0, 48), (EQUAL, 0, 2, 0),
    (LOAD, 0, 0, 52), (EQUAL, 1, 0, 0), (RETURN, 0, 0, KILL_PROCESS), (RETURN, 0, 0, ALLOW),
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


@pytest.mark.slow
@pytest.mark.usefixtures("all_cores")
def test_the_demo_runs_from_an_empty_cache_without_network(
    tmp_path: Path, tracks: list[str]
) -> None:
    # From the start: TensorFlow compiles the encoder, workers embed the songs, a taste is trained
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
