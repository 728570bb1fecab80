r"""Paths of another computer, and where they are here: ``C:\Users\me\Music=/mnt/music``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from cache import is_uri
from embed.errors import EmbedError

__all__ = ["MAP_VARIABLE", "foreign_folder", "mapped_here", "mapped_there", "parse_map"]
__all__ += ["path_maps"]

MAP_VARIABLE = "SEVENSONGS_MAP"
"""Of the environment: one ``FROM=TO`` a line."""
_MAX_MAPS = 100
_WINDOWS = re.compile(r"[a-z]:[\\/]|\\\\[^\\/]", re.IGNORECASE)
_MAC = re.compile(r"/(?:Users|Volumes)/")
_MUSIC = re.compile(r"(.*?[\\/](?:my )?(?:music|musik|musique|m\u00fasica|musica))[\\/]", re.I)

Maps = tuple[tuple[str, str], ...]


def parse_map(text: str) -> tuple[str, str]:
    r"""Split ``FROM=TO``, where a folder is on another computer and where it is here.

    Raises
    ------
    EmbedError
        If it is none, or TO is neither an absolute path nor the address of an object store.

    Examples
    --------
    >>> from embed import parse_map
    >>> parse_map(r"C:\Music=/mnt/music")
    ('C:\\Music', '/mnt/music')
    """
    there, equals, here = (part.strip() for part in text.rpartition("="))
    here = os.path.expanduser(here)
    if not (equals and there.rstrip("\\/") and (os.path.isabs(here) or is_uri(here))):
        raise EmbedError(
            f"{text!r:.200} is no FROM=TO: a folder of another computer, and the absolute path "
            r"where it is here, such as 'C:\Users\me\Music=/mnt/music'"
        )
    return there, here


def path_maps() -> Maps:
    """Return what the environment says, see `MAP_VARIABLE`; nothing where it is not set.

    Raises
    ------
    EmbedError
        If a line is no ``FROM=TO``, or there are more than 100.

    Examples
    --------
    >>> from embed import path_maps
    >>> path_maps()
    ()
    """
    lines = [line for line in os.environ.get(MAP_VARIABLE, "").splitlines() if line.strip()]
    if len(lines) > _MAX_MAPS:
        raise EmbedError(f"there are {len(lines)} maps FROM=TO; up to {_MAX_MAPS} are taken")
    return tuple(map(parse_map, lines))


def mapped_here(entry: str, maps: Iterable[tuple[str, str]]) -> str | None:
    r"""Return where a path of another computer is here; None where no map tells.

    Examples
    --------
    >>> from embed.files.path_mapping import mapped_here
    >>> mapped_here("c:/music/a.mp3", [("C:\\Music", "/mnt/music")])
    '/mnt/music/a.mp3'
    """
    for there, here in maps:
        rest = _below(entry, there)
        if rest is not None:
            return os.path.join(here, rest.replace("\\", "/") if _is_windows(there) else rest)
    return None


def mapped_there(path: str, maps: Iterable[tuple[str, str]]) -> str:
    r"""Return what the other computer calls an absolute path of ours; itself where no map tells.

    Examples
    --------
    >>> from embed import mapped_there
    >>> mapped_there("/mnt/music/a.mp3", [("C:\\Music", "/mnt/music")])
    'C:\\Music\\a.mp3'
    """
    for there, here in maps:
        rest = _below(path, here)
        if rest is not None:
            if "\\" in there:
                # no file of Windows has a backslash in its name
                return path if "\\" in rest else "\\".join([there.rstrip("\\"), *rest.split("/")])
            return f"{there.rstrip('/')}/{rest}"
    return path


def foreign_folder(entry: str) -> str | None:
    r"""Return the folder of another computer in which an entry is, or None where it is of this.

    Examples
    --------
    >>> from embed.files.path_mapping import foreign_folder
    >>> foreign_folder("C:\\Users\\me\\Music\\Artist\\a.mp3")
    'C:\\Users\\me\\Music'
    """
    if os.name == "nt":
        return None
    mac = _MAC.match(entry)
    if not _is_windows(entry) and not (mac and not os.path.isdir(mac[0])):
        return None
    music = _MUSIC.match(entry)
    return music[1] if music else re.split(r"[\\/][^\\/]*\Z", entry)[0]


def _is_windows(path: str) -> bool:
    return _WINDOWS.match(path) is not None


def _below(path: str, folder: str) -> str | None:
    """Return the rest of a path below a folder, as Windows compares where the folder is its."""
    prefix, start = folder.rstrip("\\/"), path
    if _is_windows(folder) or folder.startswith("\\\\"):
        prefix, start = (text.replace("\\", "/").lower() for text in (prefix, path))
    if len(start) != len(path) or not start.startswith(f"{prefix}/"):
        return None
    return path[len(prefix) + 1 :].lstrip("\\/")
