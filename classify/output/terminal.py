"""What a terminal can show, and the rows of a table for it.

It imports nothing that only the table itself needs: commands ask this first, wherever they write.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TextIO

__all__ = ["TableSong", "Terminal"]

_MIN_WIDTH, _MAX_WIDTH = 20, 160


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """What the table is written to.

    Attributes
    ----------
    width : int
        In cells.
    colour : bool
        Whether it takes colours and its user wants them.
    unicode : bool
        Whether it shows more than ASCII.
    """

    width: int
    colour: bool = False
    unicode: bool = True

    @classmethod
    def of(cls, stream: TextIO) -> Terminal | None:
        """Describe a stream; None for a file or a pipe.

        ``NO_COLOR`` (no-color.org) and ``TERM=dumb`` turn colours off, ``COLUMNS`` tells the width.
        """
        if not stream.isatty():
            return None
        encoding = (stream.encoding or "").lower().replace("-", "")
        return cls(
            width=min(max(shutil.get_terminal_size().columns, _MIN_WIDTH), _MAX_WIDTH),
            colour=not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb",
            unicode=encoding.startswith("utf"),
        )


@dataclass(frozen=True, kw_only=True)
class TableSong:
    """A row.

    Attributes
    ----------
    name : str
        Of the song; as it is in the file's tags.
    is_path : bool
        Of a path that is too long, the end is shown rather than the beginning.
    score : float or None
        What the bar shows, in [0, 1]; of those below 0 it is empty.
    verdict : str
        A word.
    group : str
        Heading of the rows that it stands with; it is shown above the first of them.
    why : tuple of str
        Remarks; as many as there is room for.
    below : str
        A line of its own that is never cut, to be copied: a path.
    """

    name: str
    is_path: bool = False
    score: float | None = None
    verdict: str = ""
    group: str = ""
    why: tuple[str, ...] = ()
    below: str = ""
