"""Let many processes work on one cache at once; then count what was lost.

See README.md in this folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from speed.rows import child_environment, run_child

from classify.taste.taste import Taste
from reliability.songs import ENCODER, Library
from reliability.writers import embedded_library

__all__ = ["compile_together", "embed_together", "rows", "train_together"]

_N_EMBED = 4
_N_SONGS = 240
_N_LIKES = 7
_N_READY = 14  # songs that are there from the start, to learn a taste from
_MEANWHILE: tuple[tuple[str, ...], ...] = (
    ("score", "--labelled", "--copies", "--json"),
    ("cache", "prune"),
    ("cache", "verify"),
    ("cache", "info"),
)
# As the command, with commits of 8 songs: there are more of them to meet.
_EMBED = (
    "import embed, json, sys; report = embed.embed_library([sys.argv[2]], root=sys.argv[1], "
    "workers=1, batch_songs=8); print(json.dumps({'embedded': report.embedded})); "
    "sys.exit(len(report.failed))"
)
_COMPILE = (
    "import sys, embed; "
    "print(embed.prepare_encoder(sys.argv[2], root=sys.argv[1]).fingerprint, flush=True)"
)


@dataclass(kw_only=True)
class _Ended:
    """What a process came to."""

    argv: Sequence[str]
    exit_code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str | None:
        """What is wrong with how it ended; None for nothing."""
        if self.exit_code == 0 and "Traceback" not in self.stderr:
            return None
        return f"{' '.join(self.argv[-3:])}: exit code {self.exit_code}: {self.stderr[-400:]}"


@dataclass(kw_only=True)
class _Loop:
    """A command that is run again and again, in a thread, until the others are done."""

    argv: Sequence[str]
    ended: list[_Ended] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Run it until `stop` is set."""
        while not stop.is_set():
            self.ended.append(_run(self.argv))


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Do each of these `n` times."""
    yield _timed(partial(embed_together, n, work))
    yield _timed(partial(train_together, n, work))
    yield _timed(partial(compile_together, max(1, n // 2), work))


def _timed(what: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    started = time.monotonic()
    row = what()
    return {"kind": "concurrent"} | row | {"seconds": round(time.monotonic() - started, 1)}


def embed_together(n: int, work: Path, *, n_songs: int = _N_SONGS) -> dict[str, Any]:
    """Run `embed` four times at once on one library and cache.

    Run score, prune, verify and info meanwhile.

    A taste is learnt from the first songs before. What `score` answers meanwhile must be what the
    taste says of these songs, to the last bit, and never of fewer songs than an answer before.
    """
    errors: list[str] = []
    commands: Counter[str] = Counter()
    lost = wrong = twice = n_embedded = n_rows = 0
    for number in range(n):
        library = Library.make(work, f"together-{number}", _N_READY)
        run_child(library.command("embed", library.folder))
        run_child(library.command("train", *_likes(library.paths[:_N_LIKES])))
        library.add(n_songs - _N_READY)
        embeds, loops = _all_at_once(library)
        ended = [*embeds, *(one for loop in loops for one in loop.ended)]
        errors += [one.error for one in ended if one.error]
        commands.update(" ".join(loop.argv[-2:]) for loop in loops for _ in loop.ended)
        n_embedded += sum(_embedded(one) for one in embeds)
        n_rows += _n_rows(library)
        wrong += _wrong_answers(library, loops[0].ended)
        errors += [one.error for one in [_run(library.command("cache", "prune"))] if one.error]
        sound = library.check()
        lost, wrong, twice = lost + sound.lost, wrong + sound.wrong, twice + sound.twice
        twice += _n_rows(library) - n_songs
    return {
        "fault": "four embed at once; score, prune, verify and info meanwhile",
        "n": n,
        "n_songs": n_songs,
        "meanwhile": dict(commands),
        "survived": n if not errors else n - min(n, len(errors)),
        "errors": errors[:5],
        "n_errors": len(errors),
        "lost": lost,
        "wrong": wrong,
        "twice": twice,
        "rows_before_pruning": n_rows,
        "times_embedded": round(n_embedded / (n * (n_songs - _N_READY)), 2),
    }


def _all_at_once(library: Library) -> tuple[list[_Ended], list[_Loop]]:
    embeds: list[_Ended] = []
    command = library.command("embed", library.folder, "--workers", "1", "--json")
    function = [sys.executable, "-P", "-c", _EMBED, str(library.root), str(library.folder)]
    threads = [
        threading.Thread(target=lambda argv: embeds.append(_run(argv)), args=(argv,))
        for argv in [command, function] * (_N_EMBED // 2)
    ]
    loops = [_Loop(argv=library.command(*command)) for command in _MEANWHILE]
    stop = threading.Event()
    looping = [threading.Thread(target=loop.run, args=(stop,)) for loop in loops]
    for thread in [*threads, *looping]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    for thread in looping:
        thread.join()
    return embeds, loops


def _run(argv: Sequence[str]) -> _Ended:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env=child_environment()
    )
    return _Ended(argv=argv, exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def _embedded(one: _Ended) -> int:
    return int(json.loads(one.stdout)["embedded"]) if one.exit_code == 0 else 0


def _n_rows(library: Library) -> int:
    import lance

    return int(lance.dataset(library.store.uri).count_rows())


def _wrong_answers(library: Library, answers: Sequence[_Ended]) -> int:
    """Count answers that contradict the last one, or that know fewer songs.

    An answer contradicts it that differs in what it says of any song.
    """
    last = _scores(run_child(library.command("score", "--labelled", "--copies", "--json")).stdout)
    wrong, n_before = int(len(last) != len(library.paths)), 0
    for answer in answers:
        if answer.exit_code == 0:
            scores = _scores(answer.stdout)
            wrong += not scores.items() <= last.items() or len(scores) < n_before
            n_before = len(scores)
    return wrong


def _scores(answer: str) -> dict[str, float]:
    return {song["path"]: song["score"] for song in json.loads(answer)}


def _likes(paths: Sequence[str]) -> list[str]:
    return [word for path in paths for word in ("--like", path)]


def train_together(n: int, work: Path) -> dict[str, Any]:
    """Let two `train` write one taste at once, from other songs each.

    It must be the one or the other.
    """
    library = embedded_library(work, "two-tastes")
    file = library.root / "tastes" / "default.npz"
    sides = [library.command("train", *_likes(some)) for some in _sides(library)]
    right = []
    for argv in sides:
        run_child(argv)
        right.append(Taste.load(file))
    errors: list[str] = []
    lost, won = 0, Counter[int]()
    for _ in range(n):
        ended = _at_once(sides)
        errors += [one.error for one in ended if one.error]
        taste = Taste.load(file)
        found = [number for number, one in enumerate(right) if _same(one, taste)]
        lost += not found
        won.update(found)
    left = list(file.parent.glob("*.tmp"))
    return {
        "fault": "two train of one taste at once",
        "n": n,
        "survived": n - min(n, len(errors)),
        "errors": errors[:5],
        "lost": lost,
        "wrong": 0,
        "who_was_last": [won[0], won[1]],
        "files_left": len(left),
    }


def _sides(library: Library) -> tuple[list[str], list[str]]:
    return library.paths[:_N_LIKES], library.paths[-_N_LIKES:]


def _same(one: Taste, other: Taste) -> bool:
    mine, theirs = ([a for layer in taste.layers for a in layer] for taste in (one, other))
    return one.likes == other.likes and all(map(np.array_equal, mine, theirs))


def _at_once(commands: Sequence[Sequence[str]]) -> list[_Ended]:
    processes = [
        subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=child_environment()
        )
        for argv in commands
    ]
    said = [process.communicate() for process in processes]
    return [
        _Ended(argv=argv, exit_code=process.returncode, stdout=stdout, stderr=stderr)
        for argv, process, (stdout, stderr) in zip(commands, processes, said, strict=True)
    ]


def compile_together(n: int, work: Path) -> dict[str, Any]:
    """Let two processes compile one encoder at once; every other time over one that is damaged."""
    root = work / "compiled-twice"
    shutil.rmtree(root, ignore_errors=True)
    errors: list[str] = []
    lost = wrong = files_left = 0
    for number in range(n):
        if number % 2:
            for model in root.glob("encoders/*/model.tflite"):
                model.write_bytes(model.read_bytes()[:1000])
        else:
            shutil.rmtree(root, ignore_errors=True)
        ended = _at_once([[sys.executable, "-P", "-c", _COMPILE, str(root), ENCODER]] * 2)
        errors += [one.error for one in ended if one.error]
        fingerprints = {one.stdout for one in ended}
        wrong += len(fingerprints) != 1
        folders = [path.name for path in (root / "encoders").iterdir() if path.is_dir()]
        lost += not {line.strip() for line in fingerprints} & set(folders)
        files_left += len(folders) - 1
    return {
        "fault": "two processes compile one encoder at once",
        "n": n,
        "survived": n - min(n, len(errors)),
        "errors": errors[:5],
        "lost": lost,
        "wrong": wrong,
        "files_left": files_left,
    }
