"""The errors of the cache, and what Lance and the system mean by theirs."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cache.object_store.refusals import why_refused
from cache.root import is_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "ELSEWHERE",
    "CacheError",
    "DamagedEntry",
    "DamagedStore",
    "StoreFormatError",
    "damaged_entries",
    "damaged_store",
    "is_conflict",
    "lance_errors",
]

ELSEWHERE = "or choose another folder with --cache or SEVENSONGS_CACHE"
_REMEDIES = {
    1: ("the folder may not be written", f"change its permissions, {ELSEWHERE}"),
    13: ("permission denied", f"change the folder's permissions, {ELSEWHERE}"),
    17: ("there is a file of that name, not a folder", "choose another folder with --cache"),
    20: ("a part of the path is a file, not a folder", "choose another folder with --cache"),
    27: ("a file grew beyond the allowed size", f"raise the limit (ulimit -f), {ELSEWHERE}"),
    28: ("the disk is full", f"free some space, {ELSEWHERE}"),
    30: ("the file system is read-only", f"mount it writable, {ELSEWHERE}"),
    122: ("the disk quota is used up", f"free some space, {ELSEWHERE}"),
}


class CacheError(Exception):
    """The cache cannot be read or written; the message says what, where and what to do."""


class StoreFormatError(CacheError):
    """A dataset on disk is of another format version, encoder, fingerprint or dimension."""


class DamagedEntry(CacheError):  # noqa: N818  named after what it is, as the README calls it
    """A stored row does not match its own checksum, so its numbers must not be used."""


class DamagedStore(CacheError):  # noqa: N818  as `DamagedEntry`
    """A file of the cache is not the one that was written, so what it says must not be used."""


@contextmanager
def lance_errors(doing: str, where: str) -> Iterator[None]:
    """Turn whatever Lance or Arrow raises into a `CacheError` that says what to do.

    Parameters
    ----------
    doing : str
        What was being done, such as ``"read"``.
    where : str
        Path or URI of the dataset.

    Raises
    ------
    CacheError
        Instead of OSError, ValueError, RuntimeError and the like. Errors that are a
        `CacheError` already pass unchanged.
    """
    try:
        yield
    except (CacheError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        # A panic in Lance's Rust code derives from BaseException alone; a damaged file causes it.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise CacheError(_explain(error, doing, where)) from error
        raise


def _explain(error: BaseException, doing: str, where: str) -> str:
    text = str(error)
    said = re.search(r"os error (\d+)", text)
    number = error.errno if isinstance(error, OSError) and error.errno else None
    number = int(said[1]) if said else number
    if number in _REMEDIES:
        what, remedy = _REMEDIES[number]
        return f"cannot {doing} the cache at {where}: {what}; {remedy}"
    # Lance appends the place in its own source; nobody but its authors can use it.
    short = re.sub(r",? /\S+\.rs:\d+:\d+", "", text)[:300]
    if is_conflict(error):
        return f"cannot {doing} the cache at {where}: other processes kept changing it; run again"
    if is_uri(where) and (why := why_refused(text)):
        return f"cannot {doing} the cache at {where}: {why}"
    if is_uri(where):
        remedy = "check the address, the network and the credentials, then run again"
    elif doing in ("create", "write"):
        remedy = "check that this folder can be written, " + ELSEWHERE
    else:
        remedy = "if it is damaged, `sevensongs cache verify --repair` mends it"
    return f"cannot {doing} the cache at {where}: {short}; {remedy}"


def is_conflict(error: BaseException) -> bool:
    """Tell whether Lance gave up a commit because of another process's."""
    text = str(error)
    return any(s in text for s in ("commit conflict", "Incompatible transaction", "Too many concu"))


def damaged_entries(uri: str, digests: Sequence[str]) -> DamagedEntry:
    """Say which entries are damaged and what to do; the error is returned, not raised."""
    named = ", ".join(digests[:3]) + (", ..." if len(digests) > 3 else "")
    what = "entry does" if len(digests) == 1 else "entries do"
    return DamagedEntry(
        f"{len(digests)} {what} not match the checksum in the cache at {uri}: {named}; "
        "`sevensongs cache verify --repair` drops what is damaged and makes it anew"
    )


def damaged_store(uri: str, what: str) -> DamagedStore:
    """Say what is damaged and what mends it; the error is returned, not raised."""
    return DamagedStore(
        f"the cache at {uri} is damaged: {what}; "
        "`sevensongs cache verify --repair` mends it, and embeds again what it must"
    )
