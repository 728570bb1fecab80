"""The cache of Seven Songs: digests and arrays, never audio. cache/README.md has the format.

Names are imported when first used (PEP 562): a digest or the cache's place needs no arrays.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cache.catalog import Catalog, CatalogFiles
    from cache.entry import WHOLE, Entry
    from cache.errors import CacheError, DamagedEntry, DamagedStore, StoreFormatError
    from cache.inventory import CacheInfo, StoreInfo, cache_info, list_stores, open_stores
    from cache.key import DIGEST_BYTES, audio_hash, encoder_fingerprint
    from cache.reader import VectorReader, map_in_order
    from cache.recording import Recording
    from cache.repair import RepairedCatalog, RepairedStore, repair_catalog, repair_store
    from cache.root import default_root, is_uri, local_root, require_writable
    from cache.store import EmbeddingStore
    from cache.upkeep import SCORES_FOLDER, Soundness, prune_cache, verify_cache, verify_catalog

__all__ = [
    "DIGEST_BYTES",
    "SCORES_FOLDER",
    "WHOLE",
    "CacheError",
    "CacheInfo",
    "Catalog",
    "CatalogFiles",
    "DamagedEntry",
    "DamagedStore",
    "EmbeddingStore",
    "Entry",
    "Recording",
    "RepairedCatalog",
    "RepairedStore",
    "Soundness",
    "StoreFormatError",
    "StoreInfo",
    "VectorReader",
    "audio_hash",
    "cache_info",
    "default_root",
    "encoder_fingerprint",
    "is_uri",
    "list_stores",
    "local_root",
    "map_in_order",
    "open_stores",
    "prune_cache",
    "repair_catalog",
    "repair_store",
    "require_writable",
    "verify_cache",
    "verify_catalog",
]

_HOMES = {
    "CacheError": "cache.errors",
    "CacheInfo": "cache.inventory",
    "Catalog": "cache.catalog",
    "CatalogFiles": "cache.catalog",
    "DIGEST_BYTES": "cache.key",
    "DamagedEntry": "cache.errors",
    "DamagedStore": "cache.errors",
    "EmbeddingStore": "cache.store",
    "Entry": "cache.entry",
    "Recording": "cache.recording",
    "RepairedCatalog": "cache.repair",
    "RepairedStore": "cache.repair",
    "SCORES_FOLDER": "cache.upkeep",
    "Soundness": "cache.upkeep",
    "StoreFormatError": "cache.errors",
    "StoreInfo": "cache.inventory",
    "VectorReader": "cache.reader",
    "WHOLE": "cache.entry",
    "audio_hash": "cache.key",
    "cache_info": "cache.inventory",
    "default_root": "cache.root",
    "encoder_fingerprint": "cache.key",
    "is_uri": "cache.root",
    "list_stores": "cache.inventory",
    "local_root": "cache.root",
    "map_in_order": "cache.reader",
    "open_stores": "cache.inventory",
    "prune_cache": "cache.upkeep",
    "repair_catalog": "cache.repair",
    "repair_store": "cache.repair",
    "require_writable": "cache.root",
    "verify_cache": "cache.upkeep",
    "verify_catalog": "cache.upkeep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # so that it is looked up once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
