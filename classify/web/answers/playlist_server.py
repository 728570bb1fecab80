"""The music server that playlists of the page are saved to, if the person who serves named one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from classify.scoring.scores import ScoredSong
from classify.sources.pushing import PlaylistServer, put_playlist
from classify.sources.servers.server_playlist import ServerPlaylist
from classify.taste.taste import Taste

__all__ = ["PlaylistTarget"]


class PlaylistTarget:
    """Has one playlist after the other put on a server. Threads may share it.

    Parameters
    ----------
    server : PlaylistServer
        Connected when the service started, by whoever knew its password: it is asked for there, and
        never over HTTP.
    root : path or URI
        The cache.
    """

    def __init__(self, server: PlaylistServer, root: str | Path) -> None:
        self._server = server
        self._root = root
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The server's address, without a user."""
        return self._server.name

    def put(self, name: str, songs: Sequence[ScoredSong], taste: Taste) -> ServerPlaylist:
        """Make or replace a playlist.

        Raises
        ------
        ServerError
            If it can't be done; see `push_playlist`.
        """
        with self._lock, closing(self._server.again()) as there:
            keys = [(one.digest, one.path) for one in songs]
            return put_playlist(there, name, keys, taste=taste, root=self._root)
