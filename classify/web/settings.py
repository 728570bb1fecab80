"""What the service is told when it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from classify.taste.names import DEFAULT_TASTE
from embed import Limits

if TYPE_CHECKING:
    from classify.sources.pushing import PlaylistServer

__all__ = ["DEFAULT_PORT", "UPLOAD_LIMITS", "ServiceSettings", "is_loopback"]

DEFAULT_PORT = 8765
_HOUR_S = 3600.0

UPLOAD_LIMITS = Limits(
    max_duration_s=2 * _HOUR_S, max_bytes=256e6, remedy="'sevensongs serve {option}' takes it"
)
"""What one upload may ask, unless told otherwise: two hours of sound, 256 MB."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address to which the service is bound."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What the service serves, to whom, and within which limits.

    Attributes
    ----------
    root : path or URI
        The cache.
    taste : str
        The taste that is meant where a request names none.
    folders : tuple of Path
        What may be scanned; absolute. Nothing else of the disk can be named over HTTP.
    host, port : str, int
        Where it listens; port 0: any that is free.
    token : str or None
        What a request has to show; None on loopback.
    allowed_hosts : tuple of str
        Names, besides those of this machine, under which it may be called.
    limits : Limits
        What one uploaded file may ask; `max_bytes` is that of the upload too.
    n_uploads : int
        Uploads that are held at once, the one that is heard included.
    workers : int or None
        Processes that a scan uses; None: one for each core.
    watches : bool
        Whether the folders are watched, and what comes into them is scanned.
    poll_s : float or None
        Look at the folders every so many seconds; None: the system tells what changes.
    push_to : PlaylistServer or None
        The music server, connected already, that playlists may be put on.
    only_demo : bool
        Whether the library is the demo's tracks, whatever else the cache holds.
    """

    root: str | Path
    taste: str = DEFAULT_TASTE
    folders: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    limits: Limits = UPLOAD_LIMITS
    n_uploads: int = 8
    workers: int | None = None
    watches: bool = False
    poll_s: float | None = None
    push_to: PlaylistServer | None = field(default=None, repr=False)
    only_demo: bool = False

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)
