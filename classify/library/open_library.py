"""A library that stays open: what many questions in a row need is read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cache import CatalogFiles, VectorReader
from classify.library.artist_groups import Groups
from classify.library.library_files import LibraryFiles
from classify.library.song_library import SongLibrary
from classify.library.song_vectors import SongVectors

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["OpenLibrary"]

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
        self._files = self._catalog.files()
        self._known_groups: Groups | None = None
        self._only_demo = only_demo

    def files(self, paths: Sequence[str] | None = None) -> LibraryFiles:
        """Return the audio files that have a vector, in columns; see `SongLibrary.files`."""
        if paths is not None or not self._only_demo:
            return super().files(paths)
        return LibraryFiles.of(self._files, self.vectors.open()).only_demo()

    def catalog_files(self) -> CatalogFiles:
        """Return all files that were known."""
        return self._files

    def _groups(self) -> Groups:
        if self._known_groups is None:
            self._known_groups = Groups(self._files)
        return self._known_groups


class _OpenVectors(SongVectors):
    """Song vectors that are opened once, whatever is asked for."""

    def __init__(self, vectors: SongVectors, former: VectorReader | None, keep_bytes: int) -> None:
        super().__init__(vectors.stores)
        self._opened = vectors.open()
        if 4 * self._opened.dim_vector * len(self._opened) <= keep_bytes:
            self._opened.keep(former)

    def open(self, digests: Sequence[str] | pa.Array | None = None) -> VectorReader:  # noqa: ARG002
        """Return what was opened: all recordings, of which callers ask for those that they want."""
        return self._opened
