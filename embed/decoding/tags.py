"""A recording's tags, as far as learning, tables and matching need them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["SEVERAL", "TAGS_VERSION", "Tags", "read_tags"]

TAGS_VERSION = 1
"""Raised when tags are read otherwise: the catalog's files are then asked again, once."""
SEVERAL = "; "
"""Parts several artists where they are one text."""
_MAX_CHARS = 300  # of one tag; some files keep a novel there
# of which spaces and the like may be left out; a tag of 16 MB takes five seconds
_MAX_READ = 10_000
_MAX_ARTISTS = 32
# Names as all kinds of files have them: without case, spaces, "_", "/" and "WM/".
_NAMES = {
    "artist": "artist",
    "artists": "artists",
    "albumartist": "album_artist",
    "title": "title",
    "album": "album",
    "musicbrainztrackid": "recording_id",  # of the recording: the name is older than that word
    "musicbrainzrecordingid": "recording_id",
    "musicbrainzalbumid": "release_id",
    "musicbrainzartistid": "artist_ids",
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What a file tells of its song; None where it does not tell.

    Attributes
    ----------
    artist : str or None
        As it is shown: the album's artist where the song has none; several parted by `SEVERAL`.
    title, album, album_artist : str or None
    artists : tuple of str
        Each of several artists; empty where `artist` is one, or none.
    recording_id, release_id : str or None
        MusicBrainz' names of the recording and of the album: UUIDs in lower case.
    artist_ids : tuple of str
        Its names of the artists.
    """

    artist: str | None = None
    title: str | None = None
    album: str | None = None
    album_artist: str | None = None
    artists: tuple[str, ...] = ()
    recording_id: str | None = None
    release_id: str | None = None
    artist_ids: tuple[str, ...] = ()


def read_tags(*sources: Mapping[str, str]) -> Tags:
    """Take tags from FFmpeg's metadata and the like, the first source that has each winning.

    Several values are one text, parted by semicolons, as FFmpeg joins those of Vorbis comments.
    Text that is not UTF-8 arrives as surrogate escapes; it is read as Windows-1252, as old taggers
    wrote it.
    """
    told: dict[str, tuple[str, ...]] = {}
    for source in reversed(sources):
        for key, value in source.items():
            name = _NAMES.get(re.sub(r"^wm/|[ _/]", "", key[:_MAX_CHARS].lower()))
            if name and (texts := tuple(_values(name, value))):
                told[name] = texts
    credited = told.get("artist") or told.get("artists") or told.get("album_artist", ())
    ids = told.get("artist_ids", ())
    artists = _each(told.get("artists") or credited, len(ids))
    return Tags(
        artist=_joined(credited),
        title=_joined(told.get("title", ())),
        album=_joined(told.get("album", ())),
        album_artist=_joined(told.get("album_artist", ())),
        artists=() if artists == credited[:1] else artists,
        recording_id=next(iter(told.get("recording_id", ())), None),
        release_id=next(iter(told.get("release_id", ())), None),
        artist_ids=ids,
    )


def _values(name: str, text: str) -> Iterator[str]:
    """Yield the values of a tag, clean and each once."""
    text = _decoded(text[:_MAX_READ])
    if name.endswith(("_id", "_ids")):
        yield from dict.fromkeys(_UUID.findall(text.lower())[:_MAX_ARTISTS])
        return
    parts = text.split(";")[:_MAX_ARTISTS] if "artist" in name else [text]
    yield from dict.fromkeys(filter(None, map(_clean, parts)))


def _each(artists: tuple[str, ...], n_ids: int) -> tuple[str, ...]:
    """Part artists at "/", as ID3v2.3 joins them, where there are as many ids; not AC/DC."""
    if len(artists) != 1 or n_ids < 2:
        return artists
    parts = tuple(map(str.strip, artists[0].split("/")))
    return parts if len(parts) == n_ids and all(parts) else artists


def _joined(texts: tuple[str, ...]) -> str | None:
    return SEVERAL.join(texts)[:_MAX_CHARS].rstrip() or None


def _decoded(text: str) -> str:
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _clean(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_MAX_CHARS].rstrip()
