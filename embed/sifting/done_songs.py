"""The account of songs that are done, of which there may be ten million: keys of 64 bits.

It is for sums and for looking whether a recording came twice. By 64 bits two recordings of a
library never meet by chance.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DoneSongs"]


def _path_keys(paths: Iterable[str]) -> NDArray[np.int64]:
    return np.array([hash(os.fsencode(path)) for path in paths], np.int64)


def _digest_keys(digests: Iterable[str]) -> NDArray[np.uint64]:
    return np.array([int(digest[:16], 16) for digest in digests], np.uint64)


class DoneSongs:
    """Songs that are done, each 16 bytes, and recordings that were embedded, each 16 bytes.

    Examples
    --------
    >>> from embed.sifting.done_songs import DoneSongs
    >>> songs = DoneSongs()
    >>> songs.add({"/music/a.mp3": "0" * 32, "/music/b.mp3": "1" * 32}, {"0" * 32: 180.0})
    >>> songs.has_embedded(["1" * 32]), songs.embedded(())[1].tolist()
    (False, [180.0])
    """

    def __init__(self) -> None:
        self._paths: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        self._digests: list[NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
        self._embedded: list[tuple[NDArray[np.uint64], NDArray[np.float64]]] = []

    def add(self, done: Mapping[str, str], fresh: Mapping[str, float]) -> None:
        """Add songs, path to digest; and recordings that were embedded, digest to seconds."""
        if done:
            self._paths.append(_path_keys(done))
            self._digests.append(_digest_keys(done.values()))
        if not fresh:
            return
        self._embedded.append(_sorted(_digest_keys(fresh), np.array([*fresh.values()])))
        # a few of them, of which each is twice as long as the next
        while len(self._embedded) > 1 and len(self._embedded[-2][0]) < 2 * len(
            self._embedded[-1][0]
        ):
            self._merge_last()

    def _merge_last(self) -> None:
        (keys, seconds), (more_keys, more_seconds) = self._embedded[-2:]
        joined = _sorted(np.concatenate([keys, more_keys]), np.concatenate([seconds, more_seconds]))
        self._embedded[-2:] = [joined]

    def has_embedded(self, digests: Iterable[str]) -> bool:
        """Tell whether one of some recordings was embedded."""
        asked = _digest_keys(digests)
        return any(_are_among(asked, keys).any() for keys, _ in self._embedded)

    def embedded(self, failed: Iterable[str]) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
        """Return the recordings that were embedded of songs that have not failed elsewhere.

        Parameters
        ----------
        failed : iterable of str
            Paths of songs that have.

        Returns
        -------
        keys : ndarray, shape (n,), uint64
            The first 64 bits of each digest, rising.
        seconds : ndarray, shape (n,), float64
        """
        while len(self._embedded) > 1:
            self._merge_last()
        if not self._embedded:
            return np.zeros(0, np.uint64), np.zeros(0, np.float64)
        keys, seconds = self._embedded[0]
        paths, digests = np.concatenate(self._paths), np.concatenate(self._digests)
        has_failed = _are_among(paths, np.sort(_path_keys(failed)))
        wanted = _are_among(keys, np.sort(digests[~has_failed]))
        return keys[wanted], seconds[wanted]


def _sorted(
    keys: NDArray[np.uint64], seconds: NDArray[np.float64]
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Sort by key, and leave out what is there twice."""
    once, at = np.unique(keys, return_index=True)
    return once, seconds[at]


def _are_among(
    keys: NDArray[np.uint64] | NDArray[np.int64], among: NDArray[np.uint64] | NDArray[np.int64]
) -> NDArray[np.bool_]:
    if not len(among):
        return np.zeros(len(keys), bool)
    at = np.minimum(np.searchsorted(among, keys), len(among) - 1)
    return np.asarray(among[at] == keys)
