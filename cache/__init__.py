"""The cache of Seven Songs: digests and arrays, never audio. cache/README.md has the format.

Names are imported when first used (PEP 562): a digest or the cache's place needs no arrays.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cache.catalog import Catalog, CatalogFiles
    from cache.crc32 import digest_chars
    from cache.durable import (
        lasting,
        remove_abandoned,
        require_writable,
        staged,
        sync_folder,
        write_whole,
    )
    from cache.entry import WHOLE, Entry, covers
    from cache.errors import CacheError, DamagedEntry, DamagedStore, StoreFormatError
    from cache.file_record import FileRecord
    from cache.inventory import CacheInfo, StoreInfo, cache_info, list_stores, open_stores
    from cache.key import DIGEST_BYTES, audio_hash, encoder_fingerprint, is_digest, is_fingerprint
    from cache.repair import RepairedCatalog, RepairedStore, repair_catalog, repair_store
    from cache.root import default_root, is_uri, local_root
    from cache.row_choice import places
    from cache.seal import newest_sealed
    from cache.store import EmbeddingStore
    from cache.stored_vectors import map_in_order
    from cache.vector_reader import VectorReader
    from cache.verify import SCORES_FOLDER, Soundness, prune_cache, verify_cache, verify_catalog

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
    "FileRecord",
    "RepairedCatalog",
    "RepairedStore",
    "Soundness",
    "StoreFormatError",
    "StoreInfo",
    "VectorReader",
    "audio_hash",
    "cache_info",
    "covers",
    "default_root",
    "digest_chars",
    "encoder_fingerprint",
    "is_digest",
    "is_fingerprint",
    "is_uri",
    "lasting",
    "list_stores",
    "local_root",
    "map_in_order",
    "newest_sealed",
    "open_stores",
    "places",
    "prune_cache",
    "remove_abandoned",
    "repair_catalog",
    "repair_store",
    "require_writable",
    "staged",
    "sync_folder",
    "verify_cache",
    "verify_catalog",
    "write_whole",
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
    "FileRecord": "cache.file_record",
    "RepairedCatalog": "cache.repair",
    "RepairedStore": "cache.repair",
    "SCORES_FOLDER": "cache.verify",
    "Soundness": "cache.verify",
    "StoreFormatError": "cache.errors",
    "StoreInfo": "cache.inventory",
    "VectorReader": "cache.vector_reader",
    "WHOLE": "cache.entry",
    "audio_hash": "cache.key",
    "cache_info": "cache.inventory",
    "covers": "cache.entry",
    "default_root": "cache.root",
    "digest_chars": "cache.crc32",
    "encoder_fingerprint": "cache.key",
    "is_digest": "cache.key",
    "is_fingerprint": "cache.key",
    "is_uri": "cache.root",
    "lasting": "cache.durable",
    "list_stores": "cache.inventory",
    "local_root": "cache.root",
    "map_in_order": "cache.stored_vectors",
    "newest_sealed": "cache.seal",
    "open_stores": "cache.inventory",
    "places": "cache.row_choice",
    "prune_cache": "cache.verify",
    "remove_abandoned": "cache.durable",
    "repair_catalog": "cache.repair",
    "repair_store": "cache.repair",
    "require_writable": "cache.durable",
    "staged": "cache.durable",
    "sync_folder": "cache.durable",
    "verify_cache": "cache.verify",
    "verify_catalog": "cache.verify",
    "write_whole": "cache.durable",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # so that it is looked up once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
