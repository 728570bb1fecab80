"""What came of a playlist that was put on a server."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ServerPlaylist"]


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
