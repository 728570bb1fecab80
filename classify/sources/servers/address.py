"""Where a server is, and who asks; a password never stands in an address."""

from __future__ import annotations

import ipaddress
import os
import sys
from urllib.parse import quote, urlsplit

from classify.errors import ServerError

__all__ = ["PASSWORD_VARIABLE", "USER_VARIABLE", "is_loopback", "password_of", "split_address"]

PASSWORD_VARIABLE = "SEVENSONGS_PASSWORD"  # noqa: S105  its name
USER_VARIABLE = "SEVENSONGS_USER"
_KEYRING = "sevensongs"
_PATH = "/%:@!$&'()*+,;=~"  # of a path; all else is escaped


def split_address(text: str) -> tuple[str, str]:
    """Split ``https://user@host:port/base`` into the address without the user, and the user.

    Raises
    ------
    ServerError
        If it holds a password, or is no address of HTTP.

    Examples
    --------
    >>> from classify.sources.servers.address import split_address
    >>> split_address("https://ann@music.example/base/")
    ('https://music.example/base', 'ann')
    """
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise ServerError(f"the address of the server can't be read: {error}") from error
    if parts.password is not None:
        raise ServerError(
            "a password in an address is seen by every process of this computer: take it out, and "
            f"put it into the environment's {PASSWORD_VARIABLE}"
        )
    if parts.scheme not in ("http", "https") or parts.query or parts.fragment or not _is_host(host):
        raise ServerError(
            "a server's address is subsonic:https://user@host/base or subsonic:http://host:port"
        )
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port else ""
    path = quote(parts.path.rstrip("/"), safe=_PATH)
    return f"{parts.scheme}://{place}{path}", parts.username or ""


def _is_host(host: str) -> bool:
    """Whether the name of a computer can be asked for: each of its parts has 1 to 63 letters."""
    try:
        return host.isprintable() and " " not in host and bool(host.encode("idna"))
    except UnicodeError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this computer."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def password_of(server: str, user: str = "") -> str:
    """Return the password for a server, of a user where it has users.

    It comes from the environment's `SEVENSONGS_PASSWORD`, a keyring where there is one, or whoever
    sits at the terminal.

    Raises
    ------
    ServerError
        If none of these has one, or it is no text.
    """
    password = os.environ.get(PASSWORD_VARIABLE)
    account = f"{user}@{server}" if user else server
    whose = f"{user} at {server}" if user else server
    if not password:
        password = _from_keyring(account)
    if not password and sys.stdin is not None and sys.stdin.isatty():
        from getpass import getpass

        password = getpass(f"Password of {whose}: ")
    if not password:
        raise ServerError(
            f"no password for {whose}: put it into the environment's {PASSWORD_VARIABLE}, or into "
            f"a keyring ('keyring set {_KEYRING} {account}')"
        )
    try:
        password.encode()
    except UnicodeEncodeError:
        raise ServerError(f"the password for {whose} is no UTF-8") from None
    return password


def _from_keyring(account: str) -> str | None:
    try:
        import keyring
    except ImportError:
        return None
    try:
        found: str | None = keyring.get_password(_KEYRING, account)
    except Exception:  # of whatever keyring there is, such as a locked one
        return None
    return found
