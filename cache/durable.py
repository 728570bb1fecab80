"""Have what is written outlast a power cut: the files on the disk first, then their names."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["lasting", "sync_file", "sync_folder", "write_whole"]

_ABANDONED_S = 86400.0  # no write takes so long; whoever began it was killed


@contextmanager
def lasting(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Bring the files that come into a folder, or below it, while the block runs to the disk.

    For writers that leave it to the system when that happens, as Lance does. What other processes write
    there meanwhile is brought to the disk as well, and what they remove is passed over.

    Raises
    ------
    OSError
        If the disk does not take them.
    """
    before = _files(folder)
    yield
    fresh = _files(folder) - before
    for path in fresh:
        with contextlib.suppress(FileNotFoundError):
            sync_file(path)
    for parent in {os.path.dirname(path) for path in fresh}:
        sync_folder(parent)


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that it is there as a whole or not at all, after a kill and after a power cut.

    It is written under a temporary name, brought to the disk, and then given its own. Temporary files that
    killed processes left in its folder are removed when they are a day old.

    Parameters
    ----------
    path : Path
        Its folder is made if missing.
    write : callable
        Is given the open file.

    Raises
    ------
    OSError
        If it can't be written; an older file of that name is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:  # x: never through a link that someone else put there
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)
    _remove_abandoned(path.parent)


def sync_file(path: str | os.PathLike[str]) -> None:
    """Bring a file to the disk.

    Raises
    ------
    OSError
        If it has gone, or the disk does not take it.
    """
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))  # Windows syncs only what may be written
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Bring the names in a folder to the disk, where the system lets one sync a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _files(folder: str | os.PathLike[str]) -> set[str]:
    return {os.path.join(where, name) for where, _, names in os.walk(folder) for name in names}


def _remove_abandoned(folder: Path) -> None:
    before = time.time() - _ABANDONED_S
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()
