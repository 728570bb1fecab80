"""Routes of tastes.

Which there are, how good they are, learning again, what to label next, and a playlist.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from classify.web.answers.song_playlists import PlaylistAsked
from classify.web.app_state import state_of
from classify.web.models import MapFound, SuggestionList
from classify.web.problems import problems
from classify.web.routes.params import ListingAsked, LiveLibraryOfApp, TasteName, TasteQuery
from classify.web.routes.songs import json_response
from classify.web.taste_models import EvaluationFound, TasteInfo, TasteList, TrainAsked

__all__ = [
    "evaluate_taste",
    "list_tastes",
    "read_map",
    "read_playlist",
    "read_taste",
    "router",
    "suggest_songs",
    "taste_told",
    "train_taste",
]

router = APIRouter(tags=["tastes"])

PlaylistKind = Literal["m3u8", "pls", "xspf"]
_MEDIA_TYPES: Mapping[PlaylistKind, str] = {
    "m3u8": "audio/x-mpegurl",
    "pls": "audio/x-scpls",
    "xspf": "application/xspf+xml",
}


@router.get("/tastes", responses={200: {"model": TasteList}, **problems()}, response_model=None)
def list_tastes(request: Request, live: LiveLibraryOfApp) -> Response:
    """List the tastes, the default first; of each how good it is."""
    tastes = [live.taste_info(name) for name in live.taste_names()]
    removed = state_of(request.app).taste_folder.removed_names()
    return json_response({"tastes": tastes, "removed": removed})


@router.get(
    "/tastes/{name}", responses={200: {"model": TasteInfo}, **problems(404)}, response_model=None
)
def read_taste(live: LiveLibraryOfApp, name: TasteName) -> Response:
    """Tell of one taste."""
    return json_response(taste_told(live, name))


def taste_told(live: Any, name: str) -> dict[str, Any]:
    """Tell what `classify.web.taste_models.TasteInfo` has; a 404 problem if there is none."""
    if name != live.settings.taste and not live.tastes.exists(name):
        live.taste(name)  # says that there is none
    found: dict[str, Any] = live.taste_info(name)
    return found


@router.get(
    "/tastes/{name}/evaluation",
    responses={200: {"model": EvaluationFound}, **problems(404, 409, 503)},
    response_model=None,
)
async def evaluate_taste(request: Request, name: TasteName) -> Response:
    """Tell how good a taste is on songs that it has not seen.

    It takes seconds, once for each taste.
    """
    state = state_of(request.app)
    work = partial(state.slow_answers.evaluation, name)
    return json_response(await state.study_lane.run(work, asked_by=request))


@router.post(
    "/tastes/{name}/train",
    responses={200: {"model": TasteInfo}, **problems(404, 409, 503)},
    response_model=None,
)
async def train_taste(
    request: Request, name: TasteName, asked: Annotated[TrainAsked | None, Body()] = None
) -> Response:
    """Learn a taste again from its labels."""
    state = state_of(request.app)
    head = (asked or TrainAsked()).head

    def train() -> dict[str, Any]:
        outcome = state.training.train(name, head)
        return taste_told(state.library, outcome.ranking.name)

    return json_response(await state.study_lane.run(train))


@router.get(
    "/suggestions",
    responses={200: {"model": SuggestionList}, **problems(404, 409, 503)},
    response_model=None,
)
async def suggest_songs(
    request: Request, taste: TasteQuery = None, top: Annotated[int, Query(ge=1, le=50)] = 5
) -> Response:
    """Choose the songs from whose labels the taste would learn most, and say why."""
    state = state_of(request.app)
    name = taste or state.settings.taste
    work = partial(state.slow_answers.suggestions, name, top)
    return json_response(await state.slow_lane.run(work, asked_by=request))


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
    wanted: ListingAsked,
    kind: Annotated[PlaylistKind, Path(description="The playlist's kind, and its file's ending.")],
    taste: TasteQuery = None,
    top: Annotated[
        int | None,
        Query(ge=1, le=100_000, description="The N best, whatever they score."),
    ] = None,
    min_score: Annotated[
        float | None,
        Query(
            ge=0,
            le=1,
            description="Default, without `top` and `verdict`: where the verdict is `like`.",
        ),
    ] = None,
    labelled: Annotated[bool, Query(description="Songs that have a label, too.")] = False,
    per_artist: Annotated[
        int | None, Query(ge=1, le=1000, description="At most N songs of an artist.")
    ] = None,
) -> Response:
    """Write what is likely to be liked as a playlist: songs that are there and have no label.

    It is what `sevensongs score --format m3u8` (`pls`, `xspf`) writes, less what the filters of
    `/v1/songs` leave out. Where no song is likely, that is a problem.
    """
    state = state_of(request.app)
    name = taste or state.settings.taste
    asked = PlaylistAsked(
        kind=kind,
        top=top,
        min_score=min_score,
        labelled=labelled,
        per_artist=per_artist,
        listing=wanted,
    )
    work = partial(state.slow_answers.playlist, name, asked)
    text = await state.slow_lane.run(work, asked_by=request)
    headers = {"Content-Disposition": f"attachment; {_filename(f'{name}.{kind}')}"}
    # A path that is no UTF-8 is written as a file: URL, so nothing is lost here.
    return Response(text.encode("utf-8", "replace"), media_type=_MEDIA_TYPES[kind], headers=headers)


def _filename(name: str) -> str:
    """Write a file's name for a header (RFC 6266)."""
    plain = name.isascii() and not set(name) & set('\\"%')
    return f'filename="{name}"' if plain else f"filename*=UTF-8''{quote(name, safe='')}"


@router.get("/map", responses={200: {"model": MapFound}, **problems(409, 503)}, response_model=None)
async def read_map(request: Request, taste: TasteQuery = None) -> Response:
    """Tell where all songs lie in two dimensions, as the taste hears them; 33 bytes a song.

    By UMAP where `umap-learn` is installed, else by PCA; the same dots as the report's.
    """
    state = state_of(request.app)
    name = taste or state.settings.taste
    work = partial(state.slow_answers.map, name)
    return json_response(await state.slow_lane.run(work, asked_by=request))
