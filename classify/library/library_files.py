"""Audio files and their song vectors, in columns: a library of a million is no million objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cache import CatalogFiles, FileRecord, VectorReader, is_there

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DEMO_PACKAGE", "IN_DEMO", "LOOK_AT", "LibraryFiles", "one_there"]

DEMO_PACKAGE = "immich_memories_music"
IN_DEMO = os.fsencode(f"{os.sep}{DEMO_PACKAGE}{os.sep}tracks{os.sep}")
"""What is in the path of each of the demo's tracks."""
LOOK_AT = 10_000
"""Recordings, 20 ms; where the files of all of these are there, the others' are taken to be."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LibraryFiles:
    """Files of the catalog whose recording has a song vector; filters return others.

    Attributes
    ----------
    files : CatalogFiles
        All files that are known.
    vectors : VectorReader
    at : ndarray, shape (n,), int64
        Where each file's recording stands in `vectors`; copies of one stand at the same place.
        Read-only.
    in_catalog : ndarray, shape (n,), int64
        Where each file stands in `files`. Read-only.
    """

    files: CatalogFiles
    vectors: VectorReader
    at: NDArray[np.int64]
    in_catalog: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("at", "in_catalog"):
            array = getattr(self, name).view()  # the caller's own stays as it is
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def of(cls, files: CatalogFiles, vectors: VectorReader) -> LibraryFiles:
        """Choose the files whose recording has a vector."""
        at = vectors.places(files.digests)
        if files.digests.equals(vectors.digests):
            files.digests = vectors.digests  # once in memory
        everything = cls(files=files, vectors=vectors, at=at, in_catalog=np.arange(len(files)))
        return everything._where(at >= 0)

    def __len__(self) -> int:
        return len(self.at)

    def _where(self, wanted: NDArray[np.bool_]) -> LibraryFiles:
        """Return the files that are true in a mask of shape (n,)."""
        if wanted.all():
            return self
        return replace(self, at=self.at[wanted], in_catalog=self.in_catalog[wanted])

    @property
    def paths(self) -> pa.BinaryArray:
        """The files' paths as bytes, shape (n,); `os.fsdecode` makes text of them."""
        everything = len(self) == len(self.files)
        return self.files.paths if everything else self.files.paths.take(self.in_catalog)

    def paths_at(self, which: NDArray[np.integer[Any]]) -> pa.BinaryArray:
        """Return the paths of the files at some indices."""
        return self.files.paths_at(self.in_catalog[which])

    @cached_property
    def n_recordings(self) -> int:
        """How many recordings the files are."""
        return int(np.count_nonzero(self._are_at(self.at)))

    def _are_at(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mark some places of `vectors`, shape (len(vectors),)."""
        marks = np.zeros(len(self.vectors), np.bool_)
        marks[places] = True
        return marks

    @cached_property
    def digests(self) -> list[str]:
        """The recordings, each once, in the order of the files."""
        _, first = np.unique(self.at, return_index=True)
        names: list[str] = self.vectors.digests.take(self.at[np.sort(first)]).to_pylist()
        return names

    def column(self, name: str) -> pa.Array:
        """Read one column of the catalog, shape (n,)."""
        return self.files.column(name, self.in_catalog)

    def recordings(self, which: NDArray[np.integer[Any]] | None = None) -> list[FileRecord]:
        """Make objects of the files at some indices, or of all."""
        at = self.in_catalog if which is None else self.in_catalog[which]
        return self.files.recordings(at)

    def artist(self, at: int) -> str | None:
        """Return the artist of the file at an index, as its tags have it."""
        artist: str | None = self.files.column("artist", self.in_catalog[[at]])[0].as_py()
        return artist

    def without(self, digests: Iterable[str]) -> LibraryFiles:
        """Return these files without those of some recordings."""
        places = self.vectors.places(list(digests))
        return self._where(~self._are_at(places[places >= 0])[self.at])

    def n_gone(self) -> tuple[int, int]:
        """Count the recordings, and those of which no file is there now.

        Of more than 10,000 recordings so many are looked at first, spread evenly over the library;
        the others only where one of these has gone.
        """
        recordings = np.flatnonzero(self._are_at(self.at))
        some = recordings[:: max(1, -(-len(recordings) // LOOK_AT))]
        n_gone = self._n_gone_of(some)
        if n_gone and len(some) < len(recordings):
            n_gone = self._n_gone_of(recordings)
        return len(recordings), n_gone

    def n_gone_of_all(self) -> int:
        """Count the recordings of which no file is there now; all files are looked at."""
        return self._n_gone_of(np.flatnonzero(self._are_at(self.at)))

    def _n_gone_of(self, recordings: NDArray[np.int64]) -> int:
        which = np.flatnonzero(self._are_at(recordings)[self.at])
        paths = self.paths_at(which).to_pylist()
        there = np.fromiter(map(is_there, paths), np.bool_, len(paths))
        return len(recordings) - int(np.count_nonzero(self._are_at(self.at[which[there]])))

    def left_out(self) -> dict[str, str]:
        """Return the recordings that have no vector, each with a path of it; without the demo's."""
        is_left = np.ones(len(self.files), np.bool_)
        is_left[self.in_catalog] = False
        rest = np.flatnonzero(is_left)
        if not len(rest):
            return {}
        others = replace(self, at=np.full(len(rest), -1), in_catalog=rest)
        others = others._where(~others._is_demo())
        digests = self.files.digests.take(others.in_catalog).to_pylist()
        paths = self.files.paths_at(others.in_catalog).to_pylist()
        named = dict(zip(digests, map(os.fsdecode, paths), strict=True))
        named.pop(None, None)  # of files that failed
        known = self.vectors.places(list(named)) >= 0 if named else ()
        return {
            digest: path
            for (digest, path), is_known in zip(named.items(), known, strict=True)
            if not is_known
        }

    def without_demo(self) -> LibraryFiles:
        """Return these files without the demo's tracks, unless there is nothing else."""
        is_demo = self._is_demo()
        return self if is_demo.all() else self._where(~is_demo)

    def only_demo(self) -> LibraryFiles:
        """Return the demo's tracks among these files."""
        return self._where(self._is_demo())

    def _is_demo(self) -> NDArray[np.bool_]:
        return self.files.have_in_path(IN_DEMO, self.in_catalog)


def one_there(files: Sequence[FileRecord]) -> FileRecord | None:
    """Return the first of some files that is there, else the first of all; None where none is."""
    return next((one for one in files if is_there(one.path)), files[0] if files else None)
