"""Shards: the files that a station is handed at a time, and what becomes of those it fails at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from embed.sifting.files_left import File, FilesLeft

__all__ = ["MAX_ATTEMPTS", "Shard", "ShardQueue", "Song"]

MAX_ATTEMPTS = 3
"""So often a shard is tried whole before it is halved, and a file alone before it is given up."""
# Songs for each worker: a scan of so many takes less than a minute, or one second at the end of
# the run, where stations must not wait long for the last one.
_MOST_SONGS, _LEAST_SONGS = 256, 4
_MAX_SONGS = 8192  # in a shard, whatever the station
_AT_LEAST_EACH = 2  # shards for each station out of what is left

Song = tuple[File | None, ...]
"""A file as each encoder's run sees it; None for one that is not to hear it."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Songs for one station.

    Attributes
    ----------
    number : int
        Which no other shard has.
    songs : tuple of Song
    n_failed : int
        How many stations have failed at them.
    """

    number: int
    songs: tuple[Song, ...]
    n_failed: int = 0

    def __len__(self) -> int:
        return len(self.songs)

    @property
    def todo(self) -> list[list[File]]:
        """The files that each encoder is to hear."""
        by_encoder = zip(*self.songs, strict=True)
        return [[file for file in files if file is not None] for files in by_encoder]

    @property
    def files(self) -> list[File]:
        """Each file once."""
        return [next(file for file in song if file is not None) for song in self.songs]


class ShardQueue:
    """Songs that no station has.

    Parameters
    ----------
    todo : sequence of FilesLeft
        The files that each encoder is to hear, all of the same songs. A `File` is made when it is
        handed out.
    """

    def __init__(self, todo: Sequence[FilesLeft]) -> None:
        self._todo = tuple(todo)
        each = [files.places for files in todo]
        self._places = each[0] if len(each) == 1 else np.unique(np.concatenate(each))
        self._n_taken = 0
        self._again: deque[Shard] = deque()
        self._numbers = count()

    def __len__(self) -> int:
        """How many songs there are."""
        return self._n_whole + sum(map(len, self._again))

    @property
    def _n_whole(self) -> int:
        """How many were never handed out."""
        return len(self._places) - self._n_taken

    def take(self, n_workers: int, n_all: int) -> Shard | None:
        """Cut a shard for a station that has `n_workers` of the `n_all` workers of all stations.

        Shards become smaller towards the end. What was given back comes first.
        """
        if self._again:
            return self._again.popleft()
        if not self._n_whole:
            return None
        share = -(-self._n_whole * n_workers // (_AT_LEAST_EACH * n_all))
        n = min(max(share, _LEAST_SONGS * n_workers), _MOST_SONGS * n_workers, _MAX_SONGS)
        places = self._places[self._n_taken : self._n_taken + n]
        self._n_taken += len(places)
        songs = tuple(zip(*(files.at(places) for files in self._todo), strict=True))
        return Shard(number=next(self._numbers), songs=songs)

    def give_back(self, shard: Shard, is_left: Callable[[Song], bool], *, failed: bool) -> Shard:
        """Take back what is left of a shard; where its station has `failed` at it, count that.

        One that has failed three times is halved, and each half whenever it fails, until one file
        is left, which has three attempts again. Return what must be given up: no song, or that one.
        """
        songs = tuple(song for song in shard.songs if is_left(song))
        n_failed = shard.n_failed + failed
        left = replace(shard, number=next(self._numbers), songs=songs, n_failed=n_failed)
        if not songs:
            return left
        if n_failed < MAX_ATTEMPTS:
            self._again.append(left)
        elif len(songs) == 1:
            return left
        else:
            middle = len(songs) // 2
            for half in (songs[:middle], songs[middle:]):
                n_failed = MAX_ATTEMPTS - 1 if len(half) > 1 else 0
                number = next(self._numbers)
                self._again.append(Shard(number=number, songs=half, n_failed=n_failed))
        return replace(left, songs=())
