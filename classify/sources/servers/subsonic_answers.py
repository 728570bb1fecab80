"""What Subsonic servers answer: songs, and lists of things, whatever else stands in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classify.sources.source_song import SourceSong

__all__ = ["dicts_of", "id_of", "song_of", "text_of"]

_MOST = 2**53  # a number beyond is none that a server has counted
_ZERO_TIME = "0001-01-01"  # how some servers write that something never was


def song_of(one: Mapping[str, Any]) -> SourceSong:
    """Return a song as a server tells of it; what is not of its kind is not known."""
    said: dict[str, float | str] = {}
    starred = one.get("starred")
    if starred and not str(starred).startswith(_ZERO_TIME):
        said["starred"] = 1
    for field, name in (("rating", "userRating"), ("plays", "playCount")):
        number = _count(one, name)
        if number is not None:
            said[field] = number
    seconds = _count(one, "duration")
    return SourceSong(
        key=id_of(one),
        path=text_of(one.get("path")),
        size_bytes=_count(one, "size") or None,
        duration_s=seconds + 0.25 if seconds else None,  # whole seconds, cut off or rounded
        artist=text_of(one.get("artist")),
        title=text_of(one.get("title")),
        album=text_of(one.get("album")),
        musicbrainz_id=text_of(one.get("musicBrainzId")),
        said=said,
    )


def dicts_of(document: Any, name: str) -> list[Mapping[str, Any]]:
    """Return what a document lists under a name; some servers write one thing without its list.

    Whatever has no id is passed over: nothing can be asked of it.
    """
    found = document.get(name) if isinstance(document, dict) else None
    some = found if isinstance(found, list) else [found]
    return [one for one in some if isinstance(one, dict) and id_of(one)]


def id_of(one: Mapping[str, Any]) -> str:
    """Return the id of a thing; empty where it has none."""
    value = one.get("id")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST:
        return str(value)
    return value if isinstance(value, str) else ""


def text_of(value: Any) -> str | None:
    """Return a text; None where it is none, or empty."""
    return value.strip() or None if isinstance(value, str) else None


def _count(one: Mapping[str, Any], name: str) -> int | None:
    value = one.get(name)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
    return value if is_count else None
