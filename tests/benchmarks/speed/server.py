"""A process that measures something whenever it is asked to.

So runs of several kinds can take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from speed.rows import child_environment

__all__ = ["Server"]


class Server:
    """Starts a script of this folder; each `ask` is a line of JSON to it and one back.

    Parameters
    ----------
    script : str
        Its file.
    argument : str or Path
    environment : str
        More of the environment, by name.
    """

    def __init__(self, script: str, argument: str | Path, **environment: str) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed in __exit__
        self._child = subprocess.Popen(
            [sys.executable, str(Path(__file__).parents[1] / script), str(argument)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=child_environment(**environment),
            text=True,
        )
        self._read()

    def ask(self, question: Any) -> dict[str, Any]:
        """Have it measure something.

        Raises
        ------
        SystemExit
            If it fails, with the end of what it said.
        """
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self._read())
        return answer

    def _read(self) -> str:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            self._child.wait()
            self._said.seek(0)
            raise SystemExit(
                f"{self._child.args!r} has ended: {self._said.read()[-2000:].decode()}"
            )
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()
        self._said.close()
