"""Music servers on this machine, bounded in time; and small songs with tags for them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from service.music_server import (
    PASSWORD,
    SUPYSONIC,
    free_port,
    running,
    serving_mpd,
    serving_supysonic,
    update_mpd,
)

import embed
from cache import Catalog, FileRecord
from tests.classify.labels.made_library import digest_of, make_songs
from tests.support.audio_files import KINDS, music
from tests.support.tools import tool

__all__ = ["PASSWORD", "MadeLibrary", "answering", "free_port", "http_answer", "made_library"]
__all__ += ["running", "running_mpd", "running_supysonic", "update_mpd"]

REPOSITORY = Path(__file__).resolve().parents[2]
N_SONGS = 28


@dataclass(frozen=True, kw_only=True)
class MadeLibrary:
    """A cache of made-up vectors for real files with tags: `music/act N/record N/NN ....flac`."""

    root: Path
    music: Path
    paths: tuple[Path, ...]


def made_library(compiled: Path, folder: Path, n: int = N_SONGS) -> MadeLibrary:
    """Make songs of a second or two, each with tags, a size and a length of its own."""
    for placeholder in make_songs(compiled, folder, range(n)):
        placeholder.unlink()
    rows = []
    for number in range(n):
        artist, album = f"Act {number // 3}", f"Record {number // 6}"
        path = folder / "tagged" / artist / album / f"{number:02} Song No {number}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        tags = {"artist": artist, "title": f"Song No. {number}", "album": album}
        KINDS["flac"].write(path, music(1.0 + 0.05 * number, 8000, 1, seed=number), 8000, tags)
        info, status = embed.probe(str(path)), path.stat()
        rows.append(
            FileRecord(
                path=str(path),
                size_bytes=status.st_size,
                mtime_ns=status.st_mtime_ns,
                digest=digest_of(number),
                duration_s=info.duration_s,
                artist=artist,
                title=tags["title"],
                album=album,
            )
        )
    Catalog(folder / "cache").put(rows)
    return MadeLibrary(
        root=folder / "cache",
        music=folder / "tagged",
        paths=tuple(Path(row.path) for row in rows),
    )


def answering(
    said: bytes, *, every_s: float = 0.0, context: Any = None, greeting: bytes = b""
) -> int:
    """Answer all who connect with some bytes, or with nothing at all; gives the port.

    They are greeted first, and get the answer to what they say then, byte by byte where that is to
    take its time.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def answer() -> None:
        while True:
            peer, _ = listening.accept()
            try:
                if context:
                    peer = context.wrap_socket(peer, server_side=True)
                peer.sendall(greeting)
                for _ in range(2 if context else 1):  # in TLS a request's body comes by itself
                    peer.recv(65536)
                for n in range(len(said)) if every_s else ():
                    peer.sendall(said[n : n + 1])
                    stop.wait(every_s)
                peer.sendall(b"" if every_s else said)
                if not said:
                    stop.wait(30)
                _close(peer)
            except OSError:
                peer.close()

    threading.Thread(target=answer, daemon=True).start()
    port: int = listening.getsockname()[1]
    return port


def _close(peer: socket.socket) -> None:
    """End an answer; what was not read by then would reset the connection in its middle."""
    peer.settimeout(1)
    if not isinstance(peer, ssl.SSLSocket):
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(65536):
            pass
    peer.close()


def http_answer(status: str, body: str = "", *headers: str) -> bytes:
    """Write what a server of HTTP says."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers, f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


@contextmanager
def running_mpd(library: Path, folder: Path, *, password: str = "") -> Iterator[int]:
    """Run Debian's mpd over a folder of music, which it has read; gives its port.

    With a password it permits nothing without it.
    """
    tool("mpd")
    tool("timeout")
    with serving_mpd(library, folder, password=password) as (port, _):
        yield port


@contextmanager
def running_supysonic(library: Path, folder: Path) -> Iterator[str]:
    """Run supysonic, of an environment of its own, over a folder; gives its address.

    Its user `ann` has `PASSWORD`; `bob` has another one.
    """
    tool("timeout")
    if not (SUPYSONIC / "supysonic-server").exists():
        pytest.skip(
            "no supysonic in .venv/supysonic, where .ci/run installs it "
            "(pip install supysonic waitress 'setuptools<81' in an environment there)"
        )
    with serving_supysonic(library, folder) as (address, _):
        yield address
