"""What several routes take: ids, taste names, and the live library."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AfterValidator
from starlette.requests import Request

from classify.web.app_state import state_of
from classify.web.live.live_library import LiveLibrary

__all__ = ["LiveLibraryOfApp", "SongId", "TasteName", "TasteQuery", "live_library_of"]

_NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$"

SongId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="The recording's audio digest.")
]


def _no_path(name: str | None) -> str | None:
    if name is not None and name.endswith(".npz"):
        raise ValueError("a taste goes by its name here, not by its file")
    return name


TasteName = Annotated[
    str,
    Path(pattern=_NAME, max_length=80, description="The taste's name."),
    AfterValidator(_no_path),
]
TasteQuery = Annotated[
    str | None,
    Query(pattern=_NAME, max_length=80, description="Name of the taste; default: the service's."),
    AfterValidator(_no_path),
]


def live_library_of(request: Request) -> LiveLibrary:
    """Return the application's live library."""
    return state_of(request.app).library


LiveLibraryOfApp = Annotated[LiveLibrary, Depends(live_library_of)]
