"""Songs that were found beside what the catalog knows of them: a join by 64-bit keys of paths.

The catalog is read a part at a time, and of it no more stays than a byte for each song; texts only
of files that failed, or have a warning.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import Catalog, digest_halves
from embed.decoding.tags import TAGS_VERSION
from embed.files.source_columns import SourceColumns
from embed.sifting.files_left import FilesLeft
from embed.sifting.held_recordings import HeldRecordings

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["CatalogJoin", "Sifted"]

_COLUMNS = ("path", "size_bytes", "mtime_ns", "digest", "error", "warning", "tags_version")
_UNKNOWN, _CHANGED, _HELD, _FAILED, _LACKING = range(5)
_AT_ONCE = 2**18  # sizes that are looked up at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Sifted:
    """What becomes of the songs.

    Attributes
    ----------
    n_held : int
        Songs that stand still, and are in the cache with the coverage asked for.
    failed, warnings : tuple of (str, str)
        Paths of songs that failed before and stand still, with their reasons; and of songs that are
        held, with what is odd about them. In the order of the songs.
    outdated : tuple of str
        Files that are held and of which an earlier version read the tags.
    left : FilesLeft
        All others.
    """

    n_held: int
    failed: tuple[tuple[str, str], ...]
    warnings: tuple[tuple[str, str], ...]
    outdated: tuple[str, ...]
    left: FilesLeft


@dataclass(kw_only=True, eq=False)
class CatalogJoin:
    """What the catalog knows of songs.

    Attributes
    ----------
    songs : SourceColumns
    held : HeldRecordings
    n_windows : int
        How many windows of a song are asked for; 0 for all.
    retry_failed : bool
        Whether songs that failed are tried again.
    """

    songs: SourceColumns
    held: HeldRecordings
    n_windows: int
    retry_failed: bool
    _state: NDArray[np.uint8] = field(init=False)
    _sizes: list[NDArray[np.int64]] = field(default_factory=list)
    _lacking: list[tuple[NDArray[np.int64], NDArray[np.uint64]]] = field(default_factory=list)
    _outdated: list[NDArray[np.int64]] = field(default_factory=list)
    _reasons: dict[int, str] = field(default_factory=dict)
    _warnings: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._state = np.full(len(self.songs), _UNKNOWN, np.uint8)

    def sift(self, catalog: Catalog) -> Sifted:
        """Join the songs with a catalog.

        Raises
        ------
        CacheError
            If it can't be read.
        """
        if len(self.songs):
            for table in catalog.tables(_COLUMNS):
                self._take(table)
        return Sifted(
            n_held=int(np.count_nonzero(self._state == _HELD)),
            failed=self._told(self._reasons, _FAILED),
            warnings=self._told(self._warnings, _HELD),
            outdated=self._paths_outdated(),
            left=self._left(),
        )

    def _take(self, table: pa.Table) -> None:
        """Take the next rows; what they say of a song holds, whatever earlier ones have said."""
        sizes = table["size_bytes"].to_numpy()
        self._sizes.append(sizes)
        places = self.songs.index.places(table["path"].combine_chunks())
        rows = _last_of_each(places)
        if not len(rows):
            return
        table = _taken(table.drop_columns("path"), rows)
        places, sizes = places[rows], sizes[rows]
        self._state[places] = _CHANGED
        self._forget(places)
        same_size = np.flatnonzero(self.songs.sizes[places] == sizes)
        states = self.songs.states_at(places[same_size])
        still = same_size[states == table["mtime_ns"].to_numpy()[same_size]]
        self._settle(places[still], _taken(table, still))

    def _settle(self, places: NDArray[np.int64], table: pa.Table) -> None:
        """Tell what becomes of songs that stand still."""
        halves, at = digest_halves(table["digest"].combine_chunks())
        is_held = self.held.cover(halves, self.n_windows)
        self._lacking.append((places[at[~is_held]], halves[~is_held]))
        self._state[places[at[~is_held]]] = _LACKING
        held = at[is_held]
        self._state[places[held]] = _HELD
        self._warnings |= _texts(places[held], table["warning"], held)
        versions = table["tags_version"].fill_null(-1).to_numpy()[held]
        old = places[held][versions != TAGS_VERSION]
        self._outdated.append(old[~self.songs.are_objects(old)])
        others = np.ones(len(places), bool)
        others[at] = False
        if not self.retry_failed and others.any():
            failed = np.flatnonzero(others)
            reasons = _texts(places[failed], table["error"], failed)
            self._reasons |= reasons
            self._state[np.array(list(reasons), np.int64)] = _FAILED

    def _forget(self, places: NDArray[np.int64]) -> None:
        """Forget what earlier rows have said of songs: rare, so there is mostly nothing."""
        for told in (self._reasons, self._warnings):
            if told:
                for place in places.tolist():
                    told.pop(place, None)

    def _told(self, texts: dict[int, str], state: int) -> tuple[tuple[str, str], ...]:
        places = np.array(sorted(texts), np.int64)
        places = places[self._state[places] == state]
        paths = self._paths(places)
        return tuple(
            (path, texts[place]) for place, path in zip(places.tolist(), paths, strict=True)
        )

    def _paths(self, places: NDArray[np.int64]) -> list[str]:
        return list(map(os.fsdecode, self.songs.paths_at(places).to_pylist()))

    def _paths_outdated(self) -> tuple[str, ...]:
        told = np.unique(np.concatenate([np.zeros(0, np.int64), *self._outdated]))
        return tuple(self._paths(told[self._state[told] == _HELD]))

    def _left(self) -> FilesLeft:
        is_settled = (self._state == _HELD) | (self._state == _FAILED)
        places = np.flatnonzero(~is_settled).astype(np.int32)
        known_places, known_halves = self._known()
        return FilesLeft(
            songs=self.songs,
            places=places,
            are_unheard=self._are_unheard(places, known_places, known_halves),
            known_places=known_places,
            known_halves=known_halves,
        )

    def _known(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return the songs whose recording is known, and not held."""
        places = np.concatenate([np.zeros(0, np.int64), *(one for one, _ in self._lacking)])
        halves = np.concatenate([np.zeros((0, 2), np.uint64), *(one for _, one in self._lacking)])
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        is_last = np.append(ordered[1:] != ordered[:-1], True)[: len(order)]
        kept = order[is_last & (self._state[ordered] == _LACKING)]
        return places[kept], halves[kept]

    def _are_unheard(
        self,
        left: NDArray[np.int32],
        known_places: NDArray[np.int64],
        known_halves: NDArray[np.uint64],
    ) -> NDArray[np.bool_]:
        """Tell which songs are probably to be embedded; see `File`."""
        are_unheard = np.zeros(len(left), bool)
        if not len(left):
            return are_unheard
        sizes = self.songs.sizes[left]
        are_unheard[_first_of_each(sizes)] = True
        are_unheard &= self._state[left] == _UNKNOWN
        known_sizes = np.concatenate([np.zeros(0, np.int64), *self._sizes])
        self._sizes.clear()
        known_sizes.sort()
        for start in range(0, len(left), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            are_unheard[some] &= ~_are_in(sizes[some], known_sizes)
        first = known_places[_first_of_each(known_halves[:, 0])]
        are_unheard[np.searchsorted(left, first)] = True
        return are_unheard


def _taken(table: pa.Table, rows: NDArray[np.integer[Any]]) -> pa.Table:
    """Return some rows, which are mostly all of them."""
    return table if len(rows) == len(table) else table.take(rows)


def _last_of_each(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows that have a place, of several of one place the last; in order."""
    rows = np.flatnonzero(places >= 0)[::-1]
    return np.sort(rows[_first_of_each(places[rows])])


def _first_of_each(values: NDArray[Any]) -> NDArray[np.intp]:
    """Return where each value stands first."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(order)]
    return np.asarray(order[is_first])


def _are_in(values: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which values are among sorted ones."""
    if not len(known):
        return np.zeros(len(values), bool)
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.asarray(known[at] == values)


def _texts(
    places: NDArray[np.int64], column: pa.ChunkedArray, rows: NDArray[np.integer[Any]]
) -> dict[int, str]:
    """Return the texts that some rows of a column have, by place."""
    if column.null_count == len(column):
        return {}
    texts = column.take(rows).to_pylist()
    return {place: text for place, text in zip(places.tolist(), texts, strict=True) if text}
