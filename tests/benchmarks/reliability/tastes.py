"""Kill train, label and score, at the steps of their writing and at random moments.

See README.md here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from speed.rows import run_child

from classify.library.label_file import labels_path, read_labels
from classify.taste.taste import Taste
from reliability.songs import Library
from reliability.writers import Series, embedded_library, must_work

__all__ = ["kill_label", "kill_score", "kill_train"]

_N_LIKES = 7
_N_SYNTHETIC = 4100  # from 4,096 songs on, decisions are kept


def _events(folder: str, name: str) -> tuple[tuple[str, str], ...]:
    """Name the steps of a file's way into a folder of the cache.

    It is made, renamed, and brought to the disk. The temporary file's name begins with `name`.
    """
    file = f"cache/{folder}/{name}"
    return (("open", file), ("os.rename", file), ("open", f"cache/{folder}'"))


def kill_train(n: int, work: Path, *, seed: int = 5, first: int = 0) -> dict[str, Any]:
    """Kill `train`, which would replace one taste with another; it must be the one or the other.

    The kills are those of the numbers `first`, `first` + 1, ...; of four, one comes at a random
    moment, then one before the file is made, one before it is renamed, and one before the folder is
    synced.
    """
    library = embedded_library(work, "train")
    likes = (library.paths[:_N_LIKES], library.paths[-_N_LIKES:])
    file = library.root / "tastes" / "default.npz"
    tastes, sides = [], []
    started = time.monotonic()
    for some in likes:
        run_child(_train(library, some))
        tastes.append(Taste.load(file))
        sides.append(_labelled(file))
    start_s = (time.monotonic() - started) / 2
    series = Series(
        library=library, seed=seed, start_s=start_s, events=_events("tastes", ".default.npz")
    )
    at = 1
    for number in range(first, first + n):
        n_before = series.n_temporary("tastes")
        ended = series.kill(number, _train(library, likes[1 - at]))
        moment = (
            "after"
            if ended
            else "in the write"
            if series.n_temporary("tastes") > n_before
            else "before"
        )
        found = _which(file, tastes)
        series.lost += found is None or _labelled(file) not in sides
        if found is not None and found != at:
            at = found
            moment = "after"
        series.moments[moment] += 1
    must_work(series, library.command("score", "--labelled", "--copies", "--json"))
    return series.row("SIGKILL of train, over an older taste", n)


def kill_label(n: int, work: Path, *, seed: int = 5) -> dict[str, Any]:
    """Kill `label`, which gives a song a label or takes it away; of the labels none may be lost."""
    library = embedded_library(work, "label")
    file = library.root / "tastes" / "default.npz"
    started = time.monotonic()
    run_child(_train(library, library.paths[:_N_LIKES]))
    start_s = time.monotonic() - started
    song = library.paths[_N_LIKES]
    without = _labelled(file)
    states = [without, without | {(song, "like")}]
    events = (
        *_events("tastes", ".default.labels.csv.")[:2],
        ("os.rename", "cache/tastes/.default.npz"),
    )
    series = Series(library=library, seed=seed, start_s=start_s, events=events)
    at = 0
    for number in range(n):
        n_before = series.n_temporary("tastes")
        ended = series.kill(number, library.command("label", ("like", "clear")[at], song))
        in_write = series.n_temporary("tastes") > n_before
        series.moments["after" if ended else "in a write" if in_write else "before or between"] += 1
        now = _labelled(file)
        series.lost += now not in states or len(Taste.load(file).likes) not in map(len, states)
        at = states.index(now) if now in states else at
    must_work(series, library.command("train"))
    return series.row("SIGKILL of label", n)


def _labelled(taste: Path) -> set[tuple[str, str]]:
    """Return the labelled songs, path and label."""
    return {(one.path, one.label) for one in read_labels(labels_path(taste)) or ()}


def _train(library: Library, likes: Sequence[str]) -> list[str]:
    return library.command("train", *(word for like in likes for word in ("--like", like)))


def _which(file: Path, tastes: Sequence[Taste]) -> int | None:
    """Tell which taste a file holds, down to its numbers; None for any other and for no taste."""
    try:
        found = Taste.load(file)
    except Exception:  # whatever it is, there is no taste
        return None
    for number, taste in enumerate(tastes):
        same = found.likes == taste.likes and len(found.layers) == len(taste.layers)
        if same and all(
            np.array_equal(mine, theirs)
            for mine, theirs in zip(_numbers(found), _numbers(taste), strict=True)
        ):
            return number
    return None


def _numbers(taste: Taste) -> list[Any]:
    return [array for layer in taste.layers for array in layer] + [
        taste.space.basis,
        taste.space.offset,
    ]


def kill_score(n: int, work: Path, *, seed: int = 5) -> dict[str, Any]:
    """Kill `score` while it keeps its decisions.

    The next one must answer the same to the last bit.
    """
    library = embedded_library(work, "score")
    library.add_synthetic(_N_SYNTHETIC)
    run_child(_train(library, library.paths[:_N_LIKES]))
    argv = library.command("score", "--labelled", "--copies", "--json")
    started = time.monotonic()
    right = json.loads(run_child(argv).stdout)
    start_s = time.monotonic() - started
    series = Series(library=library, seed=seed, start_s=start_s, events=_events("scores", "."))
    folder = library.root / "scores"
    for number in range(n):
        for path in folder.glob("*.npz"):  # or there would be nothing to write
            path.unlink()
        n_before, had = series.n_temporary("scores"), _stamp(folder)
        ended = series.kill(number, argv)
        in_write = series.n_temporary("scores") > n_before
        done = ended or _stamp(folder) != had
        series.moments["in the write" if in_write else "after" if done else "before"] += 1
        series.wrong += json.loads(run_child(argv).stdout) != right
    return series.row("SIGKILL of score, while it keeps its decisions", n)


def _stamp(folder: Path) -> list[int]:
    return sorted(path.stat().st_mtime_ns for path in folder.glob("*.npz"))
