"""CUE sheets: which audio files are albums, and of how many songs.

A sheet is read as bytes, as it does not tell its encoding. It is only a name that must be decoded,
and of several readings of a name the one counts of which there is a file.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from embed.files.folders import AUDIO_SUFFIXES

__all__ = [
    "Album",
    "album_words",
    "albums_in",
    "count_songs",
    "files_of_sheet",
    "sheet_of",
    "songs_in_words",
]

_MAX_BYTES = 2**20  # of a sheet; one of 99 tracks has some 10 kB
# in which people save sheets; each gives some reading of any bytes, or none
_ENCODINGS = ("utf-8", "cp932", "gb18030", "big5", "cp949", "cp1251", "cp1252", "latin-1")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WORDS = "is an album of {} songs by its CUE sheet and counts as one song"
_IN_WORDS = re.compile(_WORDS.format(r"(\d+)"))


@dataclass(frozen=True, kw_only=True)
class Album:
    """An audio file that holds several songs."""

    path: str
    n_songs: int


def album_words(n_songs: int) -> str:
    """Say of a file that it is an album.

    Examples
    --------
    >>> from embed.files.cue_sheets import album_words
    >>> album_words(12)
    'is an album of 12 songs by its CUE sheet and counts as one song'
    """
    return _WORDS.format(n_songs)


def songs_in_words(warning: str) -> int | None:
    """Return how many songs a warning tells of, that has `album_words` in it; else None."""
    found = _IN_WORDS.search(warning)
    return int(found[1]) if found else None


def count_songs(sheet: bytes) -> dict[bytes, int]:
    r"""Count the audio tracks that start in each file of a sheet.

    Parameters
    ----------
    sheet : bytes
        In an encoding that has ASCII in it, or in UTF-16.

    Returns
    -------
    dict of bytes to int
        Names of files as they are written, of UTF-16 in UTF-8.

    Examples
    --------
    >>> from embed.files.cue_sheets import count_songs
    >>> count_songs(b'FILE "a.wav" WAVE\n TRACK 01 AUDIO\n  INDEX 01 00:00:00')
    {b'a.wav': 1}
    """
    n_songs: dict[bytes, int] = {}
    name, is_audio = b"", False
    for line in _in_ascii(sheet).splitlines():
        command, _, rest = line.strip().partition(b" ")
        match command.upper(), rest.split():
            case b"FILE", [_, *_]:
                name = _unquoted(rest.strip())
            case b"TRACK", [_, kind, *_]:
                is_audio = kind.upper() == b"AUDIO"
            case b"INDEX", [b"1" | b"01", *_] if is_audio:  # 00, the pause, may be in another file
                n_songs[name] = n_songs.get(name, 0) + 1
                is_audio = False
    return n_songs


def _unquoted(rest: bytes) -> bytes:
    """Take the name from what follows FILE: in quotes, or all but the last word, the kind."""
    if rest.startswith(b'"'):
        return rest[1:].rpartition(b'"')[0]
    return rest.rsplit(None, 1)[0]


def _in_ascii(sheet: bytes) -> bytes:
    if sheet.startswith(_UTF_16):
        return sheet.decode("utf-16", "replace").encode()
    if b"\0" in sheet[:64]:  # UTF-16 without its mark
        little = sheet[1:2] == b"\0"
        return sheet.decode("utf-16-le" if little else "utf-16-be", "replace").encode()
    return sheet.removeprefix(codecs.BOM_UTF8)


def sheet_of(path: str) -> str | None:
    """Return the sheet that has an audio file's name, or None."""
    stem = os.path.splitext(path)[0]
    sheets = (f"{one}{suffix}" for one in (stem, path) for suffix in (".cue", ".CUE"))
    return next(filter(os.path.isfile, sheets), None)


def albums_in(sheet: str) -> list[Album]:
    """Find the audio files beside a CUE sheet that are albums by it: of two songs or more.

    Parameters
    ----------
    sheet : str
        Absolute path.
    """
    return [album for album in _parts(sheet) if album.n_songs > 1]


def files_of_sheet(sheet: str) -> list[str]:
    """Find the audio files that a CUE sheet names, in its order.

    Where the one that it names is not there (``album.wav``), it is the one of another kind
    (``album.flac``), or that which has the sheet's own name.
    """
    return list(dict.fromkeys(album.path for album in _parts(sheet)))


def _parts(sheet: str) -> Iterator[Album]:
    folder, own_name = os.path.split(sheet)
    if not os.path.isfile(sheet):  # to open a FIFO would take for ever
        return
    try:
        with open(sheet, "rb") as file:
            n_songs = count_songs(file.read(_MAX_BYTES))
        names = [name for name in os.listdir(folder) if _suffix(name) in AUDIO_SUFFIXES]
    except OSError:
        return
    for written, n in n_songs.items():
        found = _meant(written, names)
        if not found and len(n_songs) == 1:
            found = _same_stem(own_name, names)
        yield from (Album(path=os.path.join(folder, name), n_songs=n) for name in found)


def _meant(written: bytes, names: Collection[str]) -> list[str]:
    """Choose the files that a name means, whatever its encoding, case and kind."""
    readings = list(dict.fromkeys(_readings(written)))
    for reading in readings:
        same = [name for name in names if _folded(name) == _folded(reading)]
        exact = [name for name in same if name == reading]
        if same:
            return exact or same
    return next(filter(None, (_same_stem(reading, names) for reading in readings)), [])


def _readings(written: bytes) -> Iterator[str]:
    for encoding in _ENCODINGS:
        try:
            text = written.decode(encoding)
        except UnicodeDecodeError:
            continue
        yield text.replace("\\", "/").rpartition("/")[2]  # folders of another computer


def _same_stem(name: str, names: Collection[str]) -> list[str]:
    stem = _folded(os.path.splitext(name)[0])
    return [one for one in names if _folded(os.path.splitext(one)[0]) == stem]


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
