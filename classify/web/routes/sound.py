"""A song's own bytes, its pictures, how loud it is: of files that are what the catalog says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from classify.web.app_state import state_of
from classify.web.disconnects import unless_gone
from classify.web.models import LoudnessOfSong
from classify.web.problems import Problem, problems
from classify.web.routes.params import LiveLibraryOfApp, SongId, is_known
from classify.web.sound.covers import CoverSize
from classify.web.sound.file_findings import FileFindings
from classify.web.sound.song_file import open_song
from classify.web.sound.spectrograms import Spectrogram, write_png

if TYPE_CHECKING:
    from cache import FileRecord

__all__ = ["router"]

_T = TypeVar("_T")

router = APIRouter(tags=["songs"])

_WAIT_S = 60.0
_PROBLEMS = problems(401, 403, 404, 410)
_FOR_A_DAY = "private, max-age=86400"  # a song's name is a digest of its sound
_BINARY = {"schema": {"type": "string", "format": "binary"}}


async def song_audio(song_id: SongId, live: LiveLibraryOfApp) -> Response:
    """Send the song's file, or the ranges of it that are asked for."""
    song = await asyncio.to_thread(live.song_file, song_id)
    return await asyncio.to_thread(open_song, song_id, song)


_AUDIO_ANSWERS = problems(401, 403, 404, 410, 416) | {
    200: {"description": "The file.", "content": {"audio/*": _BINARY}},
    206: {"description": "A part of it, or several.", "content": {"audio/*": _BINARY}},
}
router.add_api_route(
    "/songs/{song_id}/audio",
    song_audio,
    methods=["GET"],
    response_class=FileResponse,
    responses=_AUDIO_ANSWERS,
)
router.add_api_route(
    "/songs/{song_id}/audio", song_audio, methods=["HEAD"], include_in_schema=False
)


@router.get(
    "/songs/{song_id}/spectrogram.png",
    response_class=Response,
    responses=_PROBLEMS
    | problems(413, 503)
    | {200: {"description": "The picture.", "content": {"image/png": _BINARY}}},
)
async def song_spectrogram(
    request: Request,
    song_id: SongId,
    live: LiveLibraryOfApp,
    width: Annotated[int, Query(ge=16, le=2000, description="In pixels.")] = 1000,
    height: Annotated[int, Query(ge=16, le=512, description="In pixels.")] = 128,
) -> Response:
    """Draw the whole song: time to the right, low notes at the bottom, no axes.

    The headers `X-Duration-S` and `X-Highest-Hz` tell what it covers.
    """
    song = await asyncio.to_thread(live.song_file, song_id)
    picture = await _found(request, state_of(request.app).spectrograms, song)
    return await asyncio.to_thread(_drawn, picture, width, height)


@router.get(
    "/songs/{song_id}/loudness",
    responses={200: {"model": LoudnessOfSong}, **_PROBLEMS, **problems(413, 503)},
    response_model=None,
)
async def read_loudness(request: Request, song_id: SongId, live: LiveLibraryOfApp) -> Response:
    """Measure how loud a song is, and tell by how much to play it quieter beside others."""
    song = await asyncio.to_thread(live.song_file, song_id)
    loudness = await _found(request, state_of(request.app).loudness, song)
    told = {"id": song_id, "loudness_lufs": loudness.lufs, "gain_db": loudness.gain_db}
    return JSONResponse(told, headers={"Cache-Control": _FOR_A_DAY})


@router.get(
    "/songs/{song_id}/cover.jpg",
    response_class=Response,
    responses=_PROBLEMS
    | problems(413, 503)
    | {
        200: {"description": "The cover.", "content": {"image/jpeg": _BINARY}},
        204: {"description": "The song has none."},
        304: {"description": "It is the one that `If-None-Match` names."},
    },
)
async def song_cover(
    request: Request,
    song_id: SongId,
    live: LiveLibraryOfApp,
    size: Annotated[CoverSize, Query(description="At most 128 or 512 pixels on a side.")] = "small",
) -> Response:
    """Send the picture in the song's tags, or one beside it in a folder that is served."""
    song = await asyncio.to_thread(live.song_file, song_id)
    cover = await _found(request, state_of(request.app).covers, song)
    jpeg = cover.jpeg(size)
    headers = {"Cache-Control": "private, max-age=60"}  # one beside it may be replaced
    if jpeg is None:
        return Response(status_code=204, headers=headers)
    headers["ETag"] = cover.etag(size)
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(jpeg, headers=headers, media_type="image/jpeg")


async def _found(request: Request, findings: FileFindings[_T], song: FileRecord) -> _T:
    """Return what is kept of a song's file, or else what is found as soon as it is its turn."""
    kept = await asyncio.to_thread(findings.find, song)
    if kept is not None:
        return kept
    try:
        async with asyncio.timeout(_WAIT_S):
            return await unless_gone(request, findings.look(song))
    except TimeoutError as error:
        message = f"the song has not been looked into after {_WAIT_S:g} s; ask again"
        raise Problem(503, message, headers={"Retry-After": "10"}) from error


def _drawn(picture: Spectrogram, width: int, height: int) -> Response:
    headers = {
        "Cache-Control": _FOR_A_DAY,
        "X-Duration-S": f"{picture.duration_s:.3f}",
        "X-Highest-Hz": f"{picture.highest_hz:g}",
    }
    return Response(
        write_png(picture.levels, width, height), headers=headers, media_type="image/png"
    )
