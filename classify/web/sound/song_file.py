"""A song's file on its way to a player.

It is the very file of the catalog, in ranges, with its true kind.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from starlette.responses import FileResponse

from classify.web.problems import Problem, problem_response
from classify.web.sound.file_findings import changed_since

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from cache import FileRecord

__all__ = ["SongFile", "media_type", "open_song"]

# By what a file begins with, and not by its name: a page must not be able to call it a page.
_BEGINNINGS = (
    (b"OggS", 0, "audio/ogg"),
    (b"fLaC", 0, "audio/flac"),
    (b"ID3", 0, "audio/mpeg"),
    (b"ftyp", 4, "audio/mp4"),
    (b"WAVE", 8, "audio/wav"),
    (b"AIFF", 8, "audio/aiff"),
    (b"AIFC", 8, "audio/aiff"),
    (b"\x1aE\xdf\xa3", 0, "audio/webm"),
    (b"wvpk", 0, "audio/x-wavpack"),
    (b"MAC ", 0, "audio/x-ape"),
    (b"caff", 0, "audio/x-caf"),
    (b"\x30\x26\xb2\x75", 0, "audio/x-ms-wma"),
)
_HEAD_BYTES = 12
_SYNC, _LAYER = 0xE0, 0x06  # of an MPEG frame's second byte; layer 0 is AAC's


def open_song(digest: str, song: FileRecord) -> SongFile:
    """Open the file that the catalog describes, and no other; what is judged is what was opened.

    Raises
    ------
    Problem
        410 if it has gone, changed, or is no regular file any more.
    """
    try:
        if not stat.S_ISREG(os.stat(song.path).st_mode):
            raise changed_since(song)  # opening a device may set it going
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(song.path, flags), "rb")
    except (OSError, ValueError) as error:
        raise changed_since(song) from error
    try:
        return SongFile(digest, song, file)
    except BaseException:
        file.close()
        raise


def media_type(beginning: bytes) -> str:
    """Tell what a file is from its first twelve bytes."""
    for sign, at, kind in _BEGINNINGS:
        if beginning[at : at + len(sign)] == sign:
            return kind
    if len(beginning) > 1 and beginning[0] == 0xFF and beginning[1] & _SYNC == _SYNC:
        return "audio/mpeg" if beginning[1] & _LAYER else "audio/aac"
    return "application/octet-stream"


class SongFile(FileResponse):
    """Starlette's file response on a file that is open already.

    Its errors are problem documents.

    Parameters
    ----------
    digest : str
    song : FileRecord
    file : file
        Is closed at the end.

    Raises
    ------
    Problem
        410 if the file is not what the catalog says.
    """

    def __init__(self, digest: str, song: FileRecord, file: BinaryIO) -> None:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not song.is_still(status):
            raise changed_since(song)
        self._file = file
        again = f"/dev/fd/{file.fileno()}"  # opens the same file, whatever its name leads to by now
        super().__init__(
            again if os.path.exists(again) else song.path,
            stat_result=status,
            media_type=media_type(file.read(_HEAD_BYTES)),
            headers={
                "ETag": f'"{digest}-{status.st_size:x}-{status.st_mtime_ns:x}"',
                "Cache-Control": "private, max-age=3600",
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or the ranges that are asked for."""
        try:
            await super().__call__(scope, receive, _Explained(send).send)
        finally:
            self._file.close()


class _Explained:
    """Turns the plain errors of `FileResponse` about ranges into problem documents."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._body: bytes | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in (400, 416):
            message = self._explain(message)
        elif self._body is not None:
            message = {"type": "http.response.body", "body": self._body}
        await self._send(message)

    def _explain(self, start: Message) -> Message:
        size = next((value for name, value in start["headers"] if name == b"content-range"), None)
        if start["status"] == 416 and size is not None:
            n_bytes = size.decode().rpartition("/")[2]
            detail = f"the range begins after the file's end; it has {n_bytes} bytes"
            problem = Problem(416, detail, headers={"Content-Range": size.decode()})
        else:
            problem = Problem(400, "the range can't be read; such as 'bytes=0-99' is one")
        response = problem_response(problem)
        self._body = bytes(response.body)
        return {
            "type": "http.response.start",
            "status": problem.status,
            "headers": response.raw_headers,
        }
