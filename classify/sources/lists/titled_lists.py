"""Playlists that tell titles: XSPF, JSPF, and M3U by its ``#EXTINF``.

`embed.find_audio` reads the paths of every kind of list, and refuses what means harm; here stands
what some tell beside them.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from classify.sources.source_song import SourceSong

__all__ = ["song_at", "titled_songs"]

_RECORDING = re.compile(
    r"musicbrainz\.org/(?:recording|track)/"
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
    re.IGNORECASE,
)
_EXTINF = re.compile(r"#EXTINF:\s*(-?\d+(?:\.\d+)?)?[^,]*,\s*(.*)", re.IGNORECASE)
_FIELDS = ("location", "identifier", "title", "creator", "album", "duration")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def titled_songs(path: Path) -> list[SourceSong]:
    r"""Read the songs of a list of which it tells a title or a MusicBrainz id.

    Parameters
    ----------
    path : Path
        Of a list that `find_audio` has read without an error; of other kinds nothing is told.

    Raises
    ------
    OSError
        If it can't be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from classify.sources.lists.titled_lists import titled_songs
    >>> Path("one.m3u8").write_text("#EXTM3U\n#EXTINF:240,Ann - Song\nC:\\a.mp3\n")
    42
    >>> song = titled_songs(Path("one.m3u8"))[0]
    >>> song.artist, song.title, song.duration_s, song.path
    ('Ann', 'Song', 240.0, 'C:\\a.mp3')
    """
    read = _READERS.get(path.suffix.lower())
    songs = read(path.read_bytes()) if read else ()
    return [song for song in songs if song.title or song.musicbrainz_id]


def song_at(path: str, songs: Sequence[SourceSong]) -> SourceSong:
    """Return what songs of a list tell of the one at a path; no more than the path, if nothing."""
    same = [song for song in songs if song.path and _name(song.path) == _name(path)]
    if len(same) > 1:
        same = [song for song in same if path.endswith(unquote(song.path or ""))]
    if len(same) != 1:
        return SourceSong(key=path, path=path)
    return replace(same[0], key=path, path=path)


def _m3u(content: bytes) -> Iterator[SourceSong]:
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    told: re.Match[str] | None = None
    for line in content.decode(encoding, "surrogateescape").split("\n"):
        bare = line.strip()
        if bare.startswith("#"):
            told = _EXTINF.fullmatch(bare) or told
        elif bare:
            if told:
                artist, dash, title = told[2].partition(" - ")
                fields = {"creator": artist if dash else "", "title": title if dash else artist}
                yield _song({**fields, "location": bare}, float(told[1] or 0))
            told = None


def _xspf(content: bytes) -> Iterator[SourceSong]:
    from xml.parsers import expat

    tracks: list[dict[str, str]] = []
    inside: list[str] = []
    text: list[str] = []

    def start(name: str, _: object) -> None:
        inside.append(name.rpartition(":")[2].lower())
        text.clear()
        if inside[-1] == "track":
            tracks.append({})

    def end(_: str) -> None:
        name = inside.pop()
        if inside[-1:] == ["track"] and name in _FIELDS:  # the first of several counts
            tracks[-1].setdefault(name, "".join(text).strip())
        text.clear()

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text.append
    parser.Parse(content, True)
    for track in tracks:
        yield _song(track, _number(track.get("duration")) / 1000)


def _jspf(content: bytes) -> Iterator[SourceSong]:
    for track in json.loads(content)["playlist"].get("track", []):
        if isinstance(track, dict):
            fields = {name: _first(track.get(name)) for name in _FIELDS}
            yield _song(fields, _number(track.get("duration")) / 1000)


_READERS: Mapping[str, Callable[[bytes], Iterator[SourceSong]]] = {
    ".jspf": _jspf,
    ".m3u": _m3u,
    ".m3u8": _m3u,
    ".xspf": _xspf,
}


def _song(fields: Mapping[str, str], duration_s: float) -> SourceSong:
    known = {name: value.strip() or None for name, value in fields.items()}
    recording = _RECORDING.search(known.get("identifier") or "")
    names = [known.get(name) or "" for name in ("creator", "title", "album")]
    return SourceSong(
        key=known.get("location") or known.get("identifier") or " \u2022 ".join(names),
        path=known.get("location"),
        duration_s=duration_s if 0 < duration_s < 1e6 else None,
        artist=known.get("creator"),
        title=known.get("title"),
        album=known.get("album"),
        musicbrainz_id=recording[1].lower() if recording else None,
    )


def _first(value: Any) -> str:
    one = value[0] if isinstance(value, list) and value else value
    return one if isinstance(one, str) else ""


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _name(path: str) -> str:
    return unquote(path).replace("\\", "/").rpartition("/")[2]
