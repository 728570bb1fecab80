"""What faults are brought about on: songs, a cache, the right embeddings; and what came of it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speed.rows import child_environment
from waiting import ended, run

from reliability.songs import Library

__all__ = ["Bed", "Cannot", "Outcome", "mounted", "system"]

_N_SONGS = 12
_PACKAGES = {"mount": "mount", "umount": "mount", "mkfs.ext4": "e2fsprogs"}
_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Cannot(Exception):  # noqa: N818  says what it is
    """This machine or user can't bring a fault about; the message says why."""


@dataclass(kw_only=True)
class Outcome:
    """What a fault came to.

    Attributes
    ----------
    survived : bool
        Whether every command ended by itself, with an exit code of ours and without a traceback.
    lost : int
        Songs that are not there after another run without the fault.
    wrong : int
        Embeddings that are not the right ones.
    notes : list of str
        What was not as it should be.
    """

    survived: bool = True
    lost: int = 0
    wrong: int = 0
    notes: list[str] = field(default_factory=list)


class Bed:
    """Songs, a cache that has an encoder only, and the right embeddings of all songs."""

    def __init__(self, work: Path, n_songs: int = _N_SONGS) -> None:
        self.work = work / "faults"
        self.n_songs = n_songs
        self.reference = Library.make(work, "faults-reference", n_songs)
        self._run_command(self.reference, "embed", self.reference.folder)
        self.library = self.reference
        self.outcome = Outcome()

    def fresh(self) -> None:
        """Begin again: an empty cache and the songs, in a folder of their own."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.reference.root / "encoders", self.work / "cache" / "encoders")
        shutil.copytree(self.reference.folder, self.work / "music")
        self.outcome = Outcome()
        self.library = self._at(self.work / "cache", self.work / "music")

    def _at(self, root: Path, folder: Path) -> Library:
        paths = [str(folder / Path(path).name) for path in self.reference.paths]
        return Library(root=root, folder=folder, paths=paths)

    def move(self, *, root: Path | None = None, folder: Path | None = None) -> None:
        """Have the cache or the songs somewhere else."""
        library = self.library
        if root is not None:
            shutil.copytree(library.root, root, dirs_exist_ok=True)
        if folder is not None:
            shutil.copytree(library.folder, folder, dirs_exist_ok=True)
        self.library = self._at(root or library.root, folder or library.folder)

    def run(
        self, *arguments: str | Path, code: int | None = None, says: str = "", **more: Any
    ) -> str:
        """Run a command.

        Note a traceback, another exit code than one of ours, and words that are missing.
        """
        done = self._run_command(self.library, *arguments, **more)
        self.expect(f"{arguments[0]}", done.returncode, done.stdout + done.stderr, code, says)
        return done.stdout

    def expect(self, what: str, got: int, said: str, code: int | None, says: str) -> None:
        """Judge how a command ended and what it said."""
        if got not in (0, 1) or "Traceback" in said or "panicked" in said:
            self.outcome.survived = False
            self.outcome.notes.append(f"{what} ended with {got}: {said[-1500:]}")
        elif (code is not None and got != code) or not re.search(says, said, re.DOTALL):
            self.outcome.notes.append(
                f"{what} ended with {got} for {code}, or lacks {says!r}: {said[-600:]}"
            )

    def start(
        self, *arguments: str | Path, start_new_session: bool = False
    ) -> subprocess.Popen[str]:
        """Start a command that something happens to."""
        return subprocess.Popen(
            self.library.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=child_environment(),
            start_new_session=start_new_session,
        )

    def end(self, process: subprocess.Popen[str], code: int | None = None, says: str = "") -> None:
        """Wait for what was started."""
        said, _ = ended(process)
        self.expect("embed", process.returncode, said, code, says)

    def finish(self, folder: Path | None = None) -> None:
        """Run once more without the fault: every song must be there, right, and nothing damaged."""
        report = json.loads(
            self.run("embed", folder or self.library.folder, "--json", code=0) or "{}"
        )
        if report.get("failed"):
            self.outcome.notes.append(f"still failing: {report['failed'][:2]}")
        self.run("cache", "verify", code=0)
        sound = self.library.check(self.reference)
        self.outcome.lost += sound.lost
        self.outcome.wrong += sound.wrong

    def _run_command(
        self, library: Library, *arguments: str | Path, limit_bytes: int | None = None, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        argv = library.command(*arguments)
        if limit_bytes is not None:
            argv = [sys.executable, "-c", _LIMITED, str(limit_bytes), *argv]
        return run(argv, errors="surrogateescape", env=child_environment(), **more)


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    system("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def system(*argv: str) -> None:
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        package = _PACKAGES[argv[0]]
        raise Cannot(f"no {argv[0]} on PATH (Debian: apt-get install {package})") from error
    if done.returncode:
        raise Cannot(
            f"only root may {argv[0]}, and not in every container (exit code {done.returncode})"
        )
