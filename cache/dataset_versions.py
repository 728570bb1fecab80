"""The versions of one Lance dataset: open the newest, and see that it is what was committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.errors import CacheError, DamagedStore, damaged_store, lance_errors
from cache.identity import check_identity, read_identity
from cache.object_store.environment import store_options
from cache.root import is_uri
from cache.seals.seal_file import Seal, SealedVersion, newest_sealed
from cache.seals.sealed_files import check_seal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

__all__ = ["DatasetVersions", "import_lance"]

_ATTEMPTS = 3
# What an open dataset keeps of the files and versions that it has read; else each of 10,000
# fragments adds 30 kB, and each commit at so many 4 MB, up to a gigabyte.
_KEPT_BYTES = 64 << 20


def import_lance() -> ModuleType:
    """Import Lance (0.4 s) only when a dataset is really touched."""
    # Lance's own log goes to stderr and reports as warnings what we handle, such as conflicts.
    os.environ.setdefault("LANCE_LOG", "error")
    import lance

    return lance  # type: ignore[no-any-return]


class DatasetVersions:
    """What opens one Lance dataset; `Dataset` adds to it.

    Parameters
    ----------
    uri, identity, check_data
        See `Dataset`.
    """

    def __init__(self, uri: str, identity: Mapping[str, str], *, check_data: bool = False) -> None:
        self.uri = uri
        self._identity = dict(identity)
        self._check_data = check_data
        self._seen = False
        self._is_current = False
        self._known: SealedVersion | None = None

    def __getstate__(self) -> dict[str, Any]:
        # another process opens the dataset itself
        return vars(self) | {"_known": None}

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
        found, _ = self._open(None, metadata_cache_size_bytes=_KEPT_BYTES)
        return found

    def _open_to_add(self) -> Any | None:
        """Open the newest version as `open` does, but compare only what is new with its seal.

        New is what was not there when this object opened or committed a version last. See
        `cache.seals`.
        """
        known = self._known
        found, seal = self._open(known, metadata_cache_size_bytes=_KEPT_BYTES)
        if found is None or seal is None:
            self._known = None
        elif known is None or known.found is not found:
            self._known = SealedVersion(found=found, seal=seal)
        return found

    def _open(self, known: SealedVersion | None, **options: int) -> tuple[Any | None, Seal | None]:
        """Open the newest version; its seal goes with it where it is of that very version."""
        with lance_errors("open", self.uri):
            for _ in range(_ATTEMPTS):
                # before opening: what is sealed later does not count
                sealed = newest_sealed(self.uri)
                try:
                    is_newest = known is not None and known.is_newest(sealed)
                    found = known.found if known and is_newest else self._newest(**options)
                    return found, self._checked(found, sealed, known)
                except DamagedStore:
                    # Else another process has compacted and pruned meanwhile, or made it anew.
                    if known is None and newest_sealed(self.uri) == sealed:
                        raise
                    known = None
        raise CacheError(
            f"cannot open the cache at {self.uri}: other processes kept changing it; run again"
        )

    def _checked(self, found: Any | None, sealed: int, known: SealedVersion | None) -> Seal | None:
        if found is None:
            if sealed:
                raise damaged_store(self.uri, f"no version is left of the {sealed} that there were")
            return None
        seal = check_seal(found, sealed, whole=self._check_data, known=known)
        check_identity(self.uri, read_identity(found), self._identity)
        self._seen = True
        return seal

    def _newest(self, **options: int) -> Any | None:
        # Saves the import of Lance where there is nothing to read.
        if not is_uri(self.uri) and not Path(self.uri, "_versions").is_dir():
            return None
        try:
            return import_lance().dataset(self.uri, storage_options=self._options, **options)
        except (ValueError, FileNotFoundError) as error:
            # A writer killed before its first commit leaves a folder without a version.
            if "was not found" in str(error):
                return None
            raise

    @property
    def _options(self) -> dict[str, str] | None:
        """What Lance is told of the object store, the same as `Bucket` is."""
        return store_options(self.uri) or None

    def n_rows(self) -> int:
        """Count the rows of the newest version, also those that do not count any more; fast.

        Raises
        ------
        CacheError
            If it cannot be read.
        """
        found = self.newest_unchecked()
        return 0 if found is None else int(found.count_rows())

    def newest_unchecked(self) -> Any | None:
        """Open the newest version whatever its seal says; None where there is none.

        Raises
        ------
        CacheError
            If it cannot be read.
        """
        with lance_errors("open", self.uri):
            return self._newest()
