"""How far an embedding run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embed import Progress

__all__ = ["progress_bar"]

_LINE_EVERY_S = 10.0


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Show progress on stderr while the block runs; nothing appears unless a song must be embedded.

    Yields
    ------
    callable
        To be told each `Progress`.
    """
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("Embedding"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("songs  {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=None, start=True, rate="")

    def tell(progress: Progress) -> None:
        if not bar.live.is_started:
            bar.start()
        bar.update(task, completed=progress.n_done, total=progress.n_total, rate=_rate(progress))

    try:
        yield tell
    finally:
        bar.stop()


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S:
            last = now
            sys.stderr.write(
                f"sevensongs: {progress.n_done} of {progress.n_total} songs, {_rate(progress)}\n"
            )

    return tell


def _rate(progress: Progress) -> str:
    if progress.wall_s <= 0:
        return ""
    songs, audio = progress.n_done / progress.wall_s * 60, progress.audio_s / progress.wall_s
    return f"{songs:.0f} a minute, {audio:.0f} x real time"
