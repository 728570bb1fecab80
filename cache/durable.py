"""Have what is written outlast a power cut: the files on the disk first, then their names.

By hand: Lance never syncs, and Python has no write of all or nothing. Of 225 processes that were
killed none lost anything that was there before (results/reliability.jsonl);
tests/whole/test_crashes.py holds the order on the disk.
"""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cache.errors import CacheError, lance_errors
from cache.root import is_uri, join

__all__ = [
    "lasting",
    "remove_abandoned",
    "require_cache",
    "require_writable",
    "staged",
    "sync_file",
    "sync_folder",
    "write_whole",
]

_ABANDONED_S = 86400.0  # no write takes so long; whoever began it was killed
_NAME_CHARS = 100  # of a file in the name of its temporary one, which the system bounds


@contextmanager
def lasting(folder: str | os.PathLike[str], *, but: str = "") -> Iterator[None]:
    """Bring the files that come into a folder, or below it, while the block runs to the disk.

    For writers that leave it to the system when that happens, as Lance does. What other processes
    write there meanwhile is brought to the disk as well, and what they remove is passed over.

    Parameters
    ----------
    folder : path
    but : str
        A folder in it into which nothing comes: of a large dataset, each look takes time.

    Raises
    ------
    OSError
        If the disk does not take them.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from cache import lasting
    >>> with TemporaryDirectory() as folder, lasting(folder):
    ...     Path(folder, "song.txt").write_text("on the disk after the block")
    27
    """
    before = _files(folder, but)
    yield
    fresh = _files(folder, but) - before
    for path in fresh:
        with contextlib.suppress(FileNotFoundError):
            sync_file(path)
    for parent in {os.path.dirname(path) for path in fresh}:
        sync_folder(parent)


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all.

    That holds after a kill and after a power cut.

    See `staged`, which does no more than leave time between the two steps.

    Raises
    ------
    OSError
        If it can't be written; an older file of that name is then untouched.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from cache import write_whole
    >>> with TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "song.txt"), lambda file: file.write(b"whole"))
    ...     Path(folder, "song.txt").read_bytes()
    b'whole'
    """
    with staged(path, write):
        pass


@contextmanager
def staged(path: Path, write: Callable[[BinaryIO], object]) -> Iterator[None]:
    """Write a file under a temporary name before the block, and give it its own after.

    What can fail, such as a full disk, fails before the block; where the block raises, nothing has
    changed. So two files can be replaced together: the block writes the other one. The file is
    brought to the disk before it gets its name. Temporary files of the same name that killed
    processes left are removed when they are a day old.

    Parameters
    ----------
    path : Path
        Its folder is made if missing. A link stays, and what it leads to is replaced; so do
        permissions.
    write : callable
        Is given the open file.

    Raises
    ------
    OSError
        If it can't be written, or is there and is no regular file: as root, /dev/null would be
        replaced. An older file of that name is then untouched.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from cache import staged
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "song.txt")
    ...     with staged(path, lambda file: file.write(b"whole")):
    ...         path.exists()
    ...     path.read_bytes()
    False
    b'whole'
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = _mode(target)
    temporary = target.with_name(f".{target.name[:_NAME_CHARS]}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:  # x: never through a link that someone else put there
            if mode is not None:
                temporary.chmod(mode)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        yield
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(target.parent)
    # No others than this file's: other programs may keep some of theirs there.
    remove_abandoned(target.parent, glob.escape(target.name[:_NAME_CHARS]))


def sync_file(path: str | os.PathLike[str]) -> None:
    """Bring a file to the disk.

    Raises
    ------
    OSError
        If it has gone, or the disk does not take it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cache import default_root, sync_file
    >>> path = Path(default_root(), "note.txt")
    >>> path.write_text("there after a power cut")
    23
    >>> sync_file(path)
    """
    # Windows syncs only what may be written
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Bring the names in a folder to the disk, where the system lets one sync a folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cache import default_root, sync_folder
    >>> Path(default_root(), "note.txt").touch()
    >>> sync_folder(default_root())  # its name is there after a power cut
    """
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _files(folder: str | os.PathLike[str], but: str) -> set[str]:
    found: set[str] = set()
    for where, folders, names in os.walk(folder):
        if but in folders and where == os.fspath(folder):
            folders.remove(but)
        found.update(os.path.join(where, name) for name in names)
    return found


def remove_abandoned(folder: Path, name: str = "*") -> None:
    """Remove temporary files and folders that killed processes left a day ago or more.

    Parameters
    ----------
    folder : Path
        Where they are.
    name : str
        Of which file, as a pattern; default: of any, for folders that are ours alone.

    Examples
    --------
    >>> from cache import local_root, remove_abandoned
    >>> remove_abandoned(local_root())  # what a running process writes is younger, and stays
    """
    before = time.time() - _ABANDONED_S
    for left in folder.glob(f".{name}.*.tmp"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime >= before:
                continue
            if name == "*" and left.is_dir():  # never in a folder of other programs, too
                shutil.rmtree(left)
            else:
                left.unlink()


def _mode(path: Path) -> int | None:
    """Return the permissions of what is to be replaced; None if nothing is."""
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):
        raise OSError("it is there already and is no regular file")
    return stat.S_IMODE(found)


def require_cache(root: str | Path) -> None:
    """Refuse a cache that is not there, before anything makes an empty one in its place.

    Parameters
    ----------
    root : str or Path
        A folder; of a URI nothing is asked.

    Raises
    ------
    CacheError
        If there is no such folder.

    Examples
    --------
    >>> from cache import default_root, require_cache
    >>> require_cache(default_root())  # says nothing where it is there
    """
    if not is_uri(root) and not Path(root).expanduser().is_dir():
        raise CacheError(
            f"there is no cache at {join(root)}: is the drive connected? 'sevensongs embed PATH' "
            "begins a new one"
        )


def require_writable(root: str | Path) -> None:
    """Check that a cache can be written, before hours of work are spent on what goes into it.

    Raises
    ------
    CacheError
        If it can't, or is in an object store that would lose commits.

    Examples
    --------
    >>> from cache import default_root, require_writable
    >>> require_writable(default_root())  # says nothing where all is well
    """
    if is_uri(root):
        from cache.object_store.conditional_writes import require_conditional_writes

        require_conditional_writes(str(root))
        return
    with lance_errors("write", str(root)):
        Path(root).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(b"0")
            file.flush()
