"""Songs as a table for a terminal.

It is as wide as the terminal is, with bars, and with colours where they are wanted.

Only for people: what goes to a file or another program is made by `classify.output.formats`. A row
is one line where there is room, and two or more where there is not. Widths are counted in cells:
signs of Chinese, Japanese and Korean and emoji take two, marks that combine with their letter none
(Unicode Standard Annex 11, "East Asian Width").
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from classify.output.formats import printable

__all__ = ["TableSong", "Terminal", "cells", "fitted", "song_table"]

_MIN_WIDTH, _MAX_WIDTH = 20, 160
_BAR_CELLS, _SHORT_BAR_CELLS, _NARROW = 8, 5, 60
_MIN_NAME = 24
_MAX_WHY = 60
_GAP = "  "
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# cyan: told from grey by the colour-blind too
_BRIGHT, _DIM, _PLAIN = "\x1b[1;36m", "\x1b[2m", "\x1b[0m"
_COLOURS: Mapping[str, str] = {"like": _BRIGHT, "dislike": _DIM}


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
    why : tuple of str
        Remarks; as many as there is room for.
    below : str
        A line of its own that is never cut, to be copied: a path.
    """

    name: str
    is_path: bool = False
    score: float | None = None
    verdict: str = ""
    why: tuple[str, ...] = ()
    below: str = ""


def song_table(songs: Sequence[TableSong], terminal: Terminal) -> str:
    """Lay songs out for a terminal.

    Parameters
    ----------
    songs : sequence of TableSong
        Best first.
    terminal : Terminal

    Returns
    -------
    str
        Lines that fit into the terminal's width, whatever the names are made of; but for what is
        `below`.
    """
    layout = _Layout.of(songs, terminal)
    return "".join(
        layout.row(rank, song) + layout.below(song) for rank, song in enumerate(songs, start=1)
    )


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Widths of the columns, in cells; `name` is None where a row takes two lines or more."""

    terminal: Terminal
    rank: int
    bar: int
    verdict: int
    name: int | None
    why: int

    @classmethod
    def of(cls, songs: Sequence[TableSong], terminal: Terminal) -> _Layout:
        rank = len(str(len(songs)))
        verdict = max((cells(song.verdict) for song in songs), default=0)
        scored = any(song.score is not None for song in songs)
        bar = _BAR_CELLS if terminal.width >= _NARROW else _SHORT_BAR_CELLS
        left = (len("0.00 ") + bar + len(_GAP)) * scored + (verdict + len(_GAP)) * (verdict > 0)
        room = terminal.width - rank - len(_GAP) - left
        first = max((cells(song.why[0]) for song in songs if song.why), default=0)
        whole = max((cells(", ".join(song.why)) for song in songs), default=0)
        if room < _MIN_NAME + (first + len(_GAP)) * (first > 0):
            return cls(terminal=terminal, rank=rank, bar=bar, verdict=verdict, name=None, why=0)
        longest = max((cells(_clean(song.name)) for song in songs), default=0)
        if not whole:
            return cls(
                terminal=terminal,
                rank=rank,
                bar=bar,
                verdict=verdict,
                name=min(longest, room),
                why=0,
            )
        # Names have what they need, and at least half; reasons have the rest.
        why = min(
            whole, _MAX_WHY, max(first, room - len(_GAP) - max(_MIN_NAME, min(longest, room // 2)))
        )
        name = min(longest, room - len(_GAP) - why)
        return cls(terminal=terminal, rank=rank, bar=bar, verdict=verdict, name=name, why=why)

    def row(self, rank: int, song: TableSong) -> str:
        """Return the line, or the lines, of a song."""
        shown = self._shown(song)
        number = str(rank).rjust(self.rank)
        if self.name is not None:
            name = self._name(song, self.name)
            name += " " * (self.name - cells(name))
            return _GAP.join([number, *shown, name, self._remarks(song, self.why)]).rstrip() + "\n"
        room = self.terminal.width - self.rank - len(_GAP)
        indent = " " * self.rank
        taken = (len("0.00 ") + self.bar + len(_GAP)) * (song.score is not None)
        taken += (self.verdict + len(_GAP)) * (self.verdict > 0)
        lines = [f"{number}{_GAP}{self._name(song, room)}"]
        # a sentence: told whole
        if len(song.why) == 1 and cells(_clean(song.why[0])) > room - taken:
            lines.append(_GAP.join([indent, *shown]))
            lines += [_GAP.join([indent, line]) for line in self._wrapped(song.why[0], room)]
        else:
            lines.append(_GAP.join([indent, *shown, self._remarks(song, room - taken)]))
        return "".join(f"{line.rstrip()}\n" for line in lines if line.strip())

    def below(self, song: TableSong) -> str:
        """Return the line below a song, if there is to be one."""
        if not song.below:
            return ""
        text = printable(song.below)
        painted = f"{_DIM}{text}{_PLAIN}" if self.terminal.colour else text
        return f"{' ' * self.rank}{_GAP}{painted}\n"

    def _shown(self, song: TableSong) -> list[str]:
        """Return score, bar and verdict, in the colour of the verdict."""
        parts = []
        if song.score is not None:
            parts.append(f"{song.score:.2f}".rjust(4)[:4] + " " + self._bar(song.score))
        if self.verdict:
            parts.append(song.verdict.ljust(self.verdict))
        colour = _COLOURS.get(song.verdict) if self.terminal.colour else None
        return [f"{colour}{part}{_PLAIN}" for part in parts] if colour else parts

    def _name(self, song: TableSong, width: int) -> str:
        return fitted(_clean(song.name), width, dots=self._dots, keep_end=song.is_path)

    def _remarks(self, song: TableSong, width: int) -> str:
        """Join as many remarks as there is room for.

        The first is cut where even that one is too long.
        """
        remarks = [_clean(remark) for remark in song.why]
        while len(remarks) > 1 and cells(", ".join(remarks)) > width:
            remarks.pop()
        return fitted(", ".join(remarks), width, dots=self._dots)

    def _wrapped(self, text: str, width: int) -> list[str]:
        """Break text between words into lines of so many cells; a word that is longer is cut."""
        lines = [""]
        for word in _clean(text).split():
            longer = f"{lines[-1]} {word}".strip()
            if cells(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(fitted(word, width, dots=self._dots))
        return [line for line in lines if line]

    @property
    def _dots(self) -> str:
        return "…" if self.terminal.unicode else "..."

    def _bar(self, score: float) -> str:
        """Draw a share in eighths of a cell."""
        share = min(max(score, 0.0), 1.0)
        if not self.terminal.unicode:
            return ("#" * round(share * self.bar)).ljust(self.bar)
        full, eighth = divmod(round(share * self.bar * 8), 8)
        return (_EIGHTHS[8] * full + (_EIGHTHS[eighth] if eighth else "")).ljust(self.bar)


def _clean(text: str) -> str:
    return printable(" ".join(text.split()))


def cells(text: str) -> int:
    """Count the cells that text takes in a terminal."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def _width_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(text: str, width: int, *, dots: str = "…", keep_end: bool = False) -> str:
    """Cut text to a number of cells, and mark where it was cut.

    Parameters
    ----------
    text : str
    width : int
    dots : str
        The mark.
    keep_end : bool
        Cut at the beginning instead.
    """
    if cells(text) <= width:
        return text
    room = width - len(dots)
    if room <= 0:
        return dots[: max(0, width)]
    step: Callable[[str], str] = (lambda kept: kept[::-1]) if keep_end else (lambda kept: kept)
    taken, kept = 0, ""
    for character in step(text):
        taken += _width_of(character)
        if taken > room:
            break
        kept += character
    return dots + step(kept) if keep_end else kept.rstrip() + dots
