"""Lists in XML: XSPF, iTunes, WPL, ASX, Rekordbox and Traktor.

Expat reads them piece by piece. No entity may be declared in them, nothing outside is asked for,
and depth, tags and texts have limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["xml_entries"]

_PIECE = 2**16  # bytes
_MAX_DEPTH = 100
_MAX_TAG = 2**21  # bytes without an event: a tag, a comment
_MAX_TEXT = 2**14 + 2  # characters that are kept: more than any path has
_KINDS = "XSPF, iTunes, WPL, ASX, Rekordbox or Traktor"


class _Reader:
    """Collects what one document names, as expat meets it."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.n_quiet = 0
        self._rules: Mapping[str, _Rule] | None = None
        self._depth = 0
        self._text: list[str] = []
        self._n_chars = 0
        self._key = ""
        self._has_location = True  # outside of tracks: that of the list itself

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.n_quiet = 0
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError(f"is XML that is nested more than {_MAX_DEPTH} deep")
        name = _local(name)
        if self._rules is None:
            if name not in _ROOTS:
                raise ValueError(f"is XML that begins with {name!r:.80}, no list of {_KINDS}")
            self._rules = _ROOTS[name]
        self._text, self._n_chars = [], 0
        if name == "track":
            self._has_location = False
        rule = self._rules.get(name)
        if rule:
            entry = rule({_local(key): value for key, value in attributes.items()})
            if entry:
                self.found.append(entry)

    def text(self, text: str) -> None:
        self.n_quiet = 0
        if self._n_chars < _MAX_TEXT:
            self._text.append(text[: _MAX_TEXT - self._n_chars])
            self._n_chars += len(text)

    def end(self, name: str) -> None:
        self.n_quiet = 0
        self._depth -= 1
        text, name = "".join(self._text).strip(), _local(name)
        self._text, self._n_chars = [], 0
        if name == "track":
            self._has_location = True
        if self._rules is _ROOTS["playlist"] and name == "location" and not self._has_location:
            self._has_location = True  # others are the same song elsewhere
            if text:
                self.found.append(text)
        elif self._rules is _ROOTS["plist"] and name in ("key", "string"):
            if name == "string" and self._key == "Location" and text:
                self.found.append(text)
            self._key = text if name == "key" else ""

    def other(self, *_: Any) -> None:
        self.n_quiet = 0

    def entity(self, *_: Any) -> None:
        raise ValueError("is XML that declares entities; no playlist needs them")


_Rule = Callable[[Mapping[str, str]], str]


def _of(attribute: str) -> _Rule:
    return lambda attributes: attributes.get(attribute, "").strip()


def _traktor(attributes: Mapping[str, str]) -> str:
    """Join what Traktor keeps apart: ``C:``, ``/:Users/:me/:``, ``a.mp3``."""
    folder, file = attributes.get("dir", "").replace("/:", "/"), attributes.get("file", "")
    volume = attributes.get("volume", "")
    if not file:
        return ""
    if volume.endswith(":"):
        return f"{volume}{folder}{file}"
    is_own = not volume or folder.startswith("/Users/")
    return f"{folder}{file}" if is_own else f"/Volumes/{volume}{folder}{file}"


_ROOTS: Mapping[str, Mapping[str, _Rule]] = {
    "asx": {"ref": _of("href")},
    "dj_playlists": {"track": _of("location")},
    "nml": {"location": _traktor},
    "playlist": {},  # XSPF: texts
    "plist": {},  # iTunes: texts
    "smil": {"media": _of("src")},
}
"""By the first element: of which attributes each element's path is made."""


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


def xml_entries(content: bytes) -> Iterator[str]:
    """Read what a list in XML names, whichever of its kinds it is.

    Raises
    ------
    ValueError
        If it is no such list, or not well-formed, or declares entities, or is nested more than 100
        deep, or a tag of it has more than 2 MiB.

    Examples
    --------
    >>> from embed.files.xml_lists import xml_entries
    >>> list(xml_entries(b'<smil><body><seq><media src="a.mp3"/></seq></body></smil>'))
    ['a.mp3']
    """
    from xml.parsers import expat

    reader, parser = _Reader(), expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = reader.entity
    parser.DefaultHandler = reader.other
    for first in range(0, len(content) + 1, _PIECE):
        piece = content[first : first + _PIECE]
        reader.n_quiet += len(piece)
        try:
            parser.Parse(piece, len(piece) < _PIECE)
        except expat.ExpatError as error:
            raise ValueError(
                f"is XML that is not well-formed ({expat.ErrorString(error.code)}, line "
                f"{error.lineno}); export it again"
            ) from error
        if reader.n_quiet > _MAX_TAG:
            raise ValueError(f"is XML with a tag of more than {_MAX_TAG} bytes")
        yield from reader.found
        reader.found.clear()
