"""A song's file gives way to a changed copy that is otherwise the same, at once and for good."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cache import sync_file, sync_folder
from classify.errors import ClassifyError

__all__ = ["replaced", "require_replaceable"]

_NAME_CHARS = 60
_ENDING, _ABANDONED_S = ".tags-tmp", 86400.0


def require_replaceable(path: Path) -> os.stat_result:
    """Refuse a file whose copy could not take its place, and return its status.

    Raises
    ------
    ClassifyError
        If it is no regular file, may not be written, or has other names (hard links).
    OSError
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ClassifyError("is no regular file")
    if not status.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise ClassifyError("is read-only")
    if not os.access(path.parent, os.W_OK):
        raise ClassifyError("is in a folder that can't be written")
    if status.st_nlink > 1:
        raise ClassifyError(
            f"has {status.st_nlink} names (hard links); written under one, it would part from the "
            "others"
        )
    return status


@contextmanager
def replaced(path: Path, fill: Callable[[BinaryIO], object]) -> Iterator[Path]:
    """Give a file beside another; after the block it takes the other's place.

    It keeps permissions, owner, times and extended attributes. It is on the disk before it gets the
    name. Where the block or anything else fails, or the process is killed, the file stays as it is.

    Parameters
    ----------
    path : Path
        No link.
    fill : callable
        Writes what the new file has at first.

    Raises
    ------
    ClassifyError
        If something of it can't be kept, or it has been changed meanwhile.
    OSError
    """
    before = require_replaceable(path)
    _remove_abandoned(path)
    # Hidden, so that nobody takes it for a song; with its suffix, by which some kinds are told.
    copy = path.with_name(f"{_beginning(path)}{secrets.token_hex(8)}{_ENDING}{path.suffix}")
    try:
        with copy.open("xb") as file:
            copy.chmod(0o600)
            fill(file)
        yield copy
        _take_over(path, before, copy)
        sync_file(copy)
        now = path.stat()
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (
            before.st_ino,
            before.st_size,
            before.st_mtime_ns,
        ):
            raise ClassifyError("was changed by another program meanwhile")
        copy.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            copy.unlink()
        raise
    sync_folder(path.parent)


def _beginning(path: Path) -> str:
    return f".{path.stem[:_NAME_CHARS]}."


def _remove_abandoned(path: Path) -> None:
    """Remove copies of a file that killed processes left a day ago or more."""
    pattern = f"{glob.escape(_beginning(path))}*{_ENDING}{glob.escape(path.suffix)}"
    for left in path.parent.glob(pattern):
        with contextlib.suppress(OSError):
            if left.stat().st_ctime < time.time() - _ABANDONED_S:
                left.unlink()


def _take_over(path: Path, status: os.stat_result, copy: Path) -> None:
    """Give a copy what its original has besides its bytes."""
    own = copy.stat()
    if hasattr(os, "chown") and (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        try:
            os.chown(copy, status.st_uid, status.st_gid)
        except PermissionError as error:
            raise ClassifyError("belongs to another user, and would not any more") from error
    shutil.copystat(path, copy)
    if _attributes(path) != _attributes(copy):
        raise ClassifyError("has extended attributes that can't be kept")


def _attributes(path: Path) -> dict[str, bytes]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return {name: os.getxattr(path, name) for name in os.listxattr(path)}
    except OSError:  # a file system without them
        return {}
