"""Tastes made, renamed, painted, removed, restored; labels given and undone; two compared."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from classify.web.app_state import AppState, state_of
from classify.web.live.label_queue import LearnOutcome
from classify.web.models import Share, Song
from classify.web.problems import problems
from classify.web.routes.params import LiveLibraryOfApp, NewName, TasteName, TasteQuery
from classify.web.routes.songs import json_response, learnt_told
from classify.web.routes.tastes import taste_told
from classify.web.taste_models import Changes, LabelsAsked, TasteInfo
from classify.web.tastes.taste_comparison import TasteGroup, compare_tastes

__all__ = [
    "ComparedSong",
    "Comparison",
    "TasteAsked",
    "TasteChange",
    "change_taste",
    "changes_told",
    "compare",
    "create_taste",
    "label_songs",
    "redo_labels",
    "remove_taste",
    "restore_taste",
    "router",
    "undo_labels",
]

router = APIRouter(tags=["tastes"])

_MAX_SONGS = 1000
_Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$", description="As #rrggbb.")]


class TasteAsked(BaseModel):
    """A taste that shall be made."""

    model_config = ConfigDict(extra="forbid")
    name: NewName
    copy_of: NewName | None = Field(default=None, description="A taste that it begins as.")
    colour: _Colour | None = None


class TasteChange(BaseModel):
    """What of a taste shall be other than it is."""

    model_config = ConfigDict(extra="forbid")
    name: NewName | None = None
    colour: _Colour | None = None


class ComparedSong(BaseModel):
    """A song, as the first taste has it, and both scores."""

    song: Song
    score_a: Share
    score_b: Share


class Comparison(BaseModel):
    """Songs that both tastes would like, or one of them, best first."""

    a: str
    b: str
    counts: dict[TasteGroup, int]
    group: TasteGroup
    offset: int
    songs: list[ComparedSong]


@router.post(
    "/tastes",
    status_code=201,
    responses={201: {"model": TasteInfo}, **problems(404, 409)},
    response_model=None,
)
async def create_taste(request: Request, asked: TasteAsked) -> Response:
    """Make a taste without labels, or a copy of another one; it lasts, and the command sees it."""
    state = state_of(request.app)

    def create() -> dict[str, Any]:
        state.taste_folder.create(asked.name, copy_of=asked.copy_of)
        state.training.history.forget(asked.name)
        if asked.colour is not None:
            state.taste_folder.paint(asked.name, asked.colour)
        return taste_told(state.library, asked.name)

    return json_response(await asyncio.to_thread(create), status=201)


@router.patch(
    "/tastes/{name}",
    responses={200: {"model": TasteInfo}, **problems(404, 409)},
    response_model=None,
)
async def change_taste(request: Request, name: TasteName, asked: TasteChange) -> Response:
    """Give a taste another name, or another colour."""
    state = state_of(request.app)

    def change() -> dict[str, Any]:
        now = name
        if asked.name is not None and asked.name != name:
            state.taste_folder.rename(name, asked.name)
            state.training.history.renamed(name, asked.name)
            now = asked.name
        told = taste_told(state.library, now)
        if asked.colour is None:
            return told
        state.taste_folder.paint(now, asked.colour)
        return told | {"colour": asked.colour}

    return json_response(await asyncio.to_thread(change))


@router.delete(
    "/tastes/{name}",
    status_code=204,
    response_class=Response,
    responses=problems(404, 409),
)
async def remove_taste(request: Request, name: TasteName) -> Response:
    """Put a taste and its labels away; `restore` brings the last 50 back."""
    await asyncio.to_thread(state_of(request.app).taste_folder.remove, name)
    return Response(status_code=204)


@router.post(
    "/tastes/{name}/restore",
    responses={200: {"model": TasteInfo}, **problems(404, 409)},
    response_model=None,
)
async def restore_taste(request: Request, name: TasteName) -> Response:
    """Bring back the taste that was removed last under this name."""
    state = state_of(request.app)

    def restore() -> dict[str, Any]:
        state.taste_folder.restore(name)
        return taste_told(state.library, name)

    return json_response(await asyncio.to_thread(restore))


@router.post(
    "/tastes/{name}/labels",
    responses={200: {"model": Changes}, **problems(404, 409)},
    response_model=None,
)
async def label_songs(request: Request, name: TasteName, asked: LabelsAsked) -> Response:
    """Give several songs their labels, or take them away, as one step."""
    state = state_of(request.app)
    labels = {one.id: one.label for one in asked.labels}
    return await changes_told(state, await state.label_queue.label_together(name, labels))


@router.post(
    "/tastes/{name}/undo",
    responses={200: {"model": Changes}, **problems(404, 409)},
    response_model=None,
)
async def undo_labels(request: Request, name: TasteName) -> Response:
    """Undo the last labels given here; the steps before them the next time, up to 200."""
    state = state_of(request.app)
    return await changes_told(state, await state.label_queue.step_back(name, "undo"))


@router.post(
    "/tastes/{name}/redo",
    responses={200: {"model": Changes}, **problems(404, 409)},
    response_model=None,
)
async def redo_labels(request: Request, name: TasteName) -> Response:
    """Do again what was undone last."""
    state = state_of(request.app)
    return await changes_told(state, await state.label_queue.step_back(name, "redo"))


async def changes_told(state: AppState, outcome: LearnOutcome, **more: Any) -> Response:
    """Tell what `classify.web.taste_models.Changes` has, and more."""

    def told() -> dict[str, Any]:
        labels = [{"id": digest, "label": label} for digest, label in outcome.labels.items()]
        return {"labels": labels, **learnt_told(state, outcome), **more}

    return json_response(await asyncio.to_thread(told))


@router.get(
    "/compare", responses={200: {"model": Comparison}, **problems(404, 409)}, response_model=None
)
def compare(
    live: LiveLibraryOfApp,
    a: TasteQuery = None,
    b: TasteQuery = None,
    group: TasteGroup = "both",
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_SONGS)] = 100,
) -> Response:
    """List what two tastes agree on, or what only one of them likes."""
    for name in (a, b):
        live.taste(name)  # says that there is none
    one, other = live.ranking(a), live.ranking(b)
    found = compare_tastes(one, other)
    some = found.groups[group][offset : offset + limit]
    songs = zip(
        one.songs(found.rows[some]),
        found.scores_a[some].tolist(),
        found.scores_b[some].tolist(),
        strict=True,
    )
    return json_response(
        {
            "a": one.name,
            "b": other.name,
            "counts": {name: len(places) for name, places in found.groups.items()},
            "group": group,
            "offset": offset,
            "songs": [{"song": song, "score_a": x, "score_b": y} for song, x, y in songs],
        }
    )
