"""Results as text: a table, JSON, JSON lines, CSV, a playlist (M3U8, PLS, XSPF).

Titles and the names of files come from strangers. In none of these forms can one of them start a
line, a directive of a playlist, a command to the terminal or a formula of a spreadsheet; and a path
that we write is read back as the same path (`embed.find_audio`), whatever bytes it is made of.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from html import escape
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import quote

from cache import is_uri, write_whole
from classify.errors import ClassifyError, write_problem
from classify.output.own_lists import M3U_MARK, PLS_MARK, XSPF_MARK
from embed import mapped_there, path_maps

__all__ = [
    "FORMATS",
    "PLAYLIST_FORMATS",
    "Row",
    "counted",
    "fields_of",
    "printable",
    "render",
    "render_playlist",
    "to_json",
]
__all__ += ["write_bytes", "write_text"]

Row = Mapping[str, Any]
Maps = Sequence[tuple[str, str]]

# What json leaves as it is although a terminal may obey it, or a reader of lines may split there:
# DEL and C1 controls, line separators, and the signs that turn the direction of writing or are not
# seen at all.
_UNSEEN = re.compile(
    "[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
# invisible too, but Persian, Hindi and families of emoji are written with them
_JOINERS = "\u200c\u200d"
_LINE_ENDS = "\u2028\u2029"
# the last in full width
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# A spreadsheet set to another country's list separator splits there, inside our quotes. Before a
# space no formula can begin, and no quote, which would swallow the next line.
_LATER_CELL = re.compile(";(?! )")


def to_json(document: Any, *, indent: int | None = 1) -> str:
    r"""Write a JSON document that is valid UTF-8 whatever a file is called.

    Bytes of a file name that are not UTF-8 (surrogate escapes in Python) come out as ``\udcXX``,
    which Python's ``json`` and ``os.fsencode`` turn back into the same name; so do controls, as
    ``\u00XX``.
    """
    return _valid(json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False))


def _valid(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if text.isascii() and "\x7f" not in text:
        return text
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


# Without indentation json encodes in C; one encoder for all rows, as `json.dumps` would make one
# for each.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _json(rows: Sequence[Row]) -> str:
    lines = ",\n ".join(map(_encode, rows))
    return _valid(f"[\n {lines}\n]\n") if lines else "[]\n"


def _jsonl(rows: Sequence[Row]) -> str:
    return _valid("".join(_encode(row) + "\n" for row in rows))


def _csv(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    # At a line's start quotes hold for every separator, so what can't be changed stands there.
    columns.sort(key=lambda name: name != "path")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows([_cell(name, row.get(name)) for name in columns] for row in rows)
    return out.getvalue()


def _cell(name: str, value: Any) -> Any:
    """Keep a spreadsheet from taking a song's title for a formula (OWASP, "CSV Injection")."""
    if value is None or isinstance(value, int | float):
        return value
    text = _path_text(value) if name == "path" else _LATER_CELL.sub("; ", _one_line(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _one_line(value: Any) -> str:
    return printable(" ".join(str(value).split()))


def _path_text(path: str) -> str:
    """Write a path on one line.

    It is a file URL where controls, outer spaces or odd bytes are in the path.
    """
    text = printable(path)
    if "\ufffd" not in text and path == path.strip():
        return path
    try:
        return Path(path).as_uri()
    except ValueError:  # it is relative, or no file can be called so
        return text


def _listed_path(path: str, maps: Maps) -> str:
    """Write a path on a line of a playlist, as the computer calls it that has it elsewhere."""
    there = mapped_there(path, maps)
    if there != path and there.isprintable() and there == there.strip():
        return there
    absolute = os.path.isabs(path) or is_uri(path)
    return _path_text(path if absolute else os.path.join(".", path))


def _playlist_name(row: Row) -> str:
    name = " - ".join(_one_line(row[key]) for key in ("artist", "title") if row.get(key))
    return name or _one_line(Path(row["path"]).stem)


def _m3u8(rows: Sequence[Row], maps: Maps) -> str:
    lines = ["#EXTM3U", M3U_MARK]
    for row in _without_errors(rows):
        seconds = round(row.get("duration_s") or -1)
        path = _listed_path(row["path"], maps)
        lines += [f"#EXTINF:{seconds},{_playlist_name(row)}", path]
    return "\n".join(lines) + "\n"


def _pls(rows: Sequence[Row], maps: Maps) -> str:
    lines = ["[playlist]", PLS_MARK]
    songs = _without_errors(rows)
    for n, row in enumerate(songs, start=1):
        lines += [f"File{n}={_listed_path(row['path'], maps)}", f"Title{n}={_playlist_name(row)}"]
        lines.append(f"Length{n}={round(row.get('duration_s') or -1)}")
    return "\n".join([*lines, f"NumberOfEntries={len(songs)}", "Version=2"]) + "\n"


def _xspf(rows: Sequence[Row], maps: Maps) -> str:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines += ['<playlist version="1" xmlns="http://xspf.org/ns/0/">']
    lines += [f" {XSPF_MARK}", " <trackList>"]
    for row in _without_errors(rows):
        lines += ["  <track>", f"   <location>{escape(_uri(row['path'], maps), False)}</location>"]
        for element, key in (("title", "title"), ("creator", "artist"), ("album", "album")):
            if row.get(key):
                lines.append(f"   <{element}>{escape(_one_line(row[key]), False)}</{element}>")
        if row.get("duration_s"):
            lines.append(f"   <duration>{round(1000 * row['duration_s'])}</duration>")
        lines.append("  </track>")
    return "\n".join([*lines, " </trackList>", "</playlist>"]) + "\n"


def _uri(path: str, maps: Maps) -> str:
    there = mapped_there(path, maps)
    if PureWindowsPath(there).is_absolute() and there != path:
        return PureWindowsPath(there).as_uri()
    path = there if os.path.isabs(there) else path
    if is_uri(path):
        return path  # as `embed.find_audio` takes it: of a key every character counts
    return Path(path).as_uri() if os.path.isabs(path) else quote(os.fsencode(path))


def _without_errors(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "error" not in row]


def _table(rows: Sequence[Row]) -> str:
    """Lay rows out in columns, as wide as they need; numbers to the right. No rows: no text."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    body = [[_text(row.get(name)) for name in columns] for row in rows]
    numeric = [all(not isinstance(r.get(name), str) for r in rows) for name in columns]
    widths = [max(len(line[i]) for line in [columns, *body]) for i in range(len(columns))]
    lines = []
    for line in [columns, *body]:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "".join(line + "\n" for line in lines)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return printable(text)


def fields_of(songs: Sequence[Any]) -> list[dict[str, Any]]:
    """Turn dataclasses of one kind into rows, without the deep copies of `dataclasses.asdict`.

    Parameters
    ----------
    songs : sequence of dataclass
        With fields that are not changed later.
    """
    names = [field.name for field in fields(songs[0])] if songs else []
    return [{name: getattr(song, name) for name in names} for song in songs]


FORMATS: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "m3u8": lambda rows: _m3u8(rows, path_maps()),
    "pls": lambda rows: _pls(rows, path_maps()),
    "xspf": lambda rows: _xspf(rows, path_maps()),
}
_PLAYLISTS: Mapping[str, Callable[[Sequence[Row], Maps], str]] = {
    "m3u8": _m3u8,
    "pls": _pls,
    "xspf": _xspf,
}
PLAYLIST_FORMATS = frozenset(_PLAYLISTS)


def render(rows: Sequence[Row], format_: str) -> str:
    """Turn rows into text.

    Parameters
    ----------
    rows : sequence of mapping
        In the order of output; a row that failed has an ``error``.
    format_ : str
        A key of `FORMATS`.

    Raises
    ------
    ClassifyError
        If there is no such format.
    """
    if format_ not in FORMATS:
        raise ClassifyError(f"there is no format {format_!r}; there are {', '.join(FORMATS)}")
    return FORMATS[format_](rows)


def render_playlist(rows: Sequence[Row], format_: str, maps: Maps) -> str:
    r"""Turn rows into a playlist for a computer that has the music elsewhere.

    Parameters
    ----------
    rows : sequence of mapping
        With a ``path`` each: relative ones are relative to the playlist.
    format_ : str
        Of `PLAYLIST_FORMATS`.
    maps : sequence of (str, str)
        A folder of that computer, and the same folder here.

    Examples
    --------
    >>> from classify.output.formats import render_playlist
    >>> rows = [{"path": "/music/a/b.mp3"}]
    >>> render_playlist(rows, "m3u8", [("M:\\Music", "/music")]).splitlines()[-1]
    'M:\\Music\\a\\b.mp3'
    """
    return _PLAYLISTS[format_](rows, maps)


def counted(n: int, what: str) -> str:
    """Say how many there are, as in "1 like" and "0 dislikes"."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def printable(text: str) -> str:
    """Replace control characters.

    A file's name must not reach the terminal as a command, or forge a line.
    """
    if text.isprintable():  # nearly always
        return text
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    # Spaces of other widths: Japanese titles are full of them.
    is_space = character.isspace() and character > "\x9f" and character not in _LINE_ENDS
    return " " if is_space else "\ufffd"


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file under a temporary name and give it its own: all of it or nothing.

    A link stays, and what it leads to is replaced; a device such as /dev/stdout is written into.

    Raises
    ------
    ClassifyError
        If it can't be written.
    """
    # Names that are not UTF-8 come out as the bytes that they are on disk.
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Do the same with what is no text, such as a picture."""
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "wb") as device:
                device.write(content)
            return
        # a folder that is not there is rather a slip than to be made
        os.stat(os.path.dirname(target))
        write_whole(Path(target), lambda file: file.write(content))
    except OSError as error:
        raise ClassifyError(f"{target} can't be written: {write_problem(error)}") from error
