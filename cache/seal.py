"""Seals: checksums of a dataset's files and keys, kept beside it, one for each version.

Lance keeps none of its own. A seal makes sure that a flipped byte, a cut file or a file that has
gone is never taken for a library with fewer songs, or with other ones.

By hand: Lance does not tell a damaged dataset from a smaller one. Of 600 caches with a bit
flipped, a file cut short or one deleted, none gave a wrong answer (results/reliability.jsonl).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.crc32 import rows_crc32
from cache.dataset_files import dataset_files
from cache.durable import remove_abandoned
from cache.errors import DamagedStore, damaged_store
from cache.root import is_uri
from cache.seal_file import (
    SEALS_FOLDER,
    Seal,
    nearest_seal,
    read_seal,
    seal_name,
    sealed_versions,
    write_seal_file,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "KEYS",
    "FragmentFiles",
    "changed_files",
    "check_keys",
    "check_seal",
    "compared_files",
    "drop_seals",
    "fragments_of",
    "key_tables",
    "manifest_name",
    "sound_files",
    "write_seal",
]

KEYS = ("digest", "n_windows", "vector_crc32")
"""What is read of embeddings without the vectors, whose own checksums cover it otherwise."""
_KEYS_AT_ONCE = 100_000  # rows
_LAST = 2**64 - 1  # Lance counts the names of its manifests down from here


def check_seal(found: Any, sealed: int, *, whole: bool) -> None:
    """Compare an open dataset with its seal.

    Parameters
    ----------
    found : lance.LanceDataset
    sealed : int
        What `newest_sealed` returned before it was opened.
    whole : bool
        Whether to read the data as well, and not only what says which rows there are; not of a
        dataset in an object store, where that would fetch them all.

    Raises
    ------
    DamagedStore
        If a file is not the one that was written, or has gone.
    """
    if found.version < sealed:
        raise damaged_store(
            found.uri, f"version {sealed} was committed, and the newest is {found.version}"
        )
    seal = nearest_seal(found.uri, found.version)
    if seal is None:
        return
    names = [manifest_name(found.version)]
    reads_data = whole and not is_uri(found.uri)
    # to ask each of 10,000 fragments takes a tenth of a second
    if reads_data or found.stats.dataset_stats()["num_deleted_rows"]:
        for fragment in fragments_of(found):
            names += [fragment.deletion] if fragment.deletion else []
            names += fragment.data if reads_data else []
    changed = changed_files(found.uri, seal, names)
    if changed:
        raise damaged_store(
            found.uri, ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        )


def check_keys(found: Any, table: pa.Table) -> None:
    """Compare the keys of all rows of an open dataset with its seal.

    Parameters
    ----------
    found : lance.LanceDataset
    table : pyarrow.Table
        With the columns `KEYS`, in order.

    Raises
    ------
    DamagedStore
        If a row has gone or has another key than was written.
    """
    seal = nearest_seal(found.uri, found.version)
    if seal is not None:
        _compare_keys(found, seal, fragments_of(found), table)


def key_tables(found: Any) -> Iterator[pa.Table]:
    """Read the columns `KEYS` of all rows of an open dataset, in order, some 100,000 at a time.

    They are compared with its seal, as by `check_keys`.

    Parameters
    ----------
    found : lance.LanceDataset

    Raises
    ------
    DamagedStore
        If a row has gone or has another key than was written.
    """
    seal = nearest_seal(found.uri, found.version)
    some: list[FragmentFiles] = []
    n_rows = 0
    for fragment in fragments_of(found):
        some.append(fragment)
        n_rows += fragment.n_rows
        if n_rows >= _KEYS_AT_ONCE:
            yield _keys_of(found, seal, some)
            some, n_rows = [], 0
    if some:
        yield _keys_of(found, seal, some)


def _keys_of(found: Any, seal: Seal | None, fragments: Sequence[FragmentFiles]) -> pa.Table:
    parts = [found.get_fragment(one.number) for one in fragments]
    table = found.scanner(columns=list(KEYS), fragments=parts, scan_in_order=True).to_table()
    if seal is not None:
        _compare_keys(found, seal, fragments, table)
    return table


def _compare_keys(
    found: Any, seal: Seal, fragments: Iterable[FragmentFiles], table: pa.Table
) -> None:
    start = 0
    for fragment in fragments:
        rows = table.slice(start, fragment.n_rows)
        start += fragment.n_rows
        if seal.keys.get(fragment.name, (0, 0)) not in ((0, 0), rows_crc32(rows, KEYS)):
            raise damaged_store(
                found.uri, f"{fragment.data[0]} does not hold the songs that it did"
            )
    if start != table.num_rows:
        raise damaged_store(found.uri, f"there are {table.num_rows} rows and should be {start}")


def write_seal(found: Any, *, anew: bool = False) -> None:
    """Seal the version of an open dataset; what an earlier seal has of the same files is kept.

    Parameters
    ----------
    found : lance.LanceDataset
    anew : bool
        Take nothing over: the earlier seal may be of another version of that number, which was
        lost.

    Raises
    ------
    OSError
        If it can't be written.
    """
    before = None if anew else nearest_seal(found.uri, found.version)
    if before is not None and before.version == found.version:
        return
    file_of = dataset_files(found.uri)
    old = before or Seal(version=0, files={}, keys={})
    files: dict[str, tuple[int, int]] = {}
    keys: dict[str, tuple[int, int]] = {}
    names = [manifest_name(found.version), *_transaction(found)]
    has_keys = set(KEYS) <= set(found.schema.names)
    try:
        for fragment in fragments_of(found):
            names += [*fragment.data, *([fragment.deletion] if fragment.deletion else [])]
            if has_keys:
                keys[fragment.name] = old.keys.get(fragment.name) or rows_crc32(
                    found.get_fragment(fragment.number).to_table(columns=list(KEYS)), KEYS
                )
        for name in names:
            files[name] = old.files.get(name) or file_of.size_and_crc(name)
    except FileNotFoundError:
        return  # another process has compacted and pruned meanwhile: its version is the newest
    write_seal_file(found.uri, Seal(version=found.version, files=files, keys=keys))


def changed_files(uri: str, seal: Seal, names: Sequence[str] | None = None) -> list[str]:
    """Tell which files are not what was sealed, in words.

    Those that were not sealed are passed over.
    """
    compared = compared_files(uri, seal, names, {})
    return [f"{name} {what}" for name, what in compared if what is not None]


def compared_files(
    uri: str,
    seal: Seal,
    names: Sequence[str] | None,
    crcs: dict[str, tuple[int, int] | None],
) -> Iterator[tuple[str, str | None]]:
    """Compare files with what was sealed.

    Parameters
    ----------
    uri : str
        The dataset's.
    seal : Seal
    names : sequence of str or None
        Which; None for all. Those that were not sealed are passed over.
    crcs : dict
        What was read already, of seals of other versions; None for a file that has gone.

    Yields
    ------
    (str, str or None)
        A file's name, and what is wrong with it.
    """
    files = dataset_files(uri)
    for name in seal.files if names is None else names:
        if name not in seal.files:
            continue
        try:
            if name not in crcs:
                crcs[name] = files.size_and_crc(name)
        except FileNotFoundError:
            crcs[name] = None
        except OSError as error:
            yield name, f"can't be read ({error.strerror})"
            continue
        if crcs[name] is None:
            yield name, "has gone"
        else:
            yield name, None if crcs[name] == seal.files[name] else "is not what was written"


def sound_files(uri: str) -> dict[str, bool]:
    """Tell of each file in a dataset's folder `data` whether it is what a seal says.

    Other files are left out.
    """
    told: dict[str, bool] = {}
    crcs: dict[str, tuple[int, int] | None] = {}
    for version in sealed_versions(uri):
        with suppress(DamagedStore, OSError):
            seal = read_seal(uri, version)
            names = [name for name in seal.files if name.startswith("data/")] if seal else []
            for name, wrong in compared_files(uri, seal, names, crcs) if seal else ():
                told[name] = told.get(name, False) or wrong is None
    return told


def drop_seals(uri: str) -> None:
    """Drop the seals of versions that were pruned; the newest stays in any case.

    Raises
    ------
    OSError
        If one can't be removed.
    """
    files = dataset_files(uri)
    left = set(files.names("_versions"))
    for version in sorted(sealed_versions(uri))[:-1]:
        if manifest_name(version).rpartition("/")[2] not in left:
            files.remove(seal_name(version))
    if not is_uri(uri):
        remove_abandoned(Path(uri, SEALS_FOLDER))


@dataclass(frozen=True, kw_only=True)
class FragmentFiles:
    """Where rows lie; a fragment of one name never changes, as a deletion gives it another."""

    number: int
    n_rows: int
    data: list[str]
    deletion: str | None

    @property
    def name(self) -> str:
        """What seals call it."""
        return " ".join([str(self.number), *self.data, self.deletion or "-"])


def fragments_of(found: Any) -> Iterator[FragmentFiles]:
    """Tell of each fragment of an open dataset which files it is made of."""
    for fragment in found.get_fragments():
        about = fragment.metadata
        deletion = about.deletion_file
        yield FragmentFiles(
            number=about.id,
            n_rows=about.physical_rows - (deletion.num_deleted_rows if deletion else 0),
            # not `path`, which makes a class each time: 20 microseconds of the 35 for a fragment
            data=[f"data/{file._path}" for file in about.files],
            deletion=fragment.deletion_file() if deletion else None,
        )


def manifest_name(version: int) -> str:
    """Return where Lance keeps what makes a version, below the dataset."""
    return f"_versions/{_LAST - version:020d}.manifest"


def _transaction(found: Any) -> list[str]:
    with suppress(OSError, ValueError, AttributeError):  # it is of no use once committed
        done = found.read_transaction(found.version)
        name = f"_transactions/{done.read_version}-{done.uuid}.txn"
        return [name] if dataset_files(found.uri).exists(name) else []
    return []
