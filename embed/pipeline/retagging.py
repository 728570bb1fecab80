"""Read the tags anew of files that are known, as an earlier version read less of them.

That needs a file's head alone, and no embedding: some milliseconds a file, once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from cache import Catalog, FileRecord
from embed.decoding.probing import probe_tags
from embed.decoding.tags import TAGS_VERSION, Tags
from embed.errors import UnreadableFile
from embed.limits import Limits, bounded_memory
from embed.pipeline.ledger import tag_columns
from embed.worker_pool import WorkerPool

__all__ = ["read_tags_anew"]

_log = logging.getLogger("sevensongs")

_POLL_S = 1.0
_COMMIT_S = 20.0
_MANY = 2000  # files, of which reading takes more than a few seconds


def read_tags_anew(
    paths: Sequence[str],
    catalog: Catalog,
    *,
    limits: Limits,
    n_workers: int | None = None,
    niceness: int = 0,
) -> int:
    """Read the tags of known files that have not changed, and put them into the catalog.

    Parameters
    ----------
    paths : sequence of str
        Those of which the catalog has a row that holds.
    catalog : Catalog
    limits : Limits
        What a file may ask.
    n_workers, niceness
        See `embed_library`.

    Returns
    -------
    int
        How many were read. One that could not be read keeps the tags that it has; where the reason
        may pass, it is tried again by the next run.

    Raises
    ------
    CacheError
        If the catalog can't be read or written.
    """
    if len(paths) >= _MANY:
        _log.warning("reading the tags of %d known files anew, once", len(paths))
    known = iter(catalog.lookup(paths).values())
    pool = WorkerPool(n_workers, max_tasks=len(paths), limits=limits, niceness=niceness)
    rows: list[FileRecord] = []
    n_read, committed, finished = 0, time.monotonic(), False
    try:
        row = next(known, None)
        while row or pool.busy:
            while row and pool.has_room:
                pool.submit(row, _tags_of, row.path, cpu_s=limits.probing_s(row.size_bytes))
                row = next(known, None)
            for outcome in pool.outcomes(_POLL_S):
                if not isinstance(outcome.error, UnreadableFile):
                    rows.append(_retagged(outcome.key, outcome.value))
                    n_read += outcome.error is None
            if time.monotonic() - committed > _COMMIT_S:
                catalog.put(rows)
                rows, committed = [], time.monotonic()
        finished = True
    finally:
        pool.close(kill=not finished)
        catalog.put(rows)
    catalog.maybe_compact()
    return n_read


def _tags_of(path: str) -> tuple[Tags, str | None]:
    with bounded_memory():
        return probe_tags(path)


def _retagged(row: FileRecord, told: tuple[Tags, str | None] | None) -> FileRecord:
    if told is None:
        return replace(row, tags_version=TAGS_VERSION)  # or it would be tried by each run
    tags, warning = told
    both = "; ".join(filter(None, [row.warning, warning])) or None
    return replace(row, warning=both, **tag_columns(tags))
