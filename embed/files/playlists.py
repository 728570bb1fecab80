"""Playlists and CSVs, and which songs they name.

They are read as text, in bounded memory, and no song is opened here.
"""

from __future__ import annotations

import codecs
import csv
import io
import ntpath
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import TextIO

from embed.files.plain_lists import jspf_entries, pls_entries
from embed.files.xml_lists import xml_entries

__all__ = ["LIST_SUFFIXES", "MAX_ENTRY", "is_elsewhere", "list_entries"]

MAX_ENTRY = 2**14
"""Characters; Linux takes paths of 4,096 bytes, which a URL may write as three times as many."""
_MAX_LIST_BYTES = 64 * 2**20
_MAX_ENTRIES = 500_000  # five times the largest library that was measured
_MAX_ROW = 2**20  # characters of a CSV's row: what spreadsheets can hold, and more
# which column of a CSV has the paths, the surest first
_COLUMNS = ("path", "location", "filepath", "file path", "file", "filename", "file name")
_DIRECTIVE = re.compile(r"#EXT[A-Z0-9-]*(?:[\s:]|$)")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # "Unicode text" of spreadsheets


def list_entries(path: str) -> list[str]:
    r"""Read what a playlist or CSV names, as it stands there.

    Parameters
    ----------
    path : str
        Of a regular file whose suffix is in `LIST_SUFFIXES`. UTF-8, or UTF-16 with its mark;
        other bytes are kept, as in the names of files.

    Returns
    -------
    list of str
        Of a playlist each line that is no comment (`#41.mp3` beside a file of that name is none),
        of a CSV what the column `path` (else `Location`, `file`, `filename`) holds, of others what
        they name as a file. One that is longer than `MAX_ENTRY` characters is cut behind the next
        one, so that it can be told.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is no such list, or larger than 64 MiB or 500,000 songs, or a CSV's row than 2**20
        characters.

    Examples
    --------
    >>> from pathlib import Path
    >>> from embed import list_entries
    >>> Path("two.m3u8").write_text("#EXTM3U\na.mp3\nb.mp3\n")
    20
    >>> list_entries("two.m3u8")
    ['a.mp3', 'b.mp3']
    """
    read = _READERS[os.path.splitext(path)[1].lower()]
    entries: list[str] = []
    try:
        for entry in read(_read(path), os.path.dirname(path)):
            if len(entries) == _MAX_ENTRIES:
                raise ValueError(f"is a list of more than {_MAX_ENTRIES} songs; split it")
            entries.append(entry[: MAX_ENTRY + 2])
    except UnicodeDecodeError as error:
        raise ValueError("is no UTF-16, as its first bytes say; save it in UTF-8") from error
    return entries


def _m3u(content: bytes, folder: str) -> Iterator[str]:
    return _playlist_entries(_text(content), folder)


def _csv(content: bytes, _folder: str) -> Iterator[str]:
    return _csv_entries(_text(content, newline=""))


def _txt(content: bytes, folder: str) -> Iterator[str]:
    """Read a table with tabs, as Rekordbox and iTunes export it, or one path a line."""
    is_table = _text(content).readline(_MAX_ROW).count("\t") > 1
    return _csv(content, folder) if is_table else _m3u(content, folder)


def _pls(content: bytes, _folder: str) -> Iterator[str]:
    return pls_entries(_text(content))


def _xml(content: bytes, _folder: str) -> Iterator[str]:
    return xml_entries(content)


def _jspf(content: bytes, _folder: str) -> Iterator[str]:
    return jspf_entries(content)


_READERS: Mapping[str, Callable[[bytes, str], Iterator[str]]] = {
    ".asx": _xml,
    ".csv": _csv,
    ".jspf": _jspf,
    ".m3u": _m3u,
    ".m3u8": _m3u,
    ".nml": _xml,
    ".pls": _pls,
    ".tsv": _csv,
    ".txt": _txt,
    ".wax": _xml,
    ".wpl": _xml,
    ".xml": _xml,
    ".xspf": _xml,
    ".zpl": _xml,
}
LIST_SUFFIXES = frozenset(_READERS)
"""Of the lists that are read; what XML holds is told by its first element."""


def _text(content: bytes, newline: str | None = None) -> TextIO:
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    # Not splitlines: it also splits at U+2028 and the like, which names may hold.
    return io.TextIOWrapper(
        io.BytesIO(content), encoding, errors="surrogateescape", newline=newline
    )


def _read(path: str) -> bytes:
    # O_NONBLOCK so that a FIFO, should one be there by now, can't hold us up.
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ValueError("is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > _MAX_LIST_BYTES:
            raise ValueError(
                f"is a list of {status.st_size} bytes; up to {_MAX_LIST_BYTES} are read"
            )
        return file.read(status.st_size)  # and no more, should it grow


def _playlist_entries(text: TextIO, folder: str) -> Iterator[str]:
    while line := text.readline(MAX_ENTRY + 2):
        rest = line
        while rest and not rest.endswith("\n"):  # comments may be long: some hold a picture
            rest = text.readline(MAX_ENTRY)
        bare = line.strip()
        if bare and (not bare.startswith("#") or _is_name(bare, folder)):
            yield line.removesuffix("\n")


def _is_name(comment: str, folder: str) -> bool:
    """Whether what looks like a comment is the name of a file beside the list."""
    is_short = len(comment) <= MAX_ENTRY and not _DIRECTIVE.match(comment)
    return is_short and os.path.isfile(os.path.join(folder, comment))


class _Lines:
    """The lines of a CSV, and no more of them to a row than memory has room for."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.n_chars = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(_MAX_ROW + 1)
        self.n_chars += len(line)
        if self.n_chars > _MAX_ROW:
            raise ValueError(
                f"is a CSV with a row of more than {_MAX_ROW} characters; is a quote not closed?"
            )
        if not line:
            raise StopIteration
        return line


def _csv_entries(text: TextIO) -> Iterator[str]:
    lines = _Lines(text)
    header = next(lines, "")
    # spreadsheets write what their country's numbers leave free
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(chain([header], lines), delimiter=delimiter)
    try:
        columns = next(rows, [])
        names = [name.strip().lower() for name in columns]
        place = next((names.index(name) for name in _COLUMNS if name in names), None)
        if place is None:
            found = ", ".join(columns) or "none"
            raise ValueError(f"is a CSV without a column 'path' (its columns: {found:.200})")
        for row in rows:
            lines.n_chars = 0
            if len(row) > place and row[place]:
                yield row[place][: MAX_ENTRY + 1]
    except csv.Error as error:
        raise ValueError(f"is a CSV that can't be read: {error}") from error


def is_elsewhere(path: str, folder: str) -> bool:
    r"""Whether a Windows path is on another server than the list that names it.

    To ask for ``\\server\share\x.mp3`` logs in to that server, whoever runs it.

    Parameters
    ----------
    path, folder : str
        Of the song, and of the list's folder.
    """
    drive = ntpath.splitdrive(ntpath.normpath(path))[0].lower()
    return (
        drive.startswith("\\\\") and drive != ntpath.splitdrive(ntpath.normpath(folder))[0].lower()
    )
