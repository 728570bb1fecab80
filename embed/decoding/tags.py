"""A recording's tags, as far as learning and tables need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Tags", "read_tags"]

_MAX_CHARS = 300  # of one tag; some files keep a novel there
# of which spaces and the like may be left out; a tag of 16 MB takes five seconds
_MAX_READ = 10_000
_OTHER_NAMES = {"albumartist": "album_artist"}
_KEYS = frozenset({"artist", "album_artist", "title", "album"})


@dataclass(frozen=True, kw_only=True)
class Tags:
    """Artist, title and album; None where the file does not tell."""

    artist: str | None = None
    title: str | None = None
    album: str | None = None


def read_tags(*sources: Mapping[str, str]) -> Tags:
    """Take tags from FFmpeg's metadata, the first source that has each winning.

    Text that is not UTF-8 arrives as surrogate escapes; it is read as Windows-1252, as old taggers
    wrote it.
    """
    merged: dict[str, str] = {}
    for source in reversed(sources):
        for key, value in source.items():
            name = key[:_MAX_CHARS].lower().replace(" ", "_")
            name = _OTHER_NAMES.get(name, name)
            if name in _KEYS and (text := _clean(value)):
                merged[name] = text
    return Tags(
        artist=merged.get("artist") or merged.get("album_artist"),
        title=merged.get("title"),
        album=merged.get("album"),
    )


def _clean(text: str) -> str:
    text = text[:_MAX_READ]
    if not text.isascii():
        raw = text.encode("utf-8", "surrogateescape")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_MAX_CHARS].rstrip()
