"""Which sources of likes there are, and how each is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from classify.errors import LabelError
from classify.output.own_lists import refuse_own_lists
from classify.sources.beets_database import beets_reading
from classify.sources.lists.table_files import table_reading
from classify.sources.lists.titled_lists import ListedTitles, titled_songs
from classify.sources.music_apps import is_itunes_library, itunes_reading, listenbrainz_reading
from classify.sources.servers.mpd import mpd_reading
from classify.sources.servers.subsonic import subsonic_reading
from classify.sources.source_song import SourceReading, SourceSong
from embed import LIST_SUFFIXES, find_audio

__all__ = ["SCHEMES", "read_source"]

_TABLES = frozenset({".csv", ".tsv"})
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_EXPORTS = frozenset({".json", ".jsonl", ".zip"})
_MAX_BYTES = 64 * 2**20

SCHEMES: Mapping[str, Callable[[str, Sequence[str]], SourceReading]] = {
    "beets": beets_reading,
    "mpd": mpd_reading,
    "subsonic": subsonic_reading,
}
"""What is written before a colon, and how the rest is read, given what is asked of it."""


def read_source(source: str, asked: Sequence[str] = ()) -> SourceReading:
    """Read what a source tells of songs.

    Parameters
    ----------
    source : str
        A file (CSV, ``Library.xml``, ListenBrainz' export, a playlist), ``beets:DATABASE``,
        ``mpd:HOST:PORT`` or ``subsonic:https://user@host/base``.
    asked : sequence of str
        The conditions that will be asked, so that a server need not be read whole.

    Raises
    ------
    LabelError, ServerError
        If it can't be read, is of no known kind, or was made by us.
    """
    scheme, colon, rest = source.partition(":")
    if colon and scheme.lower() in SCHEMES:
        return SCHEMES[scheme.lower()](rest, asked)
    path = Path(os.path.abspath(os.path.expanduser(source)))
    if not path.is_file():
        raise LabelError(
            f"{source} is no file that is there; a source is a file (CSV, Library.xml, a "
            "playlist, ListenBrainz' export) or " + ", ".join(f"{name}:..." for name in SCHEMES)
        )
    refuse_own_lists([str(path)])
    try:
        return _read_file(path)
    except OSError as error:
        raise LabelError(f"{path} can't be read: {error.strerror or error}") from error


def _read_file(path: Path) -> SourceReading:
    suffix = path.suffix.lower()
    if suffix in _TABLES or suffix == ".txt":
        text = _text(path)
        # Apple's export of a playlist; other texts have a path a line
        if suffix in _TABLES or text.partition("\n")[0].count("\t") > 1:
            return table_reading(text, str(path))
    if suffix in _EXPORTS:
        return listenbrainz_reading(path)
    if suffix == ".xml" and is_itunes_library(path):
        return itunes_reading(path)
    if suffix in LIST_SUFFIXES:
        return _playlist_reading(path)
    kinds = ", ".join(sorted(LIST_SUFFIXES | _EXPORTS))
    raise LabelError(f"{path} is of no kind that is read: {kinds}")


def _text(path: Path) -> str:
    if path.stat().st_size > _MAX_BYTES:
        raise LabelError(f"{path} has more than {_MAX_BYTES >> 20} MiB; split it")
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in _UTF_16 else "utf-8-sig"
    try:
        return content.decode(encoding, "surrogateescape")
    except UnicodeDecodeError as error:
        raise LabelError(
            f"{path} is no UTF-16, as its first bytes say; save it in UTF-8"
        ) from error


def _playlist_reading(path: Path) -> SourceReading:
    """Read a playlist: songs that are there, and others, which may match all the same.

    These by a path of another computer, or by what the list tells of them. Of a list that can't be
    read nothing is taken.
    """
    found = find_audio(str(path))
    for failure in found.failures:
        if failure.path == str(path):
            raise LabelError(f"{path} {failure.error}")
    told = titled_songs(path)
    songs = [SourceSong(key=one, path=one) for one in found.paths]
    titles = ListedTitles(told)
    songs += [titles.at(failure.path) for failure in found.failures]
    songs += [song for song in told if not song.path]
    return SourceReading(name=str(path), songs=tuple(songs))
