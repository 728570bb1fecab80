"""A command in a terminal of its own: what it shows, and answers to what it asks."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from types import TracebackType
from typing import Self

from waiting import LONG_S

__all__ = ["TerminalCommand"]


class TerminalCommand:
    """Runs `sevensongs` with a pseudo-terminal as stdin, stdout and stderr until the block ends.

    Parameters
    ----------
    arguments : str
        Of the command.
    start_new_session : bool
        Whether the command and its workers are a process group of their own.
    """

    def __init__(self, *arguments: str, start_new_session: bool = False) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "classify.cli", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=start_new_session,
        )
        os.close(theirs)
        self.shown = ""

    def until(self, words: str | re.Pattern[str]) -> str:
        """Wait until the command shows some words after what was waited for; return all of it."""
        start = len(self.shown)
        pattern = re.compile(re.escape(words)) if isinstance(words, str) else words
        while not pattern.search(self.shown, start):
            ready, _, _ = select.select([self._ours], [], [], LONG_S)
            assert ready, f"no {words!r} in {self.shown!r}"
            self.shown += os.read(self._ours, 4096).decode("utf-8", "replace")
        return self.shown

    def answer(self, line: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{line}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
