"""One store's song vectors: read as they lie on disk, checked, in a few threads."""

from __future__ import annotations

import os
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

# the same polynomial as zlib's, by the processor's carry-less product
from zlib_ng.zlib_ng import crc32

from cache.crc32 import digest_chars, joined_crc32
from cache.entry import vectors_of
from cache.errors import damaged_entries, lance_errors
from cache.join.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from cache.errors import DamagedEntry

__all__ = ["PART_ROWS", "StoredVectors", "map_in_order"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

PART_ROWS = 2048  # one task of a thread, and about one fragment
# Measured from 256 to 2048 rows of 3.4 kB: fewer cost more calls, and beyond about 6 MB the memory
# of one batch no longer serves the next, but is mapped, filled with zeros and unmapped again.
_BATCH_BYTES = 4 << 20
_MAX_BATCH_ROWS = 1024
_TAKE_SHARE = 0.25  # picking rows one by one beats reading all up to about this share
_MAX_THREADS = 8
_MANY = 64  # rows whose checksums are compared faster all at once than each by itself


class StoredVectors:
    """The song vectors in one version of a store; later commits do not show.

    May be used from several threads at once.

    Parameters
    ----------
    found : lance.LanceDataset or None
        The open dataset; None where nothing has ever been put.
    uri : str
        Where it is, for messages.
    dim_vector : int
        Numbers in a song vector, where there is none to ask.
    wanted : pyarrow.StringArray, optional
        Only these recordings, which of a large library is faster; default: all.
    keys : Keys, optional
        The rows to read, where they are known already; then `wanted` is not looked at.

    Attributes
    ----------
    digests : pyarrow.StringArray, shape (n,)
        The recordings held, each once, in the order of their rows.
    n_windows : ndarray, shape (n,), int32
        How well each is covered: 0 for the whole, else windows.
    crcs : ndarray, shape (n,), uint32
        Checksum of each vector, its digest and its `n_windows`: an equal one means an equal vector.
    dim_vector : int

    Raises
    ------
    CacheError
        If the dataset cannot be read.
    """

    def __init__(
        self,
        found: Any | None,
        uri: str,
        *,
        dim_vector: int,
        wanted: pa.Array | None = None,
        keys: Keys | None = None,
    ) -> None:
        self._found = found
        self._uri = uri
        self.dim_vector: int = dim_vector
        if found is not None:
            self.dim_vector = found.schema.field("vector").type.list_size
        if keys is None:
            with lance_errors("read", uri):
                keys = Keys.none() if found is None else Keys.read(found, wanted)
        self.digests, self.n_windows, self.crcs = keys.digests, keys.n_windows, keys.crcs
        self._rows = keys.rows

    def __len__(self) -> int:
        return len(self._rows)

    def batches(
        self, part: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], list[str]]]:
        """Read song vectors a few at a time.

        Parameters
        ----------
        part : ndarray, shape (n,), int64
            Places in `digests`, rising.

        Yields
        ------
        at : ndarray, shape (m,), int64
            The next m of `part`, up to 1024.
        vectors : ndarray, shape (m, dim_vector), float32
            Read-only; good until the next ones are asked for.
        damaged : list of str
            The digests whose vector is not the one that was put.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        for at, vectors in self._unchecked(part):
            yield at, vectors, self._damaged_among(at, vectors)

    def fill(self, into: NDArray[np.float32], at: NDArray[np.int64]) -> None:
        """Read song vectors into an array, on all cores.

        Parameters
        ----------
        into : ndarray, shape (n, dim_vector), float32
        at : ndarray, shape (n,), int64
            Places in `digests`, any order, repeats allowed.

        Raises
        ------
        DamagedEntry
            If a vector does not match its checksum; the message counts all that are damaged.
        CacheError
            If the dataset cannot be read.
        """
        once, where = np.unique(at, return_inverse=True)
        # Each vector is written once, to where it stands first, so that the library is in memory
        # once.
        first = np.full(len(once), -1)
        first[where[::-1]] = np.arange(len(at))[::-1]

        def fill(start: int) -> list[str]:
            wrong: list[str] = []
            for some, rows, damaged in self.batches(once[start : start + PART_ROWS]):
                wrong += damaged
                into[first[np.searchsorted(once, some)]] = rows
            return wrong

        starts = range(0, len(once), PART_ROWS)
        wrong = [name for names in map_in_order(fill, starts) for name in names]
        if wrong:
            raise self.refusal(wrong)
        again = np.flatnonzero(first[where] != np.arange(len(at)))
        into[again] = into[first[where[again]]]

    def refusal(self, damaged: Sequence[str]) -> DamagedEntry:
        """Say which entries are damaged and what to do; the error is returned, not raised."""
        return damaged_entries(self._uri, damaged)

    def _unchecked(
        self, part: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        if not len(part):
            return
        rows = self._rows[part]
        start, stop = int(rows[0]), int(rows[-1]) + 1
        n_rows = self._batch_rows
        with lance_errors("read", self._uri):
            if len(rows) <= _TAKE_SHARE * (stop - start):
                for i in range(0, len(rows), n_rows):
                    some = self._found.take(rows[i : i + n_rows].tolist(), columns=["vector"])  # type: ignore[union-attr]
                    yield part[i : i + n_rows], vectors_of(some["vector"].combine_chunks())
                return
            scan = self._found.scanner(  # type: ignore[union-attr]
                columns=["vector"],
                offset=start,
                limit=stop - start,
                batch_size=n_rows,
                batch_readahead=2,
                fragment_readahead=1,  # the next part is another thread's
                scan_in_order=True,
            )
            done = 0
            for batch in scan.to_batches():
                wanted = rows[done : done + len(batch)]
                wanted = wanted[: np.searchsorted(wanted, start + len(batch))] - start
                some_at = part[done : done + len(wanted)]
                done, start = done + len(wanted), start + len(batch)
                if len(wanted):
                    vectors = vectors_of(batch["vector"])
                    yield some_at, vectors if len(wanted) == len(batch) else vectors[wanted]

    @property
    def _batch_rows(self) -> int:
        return max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // (4 * self.dim_vector)))

    def _damaged_among(self, at: NDArray[np.int64], vectors: NDArray[np.float32]) -> list[str]:
        """Name the recordings whose vector is not the one that was put."""
        # A view of the bytes, not a copy.
        data = vectors.reshape(-1).view(np.uint8).data
        width = vectors.strides[0]
        if len(at) >= _MANY and self._names is not None:
            joined = joined_crc32(self._names[at], self.n_windows[at], self.crcs[at], width)
            if crc32(data) == joined:
                return []
        names = self.digests.take(at).cast("binary").to_pylist()
        keys = zip(names, self.n_windows[at].tolist(), strict=True)
        rows = (data[start : start + width] for start in range(0, len(data), width))
        crcs = [crc32(row, crc32(b"%b %d" % key)) for row, key in zip(rows, keys, strict=True)]
        wrong = np.flatnonzero(np.array(crcs, np.uint32) != self.crcs[at])
        return [names[i].decode() for i in wrong]

    @cached_property
    def _names(self) -> NDArray[np.uint8] | None:
        return digest_chars(self.digests)


def map_in_order(
    work: Callable[[_Task], _Result], tasks: Iterable[_Task], *, n_threads: int | None = None
) -> Iterator[_Result]:
    """Work through tasks in a few threads; what they give comes in the tasks' order.

    Parameters
    ----------
    work : callable
        Called in several threads at once; worth it where it releases the GIL, as reading, checksums
        and matrix products do.
    tasks : iterable
        Only a few more are begun than are asked for, so memory is bounded.
    n_threads : int, optional
        Default: the cores that we may use, 8 at most.

    Yields
    ------
    What `work` returns.

    Raises
    ------
    Exception
        What `work` raises, after the tasks under way have ended.

    Examples
    --------
    >>> from cache import map_in_order
    >>> list(map_in_order(len, ["like", "unsure", ""]))
    [4, 6, 0]
    """
    todo = list(tasks)
    n_workers = min(len(todo), n_threads or min(_n_cores(), _MAX_THREADS))
    if n_workers <= 1:
        yield from map(work, todo)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(n_workers) as pool:
        waiting = deque(pool.submit(work, task) for task in todo[: 2 * n_workers])
        try:
            for task in todo[2 * n_workers :]:
                yield waiting.popleft().result()
                waiting.append(pool.submit(work, task))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _n_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
