"""`sevensongs serve` as a process of its own, on a free port of this machine, stopped at the end.

Standard library alone; tests and `bench_service.py` use it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from waiting import ended, wait_until

__all__ = ["Service"]

_URL = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):([0-9]+)")


class Service:
    """Starts the service, and waits until it answers.

    Parameters
    ----------
    root : Path
        The cache.
    arguments : str or Path
        More for the command: folders, options.
    environment : str
        More of the environment, by name.

    Raises
    ------
    AssertionError
        If it does not come to answer; at the end, if it does not stop when it is told to, or has
        written a traceback. See `Patience` for how long it may take.
    """

    def __init__(self, root: Path, *arguments: str | Path, **environment: str) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="sevensongs-service-")  # noqa: SIM115  closed in stop
        command = (sys.executable, "-P", "-m", "classify.cli", "--cache", root.absolute())
        self._child = subprocess.Popen(
            [*map(str, command), "serve", "--port", "0", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            cwd=tempfile.gettempdir(),
        )
        try:
            self.port = self._wait()
        except BaseException:
            self._child.kill()
            self._child.wait()
            raise
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the service's process."""
        return self._child.pid

    def said(self) -> str:
        """Return all that it has written so far."""
        return Path(self._log.name).read_text("utf-8", "replace")

    def _wait(self) -> int:
        found: list[int] = []

        def answers() -> bool:
            assert self._child.poll() is None, (
                f"it has ended with {self._child.returncode}: {self.said()}"
            )
            found[:] = map(int, _URL.findall(self.said()))
            return bool(found) and _answers(found[0])

        wait_until(answers, "a service's first answer")
        return found[0]

    def stop(self) -> str:
        """Stop it as Ctrl-C does, and return all that it has written."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
        try:
            ended(self._child)
        except AssertionError as error:
            self._child.wait()
            raise AssertionError(f"{error}; it has said: {self.said()}") from None
        said = self.said()
        self._log.close()
        assert "Traceback" not in said, said
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._log.closed:
            self.stop()


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/v1/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False
