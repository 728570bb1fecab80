"""Likes of many songs at once: of what a playlist names, or of what lies in a folder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from classify.output.formats import printable
from classify.output.own_lists import is_own_text, is_pushed_list
from classify.web.app_state import AppState, state_of
from classify.web.live.label_queue import LearnOutcome
from classify.web.live.ranked_songs import RankedSongs
from classify.web.problems import Problem, problems
from classify.web.routes.params import LiveLibraryOfApp, TasteName
from classify.web.routes.songs import json_response
from classify.web.routes.taste_changes import changes_told
from classify.web.taste_models import Changes
from classify.web.tastes.listed_songs import listed_songs
from classify.web.tastes.song_folders import song_folders, songs_below

__all__ = [
    "FolderLiked",
    "Imported",
    "SongFolderFound",
    "SongFolderList",
    "import_likes",
    "like_folder",
    "list_song_folders",
    "router",
]

router = APIRouter(tags=["tastes"])

ListKind = Literal[
    "asx", "csv", "jspf", "m3u", "m3u8", "nml", "pls", "tsv", "txt", "wax", "wpl", "xml", "xspf",
    "zpl",
]  # fmt: skip


class Imported(Changes):
    """What a list brought; songs that had a label keep it."""

    n_entries: int
    n_new: int = Field(description="Songs that are liked now and had no label.")
    n_missing: int = Field(description="Entries that are no song of the library.")
    missing: list[str] = Field(description="The first 100 of those.")


class FolderLiked(BaseModel):
    """A folder of the library."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(
        min_length=1, max_length=4096, description="As `/library/song-folders` has it."
    )


class SongFolderFound(BaseModel):
    """A folder with songs of the library in it or below."""

    path: str
    name: str = Field(description="From the folder that has all songs.")
    n_songs: int


class SongFolderList(BaseModel):
    """Folders with up to half of the library, by path; the 2,000 with most songs."""

    folders: list[SongFolderFound]


@router.post(
    "/tastes/{name}/import",
    responses={200: {"model": Imported}, **problems(404, 409, 413)},
    response_model=None,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def import_likes(
    request: Request,
    name: TasteName,
    kind: Annotated[ListKind, Query(description="The list's kind: the ending of its file.")],
) -> Response:
    """Like the songs that a playlist names, as one step; its paths may be another computer's.

    The body is the file, of up to 8 MiB. No file that it names is opened.
    """
    state = state_of(request.app)
    content = await request.body()
    if is_own_text(content):
        raise Problem(
            422,
            "this list was made by Seven Songs from scores; a taste must not learn its own guesses",
        )
    ranking = await asyncio.to_thread(state.library.ranking, name)
    listed = await asyncio.to_thread(listed_songs, content, kind, ranking.columns)
    if not listed.digests:
        raise Problem(
            422,
            f"none of the {listed.n_entries} entries is a song of the library; the first is "
            f"{listed.missing[0]!r:.200}",
        )
    if await asyncio.to_thread(is_pushed_list, listed.digests, state.settings.root):
        raise Problem(
            422,
            "this list has the very songs of one that Seven Songs has put on a server; a taste "
            "must not learn its own guesses. Like those of its songs that you do like",
        )
    new, outcome = await _like(state, ranking, listed.digests)
    return await changes_told(
        state,
        outcome,
        n_entries=listed.n_entries,
        n_new=len(new),
        n_missing=listed.n_missing,
        missing=[printable(entry) for entry in listed.missing],
    )


@router.get(
    "/library/song-folders",
    responses={200: {"model": SongFolderList}, **problems(409)},
    response_model=None,
)
def list_song_folders(live: LiveLibraryOfApp) -> Response:
    """List the folders that the library's songs lie in, by the catalog; no disk is looked at."""
    folders = song_folders(live.columns())
    return json_response({"folders": [asdict(folder) for folder in folders]})


@router.post(
    "/tastes/{name}/import-folder",
    responses={200: {"model": Imported}, **problems(404, 409)},
    response_model=None,
)
async def like_folder(request: Request, name: TasteName, asked: FolderLiked) -> Response:
    """Like the songs of the library that lie in a folder, or below, as one step."""
    state = state_of(request.app)
    ranking = await asyncio.to_thread(state.library.ranking, name)
    digests = await asyncio.to_thread(songs_below, asked.path, ranking.columns)
    new, outcome = await _like(state, ranking, digests)
    return await changes_told(
        state, outcome, n_entries=len(digests), n_new=len(new), n_missing=0, missing=[]
    )


async def _like(
    state: AppState, ranking: RankedSongs, digests: Sequence[str]
) -> tuple[dict[str, str], LearnOutcome]:
    """Like the songs that have no label; return these, and what was learnt."""
    known = ranking.labelled()
    new = {digest: "like" for digest in digests if digest not in known}
    return new, await state.label_queue.label_together(ranking.name, new)
