"""What a seal holds, and the file that it is kept in, `_seals/<version>` beside the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from zlib_ng.zlib_ng import crc32

from cache.dataset_files import dataset_files
from cache.errors import DamagedStore, damaged_store

__all__ = [
    "SEALS_FOLDER",
    "Seal",
    "SealedVersion",
    "nearest_seal",
    "newest_seal",
    "newest_sealed",
    "read_seal",
    "seal_name",
    "sealed_versions",
    "write_seal_file",
]

SEALS_FOLDER = "_seals"
_HEAD = "sevensongs seal 1"
_OF_ONE_VERSION = ("_versions/", "_transactions/")


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

    @cached_property
    def lasting_text(self) -> bytes:
        """The files that a version to which rows are added has too, as they are written."""
        lasting = {n: of for n, of in self.files.items() if not n.startswith(_OF_ONE_VERSION)}
        return _members(lasting)

    @cached_property
    def keys_text(self) -> bytes:
        """The keys, as they are written."""
        return _members(self.keys)

    def grown(
        self,
        version: int,
        own: Mapping[str, tuple[int, int]],
        files: Mapping[str, tuple[int, int]],
        keys: Mapping[str, tuple[int, int]],
    ) -> Seal:
        """Return the seal of a version that has the rows of this one, and others.

        Parameters
        ----------
        version : int
        own : mapping
            What makes that version alone: its manifest, its transaction.
        files, keys : mapping
            Of the fragments that are new.
        """
        lasting = {n: of for n, of in self.files.items() if not n.startswith(_OF_ONE_VERSION)}
        seal = Seal(version=version, files={**lasting, **files, **own}, keys={**self.keys, **keys})
        # so that 10,000 fragments are not written out again, which takes 20 ms
        vars(seal)["lasting_text"] = _joined(self.lasting_text, _members(files))
        vars(seal)["keys_text"] = _joined(self.keys_text, _members(keys))
        return seal


@dataclass(frozen=True, kw_only=True, eq=False)
class SealedVersion:
    """A version of which this process knows that it is what its seal says.

    Attributes
    ----------
    found : lance.LanceDataset
        Open.
    seal : Seal
        Of this very version.
    """

    found: Any
    seal: Seal

    def is_newest(self, sealed: int) -> bool:
        """Tell whether no other is newer; `sealed` is what `newest_sealed` returns."""
        with suppress(OSError, ValueError):  # the dataset has gone, or its disk
            return bool(sealed == self.seal.version == self.found.latest_version)
        return False


def newest_sealed(uri: str) -> int:
    """Return the newest version that was sealed; 0 for none.

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


def nearest_seal(uri: str, version: int) -> Seal | None:
    """Read the newest seal up to a version; None where there is none."""
    with suppress(FileNotFoundError):
        return read_seal(uri, version)  # spares a listing
    for sealed in sorted(sealed_versions(uri), reverse=True):
        if sealed <= version:
            with suppress(FileNotFoundError):  # another process has just dropped it
                return read_seal(uri, sealed)
    return None


def sealed_versions(uri: str) -> list[int]:
    """List the versions that have a seal, in no order."""
    return [int(name) for name in dataset_files(uri).names(SEALS_FOLDER) if name.isdecimal()]


def read_seal(uri: str, version: int) -> Seal | None:
    """Read a seal; None where a newer program wrote it.

    Raises
    ------
    DamagedStore
        If it is not what was written.
    OSError
        If it can't be read.
    """
    head, _, body = dataset_files(uri).read(seal_name(version)).partition(b"\n")
    kind, _, crc = head.rpartition(b" ")
    if kind != _HEAD.encode() and crc == b"%08x" % crc32(body):
        return None
    if head != f"{_HEAD} {crc32(body):08x}".encode():
        raise damaged_store(uri, f"{seal_name(version)} is not what was written")
    files, keys = _parsed(body)
    return Seal(version=version, files=files, keys=keys)


@lru_cache(maxsize=2)
def _parsed(body: bytes) -> tuple[Mapping[str, tuple[int, int]], Mapping[str, tuple[int, int]]]:
    """Read the text of a seal; a commit looks at the same one twice."""
    stored = json.loads(body)
    return (
        {name: (size, crc) for name, (size, crc) in stored["files"].items()},
        {name: (rows, crc) for name, (rows, crc) in stored["keys"].items()},
    )


def write_seal_file(uri: str, seal: Seal) -> None:
    """Write a seal, in the place of an earlier one of its version."""
    own = {name: of for name, of in seal.files.items() if name.startswith(_OF_ONE_VERSION)}
    files = _joined(_members(own), seal.lasting_text)
    body = b'{"files": {%b}, "keys": {%b}}' % (files, seal.keys_text)
    content = f"{_HEAD} {crc32(body):08x}\n".encode() + body
    dataset_files(uri).write(seal_name(seal.version), content)


def _members(mapping: Mapping[str, tuple[int, int]]) -> bytes:
    """Write what is between the braces of a JSON object."""
    return json.dumps(mapping)[1:-1].encode()


def _joined(*members: bytes) -> bytes:
    return b", ".join(filter(None, members))


def seal_name(version: int) -> str:
    """Return where the seal of a version is, below the dataset."""
    return f"{SEALS_FOLDER}/{version:020d}"
