"""Make a damaged dataset anew from what is sound in its data files, while other writers wait.

It does not trust the manifest. What is lost is named, so that it can be embedded again.

By hand: Lance repairs nothing. Each of 600 damaged caches had all its vectors again, bit for bit
(results/reliability.jsonl).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cache.catalog import CATALOG
from cache.errors import lance_errors
from cache.file_record import recording_table
from cache.lance_dataset import Dataset
from cache.locks import replacing
from cache.root import is_uri, join
from cache.upkeep.bucket_repair import repair_catalog_in_bucket, repair_store_in_bucket
from cache.upkeep.salvage import (
    RepairedCatalog,
    RepairedStore,
    SalvagedRows,
    data_files,
    refuse_newer,
    salvage_records,
    salvage_rows,
    store_of,
)

__all__ = ["MENDED", "repair_catalog", "repair_store"]

MENDED = ".mended"
"""Ends the name of what is made anew, until it is whole."""


def repair_store(root: str | Path, uri: str) -> RepairedStore:
    """Make the embeddings of one encoder anew from its sound rows.

    Parameters
    ----------
    root : str or Path
        The cache.
    uri : str
        The dataset's folder, or its address in an object store.

    Raises
    ------
    StoreFormatError
        If a newer program wrote it.
    CacheError
        If it cannot be written: in a folder there must be room for a copy.

    Examples
    --------
    >>> from cache import default_root, open_stores, repair_store
    >>> (store,) = open_stores(default_root())
    >>> repaired = repair_store(default_root(), store.uri)
    >>> repaired.n_saved, repaired.lost
    (28, ())
    """
    if is_uri(uri):
        return repair_store_in_bucket(root, uri)
    with replacing(uri):
        return _repaired_store(root, uri)


def _repaired_store(root: str | Path, uri: str) -> RepairedStore:
    files = _begin(uri)
    store = store_of(root, uri, files)
    done = SalvagedRows(saved=set(), lost=set(), unreadable=(), misses_a_file=True)
    if store is not None:
        made = Dataset(uri + MENDED, store.identity)
        with _all_or_nothing(uri):
            done = salvage_rows(uri, files, store.dim, made.append)
    kept = _swap(uri, keep=done.unnamed or store is None)
    return RepairedStore(
        store=store,
        n_saved=len(done.saved),
        lost=tuple(sorted(done.lost)),
        unnamed=done.unnamed,
        kept=kept,
    )


def repair_catalog(root: str | Path) -> RepairedCatalog:
    """Make the catalog anew from its sound files.

    Raises
    ------
    StoreFormatError
        If a newer program wrote it.
    CacheError
        If it cannot be written.

    Examples
    --------
    >>> from cache import default_root, repair_catalog
    >>> repair_catalog(default_root()).n_saved >= 28  # rows, among them superseded ones
    True
    """
    uri = join(root, CATALOG)
    if is_uri(uri):
        return repair_catalog_in_bucket(uri)
    with replacing(uri):
        return _repaired_catalog(uri)


def _repaired_catalog(uri: str) -> RepairedCatalog:
    done = salvage_records(uri, _begin(uri))
    if done.rows:
        with _all_or_nothing(uri):
            Dataset(uri + MENDED, {"kind": "catalog"}).append(recording_table(done.latest))
    kept = _swap(uri, keep=done.unnamed)
    return RepairedCatalog(
        n_saved=len(done.rows), doubtful=done.doubtful, unnamed=done.unnamed, kept=kept
    )


@contextmanager
def _all_or_nothing(uri: str) -> Iterator[None]:
    """Where something can't be made anew, take away what was begun: the disk may be full."""
    try:
        yield
    except BaseException:
        shutil.rmtree(uri + MENDED, ignore_errors=True)
        raise


def _begin(uri: str) -> list[str]:
    """Clear away what an interrupted repair has left; returns the data files."""
    with lance_errors("write", uri):
        if Path(uri + MENDED).exists():
            if Path(uri).exists():
                shutil.rmtree(uri + MENDED)
            else:
                Path(uri + MENDED).rename(uri)  # it was whole
    files = data_files(uri)
    refuse_newer(uri, files)
    return files


def _swap(uri: str, *, keep: bool) -> str | None:
    """Put what was made anew into the place of what was damaged."""
    with lance_errors("write", uri):
        number = 1
        while Path(f"{uri}.damaged-{number}").exists():
            number += 1
        aside = f"{uri}.damaged-{number}"
        Path(uri).rename(aside)
        if Path(uri + MENDED).exists():
            Path(uri + MENDED).rename(uri)
        if keep:
            return aside
        shutil.rmtree(aside)
    return None
