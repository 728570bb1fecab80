r"""What an entry of a list means: the file that is there, or why none is.

Programs write paths in ways of their own. So the entry as written is looked for first, and other
readings of it (percent-encoded, ``\`` for ``/``, another Unicode form or case) only where nothing
is there.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from embed.files.path_mapping import foreign_folder, mapped_here, path_maps
from embed.files.playlists import LIST_SUFFIXES, MAX_ENTRY, is_elsewhere

__all__ = ["SCHEMES", "URL_ERROR", "EntryReader", "Failure", "existing", "is_source", "is_url"]

URL_ERROR = "is a URL; only files are read"
"""What is wrong with an entry such as that of a radio stream."""

SCHEMES = ("s3://", "s3a://", "gs://", "gcs://", "az://", "abfs://", "abfss://")
"""With which the address of an object store begins."""
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/]*)(.*)", re.IGNORECASE | re.DOTALL)
_SHORT_URL = re.compile(r"file:(/[^/].*)", re.IGNORECASE | re.DOTALL)  # as Java writes it
# as `classify.output.formats` writes what looks like a formula
_QUOTED = re.compile(r"'[-=+@\t\r]")
_DRIVE = re.compile(r"\A/([a-z]:[\\/])", re.IGNORECASE)  # in URLs a slash comes before it
_LOCAL = frozenset({"", "localhost"})  # hosts of a file URL that mean this computer (RFC 8089)
_SHOWN = 80  # characters of an entry that is too long to be a path
_MAX_NAMES = 200_000  # kept of the folders that one list has us search for names written otherwise


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A file or entry that gave nothing, and why."""

    path: str
    error: str


def existing(path: str, *, listed: bool = False) -> str | Failure:
    """Return an absolute path where a regular file is, else why it is not taken.

    Parameters
    ----------
    path : str
        Absolute.
    listed : bool
        Whether a list names it; a list in a list is refused.

    Examples
    --------
    >>> from embed.files.entries import existing
    >>> existing("/no.mp3")
    Failure(path='/no.mp3', error='does not exist')
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return Failure(path=path, error="does not exist")
    if stat.S_ISDIR(mode):
        return Failure(path=path, error="is a folder; a list names files")
    if not stat.S_ISREG(mode):
        return Failure(
            path=path, error="is not a regular file (a FIFO, a device or a socket); not opened"
        )
    if listed and os.path.splitext(path)[1].lower() in LIST_SUFFIXES:
        return Failure(
            path=path, error="is a list; a list in a list is not read, so name it yourself"
        )
    return path


def is_url(text: str) -> bool:
    """Whether something names no file but a URL, such as a radio stream's.

    Examples
    --------
    >>> from embed.files.entries import is_url
    >>> is_url("http://radio.example/live"), is_url("file:///m/a.mp3")
    (True, False)
    """
    url = _URL.fullmatch(text.strip())
    return url is not None and url[1].lower() != "file"


def is_source(text: str) -> bool:
    """Tell whether something is the address of an object store, such as ``s3://bucket/music/``.

    Examples
    --------
    >>> from embed.files.entries import is_source
    >>> is_source("s3://bucket/music/"), is_source("http://radio.example/live")
    (True, False)
    """
    return text.startswith(SCHEMES)


class EntryReader:
    """Finds the files of one list's entries.

    Parameters
    ----------
    folder : str
        The list's own, absolute: what its relative paths start from.

    Raises
    ------
    EmbedError
        If `SEVENSONGS_MAP` of the environment is not understood.

    Examples
    --------
    >>> from embed.files.entries import EntryReader
    >>> EntryReader("/").resolved("no.mp3")
    Failure(path='/no.mp3', error='does not exist')
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._names = _FolderNames()
        self._maps = path_maps()

    def resolved(self, entry: str) -> str | Failure:
        """Return the absolute path of the file that an entry means, else why there is none."""
        if len(entry) > MAX_ENTRY:
            shown = f"{entry[:_SHOWN]}..."
            return Failure(
                path=shown, error=f"has more than {MAX_ENTRY} characters, so it is no path"
            )
        if is_source(entry.strip()):
            return entry.strip()
        if is_url(entry):
            return Failure(path=entry, error=URL_ERROR)
        url = _URL.fullmatch(entry.strip())
        server = url[2] if url and url[2].lower() not in _LOCAL else ""
        if url:
            entry = _path_of(url[3])
            entry = f"//{server}{entry}" if server else _DRIVE.sub(r"\1", entry)
        here = mapped_here(entry, self._maps)
        if url and server and not here:
            return Failure(
                path=url[0], error=f"is a file of computer {server!r:.80}; only local ones are read"
            )
        entry = here or entry
        if is_source(entry):
            return entry
        if "\0" in entry:
            return Failure(path=entry.replace("\0", "?"), error="holds a NUL, so it is no path")
        return self._file(entry)

    def _file(self, entry: str) -> str | Failure:
        written = list(_readings(entry))
        paths = [
            os.path.abspath(os.path.join(self._folder, reading))
            for reading in (*written, *_decoded(written))
        ]
        if os.name == "nt" and any(is_elsewhere(path, self._folder) for path in paths):
            return Failure(
                path=entry, error="is on another server than the list; only local files are read"
            )
        found = next((path for path in paths if os.path.exists(path)), None)
        found = found or next(filter(None, map(self._names.spelled, paths)), None)
        folder = None if found else foreign_folder(entry)
        if folder:
            return Failure(
                path=entry,
                error=f"is a path of another computer: --map '{folder:.200}=/mnt/music' tells "
                "where it is here",
            )
        return existing(found or paths[len(written) - 1], listed=True)


class _FolderNames:
    """Finds paths that are written in another Unicode form or case, by listing folders."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, list[str]]] = {}
        self._n_names = 0

    def spelled(self, path: str) -> str | None:
        """Return the one path that is there and differs in Unicode form or case only."""
        drive, rest = os.path.splitdrive(path)
        here = drive + os.sep
        for name in filter(None, rest.split(os.sep)):
            there = os.path.join(here, name)
            if not os.path.exists(there):
                same = self._of(here).get(_folded(name), [])
                form = unicodedata.normalize("NFC", name)
                exact = [one for one in same if unicodedata.normalize("NFC", one) == form]
                if len(same := exact or same) != 1:  # of several none is surely meant
                    return None
                there = os.path.join(here, same[0])
            here = there
        return here

    def _of(self, folder: str) -> dict[str, list[str]]:
        """List a folder, by what its names have in common with others of their spelling."""
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            try:
                with os.scandir(folder) as listing:
                    for entry in listing:
                        self._n_names += 1
                        if self._n_names > _MAX_NAMES:
                            break
                        names.setdefault(_folded(entry.name), []).append(entry.name)
            except (OSError, ValueError):
                names = {}
            if self._n_names > _MAX_NAMES:
                return {}
            self._listed[folder] = names
        return self._listed[folder]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _path_of(url_path: str) -> str:
    """Turn a ``file:`` URL's path into one of this system."""
    if os.name == "nt":
        from urllib.request import url2pathname  # imports http.client and more

        return url2pathname(url_path)
    return _unquoted(url_path)


def _unquoted(text: str) -> str:
    return os.fsdecode(unquote_to_bytes(text.encode("utf-8", "surrogateescape")))


def _readings(entry: str) -> Iterator[str]:
    r"""Give what an entry may mean.

    Its very bytes; without the spaces around it; without the quote that keeps spreadsheets from
    calculating; Windows-1252, as old players wrote; ``\\`` for ``/``.
    """
    yield entry
    if entry != entry.strip():
        entry = entry.strip()
        yield entry
    if _QUOTED.match(entry):
        yield entry[1:]
    try:
        entry.encode("utf-8")
    except UnicodeEncodeError:
        entry = entry.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
        yield entry
    if os.sep == "/" and "\\" in entry:
        yield entry.replace("\\", "/")


def _decoded(written: list[str]) -> Iterator[str]:
    """Give what readings mean where a program wrote part of a URL, as VLC does."""
    for entry in written:
        url = _SHORT_URL.fullmatch(entry)
        if url:
            yield _path_of(url[1])
        elif "%" in entry:
            yield _unquoted(entry)
