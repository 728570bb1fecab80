"""Playlists on servers: what they may be called, and what came of one that was put there."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from classify.errors import ServerError

__all__ = ["ServerPlaylist", "playlist_name", "same_name"]

_MOST = 200  # characters, as servers cut off longer names: then each run would make one list more
_INVISIBLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, kw_only=True)
class ServerPlaylist:
    """A playlist on a server as it is now.

    Attributes
    ----------
    server, name : str
    n_songs : int
        Songs that it has.
    missing : tuple of str
        Paths of songs that the server surely has not, best first.
    replaced : bool
        Whether there was one of that name before.
    """

    server: str
    name: str
    n_songs: int
    missing: tuple[str, ...]
    replaced: bool


def playlist_name(name: str) -> str:
    """Return a name for a playlist, without the spaces around it, which some servers leave out.

    Raises
    ------
    ServerError
        If it is none: empty, of more than 200 characters, or with such as are not written in a
        line.

    Examples
    --------
    >>> from classify.sources.servers.server_playlist import playlist_name
    >>> playlist_name(" Seven Songs ")
    'Seven Songs'
    """
    plain = name.strip()
    if not plain:
        raise ServerError("a playlist on a server needs a name")
    if len(plain) > _MOST:
        raise ServerError(
            f"{plain[:30]!r}... is no name for a playlist: it has {len(plain)} characters, and "
            f"{_MOST} are the limit"
        )
    if any(unicodedata.category(letter) in _INVISIBLE for letter in plain):
        raise ServerError(
            f"{plain!r} is no name for a playlist: leave out line ends and other control characters"
        )
    return plain


def same_name(one: Any, other: str) -> bool:
    """Whether a server means a name by what it tells; it may write accents otherwise."""
    if not isinstance(one, str):
        return False
    return unicodedata.normalize("NFC", one.strip()) == unicodedata.normalize("NFC", other.strip())
