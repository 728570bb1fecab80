"""What is known of each file: its digest, tags and length, or why it cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cache.catalog_files import CatalogFiles
from cache.errors import lance_errors
from cache.file_record import FileRecord, recording_table
from cache.join.catalog_rows import rows_of_files, superseded_files
from cache.lance_dataset import Dataset
from cache.root import join
from cache.stored_vectors import map_in_order
from cache.upkeep.compaction import KEEP_S, compact, maybe_compact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from cache.upkeep.compaction import Share

__all__ = ["CATALOG", "Catalog"]

CATALOG = "catalog.lance"


class Catalog:
    """The files seen so far: an append-only log in one Lance dataset under `root`.

    The latest row of a path counts; compaction drops the others. Nothing is on disk before
    the first `put`.

    Parameters
    ----------
    root : str or Path
        The cache: a local folder or an object-store URI.
    """

    def __init__(self, root: str | Path) -> None:
        self._dataset = Dataset(join(root, CATALOG), {"kind": "catalog"}, check_data=True)

    @property
    def uri(self) -> str:
        """Where the dataset is: an absolute path or a URI."""
        return self._dataset.uri

    @property
    def dataset(self) -> Dataset:
        """The Lance dataset."""
        return self._dataset

    def files(self, paths: Sequence[str] | None = None) -> CatalogFiles:
        """Open the newest version: paths and digests in columns, the rest for those asked for.

        Parameters
        ----------
        paths : sequence of str, optional
            Absolute paths; those not known are left out. All, if not given.

        Returns
        -------
        CatalogFiles
            The latest row of each path; of `paths`, in that order, each once, else in the order in
            which they came.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return CatalogFiles(self._dataset.open(), self.uri, paths)

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read columns of all rows of files, in the order in which they came, some at a time.

        A later row of a path takes the place of an earlier one.

        Parameters
        ----------
        columns : sequence of str

        Yields
        ------
        pyarrow.Table
            Some 65,536 rows, each column in one piece.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        found = self._dataset.open()
        if found is None:
            return
        with lance_errors("read", self.uri):
            yield from rows_of_files(found, columns)

    def load(self) -> dict[str, FileRecord]:
        """Read everything.

        Returns
        -------
        dict of str to FileRecord
            The latest row of each path.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        found = self._dataset.open()
        if found is None:  # spares the import of Arrow
            return {}
        return {r.path: r for r in CatalogFiles(found, self.uri).recordings()}

    def lookup(self, paths: Sequence[str]) -> dict[str, FileRecord]:
        """Read what is known of some files, for far less than `load` where they are few.

        Parameters
        ----------
        paths : sequence of str
            Absolute paths.

        Returns
        -------
        dict of str to FileRecord
            The latest row of each path that is known, in the order asked for.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return {r.path: r for r in self.files(paths).recordings()} if paths else {}

    def files_with(self, digests: Iterable[str]) -> CatalogFiles:
        """Open the files of some recordings, in the order in which they came.

        Of all others nothing stays in memory.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return CatalogFiles.of_recordings(self._dataset.open(), self.uri, digests)

    def files_of(self, digests: Iterable[str]) -> list[FileRecord]:
        """Read the rows of all files of some recordings, in the order in which they came.

        Raises
        ------
        CacheError
            If the dataset cannot be read.
        """
        return self.files_with(digests).recordings()

    def put(self, recordings: Sequence[FileRecord]) -> None:
        """Add rows in one commit; they replace earlier ones of the same paths.

        Text that is not valid Unicode (tags, reasons) is kept with ``?`` in its place; paths
        are kept exactly.

        Parameters
        ----------
        recordings : sequence of FileRecord
            May be empty; then nothing happens.

        Raises
        ------
        StoreFormatError
            If the dataset on disk is of another format.
        CacheError
            If it cannot be written: disk full, read-only, no permission.
        """
        if recordings:
            self._dataset.append(recording_table(recordings))

    def stage(self, recordings: Sequence[FileRecord]) -> list[Any]:
        """Write rows that no reader sees yet: the first half of `put`; see `EmbeddingStore.stage`.

        Raises
        ------
        StoreFormatError, CacheError
            As `put`.
        """
        return self._dataset.stage(recording_table(recordings)) if recordings else []

    def commit_staged(self, fragments: Sequence[Any]) -> None:
        """Add what was staged, by any number of processes, in one commit, in that order.

        Raises
        ------
        CacheError
            If it cannot be written.
        """
        if fragments:
            self._dataset.commit_staged(list(fragments))

    def compact(self, *, keep_s: float = KEEP_S, share: Share = map_in_order) -> None:
        """Drop superseded rows, merge small fragments, remove old versions.

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
        compact(self._dataset, superseded_files, keep_s=keep_s, share=share)

    def maybe_compact(self, *, share: Share = map_in_order) -> None:
        """Compact if there are more than 32 small fragments; remove old versions in any case.

        Cheap where there is nothing to do; call it at the end of a run that has put something.

        Raises
        ------
        CacheError
            If it cannot be read or written.
        """
        maybe_compact(self._dataset, superseded_files, share=share)

    def n_bytes(self) -> int:
        """Count its bytes, old versions included."""
        return self._dataset.n_bytes()
