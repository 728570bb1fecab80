"""Song vectors in blocks, of one encoder or of several side by side, in bounded memory."""

from __future__ import annotations

from functools import cached_property, reduce
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cache.entry import WHOLE
from cache.row_choice import places
from cache.stored_vectors import PART_ROWS, map_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from cache.stored_vectors import StoredVectors

__all__ = ["VectorReader"]

_Result = TypeVar("_Result")

_KEPT_ROWS = 512  # one task of a thread, where all vectors are in memory


class VectorReader:
    """What every one of some encoders has embedded, as it was when this was opened.

    `EmbeddingStore.reader` opens that of one encoder. May be used from several threads at once.

    Parameters
    ----------
    stores : sequence of StoredVectors
        One for each encoder, at least one, in the order in which their vectors stand in a song's.

    Attributes
    ----------
    digests : pyarrow.StringArray, shape (n,)
        The recordings that all of them hold, each once, in the order of the first one's rows.
    dim_vector : int
        Numbers in a song vector.
    """

    def __init__(self, stores: Sequence[StoredVectors]) -> None:
        self._stores = tuple(stores)
        first, *others = self._stores
        # Where each recording stands in each store, shape (n,) each.
        at = [np.arange(len(first)), *(places(first.digests, other.digests) for other in others)]
        common = reduce(np.logical_and, [where >= 0 for where in at])
        self._at = at if common.all() else [where[common] for where in at]
        self.digests: pa.StringArray = (
            first.digests if common.all() else first.digests.take(self._at[0])
        )
        self.dim_vector = sum(store.dim_vector for store in self._stores)
        self._kept: NDArray[np.float32] | None = None

    @classmethod
    def side_by_side(cls, readers: Iterable[VectorReader]) -> VectorReader:
        """Put readers beside each other: what all of them hold, their vectors joined."""
        return cls([store for reader in readers for store in reader._stores])

    def __len__(self) -> int:
        return len(self.digests)

    @cached_property
    def crcs(self) -> NDArray[np.uint32]:
        """The vectors' checksums, shape (n, n_stores): equal ones mean an equal song vector."""
        return np.stack([s.crcs[at] for s, at in zip(self._stores, self._at, strict=True)], axis=1)

    @cached_property
    def n_windows(self) -> NDArray[np.int32]:
        """How many windows cover each recording in its poorest vector, shape (n,).

        0 stands for the whole recording.
        """
        more = np.int64(2**31)  # than any number of windows
        each = [s.n_windows[at] for s, at in zip(self._stores, self._at, strict=True)]
        poorest = reduce(np.minimum, [np.where(n == WHOLE, more, n) for n in each])
        return np.where(poorest == more, WHOLE, poorest).astype(np.int32)

    def places(self, digests: Sequence[str] | pa.Array) -> NDArray[np.int64]:
        """Tell where recordings stand in `digests`, shape (n,), int64; -1 for those not held."""
        return places(digests, self.digests)

    def held(self, digests: Sequence[str] | None = None) -> dict[str, int]:
        """Return the recordings that are held, each with its windows: 0 for the whole.

        Parameters
        ----------
        digests : sequence of str, optional
            Ask about these only, in which order; default: all.
        """
        if digests is None:
            names = self.digests.to_numpy(zero_copy_only=False).tolist()
            return dict(zip(names, self.n_windows.tolist(), strict=True))
        at = self.places(digests)
        known = at >= 0
        names = [digest for digest, is_one in zip(digests, known.tolist(), strict=True) if is_one]
        return dict(zip(names, self.n_windows[at[known]].tolist(), strict=True))

    def vectors_of(self, digests: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
        """Read the song vectors of some recordings.

        Parameters
        ----------
        digests : sequence of str
            Which, in which order, repeats allowed; those not held are left out.

        Returns
        -------
        held : list of str
            The digest of each row.
        vectors : ndarray, shape (n, dim_vector), float32

        Raises
        ------
        DamagedEntry, CacheError
            As `matrix`.
        """
        at = self.places(digests)
        names = [digest for digest, i in zip(digests, at.tolist(), strict=True) if i >= 0]
        return names, self.matrix(at[at >= 0])

    def matrix(self, at: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read song vectors into one array.

        Parameters
        ----------
        at : ndarray, shape (n,), int64
            Places in `digests`, any order, repeats allowed.

        Returns
        -------
        ndarray, shape (n, dim_vector), float32

        Raises
        ------
        DamagedEntry
            If a vector does not match its checksum; the message counts all that are damaged.
        CacheError
            If a store cannot be read.
        """
        if self._kept is not None:
            return self._kept[at]
        vectors = np.empty((len(at), self.dim_vector), np.float32)
        start = 0
        for store, where in zip(self._stores, self._at, strict=True):
            store.fill(vectors[:, start : start + store.dim_vector], where[at])
            start += store.dim_vector
        return vectors

    def parts(self, at: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
        """Cut a read into tasks.

        Parameters
        ----------
        at : ndarray, shape (n,), int64, optional
            Places in `digests`, rising; default: all.

        Returns
        -------
        list of ndarray, shape (up to 2048,), int64
            One after the other they are `at`.
        """
        wanted = np.arange(len(self)) if at is None else at
        n_rows = PART_ROWS if self._kept is None else _KEPT_ROWS
        return [wanted[start : start + n_rows] for start in range(0, len(wanted), n_rows)]

    def read(
        self, part: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Read song vectors a few at a time.

        Parameters
        ----------
        part : ndarray, shape (n,), int64
            Places in `digests`, rising; one of `parts`.

        Yields
        ------
        at : ndarray, shape (m,), int64
            The next m of `part`, up to 1024.
        vectors : ndarray, shape (m, dim_vector), float32
            Read-only; good until the next ones are asked for.

        Raises
        ------
        DamagedEntry
            If a vector does not match its checksum; the message names the digests.
        CacheError
            If a store cannot be read.
        """
        if self._kept is not None:
            yield part, self._kept[part]
            return
        first, *others = self._stores
        beside = []
        for store, where in zip(others, self._at[1:], strict=True):
            beside.append(np.empty((len(part), store.dim_vector), np.float32))
            store.fill(beside[-1], where[part])
        done = 0
        for at, vectors, damaged in first.batches(self._at[0][part]):
            if damaged:
                raise first.refusal(damaged)
            now = slice(done, done := done + len(at))
            whole = np.hstack([vectors, *(rows[now] for rows in beside)]) if beside else vectors
            yield part[now], whole

    def map(
        self,
        work: Callable[[NDArray[np.int64], NDArray[np.float32]], _Result],
        at: NDArray[np.int64] | None = None,
    ) -> Iterator[_Result]:
        """Work on every song vector, a block at a time, on all cores.

        It takes little memory, however many songs there are.

        Parameters
        ----------
        work : callable
            Given what `read` yields, which must not be kept: copy what you need. Called in several
            threads at once.
        at : ndarray, shape (n,), int64, optional
            Places of the recordings wanted, rising; default: all.

        Yields
        ------
        What `work` returns, in the order of `at`.

        Raises
        ------
        DamagedEntry, CacheError
            As `read`.
        """

        def work_on(part: NDArray[np.int64]) -> list[_Result]:
            return [work(some, vectors) for some, vectors in self.read(part)]

        for results in map_in_order(work_on, self.parts(at)):
            yield from results

    def keep(self, former: VectorReader | None = None) -> None:
        """Read all song vectors, checked, into memory.

        Whatever is asked for from now on comes from there.

        Parameters
        ----------
        former : VectorReader, optional
            Of the same encoders; what it keeps of the same checksum is not read again.

        Raises
        ------
        DamagedEntry, CacheError
            As `matrix`.
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
            kept = np.empty((len(self), self.dim_vector), np.float32)
            kept[:n_first] = former._kept[:n_first]
            rest = same & (everything >= n_first)
            kept[rest] = former._kept[at[rest]]
            kept[~same] = self.matrix(np.flatnonzero(~same))
        kept.flags.writeable = False
        self._kept = kept
