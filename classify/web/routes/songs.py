"""Routes of songs: the ranked list, one song with its reasons, its score, its label."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from classify.web.answers.alike_songs import tag_move_of
from classify.web.app_state import AppState, state_of
from classify.web.live.changes import changes_between, moved_between, moves_between
from classify.web.live.label_queue import LearnOutcome
from classify.web.models import (
    ArtistList,
    Detail,
    LabelAsked,
    LabelName,
    Moments,
    OutlineFound,
    ScoreOfSong,
    SongPage,
    TagList,
)
from classify.web.problems import Problem, problems
from classify.web.routes.params import ListingAsked, LiveLibraryOfApp, SongId, TasteQuery
from classify.web.taste_models import Change

__all__ = [
    "json_response",
    "label_song",
    "learnt_told",
    "list_artists",
    "list_songs",
    "list_tags",
    "read_moments",
    "read_outline",
    "read_score",
    "read_song",
    "router",
    "unlabel_song",
]

router = APIRouter(tags=["songs"])

_MAX_SONGS = 1000


def json_response(document: Any, *, status: int = 200) -> Response:
    """Write JSON in ASCII alone, as a file's name may hold what UTF-8 does not."""
    return Response(
        json.dumps(document, separators=(",", ":")).encode(),
        status_code=status,
        media_type="application/json",
    )


@router.get(
    "/songs",
    responses={200: {"model": SongPage}, **problems(404, 409)},
    response_model=None,
)
def list_songs(
    request: Request,
    live: LiveLibraryOfApp,
    wanted: ListingAsked,
    taste: TasteQuery = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_SONGS)] = 100,
    like: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9a-f]{32}$",
            description="A song: list the 500 that sound most like it, the nearest first.",
        ),
    ] = None,
    move: Annotated[
        str | None,
        Query(
            max_length=100,
            description="With `like`: those with more or less of a tag, such as `quiet:+1`.",
        ),
    ] = None,
    as_of: Annotated[
        int | None, Query(ge=0, description="A revision: its order, as long as it is known.")
    ] = None,
) -> Response:
    """List songs, best first unless told otherwise.

    Without a taste yet there are no ranks, and what would be sorted by them is sorted by path.
    Files that have gone since they were embedded are listed too.
    """
    ranking = live.ranking(taste)
    ordered = ranking if as_of is None else live.as_of(ranking, as_of)
    extra: list[dict[str, Any]] = []
    if like is None:
        rows = ordered.rows(wanted)
        some = rows[offset : offset + limit]
    else:
        row = live.row_of(ranking.columns, like)
        move_by = None if move is None else tag_move_of(move)
        found = state_of(request.app).slow_answers.alike(ranking, row, move_by)
        chosen = ranking.chosen_among(found.rows, wanted)
        rows = found.rows[chosen]
        some = rows[offset : offset + limit]
        extra = found.told(chosen[offset : offset + limit])
    songs = ranking.songs(some)
    return json_response(
        {
            "taste": ranking.name,
            "revision": ranking.revision,
            "order_revision": ordered.revision,
            "total": len(ranking.columns),
            "matched": len(rows),
            "groups": ranking.groups(rows),
            "offset": offset,
            "songs": [a | b for a, b in zip(songs, extra, strict=True)] if extra else songs,
        }
    )


@router.get("/tags", responses={200: {"model": TagList}, **problems(409)}, response_model=None)
def list_tags(live: LiveLibraryOfApp, taste: TasteQuery = None) -> Response:
    """List the tags of the taste's encoder that tell something of songs; none where it has none."""
    return json_response({"tags": live.ranking(taste).columns.tags.counts()})


@router.get(
    "/artists", responses={200: {"model": ArtistList}, **problems(409)}, response_model=None
)
def list_artists(
    request: Request,
    taste: TasteQuery = None,
    top: Annotated[int, Query(ge=1, le=_MAX_SONGS, description="So many of them.")] = 100,
) -> Response:
    """List the artists with most songs, as the songs' tags name them; case does not count."""
    state = state_of(request.app)
    return json_response(state.slow_answers.artists(taste or state.settings.taste, top))


@router.get(
    "/songs/{song_id}",
    responses={200: {"model": Detail}, **problems(404, 409, 503)},
    response_model=None,
)
async def read_song(request: Request, song_id: SongId, taste: TasteQuery = None) -> Response:
    """Tell of a song what is known: its score, its tags, and what sounds like it."""
    state = state_of(request.app)
    name = taste or state.settings.taste
    return json_response(await asyncio.to_thread(state.slow_answers.detail, name, song_id))


@router.get(
    "/songs/{song_id}/moments",
    responses={200: {"model": Moments}, **problems(404, 409, 503)},
    response_model=None,
)
async def read_moments(
    request: Request,
    song_id: SongId,
    taste: TasteQuery = None,
    whole: Annotated[
        bool, Query(description="Hear all of the song first; this takes seconds, once.")
    ] = False,
) -> Response:
    """Tell why a song has its score, by the moments of it that have been heard, or by all."""
    state = state_of(request.app)
    name = taste or state.settings.taste
    work = partial(state.slow_answers.moments, name, song_id, whole=whole)
    return json_response(await state.slow_lane.run(work, asked_by=request))


@router.get(
    "/songs/{song_id}/outline",
    responses={200: {"model": OutlineFound}, **problems(404, 409, 503)},
    response_model=None,
)
def read_outline(request: Request, song_id: SongId, taste: TasteQuery = None) -> Response:
    """Tell how a song goes, and where its best 20 s are, at once: by what is stored of it.

    Before there is a taste these are the 20 s that sound most like the whole song.
    """
    state = state_of(request.app)
    name = taste or state.settings.taste
    return json_response(state.slow_answers.outline(name, song_id))


@router.get(
    "/songs/{song_id}/score",
    responses={200: {"model": ScoreOfSong}, **problems(404, 409)},
    response_model=None,
)
def read_score(live: LiveLibraryOfApp, song_id: SongId, taste: TasteQuery = None) -> Response:
    """Tell a cached song's score; `classify.web.routes.fast_score` gives the same answer sooner."""
    ranking = live.ranking(taste)
    answer = ranking.score_json(song_id)
    if answer is None:
        live.row_of(ranking.columns, song_id)  # says that it is not there
        live.taste(taste)  # says that there is none
        raise Problem(409, "the taste has just been learnt; ask again")
    return Response(answer, media_type="application/json")


@router.put(
    "/songs/{song_id}/label",
    responses={200: {"model": Change}, **problems(404, 409)},
    response_model=None,
)
async def label_song(
    request: Request,
    song_id: SongId,
    asked: LabelAsked,
    taste: TasteQuery = None,
) -> Response:
    """Like or dislike a song; the taste learns at once, and the answer tells what moved."""
    return await _label(request, song_id, asked.label, taste)


@router.delete(
    "/songs/{song_id}/label",
    responses={200: {"model": Change}, **problems(404, 409)},
    response_model=None,
)
async def unlabel_song(request: Request, song_id: SongId, taste: TasteQuery = None) -> Response:
    """Take a song's label away; the taste learns at once."""
    return await _label(request, song_id, None, taste)


async def _label(
    request: Request, digest: str, label: LabelName | None, taste: str | None
) -> Response:
    state = state_of(request.app)
    name = taste or state.settings.taste
    outcome = await state.label_queue.label(name, digest, label)

    def told() -> dict[str, Any]:
        row = outcome.ranking.columns.row_of(digest)
        now = None if row is None else outcome.ranking.label_of(row)
        return {"id": digest, "label": now, **learnt_told(state, outcome)}

    return json_response(await asyncio.to_thread(told))


def learnt_told(state: AppState, outcome: LearnOutcome) -> dict[str, Any]:
    """Tell what `classify.web.taste_models.Learnt` has."""
    former, ranking = outcome.former, outcome.ranking
    entered, left = moves_between(former, ranking)
    n_changed, changed = changes_between(former, ranking)
    return {
        "taste": state.library.taste_info(ranking.name),
        "revision": ranking.revision,
        "note": outcome.note,
        "n_changed": n_changed,
        "n_likely": n_changed["like"],
        "n_moved": moved_between(former, ranking),
        "changed": changed,
        "entered": entered,
        "left": left,
        **state.training.history.counts(ranking.name),
        "wall_s": outcome.wall_s,
    }
