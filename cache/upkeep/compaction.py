"""Keep a dataset small: drop stale rows, merge small fragments, remove old versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cache.errors import CacheError, is_conflict, lance_errors
from cache.locks import writing
from cache.seals.sealing import drop_seals
from cache.stored_vectors import map_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cache.lance_dataset import Dataset

    Share = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

__all__ = ["KEEP_S", "SMALL_FRAGMENTS", "Merge", "compact", "maybe_compact", "merge"]

SMALL_FRAGMENTS = 32
# A fragment of this many rows is never rewritten for being small, so a growing store costs
# linear, not quadratic, work: 32 commits of 64 songs make one.
TARGET_ROWS = 2048
# Readers open the dataset anew for each call; one that takes longer than this is not expected.
KEEP_S = 600.0
_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A few small fragments that are to be one: a part of a compaction.

    Attributes
    ----------
    dataset : Dataset
    task : lance.optimize.CompactionTask
    """

    dataset: Dataset
    task: Any


def merge(part: Merge) -> Any:
    """Write a part anew, in whatever process; no reader sees it before the compaction is committed.

    Returns
    -------
    lance.optimize.RewriteResult
        For that commit.

    Raises
    ------
    CacheError
        If it can't be read or written.
    """
    with lance_errors("compact", part.dataset.uri):
        return part.task.execute(part.dataset.newest_unchecked())


def compact(
    dataset: Dataset,
    stale_rows: Callable[[Any], list[int]],
    *,
    keep_s: float,
    share: Share = map_in_order,
) -> None:
    """Drop stale rows, merge small fragments and remove old versions.

    Appends and readers may go on meanwhile. Where another process compacts at the same time, its
    work is left to stand.

    Parameters
    ----------
    dataset : Dataset
    stale_rows : callable
        Given the open dataset, the `_rowid` of the rows to drop.
    keep_s : float
        Age in seconds up to which old versions stay, for those who still read them.
    share : callable
        Given `merge` and parts, what it returns of each; a cluster has its nodes do them.

    Raises
    ------
    CacheError
        If it cannot be read or written.
    """
    dataset.require_writable()
    for _ in range(_ATTEMPTS):
        try:
            with writing(dataset.uri):
                found = dataset.open()
                if found is not None:
                    with lance_errors("read", dataset.uri):
                        stale = stale_rows(found)
                    _compact_once(dataset, stale, share)
        except CacheError as error:
            if error.__cause__ is None or not is_conflict(error.__cause__):
                raise
        else:
            _prune(dataset, keep_s)
            return


def _compact_once(dataset: Dataset, stale_rows: list[int], share: Share) -> None:
    from lance.optimize import Compaction

    dataset.delete(stale_rows)
    found = dataset.open()
    if found is None:
        return
    options = {"target_rows_per_fragment": TARGET_ROWS}
    with lance_errors("compact", dataset.uri), dataset.lasting():
        parts = [Merge(dataset=dataset, task=one) for one in Compaction.plan(found, options).tasks]
        if parts:
            Compaction.commit(found, list(share(merge, parts)), options)
        dataset.seal()


def maybe_compact(
    dataset: Dataset, stale_rows: Callable[[Any], list[int]], *, share: Share = map_in_order
) -> None:
    """Compact if there are more than 32 small fragments; remove old versions in any case.

    Raises
    ------
    CacheError
        If it cannot be read or written.
    """
    found = dataset.open()
    if found is None:
        return
    with lance_errors("read", dataset.uri):
        n_small = sum(f.count_rows() < TARGET_ROWS for f in found.get_fragments())
    if n_small > SMALL_FRAGMENTS:
        compact(dataset, stale_rows, keep_s=KEEP_S, share=share)
    else:
        # What the last compaction replaced had to stay for its readers; it goes now.
        _prune(dataset, KEEP_S)


def _prune(dataset: Dataset, keep_s: float) -> None:
    found = dataset.open()
    if found is None:
        return
    with lance_errors("prune", dataset.uri), writing(dataset.uri):
        # Lance itself spares files of the last seven days that no version names yet: they may
        # belong to a commit that is under way elsewhere.
        found.cleanup_old_versions(older_than=timedelta(seconds=keep_s))
        drop_seals(dataset.uri)
