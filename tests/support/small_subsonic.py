"""An OpenSubsonic server on this machine, with what real ones do that supysonic does not.

It checks tokens and keys, its empty search may find nothing, and it may be busy or drop songs.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

__all__ = ["SmallSubsonic", "SubsonicRefusalError"]


class SubsonicRefusalError(Exception):
    """What is answered in place of what was asked for."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(kw_only=True)
class SmallSubsonic:
    """Serves until the block ends.

    Attributes
    ----------
    user, password, key : str
        Of the one who may log in.
    n_songs : int
        Four on each album.
    searches, tells_owner, lists_playlists : bool
        Whether an empty search finds all songs, `tokenInfo` is known, playlists are listed.
    most_entries : int
        Of a playlist; the rest is dropped.
    most_found : int
        Songs or albums of one answer, however many are asked for.
    refuses_behind_last : bool
        Whether a page behind the last one is refused.
    starred : list of dict
        What `getStarred2` tells.
    busy : dict of str to int
        How often a method is yet answered with 503.
    slow_s : dict of str to float
        How long a method takes.
    asked : list of (str, dict, float)
        Method, form and time of each question.
    """

    user: str = "ann"
    password: str = "sesame"
    key: str = "a key"
    n_songs: int = 30
    searches: bool = True
    tells_owner: bool = True
    lists_playlists: bool = True
    most_entries: int = 1000
    most_found: int = 1000
    refuses_behind_last: bool = False
    starred: list[Any] = field(default_factory=list)
    busy: dict[str, int] = field(default_factory=dict)
    slow_s: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, list[str]], float]] = field(default_factory=list)
    playlists: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        small = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                method = self.path.removeprefix("/rest/").removesuffix(".view")
                small.asked.append((method, form, time.monotonic()))
                time.sleep(small.slow_s.get(method, 0.0))
                if small.busy.get(method, 0):
                    small.busy[method] -= 1
                    self.send_error(503)
                    return
                content = json.dumps(small._answer(method, form)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def place(self) -> str:
        """The address with the user."""
        return self.address.replace("//", f"//{self.user}@")

    def n_asked(self, method: str) -> int:
        """Return how often something was asked."""
        return sum(one == method for one, _, _ in self.asked)

    def _answer(self, method: str, form: dict[str, list[str]]) -> dict[str, Any]:
        try:
            self._check(form)
            answer: dict[str, Any] = getattr(self, f"_{method.lower()}", self._unknown)(form)
        except SubsonicRefusalError as refusal:
            error = {"code": refusal.code, "message": str(refusal)}
            return {"subsonic-response": {"status": "failed", "error": error}}
        return {"subsonic-response": {"status": "ok", **answer}}

    def _check(self, form: dict[str, list[str]]) -> None:
        if "apiKey" in form:
            if "u" in form:
                raise SubsonicRefusalError(43, "several ways to log in")
            if form["apiKey"] != [self.key]:
                raise SubsonicRefusalError(44, "no such key")
            return
        (user,), (token,), (salt,) = form["u"], form["t"], form["s"]
        expected = hashlib.md5(f"{self.password}{salt}".encode()).hexdigest()
        if (user, token) != (self.user, expected) or len(salt) < 6:
            raise SubsonicRefusalError(40, "wrong user or password")

    def _unknown(self, _: dict[str, list[str]]) -> dict[str, Any]:
        raise SubsonicRefusalError(0, "not known")

    def _ping(self, _: dict[str, list[str]]) -> dict[str, Any]:
        return {}

    def _tokeninfo(self, form: dict[str, list[str]]) -> dict[str, Any]:
        return {"tokenInfo": {"username": self.user}} if self.tells_owner else self._unknown(form)

    def _getstarred2(self, _: dict[str, list[str]]) -> dict[str, Any]:
        return {"starred2": {"song": self.starred}}

    def _songs(self) -> list[dict[str, Any]]:
        return [
            {"id": str(n), "title": f"Song {n}", "album": f"Album {n // 4}", "artist": "Ann"}
            for n in range(self.n_songs)
        ]

    def _search3(self, form: dict[str, list[str]]) -> dict[str, Any]:
        first, count = int(form["songOffset"][0]), int(form["songCount"][0])
        if not self.searches:
            return {"searchResult3": {}}
        return {"searchResult3": {"song": self._page(self._songs(), first, count)}}

    def _getalbumlist2(self, form: dict[str, list[str]]) -> dict[str, Any]:
        first, size = int(form["offset"][0]), int(form["size"][0])
        albums = [*dict.fromkeys(one["album"] for one in self._songs())]
        return {"albumList2": {"album": [{"id": one} for one in self._page(albums, first, size)]}}

    def _page(self, things: list[Any], first: int, count: int) -> list[Any]:
        if first >= len(things) and self.refuses_behind_last:
            raise SubsonicRefusalError(0, "no such page")
        return things[first : first + min(count, self.most_found)]

    def _getalbum(self, form: dict[str, list[str]]) -> dict[str, Any]:
        return {"album": {"song": [one for one in self._songs() if [one["album"]] == form["id"]]}}

    def _getplaylists(self, _: dict[str, list[str]]) -> dict[str, Any]:
        listed = [one | {"id": name} for name, one in self.playlists.items()]
        return {"playlists": {"playlist": listed if self.lists_playlists else []}}

    def _getplaylist(self, form: dict[str, list[str]]) -> dict[str, Any]:
        entries = self.playlists[form["id"][0]]["entry"]
        return {"playlist": {"entry": [{"id": one} for one in entries]}}

    def _createplaylist(self, form: dict[str, list[str]]) -> dict[str, Any]:
        """Replace one by its id, and make another one by a name, whether it is there or not."""
        made = form.get("playlistId", [str(len(self.playlists))])[0]
        one = self.playlists.setdefault(
            made, {"name": form.get("name", [""])[0], "owner": self.user}
        )
        one["entry"] = form.get("songId", [])[: self.most_entries]
        return {}

    def _updateplaylist(self, form: dict[str, list[str]]) -> dict[str, Any]:
        self.playlists[form["playlistId"][0]]["comment"] = form["comment"][0]
        return {}
