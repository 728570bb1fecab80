"""Songs that a function returns, as notebooks and pandas take them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from classify.output.verdict_words import group_heading, verdict_word

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SongResults"]

_Song = TypeVar("_Song")
_MOST_SHOWN = 20


class SongResults(Generic[_Song]):
    """A sequence of songs, best first: what `Scores`, `Similars` and `Suggestions` have in common.

    Attributes
    ----------
    songs : tuple of dataclass
        The rows; each has a `path`, an `artist` and a `title`.
    song_type : type
        Their class, whose fields are the columns of a table.
    """

    song_type: ClassVar[type]

    @property
    def _rows(self) -> Sequence[_Song]:
        songs: Sequence[_Song] = self.songs  # type: ignore[attr-defined]
        return songs

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[_Song]:
        return iter(self._rows)

    @overload
    def __getitem__(self, at: int) -> _Song: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[_Song]: ...

    def __getitem__(self, at: int | slice) -> _Song | Sequence[_Song]:
        return self._rows[at]

    def __repr__(self) -> str:
        from classify.output.formats import printable

        n_songs = f"{len(self)} song{'' if len(self) == 1 else 's'}"
        first = f", the first {_name(self._rows[0])}" if len(self) else ""
        return printable(f"<{type(self).__name__}: {n_songs}{first}>")

    def to_pandas(self) -> pd.DataFrame:
        """Return the songs as a table of pandas.

        Returns
        -------
        DataFrame
            A row for each song, in their order; a column for each field, also where there is no
            song.

        Raises
        ------
        ImportError
            If pandas is not installed; the message has the remedy.

        Examples
        --------
        >>> import classify
        >>> table = classify.score(top=5).to_pandas()
        >>> list(table.columns)
        ['path', 'score', 'verdict', 'duration_s', 'artist', 'title', 'album', 'label', 'digest']
        >>> len(table)
        5
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_pandas needs pandas, which is not installed: 'pip install pandas' adds it"
            ) from error
        names = _columns(self.song_type)
        return pd.DataFrame(_values(self._rows, names), columns=names)

    def _repr_html_(self) -> str:
        """Show the first songs as a table, as notebooks do; all text is escaped."""
        from classify.output.html import render

        names = _columns(self.song_type)
        songs = self._rows[:_MOST_SHOWN]
        rows = [
            [rank, *(_shown(name, value) for name, value in zip(names, values, strict=True))]
            for rank, values in enumerate(_values(songs, names), start=1)
        ]
        listed = Counter(map(self._group_of, self._rows))
        groups = [
            (group and group_heading(group, listed[group]), [row for _, row in together])
            for group, together in itertools.groupby(
                zip(songs, rows, strict=True), key=lambda pair: self._group_of(pair[0])
            )
        ]
        shown = {"header": ["", *names], "groups": groups, "n_more": len(self) - len(rows)}
        return render("songs.html", shown)

    def _group_of(self, song: _Song) -> str:  # noqa: ARG002
        """Return the verdict with which a song stands in a notebook's table, "" without groups."""
        return ""


def _columns(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _values(songs: Sequence[Any], names: Sequence[str]) -> list[list[Any]]:
    return [[getattr(song, name) for name in names] for song in songs]


def _name(song: Any) -> str:
    return " - ".join(part for part in (song.artist, song.title) if part) or Path(song.path).name


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "verdict":
        return verdict_word(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)
