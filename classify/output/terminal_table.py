"""Songs as a table for a terminal, laid out by `rich.table`.

It is as wide as the terminal is, with bars, and with colours where they are wanted.

Only for people: what goes to a file or another program is made by `classify.output.formats`, and
does without this module, for rich adds 30 ms of processor time to a start. A row is one line where
there is room, and two or more where there is not.

Cells are `rich.segment.Segments`, cut beforehand: rich finds no markup in them, and 10,000 songs
take 0.8 s of processor time rather than 2.1 s with `rich.text.Text`.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from classify.output.formats import printable
from classify.output.terminal import TableSong, Terminal
from classify.output.verdict_words import VERDICT_WORDS

__all__ = ["cells", "fitted", "song_table"]

_BAR_CELLS, _SHORT_BAR_CELLS, _NARROW = 8, 5, 60
_SCORE = len("0.00 ")
_MIN_NAME = 24
_MAX_WHY = 60
_GAP = "  "
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# cyan: told from grey by the colour-blind too
_UP, _DOWN = Style(bold=True, color="cyan"), Style(dim=True)
# labels are told from verdicts by their words, not by their looks
_STYLES: Mapping[str, Style] = {
    "like": _UP,
    VERDICT_WORDS["like"]: _UP,
    "dislike": _DOWN,
    VERDICT_WORDS["dislike"]: _DOWN,
}
_BELOW, _HEADING = Style(dim=True), Style(bold=True)
# rich takes all that a joiner joins for two cells, and few terminals join whatever a stranger's
# title asks for. So rich gets a character of no width in its place, which `printable` lets no title
# have.
_JOINER, _STAND_IN = "\u200d", "\u2060"
_ROWS_AT_ONCE = 1000


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
    console = Console(
        file=io.StringIO(),
        width=terminal.width,
        force_terminal=True,
        force_jupyter=False,
        legacy_windows=False,
        color_system="standard" if terminal.colour else None,
        no_color=False,  # `terminal` has heeded what the environment says
    )
    parts: list[str] = []
    first = 1
    for heading, group in itertools.groupby(songs, key=lambda song: song.group):
        rows = list(group)
        if heading:
            parts += ["\n" if parts else "", layout.heading(heading, console)]
        parts += layout.group(rows, first, console)
        first += len(rows)
    return "".join(parts)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Widths of the columns, in cells; `name` is None where a row takes two lines or more."""

    terminal: Terminal
    rank: int
    bar: int
    verdict: int
    name: int | None = None
    why: int = 0

    @classmethod
    def of(cls, songs: Sequence[TableSong], terminal: Terminal) -> _Layout:
        scored = any(song.score is not None for song in songs)
        narrow = cls(
            terminal=terminal,
            rank=len(str(len(songs))),
            bar=scored * (_BAR_CELLS if terminal.width >= _NARROW else _SHORT_BAR_CELLS),
            verdict=max((cells(song.verdict) for song in songs), default=0),
        )
        room = narrow.room - narrow.shown
        remarks = [_clean(", ".join(song.why)) for song in songs if song.why]
        first = max((cells(_clean(song.why[0])) for song in songs if song.why), default=0)
        whole = max(map(cells, remarks), default=0)
        if room < _MIN_NAME + (first + len(_GAP)) * (first > 0):
            return narrow
        longest = max((cells(_clean(song.name)) for song in songs), default=0)
        why = 0
        if whole:
            # Names have what they need, and at least half; reasons have the rest.
            rest = room - len(_GAP) - max(_MIN_NAME, min(longest, room // 2))
            why = min(whole, _MAX_WHY, max(first, rest))
            room -= len(_GAP) + why
        return replace(narrow, name=min(longest, room), why=why)

    @property
    def room(self) -> int:
        """Return the width that is left beside the rank."""
        return self.terminal.width - self.rank - len(_GAP)

    @property
    def shown(self) -> int:
        """Return the width of score, bar and verdict, with the gaps behind them."""
        score = (_SCORE + self.bar + len(_GAP)) * (self.bar > 0)
        return score + (self.verdict + len(_GAP)) * (self.verdict > 0)

    def rows(self, songs: Sequence[TableSong], first: int, console: Console) -> str:
        """Return the lines of some songs, the first of which has the rank `first`."""
        name = self.name if self.name is None else self.name + len(_GAP) * (self.why > 0)
        widths = (self.shown, name, self.why) if name is not None else (self.room,)
        table = Table.grid(*(Column(width=one) for one in (self.rank + len(_GAP), *widths) if one))
        for rank, song in enumerate(songs, start=first):
            row = [self._lines(song, console)] if name is None else self._columns(song)
            number = Segments([Segment(str(rank).rjust(self.rank))])
            table.add_row(number, *(cell for cell, width in zip(row, widths, strict=True) if width))
        with console.capture() as captured:
            console.print(table)
        text = captured.get().replace(_STAND_IN, _JOINER)
        return "".join(f"{line.rstrip()}\n" for line in text.split("\n")[:-1])

    def group(self, songs: Sequence[TableSong], first: int, console: Console) -> list[str]:
        """Return the lines of songs that stand together, a piece at a time."""
        parts = []
        at_once = 1 if any(song.below for song in songs) else _ROWS_AT_ONCE
        for start in range(0, len(songs), at_once):
            block = songs[start : start + at_once]
            parts.append(self.rows(block, first + start, console))
            parts += [self.below(song, console) for song in block if song.below]
        return parts

    def heading(self, text: str, console: Console) -> str:
        """Return the line above a group."""
        shown = fitted(_clean(text), self.terminal.width, dots=self._dots)
        with console.capture() as captured:
            console.print(Segments([Segment(shown, _HEADING), Segment.line()]), end="")
        return captured.get()

    def below(self, song: TableSong, console: Console) -> str:
        """Return the line below a song."""
        indent = Segment(" " * self.rank + _GAP)
        line = Segments([indent, Segment(printable(song.below), _BELOW), Segment.line()])
        with console.capture() as captured:
            console.print(line, end="", crop=False)
        return captured.get()

    def _columns(self, song: TableSong) -> list[Segments]:
        """Return what is in each column but the rank's, of a row that is one line."""
        name = Segment(self._name(song, self.name or 0))
        remarks = Segment(self._remarks(song, self.why))
        return [Segments([one]) for one in (self._judged(song), name, remarks)]

    def _lines(self, song: TableSong, console: Console) -> Segments:
        """Return what is beside the rank of a row of two lines or more."""
        name, judged = Segment(self._name(song, self.room)), self._judged(song)
        gap = Segment(" " * (self.shown - cells(judged.text)))
        left = self.room - self.shown
        # a sentence: told whole
        if len(song.why) == 1 and cells(sentence := _clean(song.why[0])) > left:
            wrapped = Text(sentence).wrap(console, self.room)
            lines = [[judged], *([Segment(line.plain)] for line in wrapped)]
        else:
            lines = [[judged, gap, Segment(self._remarks(song, left))]]
        lines = [line for line in lines if any(part.text.strip() for part in line)]
        return Segments([name, *(part for line in lines for part in (Segment.line(), *line))])

    def _judged(self, song: TableSong) -> Segment:
        """Return score, bar and verdict, in the colour of the verdict."""
        parts = []
        if self.bar:
            score = "" if song.score is None else f"{song.score:.2f}".rjust(4)[:4]
            parts.append(score.ljust(_SCORE) + self._bar(song.score or 0.0))
        if self.verdict:
            parts.append(song.verdict)
        text = fitted(_GAP.join(parts).rstrip(), self.room, dots=self._dots)
        return Segment(text, _STYLES.get(song.verdict))

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
    return printable(" ".join(text.split())).replace(_JOINER, _STAND_IN)


def cells(text: str) -> int:
    """Count the cells that text takes in a terminal that joins nothing."""
    return cell_len(text.replace(_JOINER, _STAND_IN))


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
    if not keep_end:
        return set_cell_size(text, room).rstrip() + dots
    end = text[-2 * room :]
    while end and (cells(end) > room or not cells(end[0])):
        end = end[1:]
    return dots + end
