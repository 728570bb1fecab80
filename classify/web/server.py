"""The service over HTTP and the page: `create_app` puts the parts together, `serve` runs them."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from types import FrameType
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI

from classify.errors import ClassifyError
from classify.web import pages, scan_api, songs_api, sound_api, status_api, tastes_api, uploads_api
from classify.web.desk import Desk
from classify.web.ears import Ears
from classify.web.guard import Guard
from classify.web.insight import Insight
from classify.web.lessons import Lessons
from classify.web.metrics import Metrics
from classify.web.openapi import use_openapi
from classify.web.pictures import Pictures
from classify.web.problems import use_problems
from classify.web.protocol import BoundedProtocol
from classify.web.quick import QuickScores
from classify.web.scan import Scan
from classify.web.settings import ServiceSettings
from classify.web.turns import LabelTurns, SlowLane

__all__ = ["address_of", "create_app", "serve"]

_ROUTERS = (songs_api, tastes_api, uploads_api, sound_api, scan_api, status_api)
_GRACE_S = 5
_BACKLOG = 512
_log = logging.getLogger("sevensongs")


def create_app(settings: ServiceSettings) -> FastAPI:
    """Make the ASGI application: the guard around the routes, and what they share in its state.

    Parameters
    ----------
    settings : ServiceSettings

    Returns
    -------
    FastAPI
        `app.state` has `settings`, `metrics`, `page`, `desk` (songs and tastes), `lessons` (what changes
        a taste), `insight` (what takes seconds), `slow_lane`, `study_lane` and `label_turns` (who waits for
        whom), `ears` (the worker that hears uploads), `pictures` and `scan`; they are closed when the
        application shuts down.
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
    state = app.state
    state.settings = settings
    state.metrics = Metrics()
    state.page = pages.read_page()
    state.desk = Desk(settings)
    state.insight = Insight(state.desk)
    state.slow_lane, state.study_lane = SlowLane(), SlowLane()
    state.lessons = Lessons(state.desk)
    state.label_turns = LabelTurns(state.lessons)
    state.ears = Ears(settings)
    state.pictures = Pictures()
    state.scan = Scan(settings, state.desk)
    for module in _ROUTERS:
        app.include_router(module.router, prefix="/v1")
    app.include_router(pages.router)
    app.add_middleware(QuickScores, desk=state.desk)
    use_problems(app)
    use_openapi(app)
    app.add_middleware(Guard, settings=settings, metrics=state.metrics)  # the last one added is outermost
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    warming = threading.Thread(target=state.desk.warm, name="warming", daemon=True)
    warming.start()
    try:
        yield
    finally:
        await asyncio.to_thread(warming.join, _GRACE_S)
        lanes = (state.slow_lane, state.study_lane, state.label_turns)
        for part in (state.scan, state.ears, state.pictures, *lanes, state.desk):
            await asyncio.to_thread(part.close)


class _Server(uvicorn.Server):
    """Ends what listens to a scan, and uploads and pictures that wait, as soon as a signal comes."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        state = self._app.state
        for part in (state.scan, state.ears, state.pictures):
            part.stop()
        super().handle_exit(sig, frame)


def serve(settings: ServiceSettings, *, tell: Callable[[str], None] | None = None) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    settings : ServiceSettings
    tell : callable, optional
        Told the page's address once it can be opened; with a token, that is in it.

    Raises
    ------
    ClassifyError
        If the address can't be listened on.
    """
    listening = _listen(settings.host, settings.port)
    with listening:
        app = create_app(settings)
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,  # its warnings go to stderr as they are
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whoever is in front of us is not trusted to say who asks
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_GRACE_S,
        )
        if tell is not None:
            tell(address_of(settings, listening.getsockname()[1]))
        _Server(config, app).run(sockets=[listening])


def address_of(settings: ServiceSettings, port: int) -> str:
    """Return the address of the page, with the token if one is needed."""
    host = settings.host
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  not bound here, only named
        host = socket.gethostname()
    host = f"[{host}]" if ":" in host else host
    fragment = f"#token={quote(settings.token, safe='')}" if settings.token else ""
    return f"http://{host}:{port}/{fragment}"


def _listen(host: str, port: int) -> socket.socket:
    """Listen before anything is loaded, so that a port that is taken is told at once."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        # asyncio does not for a socket that it is given (uvloop does): each answer would wait for 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise ClassifyError(
            f"{host}:{port} can't be listened on ({error.strerror or error}); name another with --host and "
            "--port, 0 for any port that is free"
        ) from error
