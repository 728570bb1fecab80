"""What is likely to be liked as a playlist: to download, or put on a music server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from classify.web.answers.song_playlists import PlaylistAsked, PlaylistPaths, write_playlist
from classify.web.app_state import state_of
from classify.web.problems import Problem, problems
from classify.web.routes.params import ListingAsked, TasteQuery
from classify.web.routes.songs import json_response
from classify.web.taste_models import PlaylistName, PlaylistPut, PlaylistServerFound

__all__ = ["push_songs", "read_playlist", "read_server", "router"]

router = APIRouter(tags=["playlists"])

PlaylistKind = Literal["m3u8", "pls", "xspf"]
_MEDIA_TYPES: Mapping[PlaylistKind, str] = {
    "m3u8": "audio/x-mpegurl",
    "pls": "audio/x-scpls",
    "xspf": "application/xspf+xml",
}
_NAMED_MISSING = 20


def _asked(
    wanted: ListingAsked,
    top: Annotated[
        int | None,
        Query(ge=1, le=100_000, description="The N best, whatever they score."),
    ] = None,
    min_score: Annotated[
        float | None,
        Query(
            ge=0,
            le=1,
            description="Default, without `top`, `verdict` and `precision`: where the verdict is "
            "`like`.",
        ),
    ] = None,
    precision: Annotated[
        float | None,
        Query(
            gt=0,
            le=1,
            description="The longest list of which about so many would be liked, as is estimated.",
        ),
    ] = None,
    labelled: Annotated[bool, Query(description="Songs that have a label, too.")] = False,
    new_only: Annotated[
        bool,
        Query(
            description="No song that a playlist has or had which `sevensongs playlist save` keeps."
        ),
    ] = False,
    per_artist: Annotated[
        int | None, Query(ge=1, le=1000, description="At most N songs of an artist.")
    ] = None,
) -> PlaylistAsked:
    return PlaylistAsked(
        top=top,
        min_score=min_score,
        precision=precision,
        labelled=labelled,
        new_only=new_only,
        per_artist=per_artist,
        listing=wanted,
    )


SongsAsked = Annotated[PlaylistAsked, Depends(_asked)]


@router.get(
    "/playlist.{kind}",
    response_class=Response,
    responses={
        200: {
            "content": {one: {"schema": {"type": "string"}} for one in _MEDIA_TYPES.values()},
            "description": "A playlist of paths.",
        },
        **problems(404, 409, 503),
    },
)
async def read_playlist(
    request: Request,
    asked: SongsAsked,
    kind: Annotated[PlaylistKind, Path(description="The playlist's kind, and its file's ending.")],
    taste: TasteQuery = None,
    paths: Annotated[
        PlaylistPaths,
        Query(
            description="As the songs are called here; from the folder that is served, for a list "
            "that is put there; or with `base` in place of that folder."
        ),
    ] = "absolute",
    base: Annotated[
        str | None,
        Query(max_length=1000, description="What another computer calls the folder: `M:\\Music`."),
    ] = None,
) -> Response:
    """Write what is likely to be liked as a playlist: songs that are there and have no label.

    It is what `sevensongs score --format m3u8` (`pls`, `xspf`) writes, less what the filters of
    `/v1/songs` leave out. Where no song is likely, that is a problem.
    """
    state = state_of(request.app)
    name = taste or state.settings.taste

    def written() -> str:
        _, songs = state.slow_answers.playlist(name, asked)
        return write_playlist(songs, kind, paths=paths, folders=state.folders.all, base=base)

    text = await state.slow_lane.run(written, asked_by=request)
    headers = {"Content-Disposition": f"attachment; {_filename(f'{name}.{kind}')}"}
    # A path that is no UTF-8 is written as a file: URL, so nothing is lost here.
    return Response(text.encode("utf-8", "replace"), media_type=_MEDIA_TYPES[kind], headers=headers)


@router.get(
    "/playlist-server",
    responses={200: {"model": PlaylistServerFound}, **problems()},
    response_model=None,
)
def read_server(request: Request) -> Response:
    """Tell which music server playlists can be saved to; it is named when the service starts."""
    target = state_of(request.app).playlist_target
    return json_response({"server": None if target is None else target.name})


@router.post(
    "/playlist-server/playlist",
    responses={200: {"model": PlaylistPut}, **problems(404, 409, 503)},
    response_model=None,
)
async def push_songs(
    request: Request,
    asked: SongsAsked,
    named: Annotated[PlaylistName, Body()],
    taste: TasteQuery = None,
) -> Response:
    """Have a playlist on the music server hold what `/v1/playlist.m3u8` has.

    One of that name is replaced. Songs that are not surely there are left out, and told.
    """
    state = state_of(request.app)
    target, name = state.playlist_target, taste or state.settings.taste
    if target is None:
        raise Problem(
            409,
            "no music server is connected: start the service with 'sevensongs serve --push SERVER'",
        )

    def put() -> dict[str, Any]:
        learnt, songs = state.slow_answers.playlist(name, asked)
        done = target.put(named.name.strip(), songs, learnt)
        return {
            "server": done.server,
            "name": done.name,
            "n_songs": done.n_songs,
            "n_missing": len(done.missing),
            "missing": list(done.missing[:_NAMED_MISSING]),
            "replaced": done.replaced,
        }

    return json_response(await state.slow_lane.run(put))


def _filename(name: str) -> str:
    """Write a file's name for a header (RFC 6266)."""
    plain = name.isascii() and not set(name) & set('\\"%')
    return f'filename="{name}"' if plain else f"filename*=UTF-8''{quote(name, safe='')}"
