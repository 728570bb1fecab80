"""What it costs the service to say why a song has its score, and to draw it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from speed.rows import measured, run_child, say, tree_cpu_s
from speed.songs import Song, make_long_file

from service.process import Service

__all__ = ["hearing_rows"]

_SONG_S = 240.0
Ask = Callable[[Service, str], Any]


def hearing_rows(
    work: Path, compiled: Path | None, n_runs: int, ask: Ask
) -> Iterator[dict[str, Any]]:
    """Measure a song of four minutes, in a library of the demo's tracks, each time anew.

    Parameters
    ----------
    work : Path
    compiled : Path, optional
        A cache with encoders compiled.
    n_runs : int
    ask : callable
        Given a service and a path, waits for its answer.

    Yields
    ------
    dict
        `asked` is what is asked for and what of the song is cached, `cpu_s` what the service and
        its processes take for it, `wall_s` how soon it is there.
    """
    for coverage in ("scan", "full"):
        root, songs = _library(work, compiled, coverage)
        runs: dict[str, list[tuple[float, float]]] = {}
        for number in range(n_runs):
            copied = work / f"hearing-{coverage}-{number}"
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(root, copied)
            with Service(copied) as service:
                for asked, path in _questions(*songs).items():
                    runs.setdefault(asked, []).append(_timed(service, path, ask))
            shutil.rmtree(copied)
        for asked, taken in runs.items():
            cpu_s, wall_s = zip(*taken, strict=True)
            row = {"asked": asked, "cached": coverage, "song_s": _SONG_S, "n_runs": n_runs}
            yield row | measured("cpu_s", cpu_s) | measured("wall_s", wall_s)


def _questions(song: str, next_song: str) -> dict[str, str]:
    at = f"/v1/songs/{song}"
    return {
        "its tags and neighbours": at,
        "its moments": f"{at}/moments",
        # The first of what follows starts the process that opens songs' files. On the page that is
        # a cover, of which each row has one.
        "its cover": f"{at}/cover.jpg",
        "its spectrogram": f"{at}/spectrogram.png",
        "the next song's moments": f"/v1/songs/{next_song}/moments",
        "the next song's spectrogram": f"/v1/songs/{next_song}/spectrogram.png",
        "all of its moments": f"{at}/moments?whole=true",
    }


def _timed(service: Service, path: str, ask: Ask) -> tuple[float, float]:
    """Return the processor time that an answer takes, and how soon it is there."""
    ask(service, "/v1/songs?limit=100")
    time.sleep(1.0)  # what the first page had started has ended
    before, started = tree_cpu_s(service.pid), time.perf_counter()
    ask(service, path)
    wall_s = time.perf_counter() - started
    return tree_cpu_s(service.pid) - before, wall_s


def _library(work: Path, compiled: Path | None, coverage: str) -> tuple[Path, list[str]]:
    """Make a library with a taste, and two songs of four minutes that it has heard."""
    import embed
    from classify.demo import demo_tracks

    root, tracks = work / f"hearing-{coverage}" / "cache", sorted(demo_tracks())
    songs = [work / f"four-minutes-{number}.opus" for number in range(2)]
    for track, song in zip(tracks, songs, strict=False):
        make_long_file(Song(path=Path(track), duration_s=30.0), song, _SONG_S / 3600, say)
    if not (root / "done").exists():
        shutil.rmtree(root, ignore_errors=True)
        if compiled is not None:
            shutil.copytree(compiled / "encoders", root / "encoders")
        command = [*_command(root), "embed", *tracks]
        run_child(command)
        run_child([*_command(root), "embed", *map(str, songs), "--coverage", coverage])
        likes = [word for track in tracks if "acoustic" in track for word in ("--like", track)]
        run_child([*_command(root), "train", *likes[:14]])
        (root / "done").touch()
    return root, [embed.probe(song).digest for song in songs]


def _command(root: Path) -> list[str]:
    return [sys.executable, "-P", "-m", "classify.cli", "--cache", str(root)]
