"""Subsonic and OpenSubsonic (Navidrome, gonic, Ampache, supysonic): stars, ratings, playlists.

All is asked by POST, so that neither passwords nor long lists stand in addresses and logs.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from classify.errors import ServerError
from classify.sources.servers.address import (
    USER_VARIABLE,
    is_loopback,
    password_of,
    split_address,
)
from classify.sources.servers.http_client import HttpClient, SlowServerError
from classify.sources.servers.server_playlist import same_name
from classify.sources.servers.subsonic_answers import dicts_of, id_of, song_of, text_of
from classify.sources.source_song import SourceReading, SourceSong

__all__ = ["API_KEY_VARIABLE", "SubsonicServer", "subsonic_reading"]

API_KEY_VARIABLE = "SEVENSONGS_API_KEY"
_VERSION = "1.13.0"  # the first with tokens
_COMMON = (("v", _VERSION), ("c", "sevensongs"), ("f", "json"))
_PAGE = 500
_LEAST_PAGE = 50
_MANY = 10_000  # songs, where it is not known how many are told
_MAX_SONGS = 1_000_000
_WRONG_PASSWORD, _WRONG_KEY, _NOT_ALLOWED, _NOT_FOUND = 40, 44, 50, 70
# What servers say that know no tokens: a parameter is missing, or they say so.
_NO_TOKENS = frozenset({10, 41, 42})
_COMMENT = "made by Seven Songs from scores; no list of likes"


class _RefusalError(ServerError):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class SubsonicServer:
    """A client of one user on a server.

    Parameters
    ----------
    place : str
        ``https://user@host/base``; without a user the environment's `SEVENSONGS_USER`.
    client : HttpClient, optional
        For tests with other limits.

    Raises
    ------
    ServerError
        If nobody answers there, or the password is wrong.
    """

    def __init__(self, place: str, client: HttpClient | None = None) -> None:
        address, user = split_address(place)
        self.user = user or os.environ.get(USER_VARIABLE, "")
        self._client = client or HttpClient(address)
        self.name = f"subsonic:{address}"
        self._login = self._logged_in(address)

    def _logged_in(self, address: str) -> list[tuple[str, str]]:
        """Find the way to log in that a server knows: a key, a token, the password itself."""
        key = os.environ.get(API_KEY_VARIABLE)
        if key:
            return self._with_key(address, key)
        if not self.user:
            raise ServerError(
                f"whose stars? Name the user, as in subsonic:https://user@host/base, or in the "
                f"environment's {USER_VARIABLE}"
            )
        password = password_of(address, self.user)
        salt = secrets.token_hex(8)
        # the protocol's own; MD5 because Subsonic says so
        token = hashlib.md5(f"{password}{salt}".encode(), usedforsecurity=False).hexdigest()
        login = [("u", self.user), ("t", token), ("s", salt)]
        try:
            self._asked("ping", login)
        except _RefusalError as error:
            if error.code not in _NO_TOKENS:
                raise
            if not _is_private(address):
                raise ServerError(
                    f"{address} knows no login by token, and the password itself is sent over "
                    "https alone: name an https address"
                ) from None
            login = [("u", self.user), ("p", f"enc:{password.encode().hex()}")]
            self._asked("ping", login)
        return login

    def _with_key(self, address: str, key: str) -> list[tuple[str, str]]:
        """Log in by a key, and find whose it is: playlists are found by name and owner."""
        if not _is_private(address):
            raise ServerError(
                f"the key of {API_KEY_VARIABLE} is sent over https alone, and not to {address}: "
                "name an https address"
            )
        login = [("apiKey", key)]
        self._asked("ping", login)
        try:
            told = self._asked("tokenInfo", login).get("tokenInfo")
        except ServerError:  # a server that knows keys need not know this
            told = None
        owner = text_of(told.get("username")) if isinstance(told, dict) else None
        if owner and self.user and owner.lower() != self.user.lower():
            raise ServerError(
                f"the key of {API_KEY_VARIABLE} is one of {owner!r} on {self.name}, and not of "
                f"{self.user!r}"
            )
        self.user = owner or self.user
        if not self.user:
            raise ServerError(
                f"{self.name} does not say whose key it is that {API_KEY_VARIABLE} has: name the "
                f"user, as in subsonic:https://user@host/base, or in the environment's "
                f"{USER_VARIABLE}"
            )
        return login

    def again(self) -> SubsonicServer:
        """Return itself: each question is a connection of its own."""
        return self

    def close(self) -> None:
        """Do nothing, for the same reason."""

    def songs(self) -> list[SourceSong]:
        """Return all songs of the server: by search, or album by album where that has nothing."""
        songs = [song_of(one) for one in self._searched()]
        return songs or [song_of(one) for one in self._of_albums()]

    def starred_songs(self) -> list[SourceSong]:
        """Return the songs that the user has starred."""
        document = self._ask("getStarred2", n_songs=_MANY).get("starred2")
        # some servers don't say of each that it is starred
        return [song_of({**one, "starred": True}) for one in dicts_of(document, "song")]

    def download(self, song: SourceSong, into: BinaryIO, max_bytes: int) -> None:
        """Write a song's own file, as it is on the server.

        Raises
        ------
        ServerError
            If the server does not give it, or it is longer than `max_bytes`.
        """
        form = [*self._login, *_COMMON, ("id", song.key)]
        document = self._client.download("rest/download.view", form, into, max_bytes)
        if document is not None:
            self._answer("download", document)
            raise ServerError(f"{self.name} answers download without a file")

    def put_playlist(self, name: str, keys: Sequence[str]) -> bool:
        """Have the user's playlist of a name hold some songs; return whether there was one before.

        One that is there is replaced under its own id, as a server would make a second one.
        """
        found = self._playlist_id(name)
        songs = [("songId", key) for key in keys]
        if found:
            self._ask("createPlaylist", [("playlistId", found), *songs], n_songs=len(keys))
        else:  # never twice, should the answer get lost
            new = [("name", name), *songs]
            self._ask("createPlaylist", new, again=False, n_songs=len(keys))
        made = self._playlist_id(name)
        if not made:
            raise ServerError(f"{self.name} has taken the playlist {name!r}, but does not list it")
        comment = [("playlistId", made), ("comment", _COMMENT)]
        self._ask("updatePlaylist", comment, n_songs=len(keys))
        held = self._entries(made, len(keys))
        if held != list(keys):
            raise ServerError(
                f"{self.name} holds {len(held)} songs in {name!r} in place of {len(keys)}, or in "
                "another order; does it limit playlists?"
            )
        return bool(found)

    def playlist(self, name: str) -> list[str] | None:
        """Return what songs the user's playlist of a name holds; None where there is none."""
        found = self._playlist_id(name)
        return None if found is None else self._entries(found)

    def _entries(self, playlist: str, n_songs: int = _MANY) -> list[str]:
        there = self._ask("getPlaylist", [("id", playlist)], n_songs=n_songs).get("playlist")
        return [id_of(one) for one in dicts_of(there, "entry")]

    def _playlist_id(self, name: str) -> str | None:
        # a server may look at all songs of all lists, to tell how long they are
        document = self._ask("getPlaylists", n_songs=_MANY).get("playlists")
        own = [
            id_of(one)
            for one in dicts_of(document, "playlist")
            if same_name(one.get("name"), name)
            and str(one.get("owner") or self.user).lower() == self.user.lower()
        ]
        if len(own) > 1:
            raise ServerError(
                f"{self.name} has {len(own)} playlists {name!r} of yours: delete or rename all but "
                "one"
            )
        return own[0] if own else None

    def _searched(self) -> Iterator[Mapping[str, Any]]:
        def ask(first: int, page: int) -> list[Mapping[str, Any]]:
            form = [("query", ""), ("songCount", str(page)), ("songOffset", str(first))]
            form += [("artistCount", "0"), ("albumCount", "0")]
            answer = self._ask("search3", form, n_songs=page)
            return dicts_of(answer.get("searchResult3"), "song")

        return self._paged(ask)

    def _of_albums(self) -> Iterator[Mapping[str, Any]]:
        def ask(first: int, page: int) -> list[Mapping[str, Any]]:
            form = [("type", "alphabeticalByName"), ("size", str(page)), ("offset", str(first))]
            answer = self._ask("getAlbumList2", form, n_songs=page)
            return dicts_of(answer.get("albumList2"), "album")

        for album in self._paged(ask):
            answer = self._ask("getAlbum", [("id", id_of(album))])
            yield from dicts_of(answer.get("album"), "song")

    def _paged(
        self, ask: Callable[[int, int], list[Mapping[str, Any]]]
    ) -> Iterator[Mapping[str, Any]]:
        """Give what a server has, each once; it may make shorter pages than it was asked for."""
        seen: set[str] = set()
        first, page = 0, _PAGE
        while first < _MAX_SONGS:
            try:
                found = ask(first, page)
            except SlowServerError:
                if page // 4 < _LEAST_PAGE:
                    raise
                page //= 4
                continue
            except _RefusalError:
                if not first:
                    raise
                return  # it knows no page behind the last one
            fresh = {id_of(one): one for one in found if id_of(one) not in seen}
            if not fresh:
                return
            yield from fresh.values()
            seen |= fresh.keys()
            first += len(found)
        raise ServerError(f"{self.name} has more than {_MAX_SONGS} songs")

    def _ask(
        self,
        method: str,
        form: Sequence[tuple[str, str]] = (),
        *,
        again: bool = True,
        n_songs: int = 0,
    ) -> Mapping[str, Any]:
        return self._asked(method, [*self._login, *form], again=again, n_songs=n_songs)

    def _asked(
        self,
        method: str,
        form: Sequence[tuple[str, str]],
        *,
        again: bool = True,
        n_songs: int = 0,
    ) -> Mapping[str, Any]:
        place, form = f"rest/{method}.view", [*_COMMON, *form]
        document = self._client.post(place, form, again=again, n_songs=n_songs)
        return self._answer(method, document)

    def _answer(self, method: str, document: Any) -> Mapping[str, Any]:
        answer = document.get("subsonic-response") if isinstance(document, dict) else None
        if not isinstance(answer, dict):
            raise ServerError(
                f"{self._client.base} is no Subsonic server; is the part after the host right?"
            )
        if answer.get("status") != "ok":
            raise self._refusal(method, answer.get("error"))
        return answer

    def _refusal(self, method: str, error: Any) -> _RefusalError:
        told: Mapping[str, Any] = error if isinstance(error, dict) else {}
        code = told.get("code")
        code = code if isinstance(code, int) else 0
        words = f"{self.name} refuses {method}: {told.get('message') or 'without a word'!s:.200}"
        if code == _WRONG_KEY:
            words = f"{self.name} says that the key of {API_KEY_VARIABLE} is wrong"
        elif code == _WRONG_PASSWORD:
            words = f"{self.name} says that the user {self.user!r} or the password is wrong"
        elif code == _NOT_ALLOWED:
            words = f"{self.name} does not let {self.user!r} do that ({method})"
        elif code == _NOT_FOUND:
            words = f"{self.name} has no such thing any more ({method}); try again"
        return _RefusalError(words, code)


def subsonic_reading(place: str, asked: Sequence[str] = ()) -> SourceReading:
    """Read a user's stars; and ratings, 1 to 5, where a condition asks for more than stars.

    Raises
    ------
    ServerError
        If the server can't be reached, or does not let the user in.
    """
    server = SubsonicServer(place)
    wants_all = any(not text.strip().lower().startswith("starred") for text in asked)
    return SourceReading(
        name=f"{server.name}#{server.user}",
        songs=tuple(server.songs() if wants_all else server.starred_songs()),
        fields=("starred", "rating", "plays"),
        like=("starred",),
        download=server.download,
    )


def _is_private(address: str) -> bool:
    """Whether nobody reads along on the way to an address: over https, or on this computer."""
    parts = urlsplit(address)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")
