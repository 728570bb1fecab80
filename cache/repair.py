"""Make a damaged dataset anew from what is sound in its data files, while other writers wait.

It does not trust the manifest: data files hold their schema and our marks, embeddings' rows their
checksums. What is lost is named, so that it can be embedded again.

By hand: Lance repairs nothing. Each of 600 damaged caches had all its vectors again, bit for bit
(results/reliability.jsonl).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cache.catalog import CATALOG
from cache.entry import Entry, entry_at, entry_table
from cache.errors import CacheError, StoreFormatError, lance_errors
from cache.file_record import recording_table, recordings_of, with_all_columns
from cache.identity import is_newer, plain_marks
from cache.lance_dataset import Dataset, open_data_file
from cache.locks import replacing
from cache.root import join
from cache.seal import newest_seal, sound_files
from cache.store import EmbeddingStore

if TYPE_CHECKING:
    import pyarrow as pa

    from cache.file_record import FileRecord

__all__ = ["MENDED", "RepairedCatalog", "RepairedStore", "repair_catalog", "repair_store"]

MENDED = ".mended"
"""Ends the name of what is made anew, until it is whole."""
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


def repair_store(root: str | Path, uri: str) -> RepairedStore:
    """Make the embeddings of one encoder anew from its sound rows.

    Parameters
    ----------
    root : str or Path
        The cache, a local folder.
    uri : str
        The dataset's folder.

    Raises
    ------
    StoreFormatError
        If a newer program wrote it.
    CacheError
        If it cannot be written: there must be room for a copy.

    Examples
    --------
    >>> from cache import default_root, open_stores, repair_store
    >>> (store,) = open_stores(default_root())
    >>> repaired = repair_store(default_root(), store.uri)
    >>> repaired.n_saved, repaired.lost
    (28, ())
    """
    with replacing(uri):
        return _repaired_store(root, uri)


def _repaired_store(root: str | Path, uri: str) -> RepairedStore:
    files = _begin(uri)
    store = _store_of(root, uri, files)
    saved: set[tuple[str, int]] = set()
    lost: set[tuple[str, int]] = set()
    unnamed = _misses_a_file(uri)
    if store is not None:
        made = Dataset(uri + MENDED, store.identity)
        entries: list[Entry] = []
        with _all_or_nothing(uri):
            for path in files:
                unnamed |= not _salvage(path, store.dim, entries, lost)
                saved |= {(entry.digest, entry.n_windows) for entry in entries}
                if len(entries) >= _COMMIT_ROWS:
                    made.append(entry_table(entries))
                    entries.clear()
            if entries:
                made.append(entry_table(entries))
    kept = _swap(uri, keep=unnamed or store is None)
    return RepairedStore(
        store=store,
        n_saved=len(saved),
        lost=tuple(sorted(lost - saved)),
        unnamed=unnamed,
        kept=kept,
    )


def repair_catalog(root: str | Path) -> RepairedCatalog:
    """Make the catalog anew from its sound files.

    Raises
    ------
    StoreFormatError
        If a newer program wrote it.
    CacheError
        If it cannot be written.

    Examples
    --------
    >>> from cache import default_root, repair_catalog
    >>> repair_catalog(default_root()).n_saved
    28
    """
    uri = join(root, CATALOG)
    with replacing(uri):
        return _repaired_catalog(uri)


def _repaired_catalog(uri: str) -> RepairedCatalog:
    files = _begin(uri)
    sound = sound_files(uri)
    unnamed = _misses_a_file(uri)
    rows: list[FileRecord] = []
    doubtful: dict[str, None] = {}
    for path in _in_order(uri, files):
        found = _recordings(path)
        if found is None:
            unnamed = True
        elif sound.get(f"data/{path.name}", _is_whole(found)):
            rows += found
        else:
            doubtful |= {recording.path: None for recording in found}
    if rows:
        latest = {recording.path: recording for recording in rows}
        with _all_or_nothing(uri):
            Dataset(uri + MENDED, {"kind": "catalog"}).append(
                recording_table(list(latest.values()))
            )
    kept = _swap(uri, keep=unnamed)
    return RepairedCatalog(n_saved=len(rows), doubtful=tuple(doubtful), unnamed=unnamed, kept=kept)


@contextmanager
def _all_or_nothing(uri: str) -> Iterator[None]:
    """Where something can't be made anew, take away what was begun: the disk may be full."""
    try:
        yield
    except BaseException:
        shutil.rmtree(uri + MENDED, ignore_errors=True)
        raise


def _begin(uri: str) -> list[Path]:
    """Clear away what an interrupted repair has left; returns the data files."""
    with lance_errors("write", uri):
        if Path(uri + MENDED).exists():
            if Path(uri).exists():
                shutil.rmtree(uri + MENDED)
            else:
                Path(uri + MENDED).rename(uri)  # it was whole
        files = sorted(Path(uri, "data").glob("*.lance"))
    _refuse_newer(uri, files)
    return files


def _refuse_newer(uri: str, files: list[Path]) -> None:
    try:
        Dataset(uri, {}).open()
    except StoreFormatError:
        raise
    except CacheError:
        for path in files:
            with suppress(CacheError, ValueError):
                newer = is_newer({"format": "0"} | _marks(path))
                if newer and sound_files(uri).get(f"data/{path.name}", False):
                    break
        else:
            return
        raise StoreFormatError(
            f"the cache at {uri} is damaged, and a newer sevensongs wrote it; update sevensongs to "
            "repair it"
        ) from None


def _swap(uri: str, *, keep: bool) -> str | None:
    """Put what was made anew into the place of what was damaged."""
    with lance_errors("write", uri):
        number = 1
        while Path(f"{uri}.damaged-{number}").exists():
            number += 1
        aside = f"{uri}.damaged-{number}"
        Path(uri).rename(aside)
        if Path(uri + MENDED).exists():
            Path(uri + MENDED).rename(uri)
        if keep:
            return aside
        shutil.rmtree(aside)
    return None


def _misses_a_file(uri: str) -> bool:
    seal = newest_seal(uri)
    return seal is None or any(
        not Path(uri, n).exists() for n in seal.files if n.startswith("data/")
    )


def _tables(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    with lance_errors("read", str(path)):
        yield from open_data_file(path, columns=columns).read_all(batch_size=_ROWS).to_batches()


def _marks(path: Path) -> dict[str, str]:
    with lance_errors("read", str(path)):
        return plain_marks(open_data_file(path).metadata().schema.metadata)


def _store_of(root: str | Path, uri: str, files: list[Path]) -> EmbeddingStore | None:
    """Learn from a data file whose embeddings these are; the folder's name must agree."""
    for path in files:
        with suppress(CacheError, KeyError, ValueError):
            marks = _marks(path)
            store = EmbeddingStore(
                root,
                encoder=marks["encoder"],
                fingerprint=marks["fingerprint"],
                dim=int(marks["dim"]),
            )
            if Path(store.uri) == Path(uri) and _has_sound_row(path, store.dim):
                return store
    return None


def _has_sound_row(path: Path, dim: int) -> bool:
    return any(entry_at(batch, at, dim) for batch in _tables(path) for at in range(batch.num_rows))


def _salvage(path: Path, dim: int, entries: list[Entry], lost: set[tuple[str, int]]) -> bool:
    """Take the sound rows of a file; returns whether all others could be named."""
    try:
        for batch in _tables(path):
            for at in range(batch.num_rows):
                entry = entry_at(batch, at, dim)
                if entry is not None:
                    entries.append(entry)
                else:
                    lost.add((batch["digest"][at].as_py(), batch["n_windows"][at].as_py()))
    except (CacheError, UnicodeDecodeError):
        try:
            for batch in _tables(path, ["digest", "n_windows"]):
                lost.update(
                    zip(batch["digest"].to_pylist(), batch["n_windows"].to_pylist(), strict=True)
                )
        except (CacheError, UnicodeDecodeError):
            return False
    return True


def _recordings(path: Path) -> list[FileRecord] | None:
    """Read a file of the catalog; None where that can't be done."""
    import pyarrow as pa

    try:
        with lance_errors("read", str(path)):
            table = with_all_columns(pa.Table.from_batches(list(_tables(path))))
            return recordings_of(table.filter(table["track"].is_null()))
    except CacheError:
        return None


def _is_whole(recordings: list[FileRecord]) -> bool:
    """Whether a file without a seal holds rows such as were put."""
    try:
        for recording in recordings:
            recording.__post_init__()
    except (ValueError, TypeError, AttributeError):
        return False
    return True


def _in_order(uri: str, files: list[Path]) -> list[Path]:
    """Order the files of a log as they were appended: by the manifest, else by their times."""
    listed: list[str] = []
    with suppress(CacheError):
        found = Dataset(uri, {"kind": "catalog"}).open()
        if found is not None:
            listed = [
                file.path for fragment in found.get_fragments() for file in fragment.metadata.files
            ]
    places = {name: place for place, name in enumerate(listed)}
    return sorted(
        files, key=lambda path: places.get(path.name, -1) if places else _recorded_ns(path)
    )


def _recorded_ns(path: Path) -> int:
    with suppress(CacheError, ValueError, TypeError):
        return int(
            min(min(batch["recorded_ns"].to_pylist()) for batch in _tables(path, ["recorded_ns"]))
        )
    return 0
