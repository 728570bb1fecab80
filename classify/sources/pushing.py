"""What was ranked as a playlist on a server: `score --push`, `serve --push`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from cache import default_root
from classify.errors import ServerError
from classify.library.song_library import SongLibrary
from classify.output.own_lists import remember_pushed_list
from classify.sources.servers.mpd import MpdServer
from classify.sources.servers.server_playlist import ServerPlaylist
from classify.sources.servers.subsonic import SubsonicServer
from classify.sources.song_matching import SongIndex
from classify.sources.source_song import SourceSong
from classify.taste.taste import Taste

__all__ = ["SERVERS", "PlaylistServer", "open_server", "push_playlist", "put_playlist"]


class PlaylistServer(Protocol):
    """A server that keeps playlists."""

    name: str

    def songs(self) -> list[SourceSong]:
        """Return all songs of the server."""

    def put_playlist(self, name: str, keys: Sequence[str]) -> bool:
        """Have a playlist hold some songs; return whether there was one before."""

    def again(self) -> PlaylistServer:
        """Return the same for the same user, to be asked now, however long ago this was opened."""

    def close(self) -> None:
        """Close the connection."""


SERVERS: Mapping[str, Callable[[str], PlaylistServer]] = {
    "mpd": MpdServer,
    "subsonic": SubsonicServer,
}
"""What is written before a colon, and what keeps playlists there."""


def open_server(server: str) -> PlaylistServer:
    """Connect to a server; who asks for its password is `password_of`.

    Parameters
    ----------
    server : str
        ``mpd:HOST:PORT`` or ``subsonic:https://user@host/base``.

    Raises
    ------
    ServerError
        If it is none, can't be reached, or refuses the password.
    """
    scheme, _, place = server.partition(":")
    if scheme.lower() not in SERVERS:
        known = ", ".join(f"{one}:..." for one in SERVERS)
        raise ServerError(f"{server.partition('//')[0]:.40} is no server that is known: {known}")
    return SERVERS[scheme.lower()](place)


def push_playlist(
    server: str,
    name: str,
    songs: Sequence[tuple[str, str]],
    *,
    taste: Taste,
    root: str | Path | None = None,
) -> ServerPlaylist:
    """Have a playlist on a server hold songs, in their order; one of this name is replaced.

    Only songs that the server surely has come into it.

    Parameters
    ----------
    server : str
        See `open_server`.
    name : str
        Of the playlist.
    songs : sequence of (str, str)
        Digest and path of each, best first.
    taste : Taste
        By which they were scored; its library is compared with the server's.
    root : path or URI, optional
        The cache.

    Raises
    ------
    ServerError
        If it can't be done, or the server has none of the songs: its list stays as it was.
    CacheError
    """
    with closing(open_server(server)) as there:
        return put_playlist(there, name, songs, taste=taste, root=root)


def put_playlist(
    there: PlaylistServer,
    name: str,
    songs: Sequence[tuple[str, str]],
    *,
    taste: Taste,
    root: str | Path | None = None,
) -> ServerPlaylist:
    """Do what `push_playlist` does, on a server that is connected."""
    base = default_root() if root is None else root
    index = SongIndex(SongLibrary.of_taste(taste, base).files().recordings())
    keys: dict[str, str] = {}
    for song in there.songs():
        found = index.match(song)
        if found:
            keys.setdefault(found.digest, song.key)
    held = {digest: keys[digest] for digest, _ in songs if digest in keys}
    if not held:
        raise ServerError(
            f"none of the {len(songs)} songs is surely on {there.name}; its playlist {name!r} "
            "stays as it is"
        )
    replaced = there.put_playlist(name, [*held.values()])
    remember_pushed_list(held, root, name=name)
    return ServerPlaylist(
        server=there.name,
        name=name,
        n_songs=len(held),
        missing=tuple(path for digest, path in songs if digest not in keys),
        replaced=replaced,
    )
