"""Routes of tastes.

Which there are, how good they are, learning again, what to label next.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from classify.output.plot_style import Theme
from classify.web.app_state import state_of
from classify.web.models import MapFound, SuggestionList
from classify.web.problems import problems
from classify.web.routes.params import LiveLibraryOfApp, TasteName, TasteQuery
from classify.web.routes.songs import json_response
from classify.web.taste_models import EvaluationFound, TasteInfo, TasteList, TrainAsked

__all__ = [
    "evaluate_taste",
    "list_tastes",
    "read_map",
    "read_report",
    "read_taste",
    "router",
    "suggest_songs",
    "taste_told",
    "train_taste",
]

router = APIRouter(tags=["tastes"])

# Beside the page's own, which lets in its one style sheet by its hash.
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)


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


@router.get(
    "/tastes/{name}/report",
    response_class=HTMLResponse,
    responses={
        200: {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}},
        **problems(404, 409, 503),
    },
)
async def read_report(
    request: Request,
    name: TasteName,
    theme: Annotated[Theme, Query(description="Its colours; default: the reader's.")] = "system",
) -> Response:
    """Write the report of `sevensongs evaluate --report`: a page that asks for nothing.

    It takes seconds, once for each taste. It may stand in a frame of this service alone, and runs
    no script.
    """
    state = state_of(request.app)
    page = await state.study_lane.run(lambda: state.reports.page(name, theme))
    headers = {"Content-Security-Policy": _REPORT_POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(page, headers=headers)


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


@router.get("/map", responses={200: {"model": MapFound}, **problems(409, 503)}, response_model=None)
async def read_map(request: Request, taste: TasteQuery = None) -> Response:
    """Tell where all songs lie in two dimensions, as the taste hears them; 33 bytes a song.

    By UMAP where `umap-learn` is installed, else by PCA; the same dots as the report's.
    """
    state = state_of(request.app)
    name = taste or state.settings.taste
    work = partial(state.slow_answers.map, name)
    return json_response(await state.slow_lane.run(work, asked_by=request))
