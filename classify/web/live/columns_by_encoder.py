"""Which encoder's songs a taste sees, read anew when the cache has changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from cache import Catalog, EmbeddingStore, is_uri, newest_sealed, open_stores
from classify.library.open_library import OpenLibrary
from classify.library.song_library import SongLibrary
from classify.library.song_vectors import SongVectors
from classify.taste.taste import Taste
from classify.web.live.song_columns import SongColumns
from embed import ENCODERS, EncoderError, encoder_name, prepare_encoder, split_encoder

__all__ = ["ColumnsByEncoder"]

_REMOTE_S = 300.0  # a cache at a URI is read anew so often


class ColumnsByEncoder:
    """The songs of a cache in columns, for each encoder that is asked for.

    They are not for several threads at once.

    Parameters
    ----------
    root : path or URI
        The cache.
    only_demo : bool
        Show the demo's tracks and nothing else.
    """

    def __init__(self, root: str | Path, *, only_demo: bool = False) -> None:
        self._root = root
        self._only_demo = only_demo
        self._catalog_uri = Catalog(root).uri
        self._kept: dict[str, tuple[object, SongColumns]] = {}
        self._chosen: tuple[object, SongVectors] | None = None
        self._n_refreshed = 0

    def stamp(self) -> object:
        """Tell the state of the cache: the same stamp, the same songs.

        This is cheap: it lists some folders.
        """
        if is_uri(str(self._root)):
            return (self._n_refreshed, int(time.monotonic() / _REMOTE_S))
        stores = Path(self._root, "embeddings")
        uris = sorted(str(path) for path in stores.glob("*.lance")) if stores.is_dir() else []
        return tuple((uri, newest_sealed(uri)) for uri in (self._catalog_uri, *uris))

    def refresh(self) -> None:
        """Take a cache at a URI for changed; of a local one this is seen."""
        self._n_refreshed += 1

    def of(self, taste: Taste | None) -> SongColumns:
        """Return the songs that a taste can score; without a taste, those of the default encoder.

        Raises
        ------
        TasteError
            If the taste's encoder can't be.
        CacheError
        """
        stamp = self.stamp()
        vectors = SongVectors.of_taste(taste, self._root) if taste else self._default(stamp)
        key = f"{vectors.encoder} {vectors.fingerprint}"
        kept = self._kept.get(key)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        former = None if kept is None else kept[1]
        library = OpenLibrary(
            SongLibrary(self._root, vectors),
            former=None if former is None else former.library,
            only_demo=self._only_demo,
        )
        columns = SongColumns(library, former=former)
        columns.warm()
        self._kept[key] = (stamp, columns)
        return columns

    def has(self, columns: SongColumns) -> bool:
        """Whether columns are the newest of their encoder."""
        return any(columns is kept for _, kept in self._kept.values())

    def drop_unused(self, used: Sequence[SongColumns]) -> None:
        """Forget the columns that are no longer used, so that memory does not grow."""
        self._kept = {
            key: kept for key, kept in self._kept.items() if any(kept[1] is one for one in used)
        }

    def _default(self, stamp: object) -> SongVectors:
        """Choose the default encoder, or the one that has the most songs.

        The second is for a cache where nothing is embedded with the default.
        """
        if self._chosen is None or self._chosen[0] != stamp:
            self._chosen = (stamp, self._choose())
        return self._chosen[1]

    def _choose(self) -> SongVectors:
        stores = open_stores(self._root)
        counts = {store: store.count() for store in stores}
        names = split_encoder(encoder_name("default"))
        ours = [
            _newest([s for s in stores if s.encoder == name and counts[s]], name, self._root)
            for name in names
        ]
        if all(ours):
            return SongVectors([store for store in ours if store])
        most = max(stores, key=counts.__getitem__, default=None)
        if most is not None and counts[most]:
            return SongVectors([most])
        return SongVectors([_empty_store(name, self._root) for name in names])


def _newest(stores: list[EmbeddingStore], name: str, root: str | Path) -> EmbeddingStore | None:
    """Choose an encoder's store, where an older version of it may have one, too."""
    if len(stores) > 1:
        fingerprint = _fingerprint(name, root)
        stores = [store for store in stores if store.fingerprint == fingerprint] or stores
    return stores[0] if stores else None


def _fingerprint(name: str, root: str | Path) -> str:
    try:
        return prepare_encoder(name, root=root).fingerprint
    except EncoderError:
        return ""


def _empty_store(name: str, root: str | Path) -> EmbeddingStore:
    """Stand for a cache in which nothing is embedded yet."""
    dim = ENCODERS[name].dim if name in ENCODERS else prepare_encoder(name, root=root).dim
    assert dim
    return EmbeddingStore(root, encoder=name, fingerprint="0" * 16, dim=dim)
