"""`JoinedSongs`: all songs of a cache, of which a part is in memory at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.catalog_files import CatalogFiles
from cache.join.keys import Keys
from cache.join.song_join import first_of_each, hex_digests, join_songs
from cache.stored_vectors import StoredVectors
from cache.vector_reader import VectorReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cache.catalog import Catalog
    from cache.store import EmbeddingStore

__all__ = ["JoinedSongs", "is_large"]

_LARGE = 2**20  # rows; columns of so many are 0.2 GB
_LEFT_AT_ONCE = 2**18


def is_large(stores: Sequence[EmbeddingStore], catalog: Catalog) -> bool:
    """Tell whether a cache has too many songs for columns in memory; more than a million.

    Examples
    --------
    >>> from cache import Catalog, default_root, is_large, open_stores
    >>> is_large(open_stores(default_root()), Catalog(default_root()))
    False
    """
    n_rows = [*(one.dataset.n_rows() for one in stores), catalog.dataset.n_rows()]
    return min(n_rows) > 0 and max(n_rows) > _LARGE


class JoinedSongs:
    """The files of a cache whose recording has a vector in all of some stores.

    What is committed later does not show.

    Parameters
    ----------
    stores : sequence of EmbeddingStore
        At least one, in the order in which their vectors stand in a song's. Something has been put
        in each.
    catalog : Catalog
        In which something has been put.
    folder : Path
        An empty one, for some 150 bytes a song. Whoever made it removes it.
    without : bytes
        Files with this in their paths are left out.

    Attributes
    ----------
    n_recordings : int

    Raises
    ------
    CacheError
        If the cache cannot be read, or `folder` not be written.
    """

    def __init__(
        self,
        stores: Sequence[EmbeddingStore],
        catalog: Catalog,
        folder: Path,
        *,
        without: bytes,
    ) -> None:
        self._stores = [(one.dataset.open(), one.uri, 2 * one.dim) for one in stores]
        self._catalog: tuple[Any, str] = catalog.dataset.open(), catalog.uri
        found = [one for one, *_ in self._stores]
        joined = join_songs(found, self._catalog[0], folder, without=without)
        self._songs, self._left = joined.songs, joined.left
        self.n_recordings = joined.n_recordings

    @property
    def n_parts(self) -> int:
        """How many parts there are; each is songs whose vectors lie beside each other."""
        return self._songs.n_parts

    def part(self, at: int) -> NDArray[Any]:
        """Read a part, one row a file: where its digest and its vectors stand; for `open`."""
        return self._songs.read(at)

    def recordings(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Give the recordings of a part's rows numbers from 0, shape (n,)."""
        return np.cumsum(first_of_each(rows)) - 1

    def open(self, rows: NDArray[Any]) -> tuple[CatalogFiles, VectorReader, NDArray[np.int64]]:
        """Open files with their vectors, in columns.

        Parameters
        ----------
        rows : ndarray, shape (n,)
            Of one part or of several; those of one recording next to each other.

        Returns
        -------
        files : CatalogFiles
            In the order of `rows`.
        vectors : VectorReader
            Of their recordings.
        at : ndarray, shape (n,), int64
            Where each file's recording stands in `vectors`.
        """
        digests = hex_digests(rows)
        is_first = first_of_each(rows)
        each = rows[is_first]
        names = digests if len(each) == len(rows) else hex_digests(each)
        opened = []
        for store, (found, uri, dim_vector) in enumerate(self._stores):
            order = np.argsort(each["row"][:, store], kind="stable")
            keys = Keys(
                digests=names.take(order),
                n_windows=each["n_windows"][order, store],
                crcs=each["crc"][order, store],
                rows=each["row"][order, store],
            )
            opened.append(StoredVectors(found, uri, dim_vector=dim_vector, keys=keys))
        files = CatalogFiles.at_rows(*self._catalog, rows["file"].copy(), digests)
        return files, VectorReader(opened), self.recordings(rows)

    def left(self) -> Iterator[CatalogFiles]:
        """Open the files whose recording lacks a vector, some 262,144 at a time."""
        some: list[NDArray[Any]] = []
        for part in range(self._left.n_parts):
            some.append(self._left.read(part))
            if sum(map(len, some)) >= _LEFT_AT_ONCE:
                yield self._files_of(np.concatenate(some))
                some = []
        if any(map(len, some)):
            yield self._files_of(np.concatenate(some))

    def _files_of(self, rows: NDArray[Any]) -> CatalogFiles:
        rows = rows[np.argsort(rows["file"])]  # as they came
        return CatalogFiles.at_rows(*self._catalog, rows["file"].copy(), hex_digests(rows))
