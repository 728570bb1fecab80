"""Tables of songs: CSVs with a title and an artist, as Exportify, Last.fm, Deezer and Apple make.

Columns go by the usual names. What a table says beside them (``rating``, ``loved``) may count for
``--like``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from classify.errors import LabelError
from classify.sources.source_song import SourceReading, SourceSong

__all__ = ["table_reading"]

# By what a song is known, and the names of columns, in lower case, the surest first.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "title": (
        "track name",
        "track",
        "title",
        "song title",
        "track title",
        "song name",
        "song",
        "name",
    ),
    "artist": ("artist name(s)", "artist name", "artist names", "artist", "artists", "creator"),
    "album": ("album name", "album", "album title", "release", "release name"),
    "milliseconds": ("track duration (ms)", "duration (ms)", "duration_ms", "total time (ms)"),
    "seconds": ("duration_s", "duration (s)", "duration", "time", "length", "total time"),
    "musicbrainz_id": ("recording_mbid", "musicbrainz_recording_id", "musicbrainz_trackid", "mbid"),
    "path": ("path", "location", "filepath", "file path", "file", "filename", "file name"),
    "key": ("track uri", "spotify uri", "spotify id", "isrc", "id"),
}
_HISTORY = frozenset({"uts", "utc_time", "ms_played", "msplayed", "endtime", "listened_at"})
_PLAYS = "plays"
_MAX_SONGS = 500_000
_MAX_ROW = 2**20
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{2}(?:\.\d+)?)")


def table_reading(text: str, name: str) -> SourceReading:
    r"""Read a table.

    Parameters
    ----------
    text : str
        Parted by ``,``, ``;`` or tabs, with the columns' names in the first line.
    name : str
        Of the source.

    Raises
    ------
    LabelError
        If it has no column of titles and artists, and none of paths, or is no CSV.

    Examples
    --------
    >>> from classify.sources.lists.table_files import table_reading
    >>> reading = table_reading("Track Name,Artist Name(s),Stars\nSong,Ann,4\n", "liked.csv")
    >>> reading.songs[0].artist, reading.songs[0].said
    ('Ann', {'stars': '4'})
    """
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = [column.strip().lower() for column in next(rows, [])]
        places = _places(columns)
        if not ({"title", "artist"} <= places.keys() or "path" in places):
            raise LabelError(
                f"{name} has the columns {', '.join(columns)[:300] or 'none'}; a title and an "
                "artist (Track Name, Artist Name), or a path, is needed"
            )
        songs = _songs(rows, columns, places, name)
    except csv.Error as error:
        raise LabelError(f"{name} is a CSV that can't be read: {error}") from error
    fields = tuple(dict.fromkeys(key for song in songs for key in song.said))
    if _HISTORY & set(columns):
        return SourceReading(
            name=name, songs=_counted(songs), fields=(_PLAYS, *fields), like=(), dislike=()
        )
    is_labelled = "label" in fields and any(
        str(song.said.get("label")).lower() in ("like", "dislike") for song in songs
    )
    like, dislike = (("label=like",), ("label=dislike",)) if is_labelled else (("all",), ())
    return SourceReading(name=name, songs=tuple(songs), fields=fields, like=like, dislike=dislike)


def _places(columns: Sequence[str]) -> dict[str, int]:
    """Tell in which column each thing stands."""
    found = {}
    for what, names in _COLUMNS.items():
        there = next((name for name in names if name in columns), None)
        if there is not None:
            found[what] = columns.index(there)
    return found


def _songs(
    rows: Iterator[list[str]], columns: Sequence[str], places: Mapping[str, int], name: str
) -> list[SourceSong]:
    songs: list[SourceSong] = []
    for row in rows:
        if sum(map(len, row)) > _MAX_ROW:
            raise LabelError(f"{name} has a row of more than {_MAX_ROW} characters")
        if not any(cell.strip() for cell in row):
            continue
        if len(songs) == _MAX_SONGS:
            raise LabelError(f"{name} has more than {_MAX_SONGS} songs; split it")
        songs.append(_song(row, columns, places))
    return songs


def _song(row: Sequence[str], columns: Sequence[str], places: Mapping[str, int]) -> SourceSong:
    cells = {what: row[place].strip() for what, place in places.items() if place < len(row)}
    used = set(places.values())
    said = {
        column: cell.strip()
        for place, (column, cell) in enumerate(zip(columns, row, strict=False))
        if place not in used and column and cell.strip()
    }
    known = [cells.get(what) or "" for what in ("key", "path", "artist", "title", "album")]
    return SourceSong(
        key=known[0] or known[1] or " \u2022 ".join(known[2:]),
        path=cells.get("path") or None,
        duration_s=_duration_s(cells),
        artist=cells.get("artist") or None,
        title=cells.get("title") or None,
        album=cells.get("album") or None,
        musicbrainz_id=cells.get("musicbrainz_id") or None,
        said=said,
    )


def _duration_s(cells: Mapping[str, str]) -> float | None:
    text, divisor = cells.get("milliseconds"), 1000.0
    if not text:
        text, divisor = cells.get("seconds") or "", 1.0
    clock = _CLOCK.fullmatch(text)
    if clock:
        return 3600.0 * int(clock[1] or 0) + 60.0 * int(clock[2]) + float(clock[3])
    try:
        number = float(text) / divisor
    except ValueError:
        return None
    return number if 0 < number < 1e6 else None


def _counted(songs: Sequence[SourceSong]) -> tuple[SourceSong, ...]:
    """Make of a history of plays its songs, each with how often it was played."""
    plays: dict[str, int] = {}
    for song in songs:
        plays[song.key] = plays.get(song.key, 0) + 1
    once = {song.key: song for song in songs}
    return tuple(
        replace(song, said={**song.said, _PLAYS: plays[key]}) for key, song in once.items()
    )
