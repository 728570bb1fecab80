"""Serve the page and the service over HTTP: listen, run, stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from types import FrameType
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI

from classify.errors import ClassifyError
from classify.web.access.head_limits import BoundedProtocol
from classify.web.app import GRACE_S, create_app
from classify.web.app_state import state_of
from classify.web.live.served_folders import Confirm
from classify.web.settings import ServiceSettings

__all__ = ["address_of", "serve"]

_BACKLOG = 512
_log = logging.getLogger("sevensongs")


class _Server(uvicorn.Server):
    """What ends the open work of the service as soon as a signal comes.

    It ends what listens to events or a scan, and uploads and pictures that wait.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        state = state_of(self._app)
        readers = (state.uploads, state.song_files, state.reports)
        for part in (state.events, state.watch, state.label_watch, state.scan, *readers):
            part.stop()
        super().handle_exit(sig, frame)


def serve(
    settings: ServiceSettings,
    *,
    tell: Callable[[str], None] | None = None,
    confirm: Confirm | None = None,
    then: Callable[[], None] | None = None,
) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    settings : ServiceSettings
    tell : callable, optional
        Told the page's address once it can be opened; with a token, that is in it.
    confirm : callable, optional
        Asks the person at the terminal whether a folder may be served; see `ServedFolders`.
    then : callable, optional
        What follows each time that something is new in folders that are watched, or labels have
        changed.

    Raises
    ------
    ClassifyError
        If the address can't be listened on.
    """
    listening = _listen(settings.host, settings.port)
    with listening:
        app = create_app(settings, confirm=confirm, then=then)
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,  # its warnings go to stderr as they are
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whoever is in front of us is not trusted to say who asks
            backlog=_BACKLOG,
            timeout_graceful_shutdown=GRACE_S,
        )
        # It would write a line for each malformed form; its sender is told.
        logging.getLogger("python_multipart").setLevel(logging.ERROR)
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
        # asyncio does not for a socket that it is given (uvloop does): each answer would wait for
        # 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise ClassifyError(
            f"{host}:{port} can't be listened on ({error.strerror or error}); name another with "
            "--host and --port, 0 for any port that is free"
        ) from error
