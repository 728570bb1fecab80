"""The files of one dataset, in a folder or in an object store, for seals and repairs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cache.crc32 import file_crc32
from cache.durable import write_whole
from cache.object_store.bucket import Bucket
from cache.root import is_uri

__all__ = ["LocalFiles", "dataset_files"]


class LocalFiles:
    """Files below a folder; what is missing raises FileNotFoundError, as `Bucket` does.

    Parameters
    ----------
    folder : str
        Need not be there.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def names(self, folder: str) -> list[str]:
        """List the names right below a folder; none where it is not there."""
        try:
            return os.listdir(self._folder / folder)
        except FileNotFoundError:
            return []

    def n_bytes(self) -> int:
        """Sum the sizes of all files."""
        total = 0
        for where, _, names in os.walk(self._folder):
            for name in names:
                with suppress(OSError):  # another process has just pruned it
                    total += Path(where, name).stat().st_size
        return total

    def exists(self, name: str) -> bool:
        """Tell whether a file is there."""
        return (self._folder / name).exists()

    def read(self, name: str) -> bytes:
        """Read a file whole."""
        return (self._folder / name).read_bytes()

    def size_and_crc(self, name: str) -> tuple[int, int]:
        """Return the size of a file in bytes and its CRC-32."""
        return file_crc32(self._folder / name)

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; see `write_whole`."""
        write_whole(self._folder / name, lambda file: file.write(content))

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is passed over."""
        (self._folder / name).unlink(missing_ok=True)


def dataset_files(uri: str) -> LocalFiles | Bucket:
    """Return what reads and writes the files of a dataset."""
    return Bucket(uri) if is_uri(uri) else LocalFiles(uri)
