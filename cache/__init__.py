"""The cache of Seven Songs: digests and arrays, never audio. cache/README.md has the format."""

from cache.catalog import Catalog, Recording
from cache.entry import WHOLE, Entry
from cache.errors import CacheError, DamagedEntry, StoreFormatError
from cache.inventory import CacheInfo, StoreInfo, cache_info, list_stores
from cache.key import DIGEST_BYTES, audio_hash, encoder_fingerprint
from cache.root import default_root, is_uri, local_root, require_writable
from cache.store import EmbeddingStore
from cache.upkeep import Soundness, prune_cache, verify_cache

__all__ = [
    "DIGEST_BYTES",
    "WHOLE",
    "CacheError",
    "CacheInfo",
    "Catalog",
    "DamagedEntry",
    "EmbeddingStore",
    "Entry",
    "Recording",
    "Soundness",
    "StoreFormatError",
    "StoreInfo",
    "audio_hash",
    "cache_info",
    "default_root",
    "encoder_fingerprint",
    "is_uri",
    "list_stores",
    "local_root",
    "prune_cache",
    "require_writable",
    "verify_cache",
]
