"""Seals: checksums of a dataset's files and keys, kept beside it, one for each version.

Lance keeps none of its own. A seal makes sure that a flipped byte, a cut file or a file that has
gone is never taken for a library with fewer songs, or with other ones.

By hand: Lance does not tell a damaged dataset from a smaller one. Of 600 caches with a bit
flipped, a file cut short or one deleted, none gave a wrong answer (results/reliability.jsonl).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zlib_ng.zlib_ng import crc32

from cache.crc32 import file_crc32, rows_crc32
from cache.durable import remove_abandoned, write_whole
from cache.errors import DamagedStore, damaged_store
from cache.root import is_uri

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "KEYS",
    "SEALS_FOLDER",
    "Seal",
    "changed_files",
    "check_keys",
    "check_seal",
    "drop_seals",
    "newest_seal",
    "newest_sealed",
    "read_seal",
    "sealed_versions",
    "sound_files",
    "write_seal",
]

SEALS_FOLDER = "_seals"
KEYS = ("digest", "n_windows", "vector_crc32")
"""What is read of embeddings without the vectors, whose own checksums cover it otherwise."""
_HEAD = "sevensongs seal 1"
_LAST = 2**64 - 1  # Lance counts the names of its manifests down from here


@dataclass(frozen=True, kw_only=True)
class Seal:
    """What one version of a dataset was made of.

    Attributes
    ----------
    version : int
    files : mapping
        Relative path of each file to its size in bytes and CRC-32.
    keys : mapping
        Name of each fragment to its rows that count and the CRC-32 of their keys; empty for a
        catalog.
    """

    version: int
    files: Mapping[str, tuple[int, int]]
    keys: Mapping[str, tuple[int, int]]


def newest_sealed(uri: str) -> int:
    """Return the newest version that was sealed; 0 for none, and for a URI.

    Examples
    --------
    >>> from cache import default_root, newest_sealed, open_stores
    >>> [newest_sealed(store.uri) > 0 for store in open_stores(default_root())]
    [True]
    """
    return max(sealed_versions(uri), default=0)


def newest_seal(uri: str) -> Seal | None:
    """Read the newest seal that is sound; None where there is none."""
    for version in sorted(sealed_versions(uri), reverse=True):
        with suppress(DamagedStore, OSError):
            seal = read_seal(uri, version)
            if seal is not None:
                return seal
    return None


def check_seal(found: Any, sealed: int, *, whole: bool) -> None:
    """Compare an open dataset with its seal.

    Parameters
    ----------
    found : lance.LanceDataset
    sealed : int
        What `newest_sealed` returned before it was opened.
    whole : bool
        Whether to read the data as well, and not only what says which rows there are.

    Raises
    ------
    DamagedStore
        If a file is not the one that was written, or has gone.
    """
    if is_uri(found.uri):
        return
    if found.version < sealed:
        raise damaged_store(
            found.uri, f"version {sealed} was committed, and the newest is {found.version}"
        )
    seal = _nearest(found.uri, found.version)
    if seal is None:
        return
    names = [_manifest(found.version)]
    for fragment in _fragments(found):
        names += [fragment.deletion] if fragment.deletion else []
        names += fragment.data if whole else []
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
    seal = None if is_uri(found.uri) else _nearest(found.uri, found.version)
    if seal is None:
        return
    start = 0
    for fragment in _fragments(found):
        rows = table.slice(start, fragment.n_rows)
        start += fragment.n_rows
        if seal.keys.get(fragment.name, (0, 0)) not in ((0, 0), rows_crc32(rows, KEYS)):
            raise damaged_store(
                found.uri, f"{fragment.data[0]} does not hold the songs that it did"
            )
    if start != table.num_rows:
        raise damaged_store(found.uri, f"there are {table.num_rows} rows and should be {start}")


def write_seal(found: Any) -> None:
    """Seal the version of an open dataset; what an earlier seal has of the same files is kept.

    Raises
    ------
    OSError
        If it can't be written.
    """
    if is_uri(found.uri):
        return
    before = _nearest(found.uri, found.version)
    if before is not None and before.version == found.version:
        return
    old = before or Seal(version=0, files={}, keys={})
    files: dict[str, tuple[int, int]] = {}
    keys: dict[str, tuple[int, int]] = {}
    names = [_manifest(found.version), *_transaction(found)]
    by_name = {fragment.metadata.id: fragment for fragment in found.get_fragments()}
    try:
        for fragment in _fragments(found):
            names += [*fragment.data, *([fragment.deletion] if fragment.deletion else [])]
            if set(KEYS) <= set(found.schema.names):
                keys[fragment.name] = old.keys.get(fragment.name) or rows_crc32(
                    by_name[fragment.number].to_table(columns=list(KEYS)), KEYS
                )
        for name in names:
            files[name] = old.files.get(name) or file_crc32(Path(found.uri, name))
    except FileNotFoundError:
        return  # another process has compacted and pruned meanwhile: its version is the newest
    _write(found.uri, Seal(version=found.version, files=files, keys=keys))


def changed_files(uri: str, seal: Seal, names: Sequence[str] | None = None) -> list[str]:
    """Tell which files are not what was sealed, in words.

    Those that were not sealed are passed over.
    """
    changed = []
    for name in seal.files if names is None else names:
        if name not in seal.files:
            continue
        try:
            if file_crc32(Path(uri, name)) != seal.files[name]:
                changed.append(f"{name} is not what was written")
        except FileNotFoundError:
            changed.append(f"{name} has gone")
        except OSError as error:
            changed.append(f"{name} can't be read ({error.strerror})")
    return changed


def sound_files(uri: str) -> dict[str, bool]:
    """Tell of each file in a dataset's folder `data` whether it is what a seal says.

    Other files are left out.
    """
    told: dict[str, bool] = {}
    for version in sealed_versions(uri):
        with suppress(DamagedStore, OSError):
            seal = read_seal(uri, version)
            for name in seal.files if seal else ():
                if name.startswith("data/") and not told.get(name, False):
                    told[name] = not changed_files(uri, seal, [name]) if seal else False
    return told


def drop_seals(uri: str) -> None:
    """Drop the seals of versions that were pruned; the newest stays in any case.

    Raises
    ------
    OSError
        If one can't be removed.
    """
    for version in sorted(sealed_versions(uri))[:-1]:
        if not Path(uri, _manifest(version)).exists():
            Path(_path(uri, version)).unlink(missing_ok=True)
    remove_abandoned(Path(uri, SEALS_FOLDER))


@dataclass(frozen=True, kw_only=True)
class _Fragment:
    """Where rows lie; a fragment of one name never changes, as a deletion gives it another."""

    number: int
    n_rows: int
    data: list[str]
    deletion: str | None

    @property
    def name(self) -> str:
        return " ".join([str(self.number), *self.data, self.deletion or "-"])


def _fragments(found: Any) -> Iterator[_Fragment]:
    for fragment in found.get_fragments():
        about = fragment.metadata
        deletion = about.deletion_file
        yield _Fragment(
            number=about.id,
            n_rows=about.physical_rows - (deletion.num_deleted_rows if deletion else 0),
            data=[f"data/{file.path}" for file in about.files],
            deletion=fragment.deletion_file() if deletion else None,
        )


def _manifest(version: int) -> str:
    return f"_versions/{_LAST - version:020d}.manifest"


def _transaction(found: Any) -> list[str]:
    with suppress(OSError, ValueError, AttributeError):  # it is of no use once committed
        done = found.read_transaction(found.version)
        name = f"_transactions/{done.read_version}-{done.uuid}.txn"
        return [name] if Path(found.uri, name).exists() else []
    return []


def _path(uri: str, version: int) -> Path:
    return Path(uri, SEALS_FOLDER, f"{version:020d}")


def sealed_versions(uri: str) -> list[int]:
    """List the versions that have a seal, in no order; none of a URI."""
    if is_uri(uri):
        return []
    try:
        return [int(name) for name in os.listdir(Path(uri, SEALS_FOLDER)) if name.isdecimal()]
    except FileNotFoundError:
        return []


def _nearest(uri: str, version: int) -> Seal | None:
    """Read the newest seal up to a version; None where there is none."""
    for sealed in sorted(sealed_versions(uri), reverse=True):
        if sealed <= version:
            with suppress(FileNotFoundError):  # another process has just dropped it
                return read_seal(uri, sealed)
    return None


def read_seal(uri: str, version: int) -> Seal | None:
    """Read a seal; None where a newer program wrote it.

    Raises
    ------
    DamagedStore
        If it is not what was written.
    OSError
        If it can't be read.
    """
    head, _, body = _path(uri, version).read_bytes().partition(b"\n")
    kind, _, crc = head.rpartition(b" ")
    if kind != _HEAD.encode() and crc == b"%08x" % crc32(body):
        return None
    if head != f"{_HEAD} {crc32(body):08x}".encode():
        raise damaged_store(uri, f"{SEALS_FOLDER}/{version:020d} is not what was written")
    stored = json.loads(body)
    return Seal(
        version=version,
        files={name: (size, crc) for name, (size, crc) in stored["files"].items()},
        keys={name: (rows, crc) for name, (rows, crc) in stored["keys"].items()},
    )


def _write(uri: str, seal: Seal) -> None:
    body = json.dumps({"files": seal.files, "keys": seal.keys}).encode()
    content = f"{_HEAD} {crc32(body):08x}\n".encode() + body
    write_whole(_path(uri, seal.version), lambda file: file.write(content))
