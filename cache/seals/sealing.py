"""Seal what was committed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cache.crc32 import rows_crc32
from cache.dataset_files import dataset_files
from cache.durable import remove_abandoned
from cache.root import is_uri
from cache.seals.seal_file import (
    SEALS_FOLDER,
    Seal,
    SealedVersion,
    nearest_seal,
    seal_name,
    sealed_versions,
    write_seal_file,
)
from cache.seals.sealed_files import (
    FragmentFiles,
    files_of_fragment,
    fragments_of,
    manifest_name,
)
from cache.seals.sealed_keys import KEYS

__all__ = ["drop_seals", "seal_added", "write_seal"]

_NOTHING = Seal(version=0, files={}, keys={})
_Sums = dict[str, tuple[int, int]]


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
    with suppress(FileNotFoundError):  # another process has compacted and pruned meanwhile: its
        # version is the newest
        files, keys = _sums(found, fragments_of(found), before or _NOTHING)
        files |= _own_sums(found)
        write_seal_file(found.uri, Seal(version=found.version, files=files, keys=keys))


def seal_added(known: SealedVersion, made: Any) -> SealedVersion:
    """Seal the version that adds fragments to one that is known, and look at these alone.

    Parameters
    ----------
    known : SealedVersion
    made : lance.LanceDataset
        The version that follows it, which has fragments more and none less.

    Returns
    -------
    SealedVersion
        Of `made`; `known` where another process has compacted and pruned meanwhile.

    Raises
    ------
    OSError
        If it can't be written.
    """
    before = set(known.found.fragment_ids())
    numbers = [number for number in made.fragment_ids() if number not in before]
    added = [files_of_fragment(made.get_fragment(number)) for number in numbers]
    try:
        files, keys = _sums(made, added, _NOTHING)
        seal = known.seal.grown(made.version, _own_sums(made), files, keys)
    except FileNotFoundError:
        return known
    write_seal_file(made.uri, seal)
    return SealedVersion(found=made, seal=seal)


def _sums(found: Any, fragments: Iterable[FragmentFiles], old: Seal) -> tuple[_Sums, _Sums]:
    """Return the checksums of fragments' files and keys, those that are known as they are."""
    files: _Sums = {}
    keys: _Sums = {}
    file_of = dataset_files(found.uri)
    has_keys = set(KEYS) <= set(found.schema.names)
    for fragment in fragments:
        for name in (*fragment.data, *([fragment.deletion] if fragment.deletion else [])):
            files[name] = old.files.get(name) or file_of.size_and_crc(name)
        if has_keys:
            keys[fragment.name] = old.keys.get(fragment.name) or rows_crc32(
                found.get_fragment(fragment.number).to_table(columns=list(KEYS)), KEYS
            )
    return files, keys


def _own_sums(found: Any) -> _Sums:
    """Return the checksums of what makes a version alone."""
    file_of = dataset_files(found.uri)
    names = [manifest_name(found.version), *_transaction(found)]
    return {name: file_of.size_and_crc(name) for name in names}


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


def _transaction(found: Any) -> list[str]:
    with suppress(OSError, ValueError, AttributeError):  # it is of no use once committed
        done = found.read_transaction(found.version)
        name = f"_transactions/{done.read_version}-{done.uuid}.txn"
        return [name] if dataset_files(found.uri).exists(name) else []
    return []
