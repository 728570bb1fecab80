"""Look a cache over, and drop what is of no use."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cache.catalog import Catalog
from cache.errors import CacheError, DamagedStore, StoreFormatError, lance_errors
from cache.identity import read_identity
from cache.inventory import open_stores, stored_datasets
from cache.lance_dataset import Dataset
from cache.root import default_root, is_uri, join, local_root
from cache.seals.seal_file import read_seal, seal_name, sealed_versions
from cache.seals.sealed_files import compared_files
from cache.store import FOLDER, EmbeddingStore
from cache.upkeep.repair import MENDED

__all__ = ["SCORES_FOLDER", "Soundness", "prune_cache", "verify_cache", "verify_catalog"]

SCORES_FOLDER = "scores"
"""What `classify` keeps of its decisions; it may be deleted at any time."""


@dataclass(frozen=True, kw_only=True)
class Soundness:
    """What a look at one dataset found.

    Parameters
    ----------
    uri : str
        Where it is.
    encoder, fingerprint : str
        Whose embeddings; empty where that can't be read, and of the catalog.
    n_songs : int
        Recordings held; of the catalog, files.
    damaged : tuple of str
        Digests of recordings whose checksum fails, sorted.
    files : tuple of str
        Files that are not what was written or have gone, in words.
    error : str or None
        Why it can't be read at all.
    """

    uri: str
    encoder: str = ""
    fingerprint: str = ""
    n_songs: int = 0
    damaged: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    error: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not (self.damaged or self.files or self.error)


def verify_cache(root: str | Path | None = None) -> list[Soundness]:
    """Read every embedding and every file, and compare them with their checksums.

    Parameters
    ----------
    root : path or URI, optional
        The cache; default: `default_root`.

    Returns
    -------
    list of Soundness
        One for each encoder, sorted by the names of their folders.

    Raises
    ------
    StoreFormatError
        If a newer program wrote it.
    CacheError
        If the folder can't be read.

    Examples
    --------
    >>> from cache import verify_cache
    >>> [(found.encoder, found.n_songs, found.is_sound) for found in verify_cache()]
    [('musicnn', 28, True)]
    """
    base = default_root() if root is None else root
    folder = join(base, FOLDER)
    uris = stored_datasets(folder)
    if not is_uri(base):
        # What an interrupted repair has left.
        made = [str(path).removesuffix(MENDED) for path in Path(folder).glob(f"*.lance{MENDED}")]
        uris = sorted({*uris, *made})
    return [_look(base, uri) for uri in uris]


def verify_catalog(root: str | Path | None = None) -> Soundness:
    """Read all of the catalog, and compare its files with their checksums; default: `default_root`.

    Raises
    ------
    StoreFormatError
        If a newer program wrote it.

    Examples
    --------
    >>> from cache import verify_catalog
    >>> verify_catalog().is_sound
    True
    """
    base = default_root() if root is None else root
    catalog = Catalog(base)
    try:
        _interrupted(catalog.uri)
        return Soundness(uri=catalog.uri, n_songs=len(catalog.load()), files=_files(catalog.uri))
    except StoreFormatError:
        raise
    except CacheError as error:
        return Soundness(uri=catalog.uri, files=_files(catalog.uri), error=str(error))


def prune_cache(root: str | Path | None = None) -> list[Soundness]:
    """Drop damaged and superseded rows, old versions and kept scores; returns what was damaged.

    What was dropped is embedded again by the next `embed`.

    Raises
    ------
    CacheError
        If the cache cannot be read or written.

    Examples
    --------
    >>> from cache import prune_cache
    >>> [pruned.damaged for pruned in prune_cache()]
    [()]
    """
    base = default_root() if root is None else root
    found = []
    for store in open_stores(base):
        sound = _look_into(store)
        store.discard(list(sound.damaged))
        store.compact()
        found.append(sound)
    Catalog(base).compact()
    shutil.rmtree(local_root(base) / SCORES_FOLDER, ignore_errors=True)
    return found


def _look(root: str | Path, uri: str) -> Soundness:
    try:
        _interrupted(uri)
        found = Dataset(uri, {}).open()
        if found is None:  # a writer killed before its first commit
            return Soundness(uri=uri)
        marks = read_identity(found)
        store = EmbeddingStore(
            root, encoder=marks["encoder"], fingerprint=marks["fingerprint"], dim=int(marks["dim"])
        )
        if Path(store.uri).name != Path(uri).name:
            return Soundness(uri=uri, error=_misplaced(uri, store))
        return _look_into(store)
    except StoreFormatError:
        raise
    except (CacheError, KeyError, ValueError) as error:
        return Soundness(uri=uri, files=_files(uri), error=str(error))


def _misplaced(uri: str, store: EmbeddingStore) -> str:
    return (
        f"{uri} holds the embeddings of {store.encoder} under a name where nothing finds them: "
        f"rename it to {Path(store.uri).name}, or delete it"
    )


def _look_into(store: EmbeddingStore) -> Soundness:
    return Soundness(
        uri=store.uri,
        encoder=store.encoder,
        fingerprint=store.fingerprint,
        n_songs=store.count(),
        damaged=tuple(store.verify()),
        files=_files(store.uri),
    )


def _files(uri: str) -> tuple[str, ...]:
    with lance_errors("read", uri):
        return tuple(_damaged_files(uri))


def _damaged_files(uri: str) -> list[str]:
    """Compare every file of a dataset with every seal of it; return in words what differs."""
    damaged: dict[str, None] = {}
    crcs: dict[str, tuple[int, int] | None] = {}  # each file is read once
    versions = sorted(sealed_versions(uri), reverse=True)
    for version in versions:
        try:
            seal = read_seal(uri, version)
        except DamagedStore as error:
            damaged[str(error)] = None
            continue
        if seal is None:
            damaged[f"{seal_name(version)} is of another program"] = None
            continue
        for name, wrong in compared_files(uri, seal, None, crcs):
            # files of an old version go when it is pruned
            if wrong and (version == versions[0] or crcs.get(name, ()) is not None):
                damaged[f"{name} {wrong}"] = None
    return list(damaged)


def _interrupted(uri: str) -> None:
    """Refuse a dataset of which a repair was interrupted between its last two steps."""
    if not is_uri(uri) and Path(uri + MENDED).exists() and not Path(uri).exists():
        raise CacheError(
            f"the repair of {uri} was interrupted; `sevensongs cache verify --repair` ends it"
        )
