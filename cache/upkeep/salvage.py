"""What is sound in a dataset's data files, read past the manifest that names them.

Data files hold their schema and our marks, embeddings' rows their checksums.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache.dataset_files import dataset_files
from cache.entry import Entry, entry_at, entry_table
from cache.errors import CacheError, StoreFormatError, lance_errors
from cache.file_record import recordings_of, with_all_columns
from cache.identity import is_newer, plain_marks
from cache.lance_dataset import Dataset, open_data_file
from cache.seals.seal_file import newest_seal
from cache.seals.sealed_files import sound_files
from cache.store import EmbeddingStore

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from cache.file_record import FileRecord

__all__ = [
    "RepairedCatalog",
    "RepairedStore",
    "SalvagedRecords",
    "SalvagedRows",
    "data_files",
    "refuse_newer",
    "salvage_records",
    "salvage_rows",
    "store_of",
]

_ROWS = 64  # of 50 kB to some MB each
_COMMIT_ROWS = 1024


@dataclass(frozen=True, kw_only=True)
class RepairedStore:
    """What became of the embeddings of one encoder.

    Attributes
    ----------
    store : EmbeddingStore or None
        None where not even whose they are could be read.
    n_saved : int
        Rows that are sound.
    lost : tuple of (digest, n_windows)
        Recordings that are not in it any more, as far as damaged rows tell their names.
    unnamed : bool
        Whether more may be lost: a file was missing or could not be read.
    kept : str or None
        Where the damaged files are, if some could not be read.
    """

    store: EmbeddingStore | None
    n_saved: int
    lost: tuple[tuple[str, int], ...]
    unnamed: bool
    kept: str | None


@dataclass(frozen=True, kw_only=True)
class RepairedCatalog:
    """What became of the catalog.

    Attributes
    ----------
    n_saved : int
        Rows that are sound.
    doubtful : tuple of str
        Paths in damaged files, to be looked at again; some may be no paths at all.
    unnamed : bool
        Whether more may be lost: a file was missing or could not be read.
    kept : str or None
        Where the damaged files are, if some could not be read.
    """

    n_saved: int
    doubtful: tuple[str, ...]
    unnamed: bool
    kept: str | None


@dataclass(frozen=True, kw_only=True)
class SalvagedRows:
    """What was found in data files of embeddings.

    Attributes
    ----------
    saved, lost : set of (digest, n_windows)
    unreadable : tuple of str
        Files of which not even the names of all rows could be read.
    misses_a_file : bool
        Whether a file that was written has gone, or none says which there were.
    """

    saved: set[tuple[str, int]]
    lost: set[tuple[str, int]]
    unreadable: tuple[str, ...]
    misses_a_file: bool

    @property
    def unnamed(self) -> bool:
        """Whether more may be lost than `lost` says."""
        return bool(self.unreadable) or self.misses_a_file


@dataclass(frozen=True, kw_only=True)
class SalvagedRecords:
    """What was found in data files of a catalog.

    Attributes
    ----------
    rows : list of FileRecord
        In the order in which they were put.
    doubtful : tuple of str
        Paths in damaged files.
    unreadable : tuple of str
    misses_a_file : bool
        As of `SalvagedRows`.
    """

    rows: list[FileRecord]
    doubtful: tuple[str, ...]
    unreadable: tuple[str, ...]
    misses_a_file: bool

    @property
    def latest(self) -> list[FileRecord]:
        """The last row of each path."""
        return list({record.path: record for record in self.rows}.values())

    @property
    def unnamed(self) -> bool:
        """Whether more may be lost than `doubtful` says."""
        return bool(self.unreadable) or self.misses_a_file


def data_files(uri: str) -> list[str]:
    """List the data files that there are, whether a version names them or not; sorted."""
    names = sorted(dataset_files(uri).names("data"))
    return [f"data/{name}" for name in names if name.endswith(".lance")]


def refuse_newer(uri: str, files: Sequence[str]) -> None:
    """Leave alone what a newer program wrote.

    Raises
    ------
    StoreFormatError
        If the dataset says so, or a sound file of a damaged one.
    """
    try:
        Dataset(uri, {}).open()
    except StoreFormatError:
        raise
    except CacheError:
        sound = sound_files(uri)
        for name in files:
            with suppress(CacheError, ValueError):
                if is_newer({"format": "0"} | _marks(uri, name)) and sound.get(name, False):
                    break
        else:
            return
        raise StoreFormatError(
            f"the cache at {uri} is damaged, and a newer sevensongs wrote it; update sevensongs to "
            "repair it"
        ) from None


def store_of(root: str | Path, uri: str, files: Sequence[str]) -> EmbeddingStore | None:
    """Learn from a data file whose embeddings these are; the folder's name must agree."""
    for name in files:
        with suppress(CacheError, KeyError, ValueError):
            marks = _marks(uri, name)
            store = EmbeddingStore(
                root,
                encoder=marks["encoder"],
                fingerprint=marks["fingerprint"],
                dim=int(marks["dim"]),
            )
            same = store.uri.replace("\\", "/") == uri.replace("\\", "/")
            if same and _has_sound_row(uri, name, store.dim):
                return store
    return None


def salvage_rows(
    uri: str,
    files: Sequence[str],
    dim: int,
    put: Callable[[pa.Table], object],
    *,
    but: Container[tuple[str, int]] = (),
) -> SalvagedRows:
    """Read the sound rows of data files of embeddings.

    Parameters
    ----------
    uri : str
    files : sequence of str
        Which.
    dim : int
        Numbers a frame.
    put : callable
        Is given the rows, some at a time.
    but : container of (digest, n_windows)
        Rows that are not wanted.
    """
    saved: set[tuple[str, int]] = set()
    lost: set[tuple[str, int]] = set()
    unreadable, entries = [], list[Entry]()
    for name in files:
        found: list[Entry] = []
        if not _salvage(uri, name, dim, found, lost):
            unreadable.append(name)
        for entry in found:
            key = (entry.digest, entry.n_windows)
            if key not in saved and key not in but:
                saved.add(key)
                entries.append(entry)
        if len(entries) >= _COMMIT_ROWS:
            put(entry_table(entries))
            entries.clear()
    if entries:
        put(entry_table(entries))
    return SalvagedRows(
        saved=saved,
        lost=lost - saved,
        unreadable=tuple(unreadable),
        misses_a_file=_misses_a_file(uri),
    )


def salvage_records(uri: str, files: Sequence[str]) -> SalvagedRecords:
    """Read the sound rows of data files of a catalog."""
    sound = sound_files(uri)
    rows: list[FileRecord] = []
    doubtful: dict[str, None] = {}
    unreadable = []
    for name in _in_order(uri, files):
        found = _records(uri, name)
        if found is None:
            unreadable.append(name)
        elif sound.get(name, _is_whole(found)):
            rows += found
        else:
            doubtful |= {record.path: None for record in found}
    return SalvagedRecords(
        rows=rows,
        doubtful=tuple(doubtful),
        unreadable=tuple(unreadable),
        misses_a_file=_misses_a_file(uri),
    )


def _misses_a_file(uri: str) -> bool:
    seal = newest_seal(uri)
    there = set(data_files(uri))
    return seal is None or any(n not in there for n in seal.files if n.startswith("data/"))


def _tables(uri: str, name: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    with lance_errors("read", f"{uri}/{name}"):
        file = open_data_file(uri, name, columns=columns)
        yield from file.read_all(batch_size=_ROWS).to_batches()


def _marks(uri: str, name: str) -> dict[str, str]:
    with lance_errors("read", f"{uri}/{name}"):
        return plain_marks(open_data_file(uri, name).metadata().schema.metadata)


def _has_sound_row(uri: str, name: str, dim: int) -> bool:
    return any(
        entry_at(batch, at, dim) for batch in _tables(uri, name) for at in range(batch.num_rows)
    )


def _salvage(
    uri: str, name: str, dim: int, entries: list[Entry], lost: set[tuple[str, int]]
) -> bool:
    """Take the sound rows of a file; returns whether all others could be named."""
    try:
        for batch in _tables(uri, name):
            for at in range(batch.num_rows):
                entry = entry_at(batch, at, dim)
                if entry is not None:
                    entries.append(entry)
                else:
                    lost.add((batch["digest"][at].as_py(), batch["n_windows"][at].as_py()))
    except (CacheError, UnicodeDecodeError):
        try:
            for batch in _tables(uri, name, ["digest", "n_windows"]):
                lost.update(
                    zip(batch["digest"].to_pylist(), batch["n_windows"].to_pylist(), strict=True)
                )
        except (CacheError, UnicodeDecodeError):
            return False
    return True


def _records(uri: str, name: str) -> list[FileRecord] | None:
    """Read a file of the catalog; None where that can't be done."""
    import pyarrow as pa

    try:
        with lance_errors("read", f"{uri}/{name}"):
            table = with_all_columns(pa.Table.from_batches(list(_tables(uri, name))))
            return recordings_of(table.filter(table["track"].is_null()))
    except CacheError:
        return None


def _is_whole(records: list[FileRecord]) -> bool:
    """Whether a file without a seal holds rows such as were put."""
    try:
        for record in records:
            record.__post_init__()
    except (ValueError, TypeError, AttributeError):
        return False
    return True


def _in_order(uri: str, files: Sequence[str]) -> list[str]:
    """Order the files of a log as they were appended: by the manifest, else by their times."""
    listed: list[str] = []
    with suppress(CacheError):
        found = Dataset(uri, {"kind": "catalog"}).open()
        if found is not None:
            listed = [
                f"data/{file.path}"
                for fragment in found.get_fragments()
                for file in fragment.metadata.files
            ]
    places = {name: place for place, name in enumerate(listed)}
    return sorted(
        files, key=lambda name: places.get(name, -1) if places else _recorded_ns(uri, name)
    )


def _recorded_ns(uri: str, name: str) -> int:
    with suppress(CacheError, ValueError, TypeError):
        batches = _tables(uri, name, ["recorded_ns"])
        return int(min(min(batch["recorded_ns"].to_pylist()) for batch in batches))
    return 0
