"""What several routes take: ids, taste names, and the live library."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, Field
from starlette.requests import Request

from classify.taste.names import MAX_NAME, is_taste_name
from classify.web.app_state import state_of
from classify.web.live.live_library import LiveLibrary
from classify.web.live.ranked_songs import Listing
from classify.web.models import Verdict

__all__ = [
    "ListingAsked",
    "LiveLibraryOfApp",
    "NewName",
    "SongId",
    "Sort",
    "TasteName",
    "TasteQuery",
    "is_known",
    "live_library_of",
]

SongId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="The recording's audio digest.")
]


_MAX_WORDS = 200


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


Sort = Literal["score", "moved", "artist", "title", "path", "duration"]


def _listing(
    sort: Annotated[
        Sort, Query(description="'moved': by places gained in the last training.")
    ] = "score",
    order: Annotated[
        Literal["asc", "desc"] | None,
        Query(description="Default: desc for score and moved, else asc."),
    ] = None,
    q: Annotated[
        str,
        Query(
            max_length=_MAX_WORDS,
            description="Words that stand in artist, title, album, path or tags.",
        ),
    ] = "",
    label: Annotated[Literal["like", "dislike", "none"] | None, Query()] = None,
    verdict: Annotated[Verdict | None, Query()] = None,
    tag: Annotated[
        str | None, Query(max_length=80, description="A tag of `/v1/tags` that the song has.")
    ] = None,
    once: Annotated[
        bool,
        Query(
            description="Each song once: not its copies in other formats, nor, among songs without "
            "a label, those of labelled ones."
        ),
    ] = False,
) -> Listing:
    descending = order == "desc" if order else sort in ("score", "moved")
    return Listing(
        sort=sort,
        descending=descending,
        words=q,
        label=label,
        verdict=verdict,
        tag=tag,
        once=once,
    )


ListingAsked = Annotated[Listing, Depends(_listing)]


def live_library_of(request: Request) -> LiveLibrary:
    """Return the application's live library."""
    return state_of(request.app).library


def is_known(request: Request, etag: str) -> bool:
    """Whether a client says that it has the version of an answer that an ETag names."""
    known = request.headers.get("if-none-match", "")
    return etag in (one.strip().removeprefix("W/") for one in known.split(","))


LiveLibraryOfApp = Annotated[LiveLibrary, Depends(live_library_of)]
