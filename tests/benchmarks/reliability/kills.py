"""Kill `embed` and whatever else writes, at random moments; then count what was lost.

See README.md here.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reliability.songs import EXCERPT_S, Library, Soundness
from reliability.tastes import kill_label, kill_score, kill_train
from reliability.victims import Moment, Victim, files_in
from reliability.writers import kill_compaction, kill_prune

__all__ = ["kill_embed", "rows"]

SEED = 5
_SMALL_BATCH = 8
_BATCH = 64  # that of the command
_PENDING = 2 * _BATCH  # songs still to be embedded when a run begins: some 3 s of work on two cores
_FIRST_SONGS_S = 2.5  # within which a run has come to its first songs
_N_REFERENCE = 400
# `embed_library` in a process of its own, that tells after every song how many seconds it has
# embedded. Before a step of a commit, when a file or folder of it is opened to be synced, it kills
# itself or its group.
_RUN = (
    "import os, signal, sys, embed\n"
    "left, whom = int(sys.argv[4]), sys.argv[5]\n"
    "def hook(name, given):\n"
    "    global left\n"
    "    if name == 'open' and given[1] is None and '.lance' in str(given[0]):\n"
    "        left -= 1\n"
    "        if left == 0:\n"
    "            (os.killpg if whom == 'group' else os.kill)(os.getpid(), signal.SIGKILL)\n"
    "sys.addaudithook(hook)\n"
    "embed.embed_library([sys.argv[2]], root=sys.argv[1], batch_songs=int(sys.argv[3]), "
    "progress=lambda p: print(p.audio_s, flush=True))"
)


@dataclass(kw_only=True)
class _Tally:
    """What a series of kills has come to."""

    n: int = 0
    victims: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    uncommitted: list[int] = field(default_factory=list)
    over_batch: int = 0
    vanished: int = 0
    survivors: int = 0
    semaphores: int = 0
    errors: list[str] = field(default_factory=list)


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Kill `embed` `n` times over one library, and the other writers together as often."""
    some = max(1, n // 4)
    yield _timed(partial(kill_embed, n, work))
    for kill in (kill_train, kill_label, kill_score, kill_compaction, kill_prune):
        yield _timed(partial(kill, some, work))


def _timed(what: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    started = time.monotonic()
    row = what()
    return {"kind": "kills"} | row | {"seed": SEED, "seconds": round(time.monotonic() - started, 1)}


def kill_embed(n: int, work: Path, *, pending: int = _PENDING, seed: int = SEED) -> dict[str, Any]:
    """Kill `embed` n times over one library, run it to its end, and count.

    Before each run there are `pending` songs to embed, so new ones come in as others are done.
    Three runs of five are of `embed_library` with commits of 8 songs, one with commits of 64; one
    is of the command.
    """
    library = Library.make(work, "embed")
    rng = np.random.default_rng(seed)
    tally = _Tally()
    for number in range(n):
        library.add(pending - (len(library.paths) - len(library.known())))
        _one_kill(library, number, rng, tally, pending)
    last = Victim(library.command("embed", library.folder), work / "embed" / "last.out")
    exit_code = last.end()
    library.paths.sort()
    sound = library.check(_reference(library, work))
    return _row(tally, library, sound) | {"finished": exit_code == 0 and not last.stderr}


def _one_kill(
    library: Library, number: int, rng: np.random.Generator, tally: _Tally, pending: int
) -> None:
    whom = ("group", "parent", "worker", "group", "group")[number % 5]
    batch = (_SMALL_BATCH, _SMALL_BATCH, _BATCH, _SMALL_BATCH, 0)[number // 2 % 5]
    moment = _moment(number, pending, rng, ours=batch > 0, whom=whom)
    before, files_before = library.embedded(), set(files_in(library.root))
    argv = library.command("embed", library.folder)
    if batch:
        arguments = (library.root, library.folder, batch, moment.n_steps, whom)
        argv = [sys.executable, "-P", "-c", _RUN, *map(str, arguments)]
    victim = Victim(argv, library.root.parent / "run.out")
    victim.wait_for(moment, library.root)
    killed = victim.kill(whom) > 0
    exit_code = victim.end()
    by_itself = moment.n_steps > 0 and exit_code == -signal.SIGKILL
    tally.survivors += victim.survivors()
    tally.semaphores += victim.semaphores_left()
    after = library.embedded()
    tally.n += 1
    tally.victims[whom] += 1
    tally.vanished += len(before - after)
    survived = whom == "worker" or not (killed or by_itself)
    if victim.stderr or (survived and exit_code):
        tally.errors.append(f"{whom}, exit code {exit_code}: {victim.stderr[-300:]}")
    if whom == "worker":
        tally.moments["a worker alone, the run goes on"] += 1
    elif by_itself:
        tally.moments["in a commit"] += 1
    else:
        tally.moments[_moment_of(library, victim, len(after - before), files_before)] += 1
    if batch:
        told = [line for line in victim.stdout.split("\n")[:-1] if line]
        n_done = round(float(told[-1]) / EXCERPT_S) if told else 0
        n_uncommitted = max(0, n_done - len(after - before))
        tally.uncommitted.append(n_uncommitted)
        tally.over_batch += n_uncommitted > batch


def _moment(
    number: int, pending: int, rng: np.random.Generator, *, ours: bool, whom: str
) -> Moment:
    """Choose when to kill: after so many songs, in a commit or just after one, or at any time."""
    way = ("song", "step", "song", "step", "commit", "time", "song")[number % 7]
    if way == "step" and ours and whom != "worker":
        return Moment(n_steps=int(rng.integers(1, 80)))
    if way == "song" and ours:
        return Moment(n_lines=int(rng.integers(1, pending)), delay_s=float(rng.exponential(0.01)))
    if way == "time":
        return Moment(delay_s=float(rng.uniform(0, _FIRST_SONGS_S)))
    return Moment(n_changes=int(rng.integers(1, 40)), delay_s=float(rng.exponential(0.002)))


def _moment_of(library: Library, victim: Victim, n_committed: int, files_before: set[str]) -> str:
    """Tell from what a kill has left where it came."""
    if victim.ended_by_itself or len(library.known()) == len(library.paths):
        return "after the last commit"
    unfinished = [
        path for path in set(files_in(library.root)) - files_before if _is_unfinished(path)
    ]
    orphans = _data_files(library) - files_before - _referenced(library)
    half = len(library.embedded()) > len(library.known())
    if unfinished or orphans or half:
        return "in a commit"
    return "between commits" if n_committed else "before the first commit"


def _is_unfinished(path: str) -> bool:
    name = Path(path).name
    return name.startswith(".tmp") or "#" in name


def _data_files(library: Library) -> set[str]:
    return {str(path) for uri in _uris(library) for path in Path(uri, "data").glob("*.lance")}


def _referenced(library: Library) -> set[str]:
    """Return the data files that the newest versions name."""
    import lance

    found = set()
    for uri in _uris(library):
        if any(Path(uri, "_versions").glob("*.manifest")):
            for fragment in lance.dataset(uri).get_fragments():
                found |= {str(Path(uri, "data", file.path)) for file in fragment.data_files()}
    return found


def _uris(library: Library) -> tuple[str, str]:
    return library.catalog.uri, library.store.uri


def _reference(library: Library, work: Path) -> Library:
    """Embed some of a library's songs in a cache that nobody has harmed."""
    reference = Library.make(work, "reference")
    reference.add(min(_N_REFERENCE, len(library.paths)))
    done = Victim(reference.command("embed", reference.folder), work / "reference" / "run.out")
    if done.end():
        raise SystemExit(f"the reference can't be embedded: {done.stderr[-1000:]}")
    return reference


def _row(tally: _Tally, library: Library, sound: Soundness) -> dict[str, Any]:
    for part in (library.store, library.catalog):
        part.compact(keep_s=0)  # so that what is no longer named is no older version's
    orphans = _data_files(library) - _referenced(library)
    left = files_in(library.root)
    unfinished = [path for path in left if _is_unfinished(path)]
    return {
        "fault": "SIGKILL of embed, then run again",
        "n": tally.n,
        "victims": dict(tally.victims),
        "moments": dict(tally.moments),
        "n_songs": len(library.paths),
        "survived": tally.n - len(tally.errors),
        "errors": tally.errors[:5],
        "lost": sound.lost + tally.vanished,
        "wrong": sound.wrong,
        "twice": sound.twice,
        "n_measured": len(tally.uncommitted),
        "recomputed_max": max(tally.uncommitted, default=0),
        "recomputed_mean": round(float(np.mean(tally.uncommitted or [0])), 2),
        "more_than_a_batch": tally.over_batch,
        "processes_left": tally.survivors,
        "semaphores_left": tally.semaphores,
        "files_left": len(unfinished) + len(orphans),
        "bytes_left": sum(left[path] for path in unfinished)
        + sum(left.get(path, 0) for path in orphans),
    }
