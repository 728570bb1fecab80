"""An upload on its way from the network into a file: multipart/form-data, piece by piece."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from classify.web.problems import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks
    from starlette.requests import Request

    from classify.web.uploads.upload_slots import UploadSlot

__all__ = ["UPLOAD_BODY", "receive_file"]

_FIELD = b"file"
_HOW = "send it as multipart/form-data in the field 'file', as 'curl -F file=@song.mp3' does"
_WRITE_BYTES = 2**20  # written at a time, in a thread: a slow disk must not hold up the others

UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "An audio file.",
                        }
                    },
                }
            }
        },
    }
}
"""What the OpenAPI document says of an upload's body, which FastAPI does not see."""


async def receive_file(request: Request, place: UploadSlot) -> None:
    """Write the field ``file`` of a form to a new file; the client's name for it is not used.

    Parameters
    ----------
    request : Request
        Of which the body has not been read.
    place : UploadSlot
        Its file must not exist; is told of the bytes as they come.

    Raises
    ------
    Problem
        If the body is no such form, or can't be written.
    ClientDisconnect
        If the client leaves before the end.
    """
    form = _Form()
    parser = MultipartParser(_boundary(request), form.callbacks())
    file = await asyncio.to_thread(_create, place.path)
    try:
        async for piece in request.stream():
            place.n_bytes += len(piece)
            try:
                parser.write(piece)
            except FormParserError as error:
                raise Problem(400, f"the form can't be read ({error}); {_HOW}") from error
            if form.n_pending >= _WRITE_BYTES:
                await asyncio.to_thread(_write, file, form.take())
        await asyncio.to_thread(_write, file, form.take())
        form.require_whole()
    finally:
        with suppress(OSError):
            file.close()


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise Problem(415, f"the body is {kind.decode('latin-1')[:80]!r}; {_HOW}")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise Problem(
            400, f"the form's boundary has {len(boundary)} characters, 1 to 70 are needed; {_HOW}"
        )
    return boundary


def _create(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)
    except OSError as error:
        raise _unwritable(error) from error


def _write(file: BinaryIO, pieces: list[bytes]) -> None:
    data = memoryview(b"".join(pieces))
    try:
        while data:
            data = data[file.write(data) :]
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> Problem:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = (
        "free some space in the temporary folder"
        if full
        else "see to the temporary folder (TMPDIR)"
    )
    return Problem(507, f"the upload can't be kept while it is heard ({error.strerror}); {remedy}")


class _Form:
    """What takes the things that the parser finds.

    There is one field, and its content is kept until it is written.
    """

    def __init__(self) -> None:
        self._name, self._value = b"", b""
        self._disposition = b""
        self._pending: list[bytes] = []
        self._n_files = 0
        self._is_whole = False
        self.n_pending = 0

    def callbacks(self) -> MultipartCallbacks:
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._add,
            "on_header_end": self._header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def take(self) -> list[bytes]:
        """Hand over what is to be written."""
        pending, self._pending, self.n_pending = self._pending, [], 0
        return pending

    def require_whole(self) -> None:
        """Refuse a form that broke off, or that holds no file."""
        if not self._is_whole:
            raise Problem(400, f"the form ends before its last boundary; {_HOW}")
        if not self._n_files:
            raise Problem(422, f"the form has no field 'file'; {_HOW}")

    def _begin(self) -> None:
        self._name, self._value, self._disposition = b"", b"", b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"")
        if name != _FIELD:
            shown = repr(name.decode("latin-1")[:80])
            raise Problem(422, f"the form has a field {shown}; {_HOW}, and nothing else")
        self._n_files += 1
        if self._n_files > 1:
            raise Problem(422, "the form has several files; send one at a time")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._pending.append(data[start:end])
        self.n_pending += end - start

    def _end(self) -> None:
        self._is_whole = True
