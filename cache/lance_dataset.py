"""One Lance dataset: append to it, commit what was staged, delete rows.

The only module that has Lance write, and so the one that knows its traps.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.dataset_files import dataset_files
from cache.dataset_versions import DatasetVersions, import_lance
from cache.durable import lasting
from cache.errors import CacheError, is_conflict, lance_errors
from cache.identity import is_older, new_marks, read_identity
from cache.locks import replacing, writing
from cache.object_store.conditional_writes import require_conditional_writes
from cache.object_store.environment import store_options
from cache.root import is_uri
from cache.seals.sealing import seal_added, write_seal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Dataset", "open_data_file"]

_ATTEMPTS = 3
_ROWS_PER_DELETE = 5000  # the row numbers go into one SQL text


class Dataset(DatasetVersions):
    """One Lance dataset whose schema metadata says what it is.

    Parameters
    ----------
    uri : str
        Absolute local path, or URI.
    identity : mapping of str to str
        What the metadata must say, beside the format version: kind, encoder, ...
    check_data : bool
        Whether to compare the data with their seal whenever it is opened; for one whose rows have
        no checksums of their own.
    """

    def require_writable(self) -> None:
        """Refuse an object store that would lose commits; a folder says itself what is wrong."""
        if is_uri(self.uri):
            require_conditional_writes(self.uri)

    def seal(self) -> None:
        """Seal the newest version.

        Raises
        ------
        OSError
            If it can't be written.
        """
        found = self._newest()
        if found is not None:
            write_seal(found)

    def append(self, table: pa.Table) -> None:
        """Add rows in one commit, creating the dataset where there is none.

        Lance rebases appends on one another and on compactions, so any number of processes
        may append at once. A dataset of an earlier format is first given the new one.

        Parameters
        ----------
        table : pyarrow.Table
            The rows; their schema is that of our format.

        Raises
        ------
        StoreFormatError
            If the dataset is of another format or identity.
        CacheError
            If it cannot be written: disk full, read-only, no permission.
        """
        self._bring_up_to_date(table.schema)
        with writing(self.uri):
            found = self._begun(table.schema)
            self._commit(found, self._write(found, table))

    def stage(self, table: pa.Table) -> list[Any]:
        """Write rows that no version names yet: the first half of `append`.

        Parameters
        ----------
        table : pyarrow.Table
            As for `append`.

        Returns
        -------
        list of lance.FragmentMetadata
            For `commit_staged`, here or in another process. What is never committed is removed
            by a compaction, a week later.

        Raises
        ------
        StoreFormatError, CacheError
            As `append`.
        """
        self._bring_up_to_date(table.schema)
        return self._write(self._begun(table.schema), table)

    def commit_staged(self, fragments: list[Any]) -> None:
        """Add rows that were staged, by any number of processes, in one commit.

        Raises
        ------
        CacheError
            If it cannot be written, or the dataset has gone.
        """
        with writing(self.uri):
            found = self._open_to_add()
            if found is None:
                raise self._gone()
            self._commit(found, fragments)

    def _bring_up_to_date(self, schema: pa.Schema) -> None:
        """Give a dataset of an earlier format the columns and the marks of ours, in one commit.

        No row is rewritten: Lance reads null where a file lacks a column. A kill leaves the one
        format or the other, both of which are read.
        """
        attempts = iter(range(_ATTEMPTS))
        while not self._is_current:
            found = self._open_to_add()
            if found is None or not is_older(read_identity(found)):
                self._is_current = True
                return
            try:
                # alone: an older program may be about to append rows of its own columns
                with replacing(self.uri), lance_errors("write", self.uri):
                    self._raise_format(schema)
            except CacheError as error:
                conflict = error.__cause__ is not None and is_conflict(error.__cause__)
                if not conflict or next(attempts, None) is None:
                    raise

    def _raise_format(self, schema: pa.Schema) -> None:
        found = self.open()
        if found is None or not is_older(read_identity(found)):
            return  # another process has done it meanwhile
        wanted = found.schema
        for field in schema:
            wanted = wanted if field.name in wanted.names else wanted.append(field)
        from lance.schema import LanceSchema

        lance = import_lance()
        operation = lance.LanceOperation.Merge(
            [fragment.metadata for fragment in found.get_fragments()],
            # numbers the fields by their order, as those that are there were
            LanceSchema.from_pyarrow(wanted.with_metadata(new_marks(self._identity))),
        )
        with self.lasting():
            lance.LanceDataset.commit(found, operation, read_version=found.version)
        self.seal()

    def _begun(self, schema: pa.Schema) -> Any:
        """Open the newest version; begin the dataset where there is none."""
        found = self._open_to_add()
        if found is None and self._seen:
            # Else a new cache would be begun at the place where a drive was mounted.
            raise self._gone()
        self.require_writable()
        return self._create(schema) if found is None else found  # an empty dataset is false

    def _gone(self) -> CacheError:
        return CacheError(
            f"the cache at {self.uri} has gone since this run began (unmounted, moved or "
            "deleted?); bring it back and run again: what was committed is in it"
        )

    # Two steps, so that no version ever names data that a power cut can still take away.

    def _write(self, found: Any, table: pa.Table) -> list[Any]:
        with lance_errors("write", self.uri), self.lasting():
            fragments = import_lance().fragment.write_fragments(table, found, mode="append")
        return list(fragments)

    def _commit(self, found: Any, fragments: list[Any]) -> None:
        known = self._known
        with lance_errors("write", self.uri):
            with self.lasting(but="data"):
                lance = import_lance()
                appended = lance.LanceOperation.Append(fragments)
                made = lance.LanceDataset.commit(found, appended, read_version=found.version)
            follows = made.version == found.version + 1  # else others have committed meanwhile
            if follows and known is not None and known.found is found:
                self._known = seal_added(known, made)
            else:
                write_seal(made)

    def _make_empty(self, schema: pa.Schema) -> None:
        """Commit an empty dataset as the first version, or fail where there is one.

        Not write_dataset(mode="create"): of two processes that create at once, the later overwrites
        what the earlier has appended since (seen with Lance 14.0.2). A commit of an empty dataset
        that is never retried lets exactly one of them win.
        """
        lance = import_lance()
        with self.lasting():
            lance.LanceDataset.commit(
                self.uri,
                lance.LanceOperation.Overwrite(schema.with_metadata(new_marks(self._identity)), []),
                read_version=0,
                max_retries=0,
                storage_options=self._options,
            )

    def _create(self, schema: pa.Schema) -> Any:
        with lance_errors("create", self.uri):
            if not is_uri(self.uri):
                Path(self.uri).mkdir(parents=True, exist_ok=True)
            try:
                self._make_empty(schema)
            except (OSError, ValueError) as error:
                lost = ("already exists", "was not found")
                if not is_conflict(error) and not any(s in str(error) for s in lost):
                    raise
        found = self.open()
        if found is None:
            raise CacheError(
                f"cannot create the cache at {self.uri}: another process removed it; run again"
            )
        with lance_errors("write", self.uri):
            write_seal(found)
        return found

    # For a repair, which begins with what no reader may take.

    def create_unchecked(self, schema: pa.Schema) -> Any:
        """Make an empty dataset where no version is left, and open it."""
        with lance_errors("create", self.uri):
            self._make_empty(schema)
        return self.newest_unchecked()

    def write_for(self, found: Any, table: pa.Table) -> list[Any]:
        """Write rows that no version names yet, as `stage` does."""
        return self._write(found, table)

    def replace_unchecked(self, found: Any, removed: list[int], fragments: list[Any]) -> int:
        """Put what was written in the place of some fragments, by their numbers, in one commit.

        Return the version. What is appended meanwhile stays; where those fragments are deleted from
        or compacted meanwhile, it raises a conflict, see `is_conflict`.
        """
        lance = import_lance()
        with lance_errors("write", self.uri):
            replaced = lance.LanceOperation.Update(
                removed_fragment_ids=removed, new_fragments=fragments
            )
            made = lance.LanceDataset.commit(found, replaced, read_version=found.version)
            write_seal(made, anew=True)
        return int(made.version)

    def delete(self, rows: list[int]) -> None:
        """Drop rows by their `_rowid`, in the newest version.

        Raises
        ------
        CacheError
            If it cannot be written, or another process changed those rows meanwhile.
        """
        self.require_writable()
        for start in range(0, len(rows), _ROWS_PER_DELETE):
            found = self.open()
            if found is None:
                return
            some = ",".join(map(str, rows[start : start + _ROWS_PER_DELETE]))
            with lance_errors("write", self.uri), self.lasting():
                # A row that was moved since its number was read is spared, as Lance gives no
                # fragment's number twice; on a conflict the caller reads the numbers anew.
                found.delete(f"_rowid in ({some})", conflict_retries=0)
                self.seal()

    def lasting(self, *, but: str = "") -> AbstractContextManager[None]:
        """Have what Lance writes meanwhile outlast a power cut; see `cache.lasting`.

        Lance never syncs (seen with 14.0.2).
        """
        return nullcontext() if is_uri(self.uri) else lasting(self.uri, but=but)

    def n_bytes(self) -> int:
        """Sum the sizes of its files in bytes."""
        return dataset_files(self.uri).n_bytes()


def open_data_file(uri: str, name: str, columns: list[str] | None = None) -> Any:
    """Open one data file of a dataset by itself, past the manifest that names it."""
    from lance.file import LanceFileReader

    return LanceFileReader(
        f"{uri}/{name}", columns=columns, storage_options=store_options(uri) or None
    )
