"""MPD: stickers as likes, and stored playlists."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace

from classify.errors import ServerError
from classify.sources.servers.address import PASSWORD_VARIABLE
from classify.sources.servers.mpd_client import DEFAULT_PORT, MpdClient, MpdRefusalError
from classify.sources.source_song import SourceReading, SourceSong

__all__ = ["MpdServer", "mpd_reading"]

_STICKERS = ("like", "rating")
_NOT_THERE = 50  # MPD's code
_MAX_SONGS = 1_000_000
_TAGS = {"Artist": "artist", "Title": "title", "Album": "album", "MUSICBRAINZ_TRACKID": "id"}
_AT_ONCE = 100  # songs of a playlist that are added by one list of commands


class MpdServer:
    """A client of MPD that knows songs and playlists.

    Parameters
    ----------
    place : str
        ``HOST:PORT``; the port is 6600 by default.

    Raises
    ------
    ServerError
        If it is no such place, or nobody answers there.
    """

    def __init__(self, place: str) -> None:
        host, colon, port = place.rpartition(":")
        if not colon or place.endswith("]"):
            host, port = place, str(DEFAULT_PORT)
        if not host or not port.isdigit() or "@" in place or not 0 < int(port) < 65536:
            raise ServerError(
                "MPD's address is mpd:HOST or mpd:HOST:PORT; its password comes from the "
                f"environment's {PASSWORD_VARIABLE}"
            )
        password = os.environ.get(PASSWORD_VARIABLE, "")
        self._client = MpdClient(host.strip("[]"), int(port), password)
        self.name = self._client.name
        self._place = place

    def again(self) -> MpdServer:
        """Connect once more, as MPD ends a connection on which nothing is asked for a minute."""
        return MpdServer(self._place)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def labelled_songs(self) -> list[SourceSong]:
        """Return the songs that have a sticker `like` or `rating`."""
        said: dict[str, dict[str, float | str]] = {}
        for sticker in _STICKERS:
            file = ""
            for name, value in self._client.ask("sticker", "find", "song", "", sticker):
                if name == "file":
                    file = value
                elif name == "sticker" and file:
                    said.setdefault(file, {})[sticker] = value.partition("=")[2]
        songs = []
        for file, words in said.items():
            with suppress(MpdRefusalError):  # the song has gone, its sticker stays
                found = [*_songs(self._client.ask("lsinfo", file))]
                songs += [_with(song, words) for song in found]
        return songs

    def songs(self) -> list[SourceSong]:
        """Return all songs of MPD's music folder, folder by folder."""
        songs: list[SourceSong] = []
        folders = [""]
        while folders:
            answer = self._client.ask("lsinfo", folders.pop() or "/")
            folders += sorted(
                (value for name, value in answer if name == "directory"), reverse=True
            )
            songs += _songs(answer)
            if len(songs) > _MAX_SONGS:
                raise ServerError(f"{self.name} has more than {_MAX_SONGS} songs")
        return songs

    def put_playlist(self, name: str, keys: Sequence[str]) -> bool:
        """Have a stored playlist hold some songs, and return whether there was one before.

        It is written under another name first, so that the one that is there is never lost.
        """
        if not name.strip() or "/" in name or name.startswith("."):
            raise ServerError(f"{name!r:.80} is no name for a playlist of MPD: leave out '/'")
        former = self._playlist(name)
        if former == list(keys):
            return True
        fresh = f"{name} {secrets.token_hex(4)}"
        try:
            for first in range(0, len(keys), _AT_ONCE):
                some = keys[first : first + _AT_ONCE]
                self._client.ask_all([("playlistadd", fresh, key) for key in some])
            former_away: list[tuple[str, ...]] = [] if former is None else [("rm", name)]
            self._client.ask_all([*former_away, ("rename", fresh, name)])
        except ServerError:
            with suppress(ServerError):
                self._client.ask("rm", fresh)
            raise
        return former is not None

    def _playlist(self, name: str) -> list[str] | None:
        try:
            answer = self._client.ask("listplaylist", name)
        except MpdRefusalError as error:
            if error.code == _NOT_THERE:
                return None
            raise
        return [value for what, value in answer if what == "file"]


def mpd_reading(place: str, _asked: Sequence[str] = ()) -> SourceReading:
    """Read MPD's stickers: ``like`` is 0, 1 or 2, of which 2 is a like; ``rating`` 0 to 10.

    Raises
    ------
    ServerError
        If it can't be reached, or has no stickers.
    """
    with closing(MpdServer(place)) as server:
        try:
            songs = server.labelled_songs()
        except MpdRefusalError as error:
            raise ServerError(f"{error}; MPD's configuration needs a sticker_file") from error
        return SourceReading(
            name=server.name,
            songs=tuple(songs),
            fields=_STICKERS,
            like=("like=2",),
            dislike=("like=0",),
        )


def _songs(answer: Iterable[tuple[str, str]]) -> Iterator[SourceSong]:
    song: dict[str, str] = {}
    for name, value in answer:
        if name in ("file", "directory", "playlist"):
            if song:
                yield _song(song)
            song = {"file": value} if name == "file" else {}
        elif song and name == "Artist" and "Artist" in song:
            song["Artist"] += f"; {value}"
        elif song:
            song.setdefault(name, value)
    if song:
        yield _song(song)


def _song(fields: dict[str, str]) -> SourceSong:
    tags = {ours: fields.get(theirs) or None for theirs, ours in _TAGS.items()}
    length = fields.get("duration") or fields.get("Time") or ""
    try:
        duration_s = float(length)
    except ValueError:
        duration_s = 0.0
    return SourceSong(
        key=fields["file"],
        path=fields["file"],
        duration_s=duration_s if 0 < duration_s < 1e6 else None,
        artist=tags["artist"],
        title=tags["title"],
        album=tags["album"],
        musicbrainz_id=tags["id"],
    )


def _with(song: SourceSong, said: dict[str, float | str]) -> SourceSong:
    return replace(song, said=said)
