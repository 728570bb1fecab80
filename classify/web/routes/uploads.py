"""POST /score and POST /embeddings: a file in, what it is to a taste or to an encoder out."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from classify.output.formats import to_json
from classify.web.answers.slow_answers import explanation_told
from classify.web.app_state import state_of
from classify.web.disconnects import unless_gone
from classify.web.kept_process import Call
from classify.web.live.live_library import LiveLibrary
from classify.web.models import ExplanationFound, Interval
from classify.web.problems import problems
from classify.web.routes.params import LiveLibraryOfApp, TasteQuery
from classify.web.uploads.form_upload import UPLOAD_BODY, receive_file
from classify.web.uploads.upload_queue import UploadQueue
from classify.web.uploads.upload_scoring import UploadEmbedding, UploadScore

__all__ = ["UploadEmbeddingOut", "UploadScoreOut", "router"]

router = APIRouter(tags=["uploads"])

_T = TypeVar("_T")
_NPY = "application/x-npy"
_PROBLEMS = problems(400, 401, 403, 408, 409, 413, 415, 503, 507)


class UploadScoreOut(BaseModel):
    """What a taste says of an upload."""

    id: str = Field(description="The recording's audio digest.")
    score: float = Field(
        description="Probability of being liked, as `sevensongs score FILE --json` has it."
    )
    verdict: Literal["like", "unsure", "dislike"]
    threshold: float
    unsure: Interval
    duration_s: float
    artist: str | None
    title: str | None
    in_library: bool = Field(description="Whether the library holds this recording already.")
    explanation: ExplanationFound | None = Field(
        default=None, description="With `why=true`: by the moments that were heard."
    )
    note: str = Field(default="", description="Why there is no explanation, if so.")


class UploadEmbeddingOut(BaseModel):
    """An upload's embedding."""

    id: str
    encoder: str
    fingerprint: str
    kind: Literal["frames", "song"]
    shape: list[int]
    starts_s: list[float] | None = Field(
        description="Where each frame begins, in seconds; null for a song."
    )
    values: list[list[float]] | list[float] = Field(
        description="A row for each frame, or one song vector."
    )


@router.post(
    "/score",
    response_model=UploadScoreOut,
    responses=problems(404) | _PROBLEMS,
    openapi_extra=UPLOAD_BODY,
)
async def score_upload(
    request: Request,
    live: LiveLibraryOfApp,
    taste: TasteQuery = None,
    why: Annotated[
        bool, Query(description="Tell why it has its score, too; this takes a second more.")
    ] = False,
) -> Response:
    """Score a song that is uploaded; nothing of it is kept."""
    # before the upload: a wrong name costs nothing
    wanted = await asyncio.to_thread(live.taste, taste)
    hearing = _uploads_of(request).hearing
    return await _heard(
        request,
        lambda call, path: hearing.score(call, path, wanted, why=why),
        lambda found: _json(_score_document(found) | _reasons(found, live, taste)),
    )


@router.post(
    "/embeddings",
    response_model=UploadEmbeddingOut,
    responses={
        200: {"content": {_NPY: {"schema": {"type": "string", "format": "binary"}}}},
        **_PROBLEMS,
    },
    openapi_extra=UPLOAD_BODY,
)
async def embed_upload(
    request: Request,
    live: LiveLibraryOfApp,
    encoder: Annotated[
        str | None, Query(max_length=500, description="One that is ready; default: the taste's.")
    ] = None,
    kind: Annotated[
        Literal["frames", "song"], Query(description="A row for each frame, or one vector.")
    ] = "frames",
    format: Annotated[Literal["json", "npy"], Query(description="How it is written.")] = "json",  # noqa: A002
    coverage: Annotated[
        str,
        Query(
            pattern=r"^(scan|full|[1-9][0-9]{0,5})$",
            description="What is heard: some windows, all, or so many.",
        ),
    ] = "scan",
) -> Response:
    """Embed a song that is uploaded; nothing of it is kept."""
    name = encoder or str(await asyncio.to_thread(lambda: live.encoder))
    hearing = _uploads_of(request).hearing
    return await _heard(
        request,
        lambda call, path: hearing.embed(
            call, path, name, whole_song=kind == "song", coverage=coverage
        ),
        _npy if format == "npy" else partial(_embedding_json, kind=kind),
    )


def _uploads_of(request: Request) -> UploadQueue:
    return state_of(request.app).uploads


async def _heard(
    request: Request, work: Callable[[Call, Path], _T], answer: Callable[[_T], Response]
) -> Response:
    """Take an upload in, have it heard, and write the answer."""
    uploads = _uploads_of(request)
    with uploads.place() as path:
        await receive_file(request, path)
        found = await unless_gone(request, uploads.hear(lambda call: work(call, path)))
        return await asyncio.to_thread(answer, found)


def _score_document(found: UploadScore) -> dict[str, Any]:
    return {
        "id": found.info.digest,
        "score": found.score,
        "verdict": found.verdict,
        "threshold": found.taste.threshold,
        "unsure": list(found.taste.unsure),
        "duration_s": found.info.duration_s,
        "artist": _text(found.info.tags.artist),
        "title": _text(found.info.tags.title),
        "in_library": found.in_library,
    }


def _reasons(found: UploadScore, live: LiveLibrary, taste: str | None) -> dict[str, Any]:
    if found.explanation is None:
        return {"note": found.note} if found.note else {}
    columns = live.ranking(taste).columns
    return {"explanation": explanation_told(found.explanation, columns)}


def _text(tag: str | None) -> str | None:
    """Make a tag valid Unicode, as the catalog does."""
    return None if tag is None else tag.encode("utf-8", "replace").decode()


def _embedding_json(found: UploadEmbedding, *, kind: str) -> Response:
    return _json(
        {
            "id": found.info.digest,
            "encoder": found.encoder,
            "fingerprint": found.fingerprint,
            "kind": kind,
            "shape": list(found.values.shape),
            "starts_s": None if found.starts_s is None else found.starts_s.tolist(),
        },
        values=found.values,
    )


def _npy(found: UploadEmbedding) -> Response:
    file = io.BytesIO()
    np.save(file, found.values, allow_pickle=False)
    headers = {
        "X-Song-Id": found.info.digest,
        "X-Encoder": quote(found.encoder, safe="+:/"),  # a model's folder may have any name
        "X-Fingerprint": found.fingerprint,
    }
    return Response(file.getvalue(), headers=headers, media_type=_NPY)


def _json(document: dict[str, Any], *, values: NDArray[Any] | None = None) -> Response:
    """Write JSON; of many values, a row at a time.

    One call for all of them would keep all other threads waiting.
    """
    text = to_json(document, indent=None)
    if values is not None:
        rows = ", ".join(to_json(row.tolist(), indent=None) for row in values)
        text = f'{text[:-1]}, "values": [{rows}]}}'
    return Response(text, media_type="application/json")
