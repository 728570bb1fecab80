"""``embed --watch``: what is new in folders is embedded, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from classify.cli.console import say
from classify.cli.upkeep.telling import say_failed, tell_batch, tell_report

if TYPE_CHECKING:
    from embed import EmbedReport, NewAudio

__all__ = ["PollOption", "WatchOption", "require_watch", "watch_folders"]

WatchOption = Annotated[
    bool,
    typer.Option("--watch", help="Go on with whatever comes into the folders, until Ctrl-C."),
]
PollOption = Annotated[
    float | None,
    typer.Option(
        "--poll",
        metavar="SECONDS",
        min=1.0,
        help="With --watch: look every so many seconds; for network mounts, which tell nothing.",
    ),
]


def require_watch(watches: bool, poll_s: float | None, then: Sequence[str] | None) -> None:
    """Refuse options that mean nothing without ``--watch``."""
    if watches:
        return
    for name, given in (("--poll", poll_s), ("--then", then)):
        if given:
            raise typer.BadParameter("needs --watch", param_hint=name)


def watch_folders(
    folders: Sequence[str],
    embed: Callable[[NewAudio], EmbedReport],
    *,
    poll_s: float | None,
    then: Callable[[], None] | None,
    as_json: bool,
) -> None:
    """Embed what is in folders, and then what comes, until a signal ends it.

    Parameters
    ----------
    folders : sequence of str
    embed : callable
        Embeds new files.
    poll_s : float or None
        See `FolderWatch`.
    then : callable or None
        What follows each time that something is new, or labels have changed.
    as_json : bool
        Print a JSON document a line, in place of sentences.
    """
    from cache import default_root
    from classify.labels.label_watch import LabelWatch
    from embed import FolderWatch

    is_first = True
    labels = LabelWatch(default_root(), then)
    with FolderWatch(folders, poll_s=poll_s) as watch, closing(labels):
        labels.start()
        for new in watch:
            report = watch.accept(new, embed(new))
            if is_first and not as_json:
                tell_report(report, as_json=False)
            elif report.found or is_first:
                tell_batch(report, as_json=as_json)
            say_failed(report)
            if is_first:
                every = f" every {poll_s:g} s" if poll_s else ""
                say(f"watching {', '.join(folders)}{every}; Ctrl-C ends it")
            if report.embedded + report.cached or new.have_gone:
                labels.follow()
            is_first = False
