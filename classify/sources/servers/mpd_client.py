"""MPD's protocol over a socket.

By hand: no more than a line asked and lines answered; python-mpd2 knows 150 commands, of which six
are needed. tests/classify/sources/servers/test_mpd.py runs it against Debian's mpd.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from types import TracebackType
from typing import Self

from classify.errors import ServerError

__all__ = ["DEFAULT_PORT", "MpdClient", "MpdRefusalError"]

DEFAULT_PORT = 6600
_TIMEOUT_S = 10.0  # without a byte
_ANSWER_S = 120.0  # of one answer
_PIECE = _MAX_LINE = 2**16
_MAX_LINES = 20_000_000  # some 15 a song


class MpdRefusalError(ServerError):
    """What MPD says to a command that it can't do; `code` as in its ``ack.h``."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class MpdClient:
    """A connection to MPD; a context manager that closes it.

    Parameters
    ----------
    host : str
    port : int
    timeout_s : float
        How long it may say nothing.

    Raises
    ------
    ServerError
        If nobody answers there, or somebody else.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.name = f"mpd:{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
        except (OSError, UnicodeError) as error:
            raise ServerError(
                f"MPD can't be reached at {host}:{port} ({_why(error)}); is it running, and does "
                "its bind_to_address have this?"
            ) from error
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._ends = time.monotonic() + _ANSWER_S
        try:
            greeting = self._line()
            if not greeting.startswith("OK MPD "):
                raise ServerError(
                    f"what answers at {host}:{port} is no MPD: it says {greeting!r:.60}"
                )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, command: str, *arguments: str) -> list[tuple[str, str]]:
        """Send a command, and return what it answers as names and values.

        Raises
        ------
        MpdRefusalError
            If MPD can't do it.
        ServerError
            If it says nothing for too long, or too much.
        """
        return self.ask_all([(command, *arguments)])

    def ask_all(self, commands: list[tuple[str, ...]]) -> list[tuple[str, str]]:
        """Send commands that are done together; of several the first that fails ends them."""
        lines = [_line_of(*one) for one in commands]
        if len(lines) > 1:
            lines = ["command_list_begin", *lines, "command_list_end"]
        self._ends = time.monotonic() + _ANSWER_S
        try:
            self._socket.sendall("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        except OSError as error:
            raise ServerError(f"{self.name} has ended the connection ({_why(error)})") from error
        answer = []
        while (line := self._line()) != "OK":
            if line.startswith("ACK "):
                raise self._refusal(line, commands[0][0])
            name, _, value = line.partition(": ")
            answer.append((name, value))
            if len(answer) > _MAX_LINES:
                raise ServerError(f"{self.name} answers with more than {_MAX_LINES} lines")
        return answer

    def _line(self) -> str:
        while not self._lines:
            if time.monotonic() > self._ends:
                raise ServerError(f"{self.name} has not come to an end in {_ANSWER_S:g} s")
            try:
                piece = self._socket.recv(_PIECE)
            except OSError as error:
                raise ServerError(f"{self.name} does not answer ({_why(error)})") from error
            if not piece or len(self._rest) > _MAX_LINE:
                what = f"a line of more than {_MAX_LINE} bytes" if piece else "nothing more"
                raise ServerError(f"{self.name} says {what}, and no end of its answer")
            *lines, self._rest = (self._rest + piece).split(b"\n")
            self._lines.extend(lines)
        return self._lines.popleft().decode("utf-8", "surrogateescape")

    def _refusal(self, line: str, command: str) -> MpdRefusalError:
        # ACK [5@0] {list} what is wrong
        code, _, words = line[5:].partition("@")
        words = words.partition("} ")[2] or words
        if command == "password":
            words = "the password is wrong"
        elif code == "4":
            words = f"it asks for a password, or for another one ({words})"
        return MpdRefusalError(
            f"{self.name} refuses {command!r}: {words:.200}", int(code) if code.isdigit() else 0
        )


def _line_of(command: str, *arguments: str) -> str:
    for argument in arguments:
        if "\n" in argument or "\r" in argument:
            told = "in a password" if command == "password" else f"in {argument!r:.100}"
            raise ServerError(f"MPD takes no line ends {told}")
    escaped = (one.replace("\\", "\\\\").replace('"', '\\"') for one in arguments)
    return " ".join([command, *(f'"{one}"' for one in escaped)])


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it says nothing"
    return str(getattr(error, "strerror", None) or error)
