"""What the commands share: exit codes, errors in words, stdout that holds nothing but data."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from embed import Failure

__all__ = [
    "EXIT_FAILED",
    "end",
    "print_json",
    "print_story",
    "print_text",
    "reports_errors",
    "require_songs",
    "say",
]
__all__ += ["say_failures"]

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Terminated(KeyboardInterrupt):
    """The system asks us to end (SIGTERM, SIGHUP): as with Ctrl-C, what is done is kept."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def reports_errors(command: _Command) -> _Command:
    """Turn errors into a line on stderr and an exit code."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        # Not in a thread of the service, whose server takes the signals.
        is_main = threading.current_thread() is threading.main_thread()
        for name in ("SIGTERM", "SIGHUP"):
            if is_main and hasattr(signal, name):
                signal.signal(getattr(signal, name), _terminate)
        try:
            _call(command, args, kwargs)
        except KeyboardInterrupt as error:
            say("interrupted; what was done is kept")
            raise typer.Exit(getattr(error, "exit_code", EXIT_INTERRUPTED)) from error

    return wrapper  # type: ignore[return-value]


def _call(command: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    from cache import CacheError
    from classify.errors import ClassifyError
    from embed import EmbedError

    try:
        command(*args, **kwargs)
    except (CacheError, ClassifyError, EmbedError) as error:
        say(str(error))
        for note in getattr(error, "__notes__", ()):  # such as a card to fill in: lines of ours
            typer.echo(note, err=True)
        raise typer.Exit(EXIT_FAILED) from error
    except BrokenPipeError as error:  # such as `| head`
        _drop_stdout()
        raise typer.Exit(EXIT_FAILED) from error
    except OSError as error:  # such as a full disk behind stdout
        _drop_stdout()
        where = f"{error.filename}: " if error.filename else ""
        say(f"{where}{error.strerror or error}")
        raise typer.Exit(EXIT_FAILED) from error


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated(number)


def _drop_stdout() -> None:
    """Send what is still to be written nowhere, or Python would complain of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(words: str) -> None:
    """Write a line to stderr; on a terminal, several where it is long."""
    from classify.output.formats import printable
    from classify.output.wrapping import fitted

    readable = words.encode("utf-8", "replace").decode("utf-8")
    typer.echo(fitted(f"sevensongs: {printable(readable)}", sys.stderr), err=True)


def end(failed: Sequence[Failure]) -> None:
    """List failures on stderr; exit with 1 if there are any."""
    say_failures(failed, "failed")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def say_failures(failures: Sequence[Failure], word: str) -> None:
    """List files on stderr, with what is wrong with each; several URLs are one line."""
    if not failures:
        return
    from classify.output.embed_summary import apart_from_streams

    files, streams = apart_from_streams(failures)
    for failure in files:
        say(f"{word}: {failure.path}: {failure.error}")
    if streams:
        say(f"{word}: {streams}")


def print_json(document: Any) -> None:
    """Write one JSON document to stdout."""
    from classify.output.formats import to_json

    print_text(to_json(document) + "\n")


def print_story(text: str) -> None:
    """Write sentences to stdout, in lines that fit where it is a terminal."""
    from classify.output.wrapping import fitted

    print_text(fitted(text, sys.stdout))


def print_text(text: str) -> None:
    """Write to stdout; names that are not UTF-8 come out as the bytes that they are on disk."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def require_songs(n_found: int, kept: str = "") -> None:
    """Say so where there is nothing to do, and of what file that is kept.

    That is better than to succeed in silence.
    """
    if not n_found:
        say(f"no audio file is there; see README for what is read{kept}")
        raise typer.Exit(EXIT_FAILED)
