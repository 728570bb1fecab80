"""What a run has to commit, and who commits it: the run itself, or another process for several.

The other way takes two halves. Whoever has made a batch stages it: its rows are written, and no
version names them yet. Whoever gathers staged batches commits them all at once. The rows are the
same either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cache import Catalog, EmbeddingStore, Entry, FileRecord
from embed.files.find import Failure

__all__ = ["Account", "Batch", "StagedBatch", "commit_here", "commit_staged", "stage"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """What has become of files: a run's account of its work.

    Attributes
    ----------
    done : mapping of str to str
        Of each file whose embedding is in the cache once the batch is committed, path to digest.
    fresh : mapping of str to float
        Of each recording that was embedded, digest to seconds.
    failed, warnings : tuple of Failure
    """

    done: Mapping[str, str] = field(default_factory=dict)
    fresh: Mapping[str, float] = field(default_factory=dict)
    failed: tuple[Failure, ...] = ()
    warnings: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a run has found out since it committed last.

    Attributes
    ----------
    entries : tuple of Entry
        Embeddings that the cache does not hold.
    records : tuple of FileRecord
        Files that are done, or have failed.
    account : Account
        What has come of files since; for who commits it elsewhere.
    """

    entries: tuple[Entry, ...]
    records: tuple[FileRecord, ...]
    account: Account = field(default_factory=Account)


@dataclass(frozen=True, kw_only=True)
class StagedBatch:
    """A batch whose rows are written; some hundred bytes, which another process may be handed.

    Attributes
    ----------
    embeddings, catalog : tuple of lance.FragmentMetadata
    account : Account
        The files that it accounts for.
    """

    embeddings: tuple[Any, ...]
    catalog: tuple[Any, ...]
    account: Account


def commit_here(store: EmbeddingStore, catalog: Catalog, batch: Batch) -> None:
    """Commit a batch.

    Embeddings first: a catalog row without them would cost a song, one that lacks only a look.
    """
    store.put(batch.entries)
    catalog.put(batch.records)


def stage(store: EmbeddingStore, catalog: Catalog, batch: Batch) -> StagedBatch:
    """Write the rows of a batch, for `commit_staged`."""
    return StagedBatch(
        embeddings=tuple(store.stage(batch.entries)),
        catalog=tuple(catalog.stage(batch.records)),
        account=batch.account,
    )


def commit_staged(store: EmbeddingStore, catalog: Catalog, batches: Sequence[StagedBatch]) -> None:
    """Commit staged batches, of any number of processes; embeddings first, as `commit_here`."""
    store.commit_staged([one for batch in batches for one in batch.embeddings])
    catalog.commit_staged([one for batch in batches for one in batch.catalog])
