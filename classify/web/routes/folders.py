"""The folders that may be scanned: which they are, and asking for another one."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from classify.output.formats import to_json
from classify.web.app_state import state_of
from classify.web.live.served_folders import ServedFolders
from classify.web.problems import problems

__all__ = ["FolderAsked", "FoldersFound", "add_folder", "list_folders", "router"]

router = APIRouter(tags=["library"], prefix="/library/folders")


class FolderAsked(BaseModel):
    """A folder that shall be served."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(max_length=4096, description="Absolute; on the machine that serves.")


class FoldersFound(BaseModel):
    """The folders that may be scanned, and what became of the one that was asked for last."""

    folders: list[str]
    can_add: bool = Field(description="Whether `serve` runs in a terminal, where it can ask.")
    state: Literal["none", "waiting", "added", "refused"]
    asked: str | None


def _folders_of(request: Request) -> ServedFolders:
    return state_of(request.app).folders


FoldersOfApp = Annotated[ServedFolders, Depends(_folders_of)]


@router.get("", response_model=FoldersFound, responses=problems(401, 403))
async def list_folders(folders: FoldersOfApp) -> Response:
    """List the folders that may be scanned."""
    return _told(folders)


@router.post(
    "", status_code=202, response_model=FoldersFound, responses=problems(401, 403, 409, 422)
)
async def add_folder(folders: FoldersOfApp, asked: FolderAsked) -> Response:
    """Have the person at the terminal of `serve` asked whether a folder may be scanned.

    `state` tells what they say; the event `folders` too. It is served until `serve` ends.
    """
    folders.ask(asked.path)
    return _told(folders, status=202)


def _told(folders: ServedFolders, *, status: int = 200) -> Response:
    document = to_json(folders.told(), indent=None)
    return Response(document, status_code=status, media_type="application/json")
