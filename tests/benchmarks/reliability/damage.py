"""Damage done to a cache at random.

Does every command give the right answer or an error, and is the cache mended?
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from speed.rows import child_environment
from waiting import run

from cache import CacheError
from reliability.songs import Library

__all__ = ["KINDS", "Outcome", "Patient", "damage", "rows"]

KINDS = ("flip", "cut", "delete")
_N_SONGS = 14
_N_LIKES = 5
_GROUPS = ("embeddings", "catalog.lance", "encoders", "scores")
# both are made anew, and nothing hangs on them
_HARMLESS = ("latest_version_hint.json", ".fingerprint")

# for its child
_SEARCH = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[3])])


@dataclass(kw_only=True)
class Outcome:
    """What came of some damages.

    Attributes
    ----------
    n : int
    told : int
        Of which `cache verify` said that something is damaged.
    refused, right, wrong : int
        Answers of commands before the repair: an error with its remedy, right, and wrong without a
        word.
    crashed : int
        Commands that ended with a traceback or a signal.
    lost : int
        Songs or answers that were not there, or not right, after the repair.
    """

    n: int = 0
    told: int = 0
    refused: int = 0
    right: int = 0
    wrong: int = 0
    crashed: int = 0
    lost: int = 0
    notes: list[str] = field(default_factory=list)


class Patient:
    """A small cache of real music, and copies of it that are damaged.

    It has a taste and kept scores.
    """

    def __init__(self, work: Path) -> None:
        self._library = Library.make(work, "damage", _N_SONGS // 2)
        self._run("embed", self._library.folder)
        self._library.add(_N_SONGS - _N_SONGS // 2)
        self._run("embed", self._library.folder)
        likes = [part for path in self._library.paths[:_N_LIKES] for part in ("--like", path)]
        self._run("train", *likes)
        self._copy = work / "damage" / "copy"
        self._right = self._trial(self._library.root, "answers")
        assert all(answer["code"] == 0 for answer in self._right.values()), self._right
        assert self._library.check().lost == 0

    def files(self) -> list[str]:
        """List the files of the cache, tastes left out: `reliability.data` damages those."""
        root = self._library.root
        found = [path.relative_to(root) for path in sorted(root.rglob("*")) if _holds(path)]
        return [str(path) for path in found if path.parts[0] in _GROUPS]

    def suffer(self, name: str, kind: str, rng: random.Random, outcome: Outcome) -> None:
        """Damage one file of a copy, ask it everything, have it mended, ask again."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self._library.root, self._copy)
        what = f"{kind} of {name}{damage(self._copy / name, kind, rng)}"
        outcome.n += 1
        found = self._trial(self._copy, "embed" if outcome.n % 3 == 0 else "answers", "verify")
        told = found.pop("verify", {"code": 1})
        outcome.told += told["code"] == 1
        if told["code"] == 0 and not name.endswith(_HARMLESS) and kind == "flip":
            outcome.notes.append(f"{what}: not told")
        for asked, answer in found.items():
            self._judge(f"{what}: {asked}", answer, self._right.get(asked), outcome)
        mended = self._trial(self._copy, "repair")
        lost = [asked for asked, right in self._right.items() if mended.get(asked, {}) != right]
        lost += ["vectors"] if self._differs() else []
        outcome.lost += len(lost)
        if lost or mended.get("verify", {}).get("code") != 0:
            outcome.lost += not lost
            outcome.notes.append(f"{what}: {lost or 'not sound'} after the repair: {mended}"[:2000])

    def _judge(self, what: str, answer: dict[str, Any], right: Any, outcome: Outcome) -> None:
        if answer["traceback"]:
            outcome.crashed += 1
            outcome.notes.append(f"{what}: {answer['traceback']}"[:2000])
        elif answer["code"] == 0 and (right is None or answer == right):
            outcome.right += 1
        elif answer["code"] == 1 and answer["said"]:
            outcome.refused += 1
        else:
            outcome.wrong += 1
            outcome.notes.append(f"{what}: {answer}"[:2000])

    def _differs(self) -> bool:
        right = dict(zip(*self._library.store.matrix(), strict=True))
        here = Library(root=self._copy, folder=self._library.folder, paths=self._library.paths)
        try:
            names, vectors = here.store.matrix()
        except CacheError:
            return True
        return set(names) != set(right) or any(
            not np.array_equal(right[name], vector)
            for name, vector in zip(names, vectors, strict=True)
        )

    def _run(self, *arguments: str | Path) -> None:
        done = subprocess.run(
            self._library.command(*arguments),
            capture_output=True,
            check=False,
            env=child_environment(),
        )
        assert done.returncode == 0, done.stderr.decode()

    def _trial(self, root: Path, *what: str) -> dict[str, Any]:
        library = self._library
        argv = [
            sys.executable,
            "-m",
            "reliability.damage",
            str(root),
            library.paths[0],
            str(library.folder),
            *what,
        ]
        done = run(argv, env=child_environment(PYTHONPATH=_SEARCH))
        if done.returncode != 0:
            return {
                "died": {"code": done.returncode, "said": done.stderr, "traceback": done.stderr}
            }
        answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answers


def _holds(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0  # a lock has no bytes


def damage(path: Path, kind: str, rng: random.Random) -> str:
    """Flip one bit, cut the file short or delete it; returns where."""
    content = bytearray(path.read_bytes())
    if kind == "delete":
        path.unlink()
        return ""
    at = rng.randrange(len(content))
    if kind == "cut":
        path.write_bytes(content[:at])
    else:
        content[at] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
    return f" at {at} of {len(content)}"


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Damage a cache `n` times in each way, half of the times in its embeddings.

    Yields
    ------
    dict
        One for each of `KINDS`; `notes` says what went wrong.
    """
    patient = Patient(work)
    files = patient.files()
    groups = {group: [name for name in files if name.startswith(group)] for group in _GROUPS}
    for kind in KINDS:
        rng, outcome, started = random.Random(f"{kind} 5"), Outcome(), time.monotonic()
        hit: Counter[str] = Counter()
        for number in range(n):
            group = _GROUPS[(0, 1, 0, 1, 0, 3, 0, 1, 0, 2)[number % 10]]
            hit[group] += 1
            patient.suffer(rng.choice(groups[group]), kind, rng, outcome)
        yield {
            "fault": {
                "flip": "one bit flipped",
                "cut": "a file cut short",
                "delete": "a file deleted",
            }[kind],
            "n": outcome.n,
            "told": outcome.told,
            "answers_right": outcome.right,
            "answers_refused": outcome.refused,
            "survived": outcome.n - outcome.crashed,
            "lost": outcome.lost,
            "wrong": outcome.wrong,
            "files": dict(hit),
            "seconds": round(time.monotonic() - started, 1),
            "notes": outcome.notes,
        }


def _ask(arguments: list[str]) -> dict[str, Any]:
    """Run a command in this process."""
    import traceback

    from typer.testing import CliRunner

    from classify.cli.app import app

    done = CliRunner().invoke(app, arguments)
    error = done.exception
    broken = error is not None and not isinstance(error, SystemExit)
    return {
        "code": done.exit_code,
        "out": json.loads(done.stdout) if done.exit_code == 0 and "--json" in arguments else None,
        "said": done.stderr if done.exit_code else "",
        "traceback": "".join(traceback.format_exception(error)) if broken and error else "",
    }


def _answers(song: str, folder: str, what: list[str]) -> dict[str, Any]:
    import classify.scoring.ranking

    classify.scoring.ranking._KEEP_FROM = 1  # so that scores are kept of so small a library as well
    answers = {}
    if "verify" in what:
        answers["verify"] = _ask(["cache", "verify", "--json"])
    if "repair" in what:
        answers["repair"] = _ask(["cache", "verify", "--repair", "--workers", "1"])
        answers["again"] = _ask(["embed", folder, "--workers", "1"])
        answers["verify"] = _ask(["cache", "verify"])
    answers["score"] = _ask(["score", "--labelled", "--copies", "--json"])
    answers["similar"] = _ask(["similar", song, "--json"])
    info = _ask(["cache", "info", "--json"])
    if info["out"]:
        info["out"] = {key: info["out"][key] for key in ("songs", "failed")} | {
            "encoders": [one["n_songs"] for one in info["out"]["encoders"]]
        }
    answers["info"] = info
    if "embed" in what:
        again = _ask(["embed", folder, "--workers", "1", "--json"])
        if again["out"]:
            again["out"] = {key: again["out"][key] for key in ("found", "failed")}
        answers["embed"] = again
    return answers


if __name__ == "__main__":
    root_, song_, folder_, *what_ = sys.argv[1:]
    os.environ["SEVENSONGS_CACHE"] = root_
    sys.stdout.write("\n" + json.dumps(_answers(song_, folder_, what_)) + "\n")
