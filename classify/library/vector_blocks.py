"""Song vectors of a whole library in blocks, of one encoder or of several side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from cache import VectorReader, map_in_order, places
from classify.taste.vectors import Vectors

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LibraryVectors"]

_Result = TypeVar("_Result")
_KEPT_ROWS = 512  # at once, where all are in memory


class LibraryVectors:
    """What every one of some encoders has embedded, as it was when this was opened.

    Parameters
    ----------
    readers : sequence of VectorReader
        One for each encoder, at least one, in the order in which their vectors stand in a song's.

    Attributes
    ----------
    digests : pyarrow.StringArray, shape (n,)
        The recordings that all of them hold, each once, in the order of the first one's rows.
    crcs : ndarray, shape (n, n_encoders), uint32
        The vectors' checksums: where they are the same, so is the song vector.
    """

    def __init__(self, readers: Sequence[VectorReader]) -> None:
        self._readers = tuple(readers)
        first, *others = self._readers
        # Where each recording stands in each reader, shape (n,) each.
        at = [np.arange(len(first)), *(other.places(first.digests) for other in others)]
        common = reduce(np.logical_and, [where >= 0 for where in at])
        self._at = at if common.all() else [where[common] for where in at]
        self.digests: pa.StringArray = (
            first.digests if common.all() else first.digests.take(self._at[0])
        )
        self.crcs: NDArray[np.uint32] = np.stack(
            [reader.crcs[where] for reader, where in zip(self._readers, self._at, strict=True)],
            axis=1,
        )
        self._kept: Vectors | None = None

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def dim(self) -> int:
        """Numbers in a song vector."""
        return sum(reader.dim_vector for reader in self._readers)

    @property
    def n_windows(self) -> NDArray[np.int32]:
        """How many windows cover each recording in its poorest vector, shape (n,).

        0 stands for the whole recording.
        """
        whole = np.iinfo(np.int32).max
        each = [r.n_windows[where] for r, where in zip(self._readers, self._at, strict=True)]
        poorest = reduce(np.minimum, [np.where(n == 0, whole, n) for n in each])
        return np.where(poorest == whole, 0, poorest).astype(np.int32)

    def places(self, digests: Sequence[str] | pa.Array) -> NDArray[np.int64]:
        """Tell where recordings stand in `digests`, shape (n,), int64; -1 for those not held."""
        import pyarrow as pa

        wanted = digests if isinstance(digests, pa.Array) else pa.array(digests, pa.string())
        return places(wanted, self.digests)

    def keep(self, former: LibraryVectors | None = None) -> None:
        """Read all song vectors, checked, into memory.

        Whatever is asked for from now on comes from there.

        Parameters
        ----------
        former : LibraryVectors, optional
            Of the same encoders; what it keeps of the same checksum is not read again.

        Raises
        ------
        DamagedEntry
            If a vector does not match its checksum.
        CacheError
            If a store can't be read.
        """
        everything = np.arange(len(self))
        if former is None or former._kept is None:
            kept = self.matrix(everything)
        else:
            at = former.places(self.digests)
            same = at >= 0
            same[same] = (former.crcs[at[same]] == self.crcs[same]).all(axis=1)
            # What is new comes last, unless the store was compacted; to copy in order is much
            # faster.
            moved = np.flatnonzero(~same | (at != everything))
            n_first = int(moved[0]) if len(moved) else len(self)
            if n_first == len(self) == len(former):
                self._kept = former._kept
                return
            kept = np.empty((len(self), self.dim), np.float32)
            kept[:n_first] = former._kept[:n_first]
            rest = same & (everything >= n_first)
            kept[rest] = former._kept[at[rest]]
            kept[~same] = self.matrix(np.flatnonzero(~same))
        kept.flags.writeable = False
        self._kept = kept

    def matrix(self, at: NDArray[np.int64]) -> Vectors:
        """Read the song vectors of the recordings at some places, shape (n, dim), float32.

        Raises
        ------
        DamagedEntry
            If a vector does not match its checksum.
        CacheError
            If a store can't be read.
        """
        if self._kept is not None:
            return self._kept[at]
        blocks = [
            reader.matrix(where[at]) for reader, where in zip(self._readers, self._at, strict=True)
        ]
        return blocks[0] if len(blocks) == 1 else np.hstack(blocks)

    def map(
        self,
        work: Callable[[NDArray[np.int64], Vectors], _Result],
        at: NDArray[np.int64] | None = None,
    ) -> Iterator[_Result]:
        """Work on every song vector, a block at a time, on all cores.

        It takes little memory, however many songs there are.

        Parameters
        ----------
        work : callable
            Given places in `digests`, shape (m,), and song vectors, shape (m, dim), float32,
            read-only, which must not be kept: copy what you need. A block has up to some hundred
            songs. Called in several threads at once.
        at : ndarray, shape (n,), int64, optional
            Places of the recordings wanted, rising; default: all.

        Yields
        ------
        What `work` returns, in the order of `at`.

        Raises
        ------
        DamagedEntry
            If a vector does not match its checksum.
        CacheError
            If a store can't be read.
        """
        wanted = np.arange(len(self)) if at is None else at
        first, *others = self._readers
        kept = self._kept

        def work_on_kept(part: NDArray[np.int64]) -> list[_Result]:
            some = wanted[part]
            return [work(some, kept[some])]  # type: ignore[index]

        def work_on(part: NDArray[np.int64]) -> list[_Result]:
            some = wanted[part]
            beside = [r.matrix(where[some]) for r, where in zip(others, self._at[1:], strict=True)]
            results, done = [], 0
            for here, vectors in first.read(self._at[0][some]):
                now = slice(done, done := done + len(here))
                whole = np.hstack([vectors, *(rows[now] for rows in beside)]) if beside else vectors
                results.append(work(some[now], whole))
            return results

        if kept is None:
            tasks = map_in_order(work_on, first.parts(np.arange(len(wanted))))
        else:
            starts = range(0, len(wanted), _KEPT_ROWS)
            tasks = map_in_order(
                work_on_kept, [np.arange(len(wanted))[s : s + _KEPT_ROWS] for s in starts]
            )
        for results in tasks:
            yield from results
