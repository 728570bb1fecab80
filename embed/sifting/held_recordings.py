"""Which recordings the cache holds: what it held when the run began, and what came since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cache import WHOLE, HeldDigests, covers

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HeldRecordings"]


class HeldRecordings:
    """The recordings that the cache holds, each with its windows.

    Parameters
    ----------
    before : HeldDigests, optional
        What it held when the run began, in columns; default: nothing.
    """

    def __init__(self, before: HeldDigests | None = None) -> None:
        self._before = HeldDigests.read(None) if before is None else before
        self._since: dict[str, int] = {}

    def add(self, digest: str, n_windows: int) -> None:
        """Note a recording that was embedded now."""
        self._since[digest] = n_windows

    def windows_of(self, digest: str) -> int | None:
        """Return how many windows of a recording are held, 0 for all; None where it is not."""
        if digest in self._since:
            return self._since[digest]
        halves = np.frombuffer(bytes.fromhex(digest), ">u8").astype(np.uint64).reshape(1, 2)
        (place,) = self._before.places(halves)
        return int(self._before.n_windows[place]) if place >= 0 else None

    def cover(self, halves: NDArray[np.uint64], n_windows: int) -> NDArray[np.bool_]:
        """Tell of recordings whether they were held before with the coverage asked for, or more.

        Parameters
        ----------
        halves : ndarray, shape (n, 2), uint64
            Their digests, see `cache.digest_halves`.
        n_windows : int
            0 for all.

        Returns
        -------
        ndarray, shape (n,), bool
        """
        places = self._before.places(halves)
        is_held = places >= 0
        is_held[is_held] = _cover(self._before.n_windows[places[is_held]], n_windows)
        return is_held

    def beginnings(self, n_windows: int) -> NDArray[np.uint64]:
        """Return the first 64 bits of the recordings held with the coverage asked for, sorted."""
        before = self._before.first[_cover(self._before.n_windows, n_windows)]
        since = [int(digest[:16], 16) for digest, n in self._since.items() if covers(n, n_windows)]
        if not since:
            return before  # sorted already
        return np.sort(np.concatenate([before, np.array(since, np.uint64)]))


def _cover(held: NDArray[np.int32], n_windows: int) -> NDArray[np.bool_]:
    is_whole = held == WHOLE
    return is_whole if n_windows == WHOLE else np.asarray(is_whole | (held >= n_windows))
