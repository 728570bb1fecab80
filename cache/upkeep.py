"""Look a cache over, and drop what is of no use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cache.catalog import Catalog
from cache.inventory import list_stores
from cache.root import default_root
from cache.store import EmbeddingStore

__all__ = ["Soundness", "prune_cache", "verify_cache"]


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
    return [_look(store) for store in _stores(base)]


def prune_cache(root: str | Path | None = None) -> list[Soundness]:
    """Drop damaged and superseded rows and old versions; returns what was damaged.

    What was dropped is embedded again by the next `embed`.

    Raises
    ------
    CacheError
        If the cache cannot be read or written.
    """
    base = default_root() if root is None else root
    found = []
    for store in _stores(base):
        sound = _look(store)
        store.discard(list(sound.damaged))
        store.compact()
        found.append(sound)
    Catalog(base).compact()
    return found


def _stores(root: str | Path) -> list[EmbeddingStore]:
    return [
        EmbeddingStore(root, encoder=info.encoder, fingerprint=info.fingerprint, dim=info.dim)
        for info in list_stores(root)
    ]


def _look(store: EmbeddingStore) -> Soundness:
    return Soundness(
        encoder=store.encoder,
        fingerprint=store.fingerprint,
        n_songs=len(store.held()),
        damaged=tuple(store.verify()),
    )
