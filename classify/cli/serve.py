"""The command `serve`: the page, and the same over HTTP for other programs."""

from __future__ import annotations

import io
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classify.cli.console import reports_errors, say
from classify.cli.options import WorkersOption
from classify.cli.upkeep.follow_up import ThenOption, following
from classify.cli.upkeep.watching import PollOption, WatchOption, require_watch

if TYPE_CHECKING:
    from classify.sources.pushing import PlaylistServer
    from classify.web.settings import ServiceSettings

__all__ = ["run_service", "serve"]

_TOKEN_VARIABLE = "SEVENSONGS_TOKEN"  # noqa: S105  its name
_TOKEN_BYTES, _LEAST_TOKEN_CHARS = 32, 16


def _known_name(name: str) -> str:
    from classify.taste.names import is_taste_name

    if not is_taste_name(name):
        raise typer.BadParameter(
            f"{name!r} is no name of a taste; over HTTP tastes go by name, not by file"
        )
    return name


@reports_errors
def serve(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER...]",
            exists=True,
            file_okay=False,
            resolve_path=True,
            help="Music that may be scanned from the page; nothing else can be named over HTTP.",
        ),
    ] = None,
    taste: Annotated[
        str,
        typer.Option("--taste", callback=_known_name, help="The name of the taste to begin with."),
    ] = "default",
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; beyond this machine a token is needed.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")
    ] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", metavar="NAME", help="Another name under which it may be called."
        ),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            "--push",
            metavar="SERVER",
            help="A music server that the page may save playlists to: mpd:HOST:PORT or "
            "subsonic:https://user@host/base.",
        ),
    ] = None,
    opens: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    workers: WorkersOption = None,
    max_upload: Annotated[
        float,
        typer.Option("--max-upload", metavar="MB", min=0.001, help="A larger upload is refused."),
    ] = 256.0,
    max_duration: Annotated[
        float, typer.Option("--max-duration", metavar="HOURS", help="A longer upload is refused.")
    ] = 2.0,
    max_seconds: Annotated[
        float,
        typer.Option(
            "--max-seconds",
            help="Processor time that an upload may take beyond what its size and length explain.",
        ),
    ] = 60.0,
    max_uploads: Annotated[
        int,
        typer.Option(
            "--max-uploads",
            min=1,
            help="Uploads that are held at once; others are asked to come back.",
        ),
    ] = 8,
    watches: WatchOption = False,
    poll_s: PollOption = None,
    then: ThenOption = None,
) -> None:
    """Show the page, and answer other programs over HTTP, until Ctrl-C.

    Example: sevensongs serve ~/Music --watch --open
    """
    from cache import default_root
    from classify.web.settings import UPLOAD_LIMITS, ServiceSettings

    require_watch(watches, poll_s, then)
    settings = ServiceSettings(
        root=default_root(),
        taste=taste,
        folders=tuple(folders or ()),
        host=host.strip("[]"),
        port=port,
        token=_token(host),
        allowed_hosts=tuple(allow_host or ()),
        limits=replace(
            UPLOAD_LIMITS,
            max_duration_s=3600 * max_duration,
            max_bytes=1e6 * max_upload,
            max_cpu_s=max_seconds,
        ),
        n_uploads=max_uploads,
        workers=workers,
        watches=watches,
        poll_s=poll_s,
        push_to=_connected(push),
    )
    run_service(settings, opens=opens, then=following(context, then) if then else None)


def _connected(server: str | None) -> PlaylistServer | None:
    """Connect to a music server before anything is served: its password is asked for here."""
    if server is None:
        return None
    from classify.sources.pushing import open_server

    connected = open_server(server)
    say(f"playlists can be saved to {connected.name}")
    return connected


def run_service(
    settings: ServiceSettings, *, opens: bool, then: Callable[[], None] | None = None
) -> None:
    """Serve, and say where."""
    from cache import is_uri
    from classify.cli.malloc import keep_little_freed_memory

    keep_little_freed_memory(is_local=not is_uri(settings.root))
    from classify.web.server import serve as serve_app

    def tell(address: str) -> None:
        say(f"open {address} (Ctrl-C ends it)")
        if not settings.on_loopback and sys.stderr.isatty():
            _draw_code(address)
        if opens:
            _open(address)

    confirm = _confirmed if sys.stdin.isatty() else None
    serve_app(settings, tell=tell, confirm=confirm, then=then)


def _draw_code(address: str) -> None:
    """Draw an address as a QR code for a phone's camera, two modules to a character."""
    import segno

    drawn = io.StringIO()
    segno.make(address, error="l", micro=False).terminal(drawn, border=2, compact=True)
    for line in drawn.getvalue().splitlines():  # white on black, whatever the terminal's colours
        print(f"\x1b[97;40m{line}\x1b[0m", file=sys.stderr)  # noqa: T201


def _confirmed(folder: Path) -> bool:
    """Ask whoever sits at this terminal whether the page may have a folder scanned."""
    say(f"the page asks to scan {folder}, which 'serve' was not given")
    print("allow it? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _open(address: str) -> None:
    import threading
    import webbrowser

    # In a thread, as a browser in the terminal would keep the service from its work.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _token(host: str) -> str | None:
    """Return what requests have to show.

    It is what the environment says, or else, beyond loopback, a new one.
    """
    from classify.web.settings import is_loopback

    given = os.environ.get(_TOKEN_VARIABLE, "")
    if not given:
        return None if is_loopback(host) else secrets.token_urlsafe(_TOKEN_BYTES)
    if (
        len(given) < _LEAST_TOKEN_CHARS
        or not given.isascii()
        or not given.isprintable()
        or " " in given
    ):
        raise typer.BadParameter(
            f"{_TOKEN_VARIABLE} has {len(given)} characters; at least {_LEAST_TOKEN_CHARS} are "
            "needed, ASCII without spaces: 'openssl rand -base64 32' makes some",
            param_hint=_TOKEN_VARIABLE,
        )
    return given
