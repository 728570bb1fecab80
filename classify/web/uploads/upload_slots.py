"""Places for uploads: so many at once; one that hardly comes gives its place up to the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path

from classify.web.problems import Problem

__all__ = ["UploadSlot", "UploadSlots"]

_RETRY_S = 5
_GRACE_S = 5.0
_HARDLY = 100_000  # bytes a second; a poor wireless network has ten times that


class UploadSlot:
    """What one upload holds while it comes in, waits and is heard.

    Parameters
    ----------
    path : Path
        Where its bytes go.
    grace_s : float
        From its beginning; its rate says nothing before.

    Attributes
    ----------
    n_bytes : int
        What has come of it.
    """

    def __init__(self, path: Path, grace_s: float) -> None:
        self.path = path
        self._grace_s = grace_s
        self.n_bytes = 0
        self._since = time.monotonic()
        self._patience: asyncio.Timeout | None = None

    def rate(self) -> float:
        """Return the bytes a second at which it comes.

        It is infinite when all is there, or has just begun.
        """
        elapsed_s = time.monotonic() - self._since
        if self._patience is None or elapsed_s < self._grace_s:
            return float("inf")
        return self.n_bytes / elapsed_s

    async def fill(self, receiving: Awaitable[None]) -> None:
        """Wait until the upload is there.

        Raises
        ------
        Problem
            408 if it had to make room; and whatever `receiving` raises.
        """
        try:
            async with asyncio.timeout(None) as self._patience:
                await receiving
        except TimeoutError:
            raise Problem(
                408,
                f"of the upload {self.n_bytes} bytes came in {time.monotonic() - self._since:.0f} "
                "s, and others needed its place; when all places are taken, at least "
                f"{_HARDLY / 1000:g} kB a second are needed: send it again",
                headers={"Retry-After": str(_RETRY_S)},
            ) from None
        finally:
            self._patience = None

    def give_up(self) -> None:
        """End `fill`, so that another one can have the place."""
        if self._patience is not None:
            self._patience.reschedule(0.0)


class UploadSlots:
    """So many places; to be used in the event loop's thread alone.

    Parameters
    ----------
    n_places : int
    grace_s : float
        See `UploadSlot`.
    """

    def __init__(self, n_places: int, *, grace_s: float = _GRACE_S) -> None:
        self._n_places = n_places
        self._grace_s = grace_s
        self._held: set[UploadSlot] = set()

    @property
    def n_held(self) -> int:
        """Places that are taken."""
        return len(self._held)

    @contextmanager
    def take(self, path: Path) -> Iterator[UploadSlot]:
        """Take a place, and give it back in every case.

        Raises
        ------
        Problem
            503 if all places are taken, and each upload in them comes as it should.
        """
        if len(self._held) >= self._n_places:
            self._make_room()
        place = UploadSlot(path, self._grace_s)
        self._held.add(place)
        try:
            yield place
        finally:
            self._held.discard(place)

    def _make_room(self) -> None:
        # Of those the one with the least to send again: if the slowest had to go, nobody slow would
        # ever end.
        hardly = [place for place in self._held if place.rate() < _HARDLY]
        if not hardly:
            raise Problem(
                503,
                f"{len(self._held)} uploads are being taken in or heard, and {self._n_places} are "
                f"the most at once; send it again in {_RETRY_S} s",
                headers={"Retry-After": str(_RETRY_S)},
            )
        least = min(hardly, key=lambda place: place.n_bytes)
        least.give_up()
        self._held.discard(least)
