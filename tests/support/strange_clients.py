"""Clients that no browser is: raw bytes, forms half sent; and a service for them."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
from service.process import Service
from waiting import LONG_S, wait_until

__all__ = [
    "draw_first_picture",
    "is_problem",
    "labelled_service",
    "multipart",
    "raw",
    "upload_head",
    "workers_of",
]


@contextmanager
def labelled_service(
    heard: Path, folder: Path, *options: str, **environment: str
) -> Iterator[Service]:
    """Serve the demo's library with seven likes, from a copy of its cache in a folder."""
    root = Path(shutil.copytree(heard / "cache", folder / "cache"))
    with Service(root, heard / "music", *options, **environment) as running:
        with httpx2.Client(base_url=running.url, timeout=LONG_S) as client:
            songs = client.get("/v1/songs").json()["songs"]
            for song in [song for song in songs if "acoustic" in song["path"]][::2][:7]:
                assert (
                    client.put(f"/v1/songs/{song['id']}/label", json={"label": "like"}).status_code
                    == 200
                )
        yield running


def draw_first_picture(service: Service) -> None:
    """Have a song's picture drawn, so that the process is there which draws them.

    It takes its time to start; on a busy machine more than the minute after which the service sends
    away who waits for a picture.
    """
    with httpx2.Client(base_url=service.url, timeout=LONG_S) as client:
        song = client.get("/v1/songs").json()["songs"][-1]["id"]
        picture = f"/v1/songs/{song}/spectrogram.png"
        wait_until(lambda: client.get(picture).status_code == 200, "a picture")


def is_problem(answer: httpx2.Response, status: int) -> bool:
    """Whether an answer is a problem document of this status.

    It must have the headers that every answer has.
    """
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert document["status"] == answer.status_code, answer.text
    assert document["title"]
    assert document["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return bool(answer.status_code == status)


def raw(service: Service, request: str | bytes) -> tuple[int, bytes, bytes]:
    """Send bytes as they are; return the status, the head and the body of the answer."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=LONG_S) as connection:
        connection.sendall(request.encode() if isinstance(request, str) else request)
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return 0, b"", b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), head.lower(), body


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


def workers_of(pid: int) -> list[int]:
    """Return the processes that a service has started."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            # No tracker of resources, and none that is only half started; or it has ended
            # meanwhile.
            with suppress(OSError):
                if b"popen_loky" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found
