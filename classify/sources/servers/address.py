"""Where a server is, and who asks; a password never stands in an address."""

from __future__ import annotations

import ipaddress
import os
import sys
from urllib.parse import urlsplit

from classify.errors import ServerError

__all__ = ["PASSWORD_VARIABLE", "USER_VARIABLE", "is_loopback", "password_of", "split_address"]

PASSWORD_VARIABLE = "SEVENSONGS_PASSWORD"  # noqa: S105  its name
USER_VARIABLE = "SEVENSONGS_USER"
_KEYRING = "sevensongs"


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
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise ServerError(
            "a server's address is subsonic:https://user@host/base or subsonic:http://host:port"
        )
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port else ""
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}", parts.username or ""


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
        If none of these has one.
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
