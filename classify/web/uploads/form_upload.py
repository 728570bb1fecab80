"""An upload on its way from the network into a file.

Starlette reads the form, and spools it to an unnamed temporary file; the guard has counted its
bytes and ends it where it is too slow. The process that decodes needs a name to open, so what was
spooled is copied to one: of the 0.33 s that 100 MB take on loopback, that is 0.1 s.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from classify.web.problems import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["UPLOAD_BODY", "receive_file"]

_FIELD = "file"
_HOW = (
    "send it as multipart/form-data in the field 'file', with a file name, as "
    "'curl -F file=@song.mp3' does, and nothing else"
)
_COPIED_BYTES = 2**20  # at a time

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


async def receive_file(request: Request, path: Path) -> None:
    """Write the field ``file`` of a form to a new file; the client's name for it is not used.

    Parameters
    ----------
    request : Request
        Of which the body has not been read.
    path : Path
        There must be no such file.

    Raises
    ------
    Problem
        415 or 400 if the body is no such form, 507 if it can't be written.
    ClientDisconnect
        If the client leaves before the end.
    """
    _require_form(request.headers.get("content-type", ""))
    try:
        async with request.form(max_files=1, max_fields=0) as form:
            await asyncio.to_thread(_copy, _file_of(form), path)
    except HTTPException as error:
        raise _unreadable(error.detail.rstrip(".")) from error
    except OSError as error:
        raise _unwritable(error) from error


def _require_form(content_type: str) -> None:
    """Refuse another kind of body, and a charset that Python would look for and never forget."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise Problem(415, f"the body is {content_type[:80]!r}; {_HOW}")
    charset = options.get(b"charset", b"utf-8")
    if charset.lower() not in (b"utf-8", b"utf8"):
        raise _unreadable(f"its charset is {charset.decode('latin-1')[:40]!r}, not 'utf-8'")


def _unreadable(why: str) -> Problem:
    return Problem(400, f"the form can't be read ({why}); {_HOW}")


def _file_of(form: FormData) -> BinaryIO:
    upload = form.get(_FIELD)
    if not isinstance(upload, UploadFile):
        raise Problem(400, f"the form has no field 'file', or ends before it does; {_HOW}")
    return upload.file


def _copy(spooled: BinaryIO, path: Path) -> None:
    with _create(path) as file:
        shutil.copyfileobj(spooled, file, _COPIED_BYTES)


def _create(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def _unwritable(error: OSError) -> Problem:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = (
        "free some space in the temporary folder"
        if full
        else "see to the temporary folder (TMPDIR)"
    )
    return Problem(507, f"the upload can't be kept while it is heard ({error.strerror}); {remedy}")
