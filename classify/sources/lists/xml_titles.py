"""What lists in XML tell of their songs: XSPF, ASX, Traktor's NML, Rekordbox, Zune."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["xml_titles"]

_PIECE = 2**16  # bytes
_MOST = 32  # characters of a time


def _seconds(text: str) -> float:
    return float(text)


def _milliseconds(text: str) -> float:
    return float(text) / 1000


def _clock(text: str) -> float:
    """Read ``00:03:20.5``."""
    hours, minutes, seconds = map(float, ["0", "0", *text[:_MOST].split(":")][-3:])
    return 3600 * hours + 60 * minutes + seconds


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Where a kind of list has what it tells.

    Attributes
    ----------
    song : str
        The element that is a song.
    texts : mapping of str to str
        Elements in it, and what their text is.
    attributes : mapping of (str, str) to str
        Its own and those of elements in it, and what they are.
    duration_s : callable
        Reads a duration.
    """

    song: str
    texts: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    duration_s: Callable[[str], float] = _seconds


_XSPF = ("location", "identifier", "title", "creator", "album", "duration")
_KINDS: Mapping[str, _Kind] = {
    "asx": _Kind(
        song="entry",
        texts={"title": "title", "author": "creator"},
        attributes={("ref", "href"): "location", ("duration", "value"): "duration"},
        duration_s=_clock,
    ),
    "dj_playlists": _Kind(
        song="track",
        attributes={
            ("track", "location"): "location",
            ("track", "name"): "title",
            ("track", "artist"): "creator",
            ("track", "album"): "album",
            ("track", "totaltime"): "duration",
        },
    ),
    "nml": _Kind(
        song="entry",
        attributes={
            ("entry", "title"): "title",
            ("entry", "artist"): "creator",
            ("album", "title"): "album",
            ("info", "playtime_float"): "duration",
            ("info", "playtime"): "duration",
            ("location", "dir"): "folder",
            ("location", "file"): "location",
        },
    ),
    "playlist": _Kind(song="track", texts={name: name for name in _XSPF}, duration_s=_milliseconds),
    "smil": _Kind(
        song="media",
        attributes={
            ("media", "src"): "location",
            ("media", "tracktitle"): "title",
            ("media", "trackartist"): "creator",
            ("media", "albumtitle"): "album",
            ("media", "duration"): "duration",
        },
        duration_s=_milliseconds,
    ),
}
"""By the first element; case does not count in names."""


class _Reader:
    """Collects what songs tell, as expat meets it; the first of several words counts."""

    def __init__(self) -> None:
        self.found: list[tuple[dict[str, str], float]] = []
        self._kind: _Kind | None = None
        self._inside: list[str] = []
        self._song: dict[str, str] = {}
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = _local(name)
        self._kind = self._kind or _KINDS.get(name, _Kind(song=""))
        self._text.clear()
        if name == self._kind.song:
            self._song = {}
        if self._kind.song in (name, *self._inside[-1:]):
            told = {_local(key): value for key, value in attributes.items()}
            for (element, attribute), what in self._kind.attributes.items():
                if element == name and told.get(attribute):
                    self._song.setdefault(what, told[attribute].strip())
        self._inside.append(name)

    def text(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        name, kind = self._inside.pop(), self._kind or _Kind(song="")
        if name in kind.texts and self._inside[-1:] == [kind.song]:
            self._song.setdefault(kind.texts[name], "".join(self._text).strip())
        self._text.clear()
        if name == kind.song:
            self.found.append((_located(self._song), self._duration_s(kind)))
            self._song = {}

    def _duration_s(self, kind: _Kind) -> float:
        try:
            return kind.duration_s(self._song.get("duration", ""))
        except ValueError:
            return 0.0

    def entity(self, *_: Any) -> None:
        raise ValueError("declares entities")


def _located(song: dict[str, str]) -> dict[str, str]:
    """Join what Traktor keeps apart: ``/:Users/:me/:``, ``a.mp3``."""
    if song.get("folder") and song.get("location"):
        song["location"] = song["folder"].replace("/:", "/") + song["location"]
    return song


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


def xml_titles(content: bytes) -> Iterator[tuple[Mapping[str, str], float]]:
    """Read what a list in XML tells of each song, and its seconds, 0 where it does not tell.

    Parameters
    ----------
    content : bytes

    Raises
    ------
    ValueError
        If it declares entities, or is no XML.

    Examples
    --------
    >>> from classify.sources.lists.xml_titles import xml_titles
    >>> [*xml_titles(b'<nml><ENTRY TITLE="Song" ARTIST="Ann"><INFO PLAYTIME="240"/></ENTRY></nml>')]
    [({'title': 'Song', 'creator': 'Ann', 'duration': '240'}, 240.0)]
    """
    from xml.parsers import expat

    reader, parser = _Reader(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler, parser.EntityDeclHandler = reader.text, reader.entity
    for first in range(0, len(content) + 1, _PIECE):
        piece = content[first : first + _PIECE]
        try:
            parser.Parse(piece, len(piece) < _PIECE)
        except expat.ExpatError as error:
            raise ValueError(f"is no XML ({expat.ErrorString(error.code)})") from error
        yield from reader.found
        reader.found.clear()
