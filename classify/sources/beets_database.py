"""The library of beets: its database, opened only for reading."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from classify.errors import LabelError
from classify.sources.source_song import SourceReading, SourceSong

__all__ = ["OWN_ATTRIBUTES", "beets_reading"]

OWN_ATTRIBUTES = ("taste", "taste_verdict")
"""Flexible attributes that our plugin writes from scores; nothing is learnt from them."""
_TAGS = {
    "id": "id",
    "path": "path",
    "artist": "artist",
    "title": "title",
    "album": "album",
    "duration_s": "length",
    "musicbrainz_id": "mb_trackid",
}
_TOLD = ("genre", "genres", "year", "bpm", "language", "grouping", "comments", "added")
_BUSY_S = 10.0


def beets_reading(place: str, asked: Sequence[str] = ()) -> SourceReading:
    """Read a beets library: the songs, with flexible attributes such as ``rating`` or ``mood``.

    Parameters
    ----------
    place : str
        The database; empty: ``library.db`` in ``$BEETSDIR``, or where beets has it by default.
    asked : sequence of str
        The conditions that will be asked; those that ask for our own scores are refused.

    Raises
    ------
    LabelError
        If it is not there or no library of beets, or scores are asked for.
    """
    for text in asked:
        if re.split(r"[\s<>=!:]", text.strip(), maxsplit=1)[0].lower() in OWN_ATTRIBUTES:
            raise LabelError(
                f"{text!r:.200} asks for what our plugin has written into beets; a taste must not "
                "learn its own guesses"
            )
    path = Path(os.path.abspath(os.path.expanduser(place))) if place else _default()
    if not path.is_file():
        raise LabelError(
            f"there is no beets library {path}; 'beet config -p' tells where it is configured: "
            "name it as beets:/path/to/library.db"
        )
    try:
        with closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
        ) as database:
            songs = _songs(database)
    except sqlite3.Error as error:
        raise LabelError(f"{path} can't be read as a library of beets: {error}") from error
    fields = dict.fromkeys(name for song in songs for name in song.said)
    return SourceReading(name=f"beets:{path}", songs=songs, fields=tuple(fields), like=())


def _default() -> Path:
    own = os.environ.get("BEETSDIR")
    return Path(own or Path.home() / ".config" / "beets").expanduser() / "library.db"


def _songs(database: sqlite3.Connection) -> tuple[SourceSong, ...]:
    database.text_factory = os.fsdecode  # a name that is no UTF-8 keeps no other song away
    there = {row[1] for row in database.execute("PRAGMA table_info(items)")}
    if not {"id", "path"} <= there:
        raise sqlite3.DatabaseError("it has no table of items")
    attributes: dict[int, dict[str, float | str]] = {}
    for entity, key, value in database.execute(
        "SELECT entity_id, key, value FROM item_attributes WHERE value IS NOT NULL"
    ):
        if key not in OWN_ATTRIBUTES:
            attributes.setdefault(entity, {})[str(key).lower()] = _plain(value)
    columns = [column for column in (*_TAGS.values(), *_TOLD) if column in there]
    rows = database.execute(f"SELECT {', '.join(columns)} FROM items ORDER BY id")  # noqa: S608
    return tuple(
        _song(dict(zip(columns, row, strict=True)), attributes.get(row[0], {})) for row in rows
    )


def _song(row: Mapping[str, Any], attributes: Mapping[str, float | str]) -> SourceSong:
    path, length = row["path"], row.get("length")
    said = {name: _plain(row[name]) for name in _TOLD if row.get(name) not in (None, "", 0)}
    return SourceSong(
        key=str(row["id"]),
        path=_text(path),
        duration_s=float(length) if isinstance(length, float | int) and length > 0 else None,
        artist=_text(row.get("artist")),
        title=_text(row.get("title")),
        album=_text(row.get("album")),
        musicbrainz_id=_text(row.get("mb_trackid")),
        said={**said, **attributes},
    )


def _text(value: Any) -> str | None:
    """Return a text, whatever type a column has been given."""
    return str(_plain(value)) if value not in (None, "", b"") else None


def _plain(value: Any) -> float | str:
    if isinstance(value, int | float):
        return value
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)
