"""The files that a run must open: in columns, and objects for those that are handed out next."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from cache import StoredObject
from embed.files.source_columns import SourceColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["File", "FilesLeft"]

_AT_ONCE = 4096  # files


@dataclass(frozen=True, kw_only=True)
class File:
    """A file as it was when the run looked at it; a later change shows as another stat next time.

    Attributes
    ----------
    is_unheard : bool
        Whether its recording is probably to be embedded: no file of its path or its size was known
        (else it may be one that was moved or retagged), or it is known, and not held.
    stored : StoredObject or None
        Of one in an object store.
    read_from : str
        Where its copy is, once that was fetched.
    digest : str or None
        Its recording, where the catalog knows it and the file has not changed since.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    is_unheard: bool = False
    stored: StoredObject | None = None
    read_from: str = ""
    digest: str | None = None

    @property
    def place(self) -> str:
        """Where it is read."""
        return self.read_from or self.path


@dataclass(frozen=True, kw_only=True, eq=False)
class FilesLeft(Sequence[File]):
    """Files of some songs in columns; each `File` is made when it is asked for.

    Attributes
    ----------
    songs : SourceColumns
        Those that were looked at.
    places : ndarray, shape (n,), int32
        Which of them are to be opened, rising.
    are_unheard : ndarray, shape (n,), bool
        See `File`.
    known_places : ndarray, shape (m,), int64
        Which are of a known recording, rising.
    known_halves : ndarray, shape (m, 2), uint64
        The digests of these, see `cache.digest_halves`.
    """

    songs: SourceColumns
    places: NDArray[np.int32]
    are_unheard: NDArray[np.bool_]
    known_places: NDArray[np.int64]
    known_halves: NDArray[np.uint64]

    @classmethod
    def of(cls, songs: SourceColumns, places: Sequence[int] | None = None) -> FilesLeft:
        """Take songs of which nothing is known, some of them or all."""
        chosen = np.asarray(range(len(songs)) if places is None else places, np.int32)
        return cls(
            songs=songs,
            places=chosen,
            are_unheard=np.zeros(len(chosen), bool),
            known_places=np.zeros(0, np.int64),
            known_halves=np.zeros((0, 2), np.uint64),
        )

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[File]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._made(slice(start, start + _AT_ONCE))

    @overload
    def __getitem__(self, at: int) -> File: ...
    @overload
    def __getitem__(self, at: slice) -> list[File]: ...
    def __getitem__(self, at: int | slice) -> File | list[File]:
        if isinstance(at, slice):
            return self._made(at)
        place = range(len(self))[at]
        return self._made(slice(place, place + 1))[0]

    @property
    def has_objects(self) -> bool:
        """Whether some of them are in an object store."""
        return bool(self.songs.are_objects(self.places).any())

    def at(self, places: NDArray[np.integer[Any]]) -> list[File | None]:
        """Return the files at some places of the songs; None for one that is not to be opened."""
        at = np.searchsorted(self.places, places)
        there = at < len(self)
        there[there] = self.places[at[there]] == places[there]
        files: list[File | None] = [None] * len(places)
        made = self._made(at[there])
        for place, file in zip(np.flatnonzero(there).tolist(), made, strict=True):
            files[place] = file
        return files

    def _made(self, at: slice | NDArray[np.integer[Any]]) -> list[File]:
        places = self.places[at]
        columns = (
            map(os.fsdecode, self.songs.paths_at(places).to_pylist()),
            self.songs.sizes[places].tolist(),
            self.songs.states_at(places).tolist(),
            self.are_unheard[at].tolist(),
            self.songs.objects_at(places),
            self._digests(places),
        )
        return [
            File(
                path=path,
                size_bytes=size,
                mtime_ns=state,
                is_unheard=is_unheard,
                stored=stored,
                digest=digest,
            )
            for path, size, state, is_unheard, stored, digest in zip(*columns, strict=True)
        ]

    def _digests(self, places: NDArray[np.int32]) -> list[str | None]:
        digests: list[str | None] = [None] * len(places)
        at = np.searchsorted(self.known_places, places)
        for n in np.flatnonzero(at < len(self.known_places)).tolist():
            if self.known_places[at[n]] == places[n]:
                digests[n] = self.known_halves[at[n]].astype(">u8").tobytes().hex()
        return digests
