"""MPD: stickers as likes, and stored playlists."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace

from classify.errors import ServerError
from classify.sources.servers.address import PASSWORD_VARIABLE, is_loopback, password_of
from classify.sources.servers.mpd_client import DEFAULT_PORT, MpdClient, MpdRefusalError
from classify.sources.source_song import SourceReading, SourceSong

__all__ = ["MpdServer", "mpd_reading"]

_STICKERS = ("like", "rating")
_NOT_THERE = 50  # MPD's code
_MAX_SONGS = 1_000_000
_TAGS = {"Artist": "artist", "Title": "title", "Album": "album", "MUSICBRAINZ_TRACKID": "id"}
_READING = ("lsinfo", "sticker")
_WRITING = ("lsinfo", "listplaylist", "playlistadd", "rm", "rename")
_IN_CLEAR = "/send-password"
_NO_PLACE = (
    "MPD's address is mpd:HOST or mpd:HOST:PORT; its password comes from the environment's "
    f"{PASSWORD_VARIABLE}, a keyring or a prompt"
)
_MAX_NAME_BYTES = 230  # of 255 of a file's name; the rest is for ` 0123abcd.m3u.part`
_AT_ONCE = 100  # songs of a playlist that are added by one list of commands


class MpdServer:
    """A client of MPD that knows songs and playlists.

    The password is sent only where MPD permits too little without one, as the protocol has no
    secrecy; and to another computer only where the address says that it may be.

    Parameters
    ----------
    place : str
        ``HOST:PORT``; the port is 6600 by default. ``/send-password`` at its end lets the password
        go to another computer, readable for who is on the way.
    commands : sequence of str
        What will be asked of it.
    password : str, optional
        Where it is known already.

    Raises
    ------
    ServerError
        If it is no such place, nobody answers there, or it wants a password that is not to be had.
    """

    def __init__(
        self, place: str, *, commands: Sequence[str] = _WRITING, password: str | None = None
    ) -> None:
        address = place.removesuffix(_IN_CLEAR)
        host, colon, port = address.rpartition(":")
        if not colon or address.endswith("]"):
            host, port = address, str(DEFAULT_PORT)
        if not host or {*"/@"} & {*address} or not port.isdigit() or not 0 < int(port) < 65536:
            raise ServerError(_NO_PLACE)
        self._place, self._commands, self._password = place, commands, password
        self._may_send = is_loopback(host.strip("[]")) or place.endswith(_IN_CLEAR)
        self._client = MpdClient(host.strip("[]"), int(port))
        self.name = self._client.name
        try:
            self._log_in(address)
        except BaseException:
            self.close()
            raise

    def _log_in(self, address: str) -> None:
        refused = {value for _, value in self._client.ask("notcommands")}
        if refused.isdisjoint(self._commands):
            return
        if not self._may_send:
            raise ServerError(
                f"{self.name} asks for a password, and MPD's protocol sends it readable for "
                f"everybody on the way: if it may, write mpd:{address}{_IN_CLEAR}"
            )
        self._password = self._password or password_of(self.name)
        self._client.ask("password", self._password)

    def again(self) -> MpdServer:
        """Connect once more, as MPD ends a connection on which nothing is asked for a minute."""
        return MpdServer(self._place, commands=self._commands, password=self._password)

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
        folders, seen = [""], {""}
        while folders:
            answer = self._client.ask("lsinfo", folders.pop() or "/")
            inner = {value for name, value in answer if name == "directory"} - seen
            folders += sorted(inner, reverse=True)
            seen |= inner
            songs += _songs(answer)
            if max(len(songs), len(seen)) > _MAX_SONGS:
                raise ServerError(f"{self.name} has more than {_MAX_SONGS} songs or folders")
        return songs

    def put_playlist(self, name: str, keys: Sequence[str]) -> bool:
        """Have a stored playlist hold some songs, and return whether there was one before.

        It is written under another name first, so that the one that is there is never lost.
        """
        _refuse_name(name)
        former = self.playlist(name)
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

    def playlist(self, name: str) -> list[str] | None:
        """Return what songs a stored playlist holds; None where there is none."""
        try:
            answer = self._client.ask("listplaylist", name)
        except MpdRefusalError as error:
            if error.code == _NOT_THERE:
                return None
            raise
        return [value for what, value in answer if what == "file"]


def _refuse_name(name: str) -> None:
    """Refuse a name of which MPD can make no file."""
    why = ""
    if "/" in name:
        why = "leave out '/'"
    elif name.startswith("."):
        why = "it begins with a dot"
    elif len(name.encode()) > _MAX_NAME_BYTES:
        why = f"it has {len(name.encode())} bytes, and {_MAX_NAME_BYTES} are the limit"
    if why:
        raise ServerError(f"{name!r:.80} is no name for a playlist of MPD: {why}")


def mpd_reading(place: str, _asked: Sequence[str] = ()) -> SourceReading:
    """Read MPD's stickers: ``like`` is 0, 1 or 2, of which 2 is a like; ``rating`` 0 to 10.

    Raises
    ------
    ServerError
        If it can't be reached, or has no stickers.
    """
    with closing(MpdServer(place, commands=_READING)) as server:
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
