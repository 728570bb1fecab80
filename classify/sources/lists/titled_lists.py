"""Playlists that tell titles: M3U by its ``#EXTINF``, PLS, JSPF, and those in XML.

`embed.find_audio` reads the paths of every kind of list, and refuses what means harm; here stands
what they tell beside them.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from classify.errors import LabelError
from classify.sources.lists.xml_titles import xml_titles
from classify.sources.source_song import SourceSong

__all__ = ["ListedTitles", "titled_songs"]

_RECORDING = re.compile(
    r"musicbrainz\.org/(?:recording|track)/"
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
    re.IGNORECASE,
)
_MAX_SONGS = 500_000  # as many as a list may name
_MAX_LINE = 2**20  # characters; more of one is passed over
# Possessive (`*+`), so that a line of a million spaces is read once and not a million times.
_PLS = re.compile(r"(file|title|length)(\d{1,9})\s*+=(.*)", re.IGNORECASE | re.DOTALL)
_EXTINF = re.compile(r"#EXTINF:\s*+(-?\d++(?:\.\d++)?+)?+[^,]*+,(.*)", re.IGNORECASE)
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
    LabelError
        If it tells of more than 500,000 songs, or is another list by now.

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
    songs = []
    try:
        for song in read(path.read_bytes()) if read else ():
            if song.title or song.musicbrainz_id:
                songs.append(song)
            if len(songs) > _MAX_SONGS:
                raise LabelError(f"{path} tells of more than {_MAX_SONGS} songs; split it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LabelError(f"{path} has changed while it was read ({error!s:.80})") from error
    return songs


class ListedTitles:
    """What a list tells of songs, by their paths.

    Parameters
    ----------
    songs : iterable of SourceSong
    """

    def __init__(self, songs: Iterable[SourceSong]) -> None:
        self._by_name: dict[str, list[SourceSong]] = defaultdict(list)
        for song in songs:
            if song.path:
                self._by_name[_name(song.path)].append(song)

    def at(self, path: str) -> SourceSong:
        """Return what the list tells of the song at a path; no more than the path, if nothing."""
        same = self._by_name.get(_name(path), [])
        if len(same) > 1:
            same = [song for song in same if path.endswith(unquote(song.path or ""))]
        if len(same) != 1:
            return SourceSong(key=path, path=path)
        return replace(same[0], key=path, path=path)


def _lines(content: bytes) -> Iterator[str]:
    """Give lines without the spaces around them, no more of a long one than anybody needs."""
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    text = io.TextIOWrapper(io.BytesIO(content), encoding, errors="surrogateescape")
    while line := text.readline(_MAX_LINE):
        rest = line
        while rest and not rest.endswith("\n"):
            rest = text.readline(_MAX_LINE)
        yield line.strip()


def _m3u(content: bytes) -> Iterator[SourceSong]:
    told: re.Match[str] | None = None
    for line in _lines(content):
        if line.startswith("#"):
            told = _EXTINF.fullmatch(line) or told
        elif line:
            if told:
                yield _song({**_parted(told[2]), "location": line}, float(told[1] or 0))
            told = None


def _pls(content: bytes) -> Iterator[SourceSong]:
    """Read ``File1``, ``Title1`` and ``Length1``, in whatever order; the paths, and then the rest.

    A list names so many paths, but may have any number of titles of nothing.
    """
    paths = {number: path for what, number, path in _pls_lines(content) if what == "file"}
    told: dict[int, dict[str, str]] = {number: {} for number in paths}
    for what, number, text in _pls_lines(content):
        if number in told:
            told[number][what] = text
    for number, fields in told.items():
        names = _parted(fields.get("title", ""))
        yield _song({**names, "location": paths[number]}, _number(fields.get("length")))


def _pls_lines(content: bytes) -> Iterator[tuple[str, int, str]]:
    for found in filter(None, map(_PLS.fullmatch, _lines(content))):
        yield found[1].lower(), int(found[2]), found[3]


def _parted(text: str) -> dict[str, str]:
    """Part "Ann - Song", as lists write it that have no other word for the artist."""
    artist, dash, title = text.partition(" - ")
    return {"creator": artist, "title": title} if dash else {"title": text}


def _xml(content: bytes) -> Iterator[SourceSong]:
    for fields, duration_s in xml_titles(content):
        yield _song(fields, duration_s)


def _jspf(content: bytes) -> Iterator[SourceSong]:
    for track in json.loads(content)["playlist"].get("track", []):
        if isinstance(track, dict):
            fields = {name: _first(track.get(name)) for name in _FIELDS}
            yield _song(fields, _number(track.get("duration")) / 1000)


_READERS: Mapping[str, Callable[[bytes], Iterator[SourceSong]]] = {
    ".asx": _xml,
    ".jspf": _jspf,
    ".m3u": _m3u,
    ".m3u8": _m3u,
    ".nml": _xml,
    ".pls": _pls,
    ".wax": _xml,
    ".wpl": _xml,
    ".xml": _xml,
    ".xspf": _xml,
    ".zpl": _xml,
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
