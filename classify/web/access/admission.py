"""Who may ask: by the names under which a request calls us, where it comes from, and its token.

A page from elsewhere can make a browser send requests to this machine. Its own name made to point
here (DNS rebinding) shows in Host, a form or script of another site in Origin and Sec-Fetch-Site
(Fetch Metadata, W3C).

By hand: Starlette's TrustedHostMiddleware looks at Host alone. It takes 2 microseconds a request,
this and the guard together 4 (AMD EPYC). tests/classify/web/test_strangers.py holds it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from classify.web.problems import Problem

if TYPE_CHECKING:
    from starlette.types import Scope

    from classify.web.settings import ServiceSettings

__all__ = ["AUTHORISED", "COOKIE", "Admission", "cookie_value"]

COOKIE = "sevensongs"
AUTHORISED = "sevensongs.authorised"
"""In the scope: whether a request showed the token, where one is needed."""
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(?::([0-9]{1,5}))?")
_OPEN_PATHS = frozenset({"/v1/health"})
_MOST_KNOWN = 256
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def cookie_value(token: str) -> str:
    """Return what the cookie holds.

    It proves that its bearer knew the token, and does not tell it.
    """
    return hmac.new(token.encode(), b"sevensongs cookie", hashlib.sha256).hexdigest()


class Admission:
    """What the service was told of those who may ask.

    Parameters
    ----------
    settings : ServiceSettings
    """

    def __init__(self, settings: ServiceSettings) -> None:
        names = {*_LOOPBACK_NAMES, _bracketed(settings.host)}
        if not settings.on_loopback:
            # the second by multicast DNS
            names |= {socket.gethostname(), f"{socket.gethostname()}.local"}
        self._port = settings.port
        self._any_literal = not settings.on_loopback
        allowed = {name.lower() for name in (*names, *settings.allowed_hosts)}
        self._names = frozenset(allowed - {"", "0.0.0.0", "[::]"})  # noqa: S104  no name of ours
        self._known: dict[tuple[bytes, int | None], bool] = {}
        self._token = None if settings.token is None else _digest(settings.token.encode())
        self._cookie = b"" if settings.token is None else cookie_value(settings.token).encode()

    def refusal(self, scope: Scope, seen: Mapping[bytes, bytes]) -> Problem | None:
        """Tell why a request is not answered; None where it may be.

        Parameters
        ----------
        scope : mapping
            ASGI's; is told whether the token was shown (`AUTHORISED`).
        seen : mapping of bytes to bytes
            The headers that matter, each once.
        """
        host = seen.get(b"host", b"")
        server = scope.get("server")
        port = server[1] if server else None
        known = self._known.get((host, port))
        if known is None:
            known = self._learn(host, port)
        if not known:
            return self._wrong_host(host)
        origin = seen.get(b"origin")
        if origin is not None and not _is_same(origin, host):
            return _from_elsewhere(f"Origin is {_shown(origin)}")
        site = seen.get(b"sec-fetch-site", b"none")
        if site not in (b"same-origin", b"none") and not _opens_page(scope, seen):
            return _from_elsewhere(f"Sec-Fetch-Site is {_shown(site)}")
        if self._token is None:
            return None
        return self._without_token(scope, seen)

    def _learn(self, host: bytes, port: int | None) -> bool:
        if len(self._known) >= _MOST_KNOWN:  # somebody tries names
            self._known.clear()
        known = self._known[host, port] = self._is_ours(host, self._port if port is None else port)
        return known

    def _is_ours(self, host: bytes, port: int) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        if host.decode().lower() in self._names:
            return True
        name, given = found[1].decode().lower(), found[2]
        if given is not None and int(given) != port:
            return False
        return name in self._names or (self._any_literal and _is_literal(name))

    def _wrong_host(self, host: bytes) -> Problem:
        names = ", ".join(sorted(self._names))
        addresses = " or an address in numbers" if self._any_literal else ""
        return Problem(
            421,
            f"Host is {_shown(host)}; this service answers to {names}{addresses}, with its own "
            "port or none. 'sevensongs serve --allow-host NAME' allows another name, NAME:PORT "
            "another port",
        )

    def _without_token(self, scope: Scope, seen: Mapping[bytes, bytes]) -> Problem | None:
        shown = scope[AUTHORISED] = self._shows_token(seen)
        path: str = scope["path"]
        if shown or not path.startswith("/v1") or path in _OPEN_PATHS:
            return None
        return Problem(
            401,
            "this service is open to the network and needs its token, which 'sevensongs serve' "
            "showed when it started: open the address with #token=... that stands there, or send "
            "'Authorization: Bearer TOKEN'",
            headers={"WWW-Authenticate": 'Bearer realm="sevensongs"'},
        )

    def _shows_token(self, seen: Mapping[bytes, bytes]) -> bool:
        scheme, _, given = seen.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer" and self._token is not None:
            return hmac.compare_digest(_digest(given.strip()), self._token)
        right = False
        for pair in seen.get(b"cookie", b"").split(b";"):
            name, _, value = pair.strip().partition(b"=")
            # another service on this machine may have set one of that name too
            if name == COOKIE.encode():
                right |= hmac.compare_digest(value, self._cookie)
        return right


def _is_same(origin: bytes, host: bytes) -> bool:
    return origin.lower() in (b"http://" + host.lower(), b"https://" + host.lower())


def _digest(token: bytes) -> bytes:
    """Make all tokens equally long.

    So not even the length of the right one can be measured.
    """
    return hashlib.sha256(token).digest()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_literal(name: str) -> bool:
    """Whether a name is an address: no name server has a word in that."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _opens_page(scope: Scope, seen: Mapping[bytes, bytes]) -> bool:
    """Whether a link from elsewhere opens the page.

    The page itself does nothing by being opened.
    """
    return (
        scope["method"] == "GET"
        and seen.get(b"sec-fetch-mode") == b"navigate"
        and seen.get(b"sec-fetch-dest") == b"document"
        and not scope["path"].startswith("/v1")
    )


def _from_elsewhere(what: str) -> Problem:
    return Problem(403, f"{what}: requests that other sites have a browser send are not answered")


def _shown(value: bytes) -> str:
    return repr(value.decode("latin-1")[:80])
