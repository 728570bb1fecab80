"""Routes of songs: the ranked list, one song with its reasons, its score, its label."""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from classify.web.app_state import AppState, state_of
from classify.web.live.changes import changes_between, moved_between, moves_between
from classify.web.live.label_queue import LearnOutcome
from classify.web.live.ranked_songs import Listing
from classify.web.models import (
    Change,
    Detail,
    LabelAsked,
    LabelName,
    ScoreOfSong,
    SongPage,
    Verdict,
)
from classify.web.problems import Problem, problems
from classify.web.routes.params import LiveLibraryOfApp, SongId, TasteQuery

__all__ = [
    "json_response",
    "label_song",
    "learnt_told",
    "list_songs",
    "read_score",
    "read_song",
    "router",
    "unlabel_song",
]

router = APIRouter(tags=["songs"])

_MAX_SONGS = 1000
_MAX_WORDS = 200
_ASKED_FOR_SCORE = re.compile(r"[0-9a-f]{32}")

Sort = Literal["score", "moved", "artist", "title", "path", "duration"]


def json_response(document: Any, *, status: int = 200) -> Response:
    """Write JSON in ASCII alone, as a file's name may hold what UTF-8 does not."""
    return Response(
        json.dumps(document, separators=(",", ":")).encode(),
        status_code=status,
        media_type="application/json",
    )


@router.get("/songs", responses={200: {"model": SongPage}, **problems(409)}, response_model=None)
def list_songs(
    live: LiveLibraryOfApp,
    taste: TasteQuery = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_SONGS)] = 100,
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
            max_length=_MAX_WORDS, description="Words that stand in artist, title, album or path."
        ),
    ] = "",
    label: Annotated[Literal["like", "dislike", "none"] | None, Query()] = None,
    verdict: Annotated[Verdict | None, Query()] = None,
    once: Annotated[
        bool,
        Query(
            description="Each song once: not its copies in other formats, nor, among songs without "
            "a label, those of labelled ones."
        ),
    ] = False,
) -> Response:
    """List songs, best first unless told otherwise.

    Without a taste yet there are no ranks, and what would be sorted by them is sorted by path.
    Files that have gone since they were embedded are listed too.
    """
    ranking = live.ranking(taste)
    descending = order == "desc" if order else sort in ("score", "moved")
    wanted = Listing(
        sort=sort, descending=descending, words=q, label=label, verdict=verdict, once=once
    )
    rows = ranking.rows(wanted)
    return json_response(
        {
            "taste": ranking.name,
            "revision": ranking.revision,
            "total": len(ranking.columns),
            "matched": len(rows),
            "groups": ranking.groups(rows),
            "offset": offset,
            "songs": ranking.songs(rows[offset : offset + limit]),
        }
    )


@router.get(
    "/songs/{song_id}",
    responses={200: {"model": Detail}, **problems(404, 409, 503)},
    response_model=None,
)
async def read_song(request: Request, song_id: SongId, taste: TasteQuery = None) -> Response:
    """Tell why a song has its score, and what sounds like it.

    The first time the song is heard whole.
    """
    state = state_of(request.app)
    name = taste or state.settings.taste
    work = partial(state.slow_answers.detail, name, song_id)
    return json_response(await state.slow_lane.run(work, asked_by=request))


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
    """Tell what `classify.web.models.Learnt` has."""
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
