"""Look a cache over, and drop what is of no use."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cache.catalog import Catalog
from cache.inventory import open_stores
from cache.root import default_root, local_root
from cache.store import EmbeddingStore

__all__ = ["SCORES_FOLDER", "Soundness", "prune_cache", "verify_cache"]

SCORES_FOLDER = "scores"
"""What `classify` keeps of its decisions; it may be deleted at any time."""


@dataclass(frozen=True, kw_only=True)
class Soundness:
    """What a look at one store found.

    Parameters
    ----------
    encoder, fingerprint : str
    n_songs : int
        Recordings held.
    damaged : tuple of str
        Digests of recordings whose checksum fails, sorted.
    """

    encoder: str
    fingerprint: str
    n_songs: int
    damaged: tuple[str, ...]


def verify_cache(root: str | Path | None = None) -> list[Soundness]:
    """Read every embedding and compare it with its checksum; default: `default_root`.

    Raises
    ------
    CacheError
        If a file is so damaged that it cannot be read.
    """
    base = default_root() if root is None else root
    return [_look(store) for store in open_stores(base)]


def prune_cache(root: str | Path | None = None) -> list[Soundness]:
    """Drop damaged and superseded rows, old versions and kept scores; returns what was damaged.

    What was dropped is embedded again by the next `embed`.

    Raises
    ------
    CacheError
        If the cache cannot be read or written.
    """
    base = default_root() if root is None else root
    found = []
    for store in open_stores(base):
        sound = _look(store)
        store.discard(list(sound.damaged))
        store.compact()
        found.append(sound)
    Catalog(base).compact()
    shutil.rmtree(local_root(base) / SCORES_FOLDER, ignore_errors=True)
    return found


def _look(store: EmbeddingStore) -> Soundness:
    return Soundness(
        encoder=store.encoder,
        fingerprint=store.fingerprint,
        n_songs=store.count(),
        damaged=tuple(store.verify()),
    )
