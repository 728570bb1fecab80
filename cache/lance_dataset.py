"""One Lance dataset: open it, check whose it is, append to it, compact it.

The only module that calls Lance, and so the only one that knows its traps.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.durable import lasting
from cache.errors import CacheError, DamagedStore, damaged_store, is_conflict, lance_errors
from cache.identity import check_identity, is_older, new_marks, read_identity
from cache.locks import replacing, writing
from cache.root import is_uri
from cache.seal import check_seal, drop_seals, newest_sealed, write_seal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    import pyarrow as pa

__all__ = ["KEEP_S", "SMALL_FRAGMENTS", "Dataset", "open_data_file"]

SMALL_FRAGMENTS = 32
# A fragment of this many rows is never rewritten for being small, so a growing store costs
# linear, not quadratic, work: 32 commits of 64 songs make one.
TARGET_ROWS = 2048
# Readers open the dataset anew for each call; one that takes longer than this is not expected.
KEEP_S = 600.0
_ATTEMPTS = 3
_ROWS_PER_DELETE = 5000  # the row numbers go into one SQL text


def _lance() -> ModuleType:
    """Import Lance (0.4 s) only when a dataset is really touched."""
    # Lance's own log goes to stderr and reports as warnings what we handle, such as conflicts.
    os.environ.setdefault("LANCE_LOG", "error")
    import lance

    return lance  # type: ignore[no-any-return]


class Dataset:
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

    def __init__(self, uri: str, identity: Mapping[str, str], *, check_data: bool = False) -> None:
        self.uri = uri
        self._identity = dict(identity)
        self._check_data = check_data
        self._seen = False
        self._is_current = False

    def open(self) -> Any | None:
        """Open the newest version.

        Returns
        -------
        lance.LanceDataset or None
            None where nothing has been put yet.

        Raises
        ------
        StoreFormatError
            If a newer program wrote it, or it is of another identity.
        DamagedStore
            If it is not what its seal says.
        CacheError
            If it cannot be read.
        """
        with lance_errors("open", self.uri):
            for _ in range(_ATTEMPTS):
                # before opening: what is sealed later does not count
                sealed = newest_sealed(self.uri)
                try:
                    return self._checked(self._newest(), sealed)
                except DamagedStore:
                    # Else another process has compacted and pruned meanwhile.
                    if newest_sealed(self.uri) == sealed:
                        raise
        raise CacheError(
            f"cannot open the cache at {self.uri}: other processes kept changing it; run again"
        )

    def _checked(self, found: Any | None, sealed: int) -> Any | None:
        if found is None:
            if sealed:
                raise damaged_store(self.uri, f"no version is left of the {sealed} that there were")
            return None
        check_seal(found, sealed, whole=self._check_data)
        check_identity(self.uri, read_identity(found), self._identity)
        self._seen = True
        return found

    def _newest(self) -> Any | None:
        # Saves the import of Lance where there is nothing to read.
        if not is_uri(self.uri) and not Path(self.uri, "_versions").is_dir():
            return None
        try:
            return _lance().dataset(self.uri)
        except (ValueError, FileNotFoundError) as error:
            # A writer killed before its first commit leaves a folder without a version.
            if "was not found" in str(error):
                return None
            raise

    def _seal(self) -> None:
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
            self._append(table)

    def _bring_up_to_date(self, schema: pa.Schema) -> None:
        """Give a dataset of an earlier format the columns and the marks of ours, in one commit.

        No row is rewritten: Lance reads null where a file lacks a column. A kill leaves the one
        format or the other, both of which are read.
        """
        attempts = iter(range(_ATTEMPTS))
        while not self._is_current:
            found = self.open()
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

        operation = _lance().LanceOperation.Merge(
            [fragment.metadata for fragment in found.get_fragments()],
            # numbers the fields by their order, as those that are there were
            LanceSchema.from_pyarrow(wanted.with_metadata(new_marks(self._identity))),
        )
        with self._lasting():
            _lance().LanceDataset.commit(found, operation, read_version=found.version)
        self._seal()

    def _append(self, table: pa.Table) -> None:
        found = self.open()
        if found is None and self._seen:
            # Else a new cache would be begun at the place where a drive was mounted.
            raise CacheError(
                f"the cache at {self.uri} has gone since this run began (unmounted, moved or "
                "deleted?); bring it back and run again: what was committed is in it"
            )
        if found is None:  # not `or`: an empty dataset is false
            found = self._create(table.schema)
        lance = _lance()
        # In two steps, so that no version ever names data that a power cut can still take away.
        with lance_errors("write", self.uri):
            with self._lasting():
                fragments = lance.fragment.write_fragments(table, found, mode="append")
            with self._lasting():
                appended = lance.LanceOperation.Append(fragments)
                lance.LanceDataset.commit(found, appended, read_version=found.version)
            self._seal()

    def _create(self, schema: pa.Schema) -> Any:
        lance = _lance()
        with lance_errors("create", self.uri):
            if not is_uri(self.uri):
                Path(self.uri).mkdir(parents=True, exist_ok=True)
            # Not write_dataset(mode="create"): of two processes that create at once, the later
            # overwrites what the earlier has appended since (seen with Lance 14.0.2). A commit
            # of an empty dataset that is never retried lets exactly one of them win.
            try:
                with self._lasting():
                    lance.LanceDataset.commit(
                        self.uri,
                        lance.LanceOperation.Overwrite(
                            schema.with_metadata(new_marks(self._identity)), []
                        ),
                        read_version=0,
                        max_retries=0,
                    )
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

    def delete(self, rows: list[int]) -> None:
        """Drop rows by their `_rowid`, in the newest version.

        Raises
        ------
        CacheError
            If it cannot be written, or another process changed those rows meanwhile.
        """
        for start in range(0, len(rows), _ROWS_PER_DELETE):
            found = self.open()
            if found is None:
                return
            some = ",".join(map(str, rows[start : start + _ROWS_PER_DELETE]))
            with lance_errors("write", self.uri), self._lasting():
                # A row that was moved since its number was read is spared, as Lance gives no
                # fragment's number twice; on a conflict the caller reads the numbers anew.
                found.delete(f"_rowid in ({some})", conflict_retries=0)
                self._seal()

    def compact(self, stale_rows: Callable[[Any], list[int]], *, keep_s: float) -> None:
        """Drop stale rows, merge small fragments and remove old versions.

        Appends and readers may go on meanwhile. Where another process compacts at the same
        time, its work is left to stand.

        Parameters
        ----------
        stale_rows : callable
            Given the open dataset, the `_rowid` of the rows to drop.
        keep_s : float
            Age in seconds up to which old versions stay, for those who still read them.

        Raises
        ------
        CacheError
            If it cannot be read or written.
        """
        for _ in range(_ATTEMPTS):
            try:
                with writing(self.uri):
                    found = self.open()
                    if found is not None:
                        with lance_errors("read", self.uri):
                            stale = stale_rows(found)
                        self._compact_once(stale)
            except CacheError as error:
                if error.__cause__ is None or not is_conflict(error.__cause__):
                    raise
            else:
                self._prune(keep_s)
                return

    def _compact_once(self, stale_rows: list[int]) -> None:
        self.delete(stale_rows)
        found = self.open()
        if found is not None:
            with lance_errors("compact", self.uri), self._lasting():
                found.optimize.compact_files(target_rows_per_fragment=TARGET_ROWS)
                self._seal()

    def maybe_compact(self, stale_rows: Callable[[Any], list[int]]) -> None:
        """Compact if there are more than 32 small fragments; remove old versions in any case.

        Raises
        ------
        CacheError
            If it cannot be read or written.
        """
        found = self.open()
        if found is None:
            return
        with lance_errors("read", self.uri):
            n_small = sum(f.count_rows() < TARGET_ROWS for f in found.get_fragments())
        if n_small > SMALL_FRAGMENTS:
            self.compact(stale_rows, keep_s=KEEP_S)
        else:
            # What the last compaction replaced had to stay for its readers; it goes now.
            self._prune(KEEP_S)

    def _lasting(self) -> AbstractContextManager[None]:
        """Have what Lance writes meanwhile outlast a power cut.

        Lance never syncs (seen with 14.0.2).
        """
        return nullcontext() if is_uri(self.uri) else lasting(self.uri)

    def _prune(self, keep_s: float) -> None:
        found = self.open()
        if found is None:
            return
        with lance_errors("prune", self.uri), writing(self.uri):
            # Lance itself spares files of the last seven days that no version names yet: they
            # may belong to a commit that is under way elsewhere.
            found.cleanup_old_versions(older_than=timedelta(seconds=keep_s))
            if not is_uri(self.uri):
                drop_seals(self.uri)

    def n_bytes(self) -> int:
        """Sum the sizes of its files in bytes; 0 for a URI."""
        if is_uri(self.uri):
            return 0
        total = 0
        for folder, _, names in os.walk(self.uri):
            for name in names:
                try:
                    total += Path(folder, name).stat().st_size
                except OSError:  # another process has just pruned it
                    continue
        return total


def open_data_file(path: Path, columns: list[str] | None = None) -> Any:
    """Open one data file by itself, past the manifest that names it."""
    from lance.file import LanceFileReader

    return LanceFileReader(str(path), columns=columns)
