"""A library that stays open: what many questions in a row need is read once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cache import CatalogFiles, VectorReader
from classify.library.artist_groups import Groups
from classify.library.library_files import LibraryFiles
from classify.library.song_library import SongLibrary
from classify.library.song_vectors import SongVectors
from classify.taste.vectors import Vectors

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["OpenLibrary"]

_KEEP_LAST_FROM = 1_000  # songs
_KEEP_BYTES = 192 * 2**20
"""Song vectors of 25,000 songs of the default encoder; more are read from disk each time, so that a
service with 100,000 songs stays below 500 MB."""


class OpenLibrary(SongLibrary):
    """The songs of a cache as they were when this was opened; songs that came later do not show.

    May be used from several threads at once.

    Parameters
    ----------
    library : SongLibrary
        Which.
    former : OpenLibrary, optional
        Of the same encoders, opened earlier: what has not changed since is not read again.
    only_demo : bool
        Show the demo's tracks and nothing else; by default they show where there is nothing else.
    keep_bytes : int
        Song vectors are kept in memory where all of them take no more than this.

    Raises
    ------
    DamagedEntry
        If a vector that is kept does not match its checksum.
    CacheError
        If the cache can't be read.
    """

    def __init__(
        self,
        library: SongLibrary,
        *,
        former: OpenLibrary | None = None,
        only_demo: bool = False,
        keep_bytes: int = _KEEP_BYTES,
    ) -> None:
        known = None if former is None else former.vectors.open()
        super().__init__(library.root, _OpenVectors(library.vectors, known, keep_bytes))
        self._files = self.catalog.files()
        self._all: LibraryFiles | None = None
        self._known_groups: Groups | None = None
        self._only_demo = only_demo

    def files(self, paths: Sequence[str] | None = None) -> LibraryFiles:
        """Return the audio files that have a vector, in columns; see `SongLibrary.files`."""
        if paths is not None:
            return super().files(paths)
        if self._all is None:
            everything = LibraryFiles.of(self._files, self.vectors.open())
            self._all = everything.only_demo() if self._only_demo else everything.without_demo()
        return self._all

    def catalog_files(self) -> CatalogFiles:
        """Return all files that were known."""
        return self._files

    def files_with(self, digests: Iterable[str]) -> CatalogFiles:  # noqa: ARG002
        """Return all files that were known."""
        return self._files

    def _groups_of(self, digests: Sequence[str]) -> dict[str, str]:
        if self._known_groups is None:
            self._known_groups = Groups(self._files)
        return self._known_groups.of(digests)


class _OpenVectors(SongVectors):
    """Song vectors that are opened once, whatever is asked for.

    Of many that are asked for the last ones stay: from one label to the next, nearly the same songs
    are learnt from.
    """

    def __init__(self, vectors: SongVectors, former: VectorReader | None, keep_bytes: int) -> None:
        super().__init__(vectors.stores)
        self._opened = vectors.open()
        self._last: tuple[dict[str, int], Vectors] = {}, np.empty((0, sum(self.blocks)), np.float32)
        if 4 * self._opened.dim_vector * len(self._opened) <= keep_bytes:
            self._opened.keep(former)

    def open(self, digests: Sequence[str] | pa.Array | None = None) -> VectorReader:  # noqa: ARG002
        """Return what was opened: all recordings, of which callers ask for those that they want."""
        return self._opened

    def matrix(self, digests: Sequence[str]) -> tuple[list[str], Vectors]:
        """Read song vectors; see `SongVectors.matrix`."""
        if len(digests) < _KEEP_LAST_FROM:
            return super().matrix(digests)
        row_of, known = self._last
        names, vectors = super().matrix([one for one in digests if one not in row_of])
        row_of = row_of | {name: len(known) + row for row, name in enumerate(names)}
        found = [one for one in digests if one in row_of]
        chosen = np.concatenate([known, vectors])[[row_of[one] for one in found]]
        self._last = {name: row for row, name in enumerate(found)}, chosen
        return found, chosen
