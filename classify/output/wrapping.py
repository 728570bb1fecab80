"""Sentences in lines that fit a terminal: nothing breaks inside a word, or a command to copy."""

from __future__ import annotations

import re
import shutil
from typing import TextIO

__all__ = ["fitted", "width_of", "wrapped"]

_LEAST, _MOST = 40, 120
# A command in quotes, such as 'sevensongs embed PATH', is one word; so is what has no space.
_WORD = re.compile(r"'sevensongs [^'\n]*'[^\s]*|\S+")


def width_of(stream: TextIO) -> int | None:
    """Return how many characters a line of a terminal takes; None for a file or a pipe."""
    if not stream.isatty():
        return None
    return max(_LEAST, min(_MOST, shutil.get_terminal_size().columns))


def fitted(text: str, stream: TextIO) -> str:
    """Wrap each line of a text that is longer than a terminal's; else return it as it is."""
    width = width_of(stream)
    if width is None:
        return text
    return "\n".join(wrapped(line, width) for line in text.split("\n"))


def wrapped(line: str, width: int) -> str:
    """Wrap a line between words; lines that follow are indented as it is, and by two more.

    Parameters
    ----------
    line : str
    width : int
        In characters. A word that is longer stands on a line of its own, whole.

    Examples
    --------
    >>> from classify.output.wrapping import wrapped
    >>> print(wrapped("add songs with 'sevensongs embed PATH', then go on", 24))
    add songs with
      'sevensongs embed PATH',
      then go on
    """
    if len(line) <= width:
        return line
    indent = len(line) - len(line.lstrip(" "))
    lines, now = [], " " * indent
    for word in _WORD.findall(line):
        room = now if not now.strip() else f"{now} "
        if now.strip() and len(room) + len(word) > width:
            lines.append(now)
            now = " " * (indent + 2) + word
        else:
            now = room + word
    return "\n".join([*lines, now])
