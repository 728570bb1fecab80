"""Mend a dataset in an object store by one commit: nothing there can be renamed or locked.

Fragments that are sound stay. The sound rows of all other data files, also of those that no version
names any more, are written anew, and one commit puts them in the place of the damaged fragments.
What other processes append meanwhile stays, as commits exclude each other; what they compact makes
the repair begin anew. A repair that is killed leaves a damaged dataset, which the next one mends.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache.errors import CacheError, DamagedStore, is_conflict, lance_errors
from cache.file_record import recording_table
from cache.lance_dataset import Dataset
from cache.object_store.bucket import Bucket
from cache.object_store.refusals import why_refused
from cache.seals.seal_file import newest_seal, read_seal, seal_name, sealed_versions
from cache.seals.sealed_files import (
    FragmentFiles,
    changed_files,
    fragments_of,
    manifest_name,
    sound_files,
)
from cache.upkeep.salvage import (
    RepairedCatalog,
    RepairedStore,
    data_files,
    refuse_newer,
    salvage_records,
    salvage_rows,
    store_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

__all__ = ["repair_catalog_in_bucket", "repair_store_in_bucket"]

_ATTEMPTS = 5


def repair_store_in_bucket(root: str | Path, uri: str) -> RepairedStore:
    """Mend the embeddings of one encoder; see `repair_store`."""
    for attempt in range(_ATTEMPTS):
        try:
            return _repaired_store(root, uri)
        except CacheError as error:
            _raise_unless_conflict(error, last=attempt == _ATTEMPTS - 1)
    raise AssertionError


def repair_catalog_in_bucket(uri: str) -> RepairedCatalog:
    """Mend the catalog; see `repair_catalog`."""
    for attempt in range(_ATTEMPTS):
        try:
            return _repaired_catalog(uri)
        except CacheError as error:
            _raise_unless_conflict(error, last=attempt == _ATTEMPTS - 1)
    raise AssertionError


def _raise_unless_conflict(error: CacheError, *, last: bool) -> None:
    if last or error.__cause__ is None or not is_conflict(error.__cause__):
        raise error


@dataclass(frozen=True, kw_only=True)
class _Damaged:
    """A dataset as its repair finds it.

    Attributes
    ----------
    uri : str
    files : list of str
        All data files that there are.
    sealed : list of int
        The versions that have a seal.
    aside : str
        Where to keep what can't be read.
    """

    uri: str
    files: list[str]
    sealed: list[int]
    aside: str

    @classmethod
    def look_at(cls, uri: str) -> _Damaged:
        files = data_files(uri)
        refuse_newer(uri, files)
        folder, _, name = uri.rpartition("/")
        there, number = set(Bucket(folder).folders()), 1
        while f"{name}.damaged-{number}" in there:
            number += 1
        return cls(
            uri=uri,
            files=files,
            sealed=sealed_versions(uri),
            aside=f"{uri}.damaged-{number}",
        )

    def keep(self, names: Sequence[str]) -> str | None:
        """Copy files that can't be read; return where they are, None for none."""
        for name in names:
            Bucket(self.uri).copy(name, f"{self.aside}/{name}")
        return self.aside if names else None

    def keep_all(self) -> str:
        """Set everything aside: nothing of it could be read."""
        bucket = Bucket(self.uri)
        # seals last, so that a repair that is killed leaves a dataset that says it is damaged
        names = sorted((one.name for one in bucket.objects()), key=lambda n: n.startswith("_seals"))
        self.keep(names)
        bucket.remove(names)
        return self.aside

    def newest_trusted(self, dataset: Dataset) -> Any | None:
        """Open the newest version that can be read and is as it was sealed; None where none is.

        Newer ones are set aside.
        """
        bucket = Bucket(self.uri)
        for name in sorted(bucket.names("_versions")):  # they count down
            if not name.endswith(".manifest"):
                continue
            found = self._trusted(dataset, f"_versions/{name}")
            if found is not None:
                return found
            self.keep([f"_versions/{name}"])
            bucket.remove(f"_versions/{name}")
        return None

    def _trusted(self, dataset: Dataset, manifest: str) -> Any | None:
        try:
            found = dataset.newest_unchecked()
        except CacheError as error:
            if why_refused(str(error.__cause__)):
                raise  # the store has said no, which tells nothing of the manifest
            return None
        if found is None or manifest != manifest_name(found.version):
            return None
        with suppress(DamagedStore, FileNotFoundError):
            seal = read_seal(self.uri, found.version)
            if seal and seal.files.get(manifest) not in (
                None,
                Bucket(self.uri).size_and_crc(manifest),
            ):
                return None
        return found

    def settle(self, version: int) -> None:
        """Drop the seals of what there was before: its damaged files may still be there."""
        names = [seal_name(sealed) for sealed in self.sealed if sealed != version]
        if names:
            Bucket(self.uri).remove(names)


class _Replacement:
    """Rows that are written anew, until one commit puts them in the place of damaged ones."""

    def __init__(self, dataset: Dataset, found: Any | None) -> None:
        self._dataset, self._found = dataset, found
        self._fragments: list[Any] = []

    def put(self, table: pa.Table) -> None:
        if self._found is None:
            self._found = self._dataset.create_unchecked(table.schema)
        there = [name for name in table.column_names if name in self._found.schema.names]
        self._fragments += self._dataset.write_for(self._found, table.select(there))

    def commit(self, *, keep: Sequence[int]) -> int:
        """Put the rows in the place of all fragments but those to keep; return the version."""
        assert self._found is not None
        numbers = [fragment.number for fragment in fragments_of(self._found)]
        removed = [number for number in numbers if number not in keep]
        return self._dataset.replace_unchecked(self._found, removed, self._fragments)


def _repaired_store(root: str | Path, uri: str) -> RepairedStore:
    damaged = _Damaged.look_at(uri)
    store = store_of(root, uri, damaged.files)
    if store is None:
        return RepairedStore(store=None, n_saved=0, lost=(), unnamed=True, kept=damaged.keep_all())
    dataset = Dataset(uri, store.identity)
    found = damaged.newest_trusted(dataset)
    sound = _sound_fragments(found)
    held = _keys(found, sound)
    read = {name for fragment in sound for name in fragment.data}
    made = _Replacement(dataset, found)
    others = [name for name in damaged.files if name not in read]
    done = salvage_rows(uri, others, store.dim, made.put, but=held)
    version = made.commit(keep=[fragment.number for fragment in sound])
    kept = damaged.keep(done.unreadable)
    damaged.settle(version)
    return RepairedStore(
        store=store,
        n_saved=len(done.saved | held),
        lost=tuple(sorted(done.lost - held)),
        unnamed=done.unnamed,
        kept=kept,
    )


def _repaired_catalog(uri: str) -> RepairedCatalog:
    damaged = _Damaged.look_at(uri)
    dataset = Dataset(uri, {"kind": "catalog"})
    found = damaged.newest_trusted(dataset)
    done = salvage_records(uri, damaged.files)
    if found is None and not done.rows:
        return RepairedCatalog(
            n_saved=0, doubtful=done.doubtful, unnamed=True, kept=damaged.keep_all()
        )
    made = _Replacement(dataset, found)
    if done.rows:
        made.put(recording_table(done.latest))
    version = made.commit(keep=())  # all anew, as the order of rows decides
    kept = damaged.keep(done.unreadable)
    damaged.settle(version)
    return RepairedCatalog(
        n_saved=len(done.rows), doubtful=done.doubtful, unnamed=done.unnamed, kept=kept
    )


def _sound_fragments(found: Any | None) -> list[FragmentFiles]:
    """Return those of which every file is what was sealed."""
    if found is None:
        return []
    sound, seal = sound_files(found.uri), newest_seal(found.uri)
    fragments = list(fragments_of(found))
    for one in fragments:
        if one.deletion and seal is not None and one.deletion in seal.files:
            sound[one.deletion] = not changed_files(found.uri, seal, [one.deletion])
    return [
        one
        for one in fragments
        if all(sound.get(name, False) for name in filter(None, [*one.data, one.deletion]))
    ]


def _keys(found: Any | None, fragments: Sequence[FragmentFiles]) -> set[tuple[str, int]]:
    """Return (digest, n_windows) of the rows of some fragments."""
    keys: set[tuple[str, int]] = set()
    for fragment in fragments:
        with lance_errors("read", found.uri):  # type: ignore[union-attr]
            rows = found.get_fragment(fragment.number).to_table(columns=["digest", "n_windows"])  # type: ignore[union-attr]
        keys.update(zip(rows["digest"].to_pylist(), rows["n_windows"].to_pylist(), strict=True))
    return keys
