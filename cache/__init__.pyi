from .catalog import Catalog
from .catalog_files import CatalogFiles
from .crc32 import digest_chars
from .durable import (
    lasting,
    remove_abandoned,
    require_cache,
    require_writable,
    staged,
    sync_file,
    sync_folder,
    write_whole,
)
from .entry import WHOLE, Entry, covers
from .errors import CacheError, DamagedEntry, DamagedStore, StoreFormatError
from .file_record import FileRecord, FileState, is_same_file
from .inventory import CacheInfo, StoreInfo, cache_info, list_stores, open_stores
from .join.held_digests import HeldDigests, digest_halves
from .join.joined_songs import JoinedSongs, is_large
from .join.row_files import RowFiles, scratch_folder
from .key import DIGEST_BYTES, audio_hash, encoder_fingerprint, is_digest, is_fingerprint
from .object_store.bucket import Bucket, StoredObject, version_number, version_numbers
from .root import default_root, is_there, is_uri, local_root
from .row_choice import places, value_keys
from .seals.seal_file import newest_sealed
from .store import EmbeddingStore
from .stored_vectors import map_in_order
from .upkeep.repair import repair_catalog, repair_store
from .upkeep.salvage import RepairedCatalog, RepairedStore
from .upkeep.verify import SCORES_FOLDER, Soundness, prune_cache, verify_cache, verify_catalog
from .vector_reader import VectorReader

__all__ = [
    "DIGEST_BYTES",
    "SCORES_FOLDER",
    "WHOLE",
    "Bucket",
    "CacheError",
    "CacheInfo",
    "Catalog",
    "CatalogFiles",
    "DamagedEntry",
    "DamagedStore",
    "EmbeddingStore",
    "Entry",
    "FileRecord",
    "FileState",
    "HeldDigests",
    "JoinedSongs",
    "RepairedCatalog",
    "RepairedStore",
    "RowFiles",
    "Soundness",
    "StoreFormatError",
    "StoreInfo",
    "StoredObject",
    "VectorReader",
    "audio_hash",
    "cache_info",
    "covers",
    "default_root",
    "digest_chars",
    "digest_halves",
    "encoder_fingerprint",
    "is_digest",
    "is_fingerprint",
    "is_large",
    "is_same_file",
    "is_there",
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
    "require_cache",
    "require_writable",
    "scratch_folder",
    "staged",
    "sync_file",
    "sync_folder",
    "value_keys",
    "verify_cache",
    "verify_catalog",
    "version_number",
    "version_numbers",
    "write_whole",
]
