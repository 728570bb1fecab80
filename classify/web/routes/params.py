"""What several routes take: ids, taste names, and the live library."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, Field
from starlette.requests import Request

from classify.taste.names import MAX_NAME, is_taste_name
from classify.web.app_state import state_of
from classify.web.live.live_library import LiveLibrary

__all__ = ["LiveLibraryOfApp", "NewName", "SongId", "TasteName", "TasteQuery", "live_library_of"]

SongId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="The recording's audio digest.")
]


def _is_name(name: str | None) -> str | None:
    if name is not None and not is_taste_name(name):
        raise ValueError(
            f"a taste goes by its name here, of up to {MAX_NAME} letters, digits, spaces and signs "
            "such as . _ - &, and not by its file"
        )
    return None if name is None else unicodedata.normalize("NFC", name)


TasteName = Annotated[
    str, Path(max_length=MAX_NAME, description="The taste's name."), AfterValidator(_is_name)
]
TasteQuery = Annotated[
    str | None,
    Query(max_length=MAX_NAME, description="Name of the taste; default: the service's."),
    AfterValidator(_is_name),
]
NewName = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME, description="A name that no taste has."),
    AfterValidator(_is_name),
]


def live_library_of(request: Request) -> LiveLibrary:
    """Return the application's live library."""
    return state_of(request.app).library


LiveLibraryOfApp = Annotated[LiveLibrary, Depends(live_library_of)]
