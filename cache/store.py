"""The embeddings of one encoder: put a batch, read one, read the song matrix, keep it sound."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.entry import Entry, check_shapes, entry_at, entry_table
from cache.errors import damaged_entries, lance_errors
from cache.join.held_digests import HeldDigests
from cache.join.keys import Keys
from cache.key import is_digest, is_fingerprint
from cache.lance_dataset import Dataset
from cache.locks import writing
from cache.root import join
from cache.row_choice import (
    best_last,
    damaged_in,
    superseded,
    text_array,
)
from cache.seals.sealed_keys import KEYS, check_keys
from cache.stored_vectors import StoredVectors, map_in_order
from cache.upkeep.compaction import KEEP_S, compact, maybe_compact
from cache.vector_reader import VectorReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from cache.upkeep.compaction import Share

__all__ = ["FOLDER", "EmbeddingStore"]

FOLDER = "embeddings"


class EmbeddingStore:
    """The cached embeddings of one encoder: one Lance dataset under `root`.

    Nothing is on disk before the first `put`. Every method opens the newest version anew, so
    an object may be kept, pickled and used beside other processes that write.

    Parameters
    ----------
    root : str or Path
        The cache: a local folder or an object-store URI.
    encoder : str
        Name of the encoder.
    fingerprint : str
        Its fingerprint, 16 lowercase hex characters, see `encoder_fingerprint`.
    dim : int
        Numbers a frame embedding has, positive.

    Raises
    ------
    ValueError
        If the encoder has no name, the fingerprint is no fingerprint or `dim` is below 1.
    """

    def __init__(self, root: str | Path, *, encoder: str, fingerprint: str, dim: int) -> None:
        if not encoder:
            raise ValueError("encoder is ''; it must be a name")
        if not is_fingerprint(fingerprint):
            raise ValueError(f"fingerprint is {fingerprint!r}; it must be 16 hex characters")
        if dim < 1:
            raise ValueError(f"dim is {dim}; it must be at least 1")
        self.encoder = encoder
        self.fingerprint = fingerprint
        self.dim = int(dim)
        self._dim_vector: int | None = None  # numbers in a song vector, once that is known
        # Names such as hub:https://... hold what no file name may; the fingerprint tells
        # apart those that look the same afterwards. 100: file systems allow 255 in all.
        plain = re.sub(r"[^a-z0-9]", "-", encoder.lower())[:100]
        self._dataset = Dataset(join(root, FOLDER, f"{plain}-{fingerprint}.lance"), self.identity)

    @property
    def identity(self) -> dict[str, str]:
        """What the dataset's metadata says of it."""
        return {
            "kind": "embeddings",
            "encoder": self.encoder,
            "fingerprint": self.fingerprint,
            "dim": str(self.dim),
        }

    @property
    def uri(self) -> str:
        """Where the dataset is: an absolute path or a URI."""
        return self._dataset.uri

    def put(self, entries: Sequence[Entry]) -> None:
        """Add entries in one commit.

        Putting an entry that is there already does no harm: readers take the first of a
        (digest, n_windows), and compaction drops the others.

        Parameters
        ----------
        entries : sequence of Entry
            May be empty; then nothing happens.

        Raises
        ------
        StoreFormatError
            If an entry's dim is not the store's, vectors differ in length, or the dataset on
            disk is of another format.
        CacheError
            If it cannot be written: disk full, read-only, no permission.
        """
        if entries:
            self._dataset.append(self._table(entries))

    def stage(self, entries: Sequence[Entry]) -> list[Any]:
        """Write entries that no reader sees yet: the first half of `put`.

        Parameters
        ----------
        entries : sequence of Entry
            May be empty.

        Returns
        -------
        list of lance.FragmentMetadata
            For `commit_staged`, in this process or another.

        Raises
        ------
        StoreFormatError, CacheError
            As `put`.
        """
        return self._dataset.stage(self._table(entries)) if entries else []

    def commit_staged(self, fragments: Sequence[Any]) -> None:
        """Add what was staged, by any number of processes, in one commit.

        Raises
        ------
        CacheError
            If it cannot be written.
        """
        if fragments:
            self._dataset.commit_staged(list(fragments))

    def _table(self, entries: Sequence[Entry]) -> pa.Table:
        if self._dim_vector is None:  # else it is known, and stays as it is
            found = self._dataset.open()
            if found is not None:
                self._dim_vector = found.schema.field("vector").type.list_size
        check_shapes(entries, encoder=self.encoder, dim=self.dim, dim_vector=self._dim_vector)
        return entry_table(entries)

    def reader(self, digests: Sequence[str] | pa.Array | None = None) -> VectorReader:
        """Open the song vectors of the newest version.

        What is held comes in columns, and the vectors in blocks.

        Parameters
        ----------
        digests : sequence of str or pyarrow.StringArray, optional
            Only these recordings, which of a large library is faster; default: all.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return self._reader(self._dataset.open(), digests)

    def _reader(self, found: Any | None, digests: Sequence[str] | pa.Array | None) -> VectorReader:
        wanted = None if digests is None else text_array(digests)
        stored = StoredVectors(found, self.uri, dim_vector=2 * self.dim, wanted=wanted)
        return VectorReader([stored])

    def held(self, digests: Sequence[str] | None = None) -> dict[str, int]:
        """Which recordings are here, and how well each is covered.

        Parameters
        ----------
        digests : sequence of str, optional
            Ask about these only, which spares a large library's names; default: all.

        Returns
        -------
        dict of str to int
            Digest to the best `n_windows` held: 0 (whole) beats all, else the larger. In no
            order.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        found = self._dataset.open()
        if found is None:  # spares the import of Arrow
            return {}
        return self._reader(found, digests).held(digests)

    @property
    def dataset(self) -> Dataset:
        """The Lance dataset."""
        return self._dataset

    def held_digests(self) -> HeldDigests:
        """Which recordings are here, and how well each is covered, in columns.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        found = self._dataset.open()
        with lance_errors("read", self.uri):
            return HeldDigests.read(found)

    def count(self) -> int:
        """Count the recordings held.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return len(self.reader())

    def get(self, digest: str) -> Entry | None:
        """Read one recording's entry of best coverage.

        Parameters
        ----------
        digest : str
            32 lowercase hex characters.

        Returns
        -------
        Entry or None
            None if it is not held.

        Raises
        ------
        ValueError
            If `digest` is no digest.
        DamagedEntry
            If the row does not match its checksums.
        CacheError
            If the dataset cannot be read.
        """
        if not is_digest(digest):
            raise ValueError(f"digest is {digest!r}; it must be 32 lowercase hex characters")
        found = self._dataset.open()
        if found is None:
            return None
        with lance_errors("read", self.uri):
            rows = found.to_table(filter=f"digest = '{digest}'", scan_in_order=True)
            if rows.num_rows == 0:
                check_keys(found, found.to_table(columns=list(KEYS), scan_in_order=True))
                return None
            best = int(best_last(rows["n_windows"].to_numpy())[-1])
            entry = entry_at(rows, best, self.dim)
        if entry is None:
            raise damaged_entries(self.uri, [digest])
        return entry

    def entries(self, digests: Sequence[str]) -> dict[str, Entry]:
        """Read the entries of some recordings at once, each of best coverage.

        Parameters
        ----------
        digests : sequence of str
            Those not held are left out, and so are damaged ones: what this is for can be made
            anew, and then is.

        Returns
        -------
        dict of str to Entry

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        found = self._dataset.open()
        if found is None or not len(digests):
            return {}
        with lance_errors("read", self.uri):
            keys = Keys.read(found, text_array(digests))
            rows = found.take(keys.rows.tolist())
            entries = [entry_at(rows, at, self.dim) for at in range(rows.num_rows)]
        return {entry.digest: entry for entry in entries if entry is not None}

    def matrix(self, digests: Sequence[str] | None = None) -> tuple[list[str], NDArray[np.float32]]:
        """Read song vectors, each of its recording's best coverage.

        Parameters
        ----------
        digests : sequence of str, optional
            Which, in which order; those not held are left out. All, sorted, if not given.

        Returns
        -------
        held : list of str
            The digest of each row.
        vectors : ndarray, shape (n, dim_vector), float32
            Song vectors. (0, 2 * dim) where nothing has ever been put.

        Raises
        ------
        DamagedEntry
            If a vector does not match its checksum; the message names the digests.
        CacheError
            If the dataset cannot be read.
        """
        reader = self.reader(digests)
        if digests is None:
            return reader.vectors_of(sorted(reader.held()))
        return reader.vectors_of(digests)

    def verify(self) -> list[str]:
        """Read everything and compare it with its checksums.

        Returns
        -------
        list of str
            Digests of which a row is damaged, sorted; pass them to `discard`.

        Raises
        ------
        CacheError
            If a file is so damaged that it cannot be read.
        """
        found = self._dataset.open()
        if found is None:
            return []
        damaged: set[str] = set()
        with lance_errors("read", self.uri):
            for fragment in found.get_fragments():
                damaged.update(damaged_in(fragment, self.dim))
        return sorted(damaged)

    def discard(self, digests: Sequence[str]) -> int:
        """Drop every row of some recordings, as after `verify`.

        Parameters
        ----------
        digests : sequence of str
            Which; those not held are ignored. Damaged ones need not look like digests.

        Returns
        -------
        int
            Rows dropped.

        Raises
        ------
        CacheError
            If it cannot be written, or another process compacts at this moment.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        with writing(self.uri):  # a repair numbers rows anew
            found = self._dataset.open()
            if found is None or not digests:
                return 0
            with lance_errors("read", self.uri):
                stored = found.to_table(columns=["digest"], with_row_id=True, scan_in_order=True)
                is_one = pc.is_in(stored["digest"], pa.array(digests, pa.string()))
                dropped = stored["_rowid"].to_numpy()[is_one]
            self._dataset.delete(dropped.tolist())
            return len(dropped)

    def compact(self, *, keep_s: float = KEEP_S, share: Share = map_in_order) -> None:
        """Merge small fragments, drop what a better entry supersedes, remove old versions.

        Safe beside processes that append, read or compact.

        Parameters
        ----------
        keep_s : float
            Age in seconds up to which old versions stay for those who still read them. 0
            frees the most room; a `put` elsewhere at that moment may then fail (with an
            error, never silently).
        share : callable
            As for `cache.upkeep.compaction.compact`.

        Raises
        ------
        CacheError
            If it cannot be read or written.
        """
        compact(self._dataset, superseded, keep_s=keep_s, share=share)

    def maybe_compact(self, *, share: Share = map_in_order) -> None:
        """Compact if there are more than 32 small fragments; remove old versions in any case.

        Cheap where there is nothing to do; call it at the end of a run that has put something.

        Raises
        ------
        CacheError
            If it cannot be read or written.
        """
        maybe_compact(self._dataset, superseded, share=share)

    def n_bytes(self) -> int:
        """Count its bytes, old versions included."""
        return self._dataset.n_bytes()
