"""``--then COMMAND``: commands of ours that follow whatever is new, such as ``playlist update``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from classify.cli.console import say

__all__ = ["ThenOption", "following"]

_NEVER_ENDING = ("demo", "embed", "serve")
_SIGNALLED = 128  # an exit code above: the system, or whoever sits here, wants us to end


def _known_commands(context: typer.Context, commands: list[str] | None) -> list[str]:
    """Refuse what is no command of ours, or has wrong arguments, before anything is watched."""
    for command in commands or ():
        _context_of(command, context.find_root())
    return commands or []


ThenOption = Annotated[
    list[str] | None,
    typer.Option(
        "--then",
        metavar="COMMAND",
        callback=_known_commands,
        help="With --watch: a command of sevensongs to run after what is new, and after labels, "
        "in quotes: --then 'playlist update'. Repeatable.",
    ),
]


def following(context: typer.Context, commands: Sequence[str]) -> Callable[[], None]:
    """Return what runs commands of ours, one after the other, in this process and without a shell.

    One that fails says why and keeps nothing else from being done; it is run again after the next
    change.

    Parameters
    ----------
    context : Context
        Of the command that watches.
    commands : sequence of str
        Each as one would type it, without ``sevensongs``; words are parted as a shell parts them,
        and nothing else is expanded.
    """
    root = context.find_root()

    def run() -> None:
        for command in commands:
            code = _run(command, root)
            if code > _SIGNALLED:
                raise typer.Exit(code)
            if code:
                say(f"'{command}' ended with {code}; it is run again when something is new")

    return run


def _run(command: str, root: Any) -> int:
    own = _context_of(command, root)
    try:
        with own:
            own.command.invoke(own)
    except typer.Exit as ended:
        return int(ended.exit_code)
    except typer.Abort:
        return 1
    return 0


def _context_of(command: str, root: Any) -> Any:
    """Parse a command with its arguments."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise typer.BadParameter(f"{command!r:.200} can't be read: {error}") from error
    if words[:1] == ["sevensongs"]:
        words = words[1:]
    if not words or words[0] in _NEVER_ENDING:
        raise typer.BadParameter(
            f"{command!r:.200} can't follow a change; such as 'playlist update' or "
            "'score -o new.m3u8' can"
        )
    group: Any = root.command
    names: list[str] = []
    while isinstance(group, TyperGroup):
        found = group.get_command(root, words[0]) if words else None
        if found is None:
            raise typer.BadParameter(f"there is no command 'sevensongs {' '.join(words[:1])}'")
        names, words, group = [*names, words[0]], words[1:], found
    return group.make_context(" ".join(names), words, parent=root)
