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
# Columns that tell what is liked: of such a table not all is.
_OPINIONS = ("rating", "ratings", "stars", "loved", "love", "liked", "favorite", "favourite")
_HISTORY = frozenset({"uts", "utc_time", "ms_played", "msplayed", "endtime", "listened_at"})
_PLAYS = "plays"
_MAX_SONGS = 500_000
_MAX_ROW = 2**20
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*')  # Excel's own first line
_ONE_LINE = ("title", "artist", "album", "path")
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
        If it has no column of titles and artists, and none of paths, is no CSV, or has a title of
        several lines, as where a quote is not closed.

    Examples
    --------
    >>> from classify.sources.lists.table_files import table_reading
    >>> reading = table_reading("Track Name,Artist Name(s),Stars\nSong,Ann,4\n", "liked.csv")
    >>> reading.songs[0].artist, reading.songs[0].said
    ('Ann', {'stars': '4'})
    """
    text, delimiter = _parting(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = [column.strip().lower() for column in next(rows, [])]
        places = _places(columns)
        if not _tells_songs(places):
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
    like, dislike = _meant(fields, songs)
    return SourceReading(name=name, songs=tuple(songs), fields=fields, like=like, dislike=dislike)


def _meant(
    fields: Sequence[str], songs: Sequence[SourceSong]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tell what a table means by itself: its labels; nothing, if it rates songs; else all."""
    if any(str(song.said.get("label")).lower() in ("like", "dislike") for song in songs):
        return ("label=like",), ("label=dislike",)
    return ((), ()) if set(_OPINIONS) & set(fields) else (("all",), ())


def _parting(text: str) -> tuple[str, str]:
    """Return a table from its header on, and what parts its columns."""
    text = text.lstrip("\r\n")
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    named = _SEPARATOR.fullmatch(first)
    if named:
        return text[len(first) :].lstrip("\r\n"), named[1]
    most_first = sorted(",;\t", key=first.count, reverse=True)
    for delimiter in most_first:
        columns = next(csv.reader([first], delimiter=delimiter), [])
        if _tells_songs(_places([column.strip().lower() for column in columns])):
            return text, delimiter
    return text, most_first[0]


def _tells_songs(places: Mapping[str, int]) -> bool:
    return {"title", "artist"} <= places.keys() or "path" in places


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
    for n_row, row in enumerate(rows, start=2):
        if sum(map(len, row)) > _MAX_ROW:
            raise LabelError(f"{name} has a row of more than {_MAX_ROW} characters")
        if not any(cell.strip() for cell in row):
            continue
        if len(songs) == _MAX_SONGS:
            raise LabelError(f"{name} has more than {_MAX_SONGS} songs; split it")
        _refuse_lines(row, places, name, n_row)
        songs.append(_song(row, columns, places))
    return songs


def _refuse_lines(row: Sequence[str], places: Mapping[str, int], name: str, n_row: int) -> None:
    """Refuse a title of several lines: a quote that is not closed takes the next songs in."""
    for what in _ONE_LINE:
        cell = row[places[what]].strip() if places.get(what, len(row)) < len(row) else ""
        if "\n" in cell or "\r" in cell:
            raise LabelError(
                f"{name}, row {n_row}: the {what} has several lines; is a quote not closed?"
            )


def _song(row: Sequence[str], columns: Sequence[str], places: Mapping[str, int]) -> SourceSong:
    cells = {what: row[place].strip() for what, place in places.items() if place < len(row)}
    cells |= {what: _as_text(cell) for what, cell in cells.items() if what != "path"}
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


def _as_text(cell: str) -> str:
    """Read a text that is no UTF-8 as Windows writes it."""
    if cell.isascii():
        return cell
    try:
        cell.encode()
    except UnicodeEncodeError:
        return cell.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return cell


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
