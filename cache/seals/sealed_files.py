"""Seals: checksums of a dataset's files and keys, kept beside it, one for each version.

Lance keeps none of its own. A seal makes sure that a flipped byte, a cut file or a file that has
gone is never taken for a library with fewer songs, or with other ones.

By hand: Lance does not tell a damaged dataset from a smaller one. Of 600 caches with a bit
flipped, a file cut short or one deleted, none gave a wrong answer (results/reliability.jsonl).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cache.dataset_files import dataset_files
from cache.errors import DamagedStore, damaged_store
from cache.root import is_uri
from cache.seals.seal_file import (
    Seal,
    SealedVersion,
    nearest_seal,
    read_seal,
    sealed_versions,
)

__all__ = [
    "FragmentFiles",
    "changed_files",
    "check_seal",
    "compared_files",
    "files_of_fragment",
    "fragments_of",
    "manifest_name",
    "sound_files",
]

_LAST = 2**64 - 1  # Lance counts the names of its manifests down from here
_DATA, _DELETIONS = "data/", "_deletions/"


def check_seal(
    found: Any, sealed: int, *, whole: bool, known: SealedVersion | None = None
) -> Seal | None:
    """Compare an open dataset with its seal.

    Parameters
    ----------
    found : lance.LanceDataset
    sealed : int
        What `newest_sealed` returned before it was opened.
    whole : bool
        Whether to read the data as well, and not only what says which rows there are; not of a
        dataset in an object store, where that would fetch them all.
    known : SealedVersion, optional
        An earlier version, or this one: its files are not compared again.

    Returns
    -------
    Seal or None
        None where it is of an earlier version, or there is none.

    Raises
    ------
    DamagedStore
        If a file is not the one that was written, or has gone.
    """
    if found.version < sealed:
        raise damaged_store(
            found.uri, f"version {sealed} was committed, and the newest is {found.version}"
        )
    is_known = known is not None and known.found is found
    seal = known.seal if known and is_known else nearest_seal(found.uri, found.version)
    if seal is None:
        return None
    names = [manifest_name(found.version)]
    if not is_known:
        before = known.seal.files if known else {}
        names += _to_compare(found, seal, before, whole=whole and not is_uri(found.uri))
    changed = changed_files(found.uri, seal, names)
    if changed:
        raise damaged_store(
            found.uri, ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        )
    return seal if seal.version == found.version else None


def _to_compare(
    found: Any, seal: Seal, before: Mapping[str, tuple[int, int]], *, whole: bool
) -> list[str]:
    """Name the deletions, and with `whole` the data, that are not as they were before."""
    if seal.version == found.version:
        # with a manifest that is the one sealed, these are its files
        kinds = (_DATA, _DELETIONS) if whole else (_DELETIONS,)
        return [
            name
            for name, of in seal.files.items()
            if name.startswith(kinds) and before.get(name) != of
        ]
    names = []
    # to ask each of 10,000 fragments takes a tenth of a second
    if whole or found.stats.dataset_stats()["num_deleted_rows"]:
        for fragment in fragments_of(found):
            names += [fragment.deletion] if fragment.deletion else []
            names += fragment.data if whole else []
    return names


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
            names = [name for name in seal.files if name.startswith(_DATA)] if seal else []
            for name, wrong in compared_files(uri, seal, names, crcs) if seal else ():
                told[name] = told.get(name, False) or wrong is None
    return told


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
    yield from map(files_of_fragment, found.get_fragments())


def files_of_fragment(fragment: Any) -> FragmentFiles:
    """Tell which files one fragment of an open dataset is made of."""
    about = fragment.metadata
    deletion = about.deletion_file
    return FragmentFiles(
        number=about.id,
        n_rows=about.physical_rows - (deletion.num_deleted_rows if deletion else 0),
        # not `path`, which makes a class each time: 20 microseconds of the 35 for a fragment
        data=[f"{_DATA}{file._path}" for file in about.files],
        deletion=fragment.deletion_file() if deletion else None,
    )


def manifest_name(version: int) -> str:
    """Return where Lance keeps what makes a version, below the dataset."""
    return f"_versions/{_LAST - version:020d}.manifest"
