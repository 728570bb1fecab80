"""Which stores a cache holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cache.catalog import Catalog
from cache.dataset_files import dataset_files
from cache.errors import CacheError, lance_errors
from cache.identity import read_identity
from cache.lance_dataset import Dataset
from cache.object_store.bucket import Bucket
from cache.root import default_root, is_uri, join
from cache.store import FOLDER, EmbeddingStore

__all__ = ["CacheInfo", "StoreInfo", "cache_info", "list_stores", "open_stores", "stored_datasets"]


@dataclass(frozen=True, kw_only=True)
class StoreInfo:
    """One store, as `sevensongs cache info` shows it.

    Parameters
    ----------
    encoder, fingerprint : str
        Which encoder.
    dim : int
        Numbers a frame.
    n_songs : int
        Recordings held.
    n_bytes : int
        Bytes on disk or in the object store.
    """

    encoder: str
    fingerprint: str
    dim: int
    n_songs: int
    n_bytes: int


def list_stores(root: str | Path) -> list[StoreInfo]:
    """List the stores under a cache.

    Parameters
    ----------
    root : str or Path
        The cache: a local folder or a URI.

    Returns
    -------
    list of StoreInfo
        Sorted by encoder, then fingerprint. Empty where there is no cache.

    Raises
    ------
    CacheError
        If a store there cannot be read.

    Examples
    --------
    >>> from cache import default_root, list_stores
    >>> [(store.encoder, store.dim, store.n_songs) for store in list_stores(default_root())]
    [('musicnn', 424, 28)]
    """
    infos = [
        StoreInfo(
            encoder=store.encoder,
            fingerprint=store.fingerprint,
            dim=store.dim,
            n_songs=store.count(),
            n_bytes=store.n_bytes(),
        )
        for store in open_stores(root)
    ]
    return sorted(infos, key=lambda info: (info.encoder, info.fingerprint))


def open_stores(root: str | Path) -> list[EmbeddingStore]:
    """Open every store under a cache, without counting what is in it.

    Parameters
    ----------
    root : str or Path
        The cache: a local folder or a URI.

    Returns
    -------
    list of EmbeddingStore
        Sorted by the names of their folders.

    Raises
    ------
    CacheError
        If a store there cannot be read.

    Examples
    --------
    >>> from cache import default_root, open_stores
    >>> [store.count() for store in open_stores(default_root())]
    [28]
    """
    stores = []
    for marks in _stored_identities(join(root, FOLDER)):
        try:
            store = EmbeddingStore(
                root,
                encoder=marks["encoder"],
                fingerprint=marks["fingerprint"],
                dim=int(marks["dim"]),
            )
        except (KeyError, ValueError) as error:
            raise CacheError(
                f"a store in {join(root, FOLDER)} lacks its description ({error}); "
                "delete its folder and run `sevensongs embed` again"
            ) from error
        stores.append(store)
    return stores


def _stored_identities(folder: str) -> list[dict[str, str]]:
    """Read the identity of every dataset in a folder."""
    marks = []
    for uri in stored_datasets(folder):
        found = Dataset(uri, {}).open()
        if found is not None:
            marks.append(read_identity(found))
    return marks


def stored_datasets(folder: str) -> list[str]:
    """List the datasets in a folder, without opening them; sorted.

    Raises
    ------
    CacheError
        If the folder cannot be read.
    """
    with lance_errors("list", folder):
        if is_uri(folder):
            names = Bucket(folder).folders()
        else:
            # Folders only: macOS puts a file ._x.lance beside x.lance on drives of other systems.
            there = Path(folder).iterdir() if Path(folder).exists() else ()
            names = [path.name for path in there if path.is_dir()]
    return [f"{folder}/{name}" for name in sorted(names) if name.endswith(".lance")]


@dataclass(frozen=True, kw_only=True)
class CacheInfo:
    """The whole cache, as `sevensongs cache info` shows it.

    Parameters
    ----------
    path : str
        Folder or URI.
    bytes : int
        On disk, with compiled encoders and tastes; of an object store, what it holds.
    songs : int
        Different recordings in the catalog.
    failed : int
        Files that gave no embedding.
    encoders : tuple of StoreInfo
    """

    path: str
    bytes: int
    songs: int
    failed: int
    encoders: tuple[StoreInfo, ...]


def cache_info(root: str | Path | None = None) -> CacheInfo:
    """Take stock of a cache; default: `default_root`.

    Raises
    ------
    CacheError
        If it cannot be read.

    Examples
    --------
    >>> from cache import cache_info
    >>> info = cache_info()
    >>> info.songs, info.failed
    (28, 0)
    """
    base = default_root() if root is None else root
    files = Catalog(base).files()
    return CacheInfo(
        path=join(base),
        bytes=dataset_files(join(base)).n_bytes(),
        songs=len(files.digests.unique().drop_null()),
        failed=files.digests.null_count,  # of digest and error, each row has one
        encoders=tuple(list_stores(base)),
    )
