"""The service over HTTP and the page: `create_app` puts the parts together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from classify.labels.label_watch import LabelWatch
from classify.web.access.guard import Guard
from classify.web.answers.playlist_server import PlaylistTarget
from classify.web.answers.slow_answers import SlowAnswers
from classify.web.answers.taste_reports import TasteReports
from classify.web.app_state import AppState, state_of
from classify.web.counters import Metrics
from classify.web.kept_process import KeptProcess
from classify.web.live.event_stream import EventStream
from classify.web.live.label_queue import LabelQueue, TasteTraining
from classify.web.live.live_library import LiveLibrary
from classify.web.live.scan import Scan
from classify.web.live.served_folders import Confirm, ServedFolders
from classify.web.live.slow_lane import SlowLane
from classify.web.memory import keep_memory_low
from classify.web.openapi import use_openapi
from classify.web.problems import use_problems
from classify.web.routes import (
    events,
    folders,
    likes,
    page_files,
    playlists,
    scan,
    songs,
    sound,
    status,
    taste_changes,
    tastes,
    uploads,
)
from classify.web.routes.fast_score import QuickScores
from classify.web.settings import ServiceSettings
from classify.web.sound.covers import song_covers
from classify.web.sound.song_loudness import song_loudness
from classify.web.sound.spectrograms import spectrograms
from classify.web.tastes.taste_folder import TasteFolder
from classify.web.uploads.upload_queue import UploadQueue
from classify.web.watching.served_watch import ServedWatch
from embed import Limits

__all__ = ["GRACE_S", "create_app"]

_ROUTERS = (
    songs,
    tastes,
    taste_changes,
    likes,
    playlists,
    uploads,
    sound,
    scan,
    folders,
    events,
    status,
)
GRACE_S = 5


def create_app(
    settings: ServiceSettings,
    *,
    confirm: Confirm | None = None,
    then: Callable[[], None] | None = None,
) -> FastAPI:
    """Make the ASGI application: the guard around the routes, and what they share in its state.

    Parameters
    ----------
    settings : ServiceSettings
    confirm : callable, optional
        Asks the person at the terminal whether a folder may be served.
    then : callable, optional
        What follows each time that something is new in folders that are watched, or labels have
        changed.

    Returns
    -------
    FastAPI
        Its parts are an `AppState`, which `state_of` returns. They are closed when the application
        shuts down.
    """
    app = FastAPI(
        title="Seven Songs",
        version=version("sevensongs"),
        summary="Learns what one listener likes from about seven songs, and scores the rest.",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these two load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_lifespan,
    )
    parts = _parts(settings, confirm, then)
    app.state.parts = parts
    for module in _ROUTERS:
        app.include_router(module.router, prefix="/v1")
    app.include_router(page_files.router)
    app.add_middleware(QuickScores, live=parts.library)
    use_problems(app)
    use_openapi(app)
    # the last one added is outermost
    app.add_middleware(Guard, settings=settings, metrics=parts.metrics)
    return app


def _parts(
    settings: ServiceSettings, confirm: Confirm | None, then: Callable[[], None] | None
) -> AppState:
    library = LiveLibrary(settings)
    served = ServedFolders(settings.folders, confirm)
    scanning = Scan(settings, library, served)
    training = TasteTraining(library)
    server = settings.push_to
    limits = Limits()
    label_watch = LabelWatch(settings.root, then)
    song_files = KeptProcess("song files", limits=limits)
    return AppState(
        settings=settings,
        metrics=Metrics(),
        library=library,
        slow_answers=SlowAnswers(library),
        slow_lane=SlowLane(),
        study_lane=SlowLane(),
        training=training,
        label_queue=LabelQueue(training),
        uploads=UploadQueue(settings),
        song_files=song_files,
        spectrograms=spectrograms(song_files, limits),
        loudness=song_loudness(song_files, limits),
        playlist_target=PlaylistTarget(server, settings.root) if server else None,
        covers=song_covers(song_files, limits, lambda: served.all),
        reports=TasteReports(library),
        folders=served,
        scan=scanning,
        watch=ServedWatch(served, scanning, poll_s=settings.poll_s, then=label_watch.follow),
        label_watch=label_watch,
        events=EventStream(library, scanning, served),
        taste_folder=TasteFolder(library),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = state_of(app)
    warming = threading.Thread(target=state.library.warm, name="warming", daemon=True)
    warming.start()
    if state.settings.watches:
        state.watch.start()
    state.label_watch.start()
    memory = asyncio.create_task(keep_memory_low())
    try:
        yield
    finally:
        memory.cancel()
        await asyncio.to_thread(warming.join, GRACE_S)
        lanes = (state.slow_lane, state.study_lane, state.label_queue)
        for part in (
            state.events,
            state.watch,
            state.scan,
            state.uploads,
            state.song_files,
            state.reports,
            *lanes,
            state.label_watch,
            state.library,
        ):
            await asyncio.to_thread(part.close)
