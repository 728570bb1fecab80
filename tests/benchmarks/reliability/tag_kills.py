"""Kill `tags write` and `tags undo` at each step that they take on files; is any song lost?

See README.md here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np

from classify.tagging.undoing import undo_tags
from classify.tagging.writing import read_field, write_scores
from embed import probe

__all__ = ["kill_tagging", "rows"]

_KINDS = {".mp3": "libmp3lame", ".flac": "flac", ".opus": "libopus", ".m4a": "aac"}
_RATE_HZ, _SECONDS = 48000, 2
_STEPS = frozenset({"open", "os.rename", "os.remove", "os.chmod", "os.utime", "os.setxattr"})
_SCORE = "0.875"


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Kill `n` writes and `n` undos."""
    yield {"kind": "tags"} | kill_tagging(n, work / "write", undoes=False)
    yield {"kind": "tags"} | kill_tagging(n, work / "undo", undoes=True)


def kill_tagging(n: int, work: Path, *, undoes: bool) -> dict[str, Any]:
    """Kill a write, or an undo, n times, at steps spread evenly over all that it takes.

    After each kill every file has to be as it was, or as it was to be, with the same sound; then an
    undo has to bring back every byte.
    """
    started = time.monotonic()
    made = _make(work / "made")
    digests = {path.name: probe(path).digest for path in made}
    lost = wrong = survived = 0
    n_steps = _killed(_fresh(made, work, undoes), work, 0, undoes)
    for number in range(n):
        songs = _fresh(made, work, undoes)
        _killed(songs, work, 1 + number * n_steps // n, undoes)
        originals = {path.name: path.read_bytes() for path in made}
        is_lost = [not _is_sound(song, originals[song.name], digests[song.name]) for song in songs]
        undo_tags(root=work / "cache")
        is_wrong = [song.read_bytes() != originals[song.name] for song in songs]
        lost += sum(is_lost)
        wrong += sum(is_wrong)
        survived += not any(is_lost + is_wrong)
    return {
        "fault": f"SIGKILL of tags {'undo' if undoes else 'write'}",
        "n": n,
        "survived": survived,
        "lost": lost,
        "wrong": wrong,
        "steps": n_steps,
        "seconds": round(time.monotonic() - started, 1),
    }


def _make(folder: Path) -> list[Path]:
    """Make a song of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(0, 0.1, (1, _SECONDS * _RATE_HZ)).astype(np.float32)
    paths = []
    for suffix, codec in _KINDS.items():
        path = folder / f"song{suffix}"
        with av.open(str(path), "w") as container:
            container.metadata["title"] = "song"
            stream: Any = container.add_stream(codec, rate=_RATE_HZ)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
            frame.sample_rate = _RATE_HZ
            for part in av.AudioResampler(format=stream.format, layout="mono").resample(frame):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        paths.append(path)
    return paths


def _fresh(made: Sequence[Path], work: Path, undoes: bool) -> list[Path]:
    """Copy the songs anew, with a new journal; written into already, where that is to be undone."""
    shutil.rmtree(work / "music", ignore_errors=True)
    shutil.rmtree(work / "cache", ignore_errors=True)
    (work / "music").mkdir()
    songs = [Path(shutil.copy2(path, work / "music")) for path in made]
    if undoes:
        write_scores(dict.fromkeys(map(str, songs), _SCORE), root=work / "cache")
    return songs


def _is_sound(song: Path, original: bytes, digest: str) -> bool:
    """Whether a song is as it was, or has the field and the same sound."""
    if song.read_bytes() == original:
        return True
    return read_field(song) == _SCORE and probe(song).digest == digest


def _killed(songs: Sequence[Path], work: Path, step: int, undoes: bool) -> int:
    """Have a process do the work that kills itself before a step; return its number of steps.

    It is forked from one that has imported all that it needs.
    """
    order = {"songs": list(map(str, songs)), "root": str(work / "cache"), "undoes": undoes}
    child = _imported()
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(order | {"step": step}) + "\n")
    child.stdin.flush()
    told: dict[str, int] = json.loads(child.stdout.readline())
    if step:
        assert told["code"] == -signal.SIGKILL, told
    return told["steps"]


_child: list[subprocess.Popen[str]] = []


def _imported() -> subprocess.Popen[str]:
    """Return the process that forks; it ends when we do, as its input ends then."""
    if not _child:
        folder = Path(__file__).resolve().parents[1]
        environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{folder.parents[1]}"}
        _child.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-W",
                    "ignore:lance is not fork-safe",
                    "-m",
                    "reliability.tag_kills",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        )
    return _child[0]


def _serve() -> None:
    """Do what each line of the input says, in a process of its own.

    What that imports when it is first needed is imported here, once.
    """
    for name in ("lance", "mutagen.flac", "mutagen.mp3", "mutagen.mp4", "mutagen.oggopus"):
        import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        counted, counts = os.pipe()
        child = os.fork()
        if child == 0:
            _count_steps(order["step"], counts)
            _work(order)
            os._exit(0)
        os.close(counts)
        with os.fdopen(counted, "rb") as steps:
            n_steps = len(steps.read())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(json.dumps({"steps": n_steps, "code": code}) + "\n")
        sys.stdout.flush()


def _work(order: dict[str, Any]) -> None:
    if order["undoes"]:
        undo_tags(root=order["root"])
    else:
        write_scores(dict.fromkeys(order["songs"], _SCORE), root=order["root"])


def _count_steps(last: int, into: int) -> None:
    """Tell each step on files through a pipe; before one of them end this process."""
    n = 0

    def hook(name: str, given: Any) -> None:
        nonlocal n
        if name in _STEPS and any(place in str(given[0]) for place in ("/music/", "/tags/")):
            n += 1
            if n == last:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(into, b".")

    sys.addaudithook(hook)


if __name__ == "__main__":
    _serve()
