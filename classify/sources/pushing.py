"""What was ranked as a playlist on a server: `score --push`, `serve --push`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from cache import default_root
from classify.errors import ServerError
from classify.library.song_library import SongLibrary
from classify.output.own_lists import remember_pushed_list
from classify.sources.servers.mpd import MpdServer
from classify.sources.servers.server_playlist import ServerPlaylist, playlist_name
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

    def playlist(self, name: str) -> list[str] | None:
        """Return the songs of a playlist; None where there is none."""

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
    former: Collection[str] = (),
    some_gone: bool = False,
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
    former : collection of str
        Digests of songs that the list is known to have had.
    some_gone : bool
        Songs may be left out because their files are not there now.
    root : path or URI, optional
        The cache.

    Raises
    ------
    ServerError
        If it can't be done, the name is none for a playlist, the server has none of the songs, or
        the list would be shorter because songs of it are not there now, here or on the server: then
        it stays as it was.
    CacheError
    """
    name = playlist_name(name)
    with closing(open_server(server)) as there:
        return put_playlist(
            there, name, songs, taste=taste, former=former, some_gone=some_gone, root=root
        )


def put_playlist(
    there: PlaylistServer,
    name: str,
    songs: Sequence[tuple[str, str]],
    *,
    taste: Taste,
    former: Collection[str] = (),
    some_gone: bool = False,
    root: str | Path | None = None,
) -> ServerPlaylist:
    """Do what `push_playlist` does, on a server that is connected."""
    name = playlist_name(name)
    base = default_root() if root is None else root
    index = SongIndex(SongLibrary.of_taste(taste, base).files().recordings())
    theirs = there.songs()
    keys = _keys_of(theirs, index)
    held = {digest: keys[digest] for digest, _ in songs if digest in keys}
    if not held:
        raise ServerError(
            f"none of the {len(songs)} songs is surely on {there.name}; its playlist {name!r} "
            "stays as it is"
        )
    if some_gone or len(held) < len(songs):
        there_now = {song.key for song in theirs}
        before = there.playlist(name) or []
        lost = any(key not in there_now for key in before)
        lost = lost or any(digest not in keys for digest in former)
        n_before = max(len(before), len(former)) if before else 0
        if (some_gone or lost) and len(held) < n_before:
            raise ServerError(
                f"songs are not there now: the playlist {name!r} on {there.name} has {n_before} "
                f"songs and would have {len(held)}; it is left as it was. If the songs are gone "
                "for good, remove it first"
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


def _keys_of(songs: Sequence[SourceSong], index: SongIndex) -> dict[str, str]:
    """Return the server's key of each recording that it surely has, by digest."""
    keys: dict[str, str] = {}
    for song in songs:
        found = index.match(song)
        if found:
            keys.setdefault(found.digest, song.key)
    return keys
