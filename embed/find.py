"""From the paths that a user names to audio files: folders, playlists, CSVs."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

__all__ = ["AUDIO_SUFFIXES", "PLAYLIST_SUFFIXES", "Failure", "FoundAudio", "find_audio"]

# fmt: off
AUDIO_SUFFIXES = frozenset({
    ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alac", ".ape", ".au", ".caf", ".dsf", ".flac", ".m4a", ".m4b",
    ".mka", ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".tta", ".w64", ".wav", ".weba", ".webm",
    ".wma", ".wv",
})
# fmt: on
"""What a folder is searched for. A file that is named itself is tried whatever its suffix."""
PLAYLIST_SUFFIXES = frozenset({".m3u", ".m3u8"})
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/]*)(.*)", re.IGNORECASE | re.DOTALL)
_MAX_LIST_BYTES = 256 * 2**20  # of a playlist or CSV; a million paths are some 100 MiB


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A file or entry that gave nothing, and why."""

    path: str
    error: str


@dataclass(frozen=True, kw_only=True)
class FoundAudio:
    """Absolute paths in the order given (folders sorted), each once; and what could not be found."""

    files: tuple[str, ...]
    failures: tuple[Failure, ...]


def find_audio(paths: Sequence[str | os.PathLike[str]]) -> FoundAudio:
    """Expand paths: an audio file, a folder (recursive), a playlist, or a CSV with a `path` column.

    Entries of playlists and CSVs are absolute, or relative to the list's own folder; ``file:`` URLs are
    read as paths, other URLs are refused. In folders, hidden files are passed over and symbolic links
    followed, each folder once.
    """
    files: dict[str, None] = {}
    failures: dict[str, str] = {}
    for item in _expand(paths):
        if isinstance(item, Failure):
            failures.setdefault(item.path, item.error)
        else:
            files.setdefault(item)
    return FoundAudio(
        files=tuple(files), failures=tuple(Failure(path=p, error=e) for p, e in failures.items())
    )


def _expand(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str | Failure]:
    for given in paths:
        if not os.fspath(given):  # such as a shell variable that is not set; not the current folder
            yield Failure(path="", error="is empty; name a file or a folder")
            continue
        path = os.path.abspath(os.path.expanduser(given))
        suffix = os.path.splitext(path)[1].lower()
        if os.path.isdir(path):
            yield from _walk(path, seen=set())
        elif suffix in PLAYLIST_SUFFIXES and os.path.isfile(path):
            yield from _listed(path, _playlist_entries)
        elif suffix == ".csv" and os.path.isfile(path):
            yield from _listed(path, _csv_entries)
        else:
            yield _existing(path)


def _existing(path: str) -> str | Failure:
    if os.path.isdir(path):
        return Failure(path=path, error="is a folder; a list names files")
    if os.path.exists(path):
        return path
    return Failure(path=path, error="does not exist")


def _walk(folder: str, seen: set[tuple[int, int]]) -> Iterator[str | Failure]:
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return  # a symbolic link that leads back
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as listing:
            entries = sorted((e for e in listing if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        yield Failure(path=folder, error=f"can't be searched ({error.strerror})")
        return
    for entry in entries:
        if os.path.isdir(entry.path):  # entry.is_dir() raises for a link that leads to itself
            yield from _walk(entry.path, seen)
        elif os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES:
            yield entry.path


def _listed(path: str, read: Callable[[str], Iterator[str]]) -> Iterator[str | Failure]:
    try:
        size = os.path.getsize(path)
        if size > _MAX_LIST_BYTES:
            yield Failure(path=path, error=f"is a list of {size} bytes; up to {_MAX_LIST_BYTES} are read")
            return
        entries = list(read(_text(Path(path).read_bytes())))
    except OSError as error:
        yield Failure(path=path, error=f"can't be read ({error.strerror})")
        return
    except (csv.Error, ValueError) as error:
        yield Failure(path=path, error=str(error))
        return
    for entry in entries:
        yield _resolve(entry, os.path.dirname(path))


def _text(content: bytes) -> str:
    """Decode a list: UTF-8, with or without a mark; other bytes are kept, as in the names of files."""
    return content.decode("utf-8-sig", "surrogateescape")


def _playlist_entries(text: str) -> Iterator[str]:
    # Not splitlines: it also splits at U+2028 and the like, which names may hold.
    lines = (line.strip() for line in re.split(r"[\r\n]+", text))
    return (line for line in lines if line and not line.startswith("#"))


def _csv_entries(text: str) -> Iterator[str]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)  # spreadsheets write what their country's numbers leave free
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = list(rows.fieldnames or ())
    column = next((name for name in columns if name.strip().lower() == "path"), None)
    if column is None:
        found = ", ".join(columns) or "none"
        raise ValueError(f"is a CSV without a column 'path' (its columns: {found})")
    return (row[column] for row in rows if row[column])


def _resolve(entry: str, folder: str) -> str | Failure:
    if "\0" in entry:
        return Failure(path=entry.replace("\0", "?"), error="holds a NUL, so it is no path")
    url = _URL.fullmatch(entry)
    if url and url[1].lower() != "file":
        return Failure(path=entry, error="is a URL; only files are read")
    if url:
        entry = _path_of(url[3])
    candidates = [os.path.abspath(os.path.join(folder, reading)) for reading in _readings(entry)]
    return next((_existing(path) for path in candidates if os.path.exists(path)), _existing(candidates[-1]))


def _path_of(url_path: str) -> str:
    """Turn a ``file:`` URL's path into one of this system."""
    if os.name == "nt":
        from urllib.request import url2pathname  # imports http.client and more

        return url2pathname(url_path)
    return os.fsdecode(unquote_to_bytes(url_path))


def _readings(entry: str) -> Iterator[str]:
    r"""Give what an entry may mean: its very bytes, Windows-1252 as old players wrote, ``\\`` for ``/``."""
    yield entry
    try:
        entry.encode("utf-8")
    except UnicodeEncodeError:
        entry = entry.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
        yield entry
    if os.sep == "/" and "\\" in entry:
        yield entry.replace("\\", "/")
