"""The page and its files: those that are there when the service starts, and no others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from classify.web.problems import Problem
from classify.web.routes.params import is_known

__all__ = [
    "PageFile",
    "open_icon",
    "open_page",
    "open_page_file",
    "read_page",
    "router",
]

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parents[1] / "page"
_INDEX = "index.html"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, kw_only=True)
class PageFile:
    """A file of the page, in memory."""

    content: bytes
    media_type: str
    etag: str


@lru_cache(maxsize=1)
def read_page(folder: Path = _FOLDER) -> dict[str, PageFile]:
    """Read the page's files, by their paths in the folder.

    They are read once, as no path is ever made of what a client asks for.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        media_type = _MEDIA_TYPES.get(path.suffix)
        if media_type is not None and path.is_file():
            content = path.read_bytes()
            etag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
            found[path.relative_to(folder).as_posix()] = PageFile(
                content=content, media_type=media_type, etag=etag
            )
    return found


@router.api_route("/", methods=["GET", "HEAD"])
async def open_page(request: Request) -> Response:
    """Send the page."""
    return _sent(request, _INDEX)


@router.api_route("/page/{name:path}", methods=["GET", "HEAD"])
async def open_page_file(request: Request, name: str) -> Response:
    """Send a file of the page."""
    return _sent(request, name)


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def open_icon(request: Request) -> Response:
    """Send the icon to browsers that ask for it unasked."""
    return _sent(request, "icon.svg")


def _sent(request: Request, name: str) -> Response:
    files = read_page()
    file = files.get(name)
    if file is None:
        raise Problem(404, "the page has no such file")
    # Asked for again each time, so that a newer version of the program is never shown with an older
    # page.
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if is_known(request, file.etag):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
