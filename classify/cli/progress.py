"""How far an embedding run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from embed import Progress

__all__ = ["progress_bar"]

_LINE_EVERY_S = 10.0
_MOST_STATIONS = 4
_STAGES = {"all": "Embedding", "first look": "First look", "rest": "The rest"}


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
    bar: Bar | None = None

    def tell(progress: Progress) -> None:
        nonlocal bar
        if bar is None:  # rich takes longer to import than a run with nothing to do
            bar = _bar()
            bar.start()
        bar.update(
            bar.task_ids[0],
            completed=progress.n_done,
            total=progress.n_total,
            rate=_rate(progress) + _stations(progress),
            description=_STAGES[progress.stage],
        )

    try:
        yield tell
    finally:
        if bar is not None:
            bar.stop()


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("songs  {task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task(_STAGES["all"], total=None, start=True, rate="")
    return bar


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S:
            last = now
            stage = "" if progress.stage == "all" else f"{_STAGES[progress.stage].lower()}: "
            sys.stderr.write(
                f"sevensongs: {stage}{progress.n_done} of {progress.n_total} songs, "
                f"{_rate(progress)}{_stations(progress)}\n"
            )

    return tell


def _stations(progress: Progress) -> str:
    """Tell how many songs each station of a cluster has done, where these are few."""
    stations = progress.stations
    if len(stations) > _MOST_STATIONS:
        return f"; {len(stations)} stations"
    return "".join(f"; {name} {n_songs}" for name, n_songs in stations)


def _rate(progress: Progress) -> str:
    if progress.wall_s <= 0:
        return ""
    songs, audio = progress.n_done / progress.wall_s * 60, progress.audio_s / progress.wall_s
    return f"{songs:.0f} a minute, {audio:.0f} x real time"
