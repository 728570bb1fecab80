"""Hostile audio through the real command: what became of it, in what time and memory.

Every file of the corpus (`fuzz.corpus`) ends in an embedding or in a failure that says why. The run
is made twice, the second time in other batches, with another number of workers and in reverse
order: every stored number must be the same. Sound files among the hostile ones must come out as
they do alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.corpus import SECOND, HostileFile, write_corpus
from fuzz.sources import FORMATS, LATER_FORMATS, make_sources
from speed.rows import COMMAND, say, tree_memory

import embed
from cache import Catalog, EmbeddingStore
from classify.demo import demo_tracks

__all__ = ["MAX_BYTES", "FuzzRun", "Stored", "fuzz", "read_stored", "rows"]

MAX_BYTES = 10**9
"""Memory that the command and its workers may take together."""
_BATCH = 100  # files; the worst of a batch bounds the time of any file in it
_SECOND_SHARE = 5  # one in so many files is of the second corpus
_SAMPLE_S = 0.1
_OURS = re.compile(r"sevensongs: ")
_CRASHED = "the process that read it died"  # of these refusals
_BUGS = ("unexpected", "Traceback", "please report")

Stored = dict[str, tuple[bytes, bytes, bytes]]
"""File's name -> its frames, their times and the song vector, as bytes."""


@dataclass(frozen=True, kw_only=True)
class FuzzRun:
    """What became of some files.

    Attributes
    ----------
    stored : Stored
        Of the files that were embedded.
    digests : dict
        Of the same: what names the recording.
    failures : dict
        Of the others: name -> reason.
    noise : list of str
        Lines on stderr that are not ours.
    wrong : list of str
        What must not be: a file without a result, a number that is not finite, a reason without
        words.
    peak_bytes, wall_s
        Of the whole tree of processes, and of the slowest batch.
    """

    stored: Stored
    digests: dict[str, str]
    failures: dict[str, str]
    noise: list[str]
    wrong: list[str]
    peak_bytes: int
    wall_s: float


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Fuzz with `n` files, in `work`; yield one row for each kind of damage, and one for all.

    Yields
    ------
    dict
        ``fault``, ``n``, ``survived``, ``lost`` and ``wrong`` (0 each), ``embedded``, ``refused``,
        ``crashed`` (of the latter, those that a native decoder did not survive); in the last row
        also ``seconds``, ``peak_bytes`` and ``slowest_batch_s``.
    """
    started = time.monotonic()
    sources = make_sources(demo_tracks())
    n_second = n // _SECOND_SHARE
    numbers = [*range(n - n_second), *range(SECOND, SECOND + n_second)]
    files = write_corpus(numbers, sources, work / "corpus")
    paths = [work / "corpus" / file.name for file in files]
    first = fuzz(paths, work / "first", encoders=work, batch=_BATCH)
    again = fuzz(
        paths[::-1], work / "again", encoders=work, batch=_BATCH + 31, options=("--workers", "1")
    )
    alone = _alone(sources, work)
    wrong = _differences(first, again) + [
        f"{file.name}: a sound file ({file.what}) came out otherwise than alone"
        for file in files
        if file.kind == "sound"
        and first.stored.get(file.name) != alone[file.what.partition(":")[0]]
    ]
    wrong += first.wrong + again.wrong + first.noise + again.noise
    for line in wrong:
        say(f"fuzz: {line}")
    for kind in sorted({file.kind for file in files}):
        yield _row(kind, [file for file in files if file.kind == kind], first, wrong)
    yield _row("hostile audio", files, first, wrong) | {
        "peak_bytes": max(first.peak_bytes, again.peak_bytes),
        "slowest_batch_s": round(max(first.wall_s, again.wall_s), 1),
        "batch": _BATCH,
        "seconds": round(time.monotonic() - started, 1),
    }


def fuzz(
    paths: Sequence[Path], root: Path, *, encoders: Path, batch: int, options: Sequence[str] = ()
) -> FuzzRun:
    """Run `sevensongs embed` over files, in batches, and look at all that it says and stores.

    Parameters
    ----------
    paths : sequence of Path
    root : Path
        A new cache.
    encoders : Path
        A cache in which musicnn is compiled, or will be.
    batch : int
        Files for each run.
    options : sequence of str
        Of the command.
    """
    embed.prepare_encoder("musicnn", root=encoders)
    shutil.copytree(encoders / "encoders", root / "encoders", dirs_exist_ok=True)
    failures: dict[str, str] = {}
    noise: list[str] = []
    wrong: list[str] = []
    peak_bytes, slowest_s = 0, 0.0
    for first in range(0, len(paths), batch):
        some = paths[first : first + batch]
        started = time.monotonic()
        report, lines, peak = _embed(some, root, options)
        slowest_s = max(slowest_s, time.monotonic() - started)
        peak_bytes = max(peak_bytes, peak)
        noise += [line for line in lines if not _OURS.match(line)]
        if report is None:
            wrong.append(f"the run with {some[0].name} ended without a report: {lines[-5:]}")
            continue
        failures |= {Path(failure["path"]).name: failure["error"] for failure in report["failed"]}
    stored, digests, bad = read_stored(root)
    wrong += bad
    wrong += [
        f"{name}: {words}" for name, words in failures.items() if any(bug in words for bug in _BUGS)
    ]
    names = {path.name for path in paths}
    wrong += [f"{name}: no result" for name in sorted(names - stored.keys() - failures.keys())]
    if peak_bytes > MAX_BYTES:
        wrong.append(
            f"memory reached {peak_bytes / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are "
            "allowed"
        )
    return FuzzRun(
        stored=stored,
        digests=digests,
        failures=failures,
        noise=noise,
        wrong=wrong,
        peak_bytes=peak_bytes,
        wall_s=slowest_s,
    )


def read_stored(root: Path) -> tuple[Stored, dict[str, str], list[str]]:
    """Read all that a cache holds and its digests, by the files' names.

    Name also what is not finite.
    """
    prepared = embed.prepare_encoder("musicnn", root=root)
    store = EmbeddingStore(
        root, encoder=prepared.name, fingerprint=prepared.fingerprint, dim=prepared.dim
    )
    held = store.held()
    stored: Stored = {}
    digests: dict[str, str] = {}
    wrong = []
    for path, recording in Catalog(root).load().items():
        if recording.digest is None or recording.digest not in held:
            continue
        entry = store.get(recording.digest)
        assert entry is not None
        name = Path(path).name
        numbers = (entry.frames, entry.starts_s, entry.vector)
        if not all(np.isfinite(part).all() for part in numbers) or not np.isfinite(
            entry.duration_s
        ):
            wrong.append(f"{name}: a stored number is not finite")
        digests[name] = recording.digest
        stored[name] = (entry.frames.tobytes(), entry.starts_s.tobytes(), entry.vector.tobytes())
    return stored, digests, wrong


def _embed(
    paths: Sequence[Path], root: Path, options: Sequence[str]
) -> tuple[dict[str, Any] | None, list[str], int]:
    """Run the command; returns its report, what it said, and the most memory that it took."""
    said, printed = root / "stderr.txt", root / "stdout.txt"
    command = [*COMMAND, "--cache", str(root), "embed", "--json", *options, *map(str, paths)]
    peak = 0
    with said.open("wb") as err, printed.open("wb") as out:
        child = subprocess.Popen(
            command, stdout=out, stderr=err, env=os.environ | {"NO_COLOR": "1"}
        )
        while child.poll() is None:
            peak = max(peak, tree_memory(child.pid))
            time.sleep(_SAMPLE_S)
    lines = said.read_text("utf-8", "replace").splitlines()
    try:
        report: dict[str, Any] = json.loads(printed.read_bytes())
    except ValueError:
        return None, lines, peak
    return report, lines, peak


def _alone(sources: dict[str, bytes], work: Path) -> Stored:
    """Embed the sources with nothing hostile beside them; by format."""
    folder = work / "sound"
    folder.mkdir(exist_ok=True)
    for name, content in sources.items():
        suffix = (FORMATS | LATER_FORMATS)[name].suffix
        (folder / f"{name}{suffix}").write_bytes(content)
    run = fuzz(sorted(folder.iterdir()), work / "alone", encoders=work, batch=len(sources))
    return {Path(name).stem: numbers for name, numbers in run.stored.items()}


def _differences(one: FuzzRun, other: FuzzRun) -> list[str]:
    """Name the files of which two runs made different things."""
    names = one.stored.keys() | one.failures.keys() | other.stored.keys() | other.failures.keys()
    digests = one.digests | other.digests
    n_files = Counter(digests.values())
    # Of files with the same packets and other headers (which lie), whichever comes first is
    # embedded.
    names = {name for name in names if n_files[digests.get(name, "")] <= 1}
    return [
        f"{name}: two runs differ"
        for name in sorted(names)
        if one.stored.get(name) != other.stored.get(name)
        or one.failures.get(name) != other.failures.get(name)
    ]


def _row(
    kind: str, files: Sequence[HostileFile], run: FuzzRun, wrong: Sequence[str]
) -> dict[str, Any]:
    names = [file.name for file in files]
    n_embedded = sum(name in run.stored for name in names)
    n_refused = sum(name in run.failures for name in names)
    about_these = [
        line for line in wrong if line.partition(":")[0] in names or kind == "hostile audio"
    ]
    return {
        "fault": kind,
        "n": len(names),
        "survived": n_embedded + n_refused,
        "lost": len(names) - n_embedded - n_refused,
        "wrong": len(about_these),
        "embedded": n_embedded,
        "refused": n_refused,
        "crashed": sum(_CRASHED in run.failures.get(name, "") for name in names),
    }
