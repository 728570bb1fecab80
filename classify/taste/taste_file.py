"""The file of a taste: format 3 is written, formats 3 and 2 are read.

Both hold one text of JSON, and arrays: `mean` and `scale` (float32, one each per feature), `basis`
and `offset` (float32), which make song space; `known` (float32), the sketches of familiar songs;
and for each layer i `weights_<i>` and `bias_<i>` (float64). People share these files, so the reader
trusts nothing: it takes these arrays and no others, and every number is checked before it is used.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from cache import staged
from classify.errors import ClassifyError, TasteError, write_problem
from classify.taste.format_3 import Format3File, format_3
from classify.taste.layers import MAX_WEIGHTS
from classify.taste.taste_parts import TasteParts, array_names, arrays_of, facts_of, parts_from

__all__ = ["FORMAT_VERSION", "MAX_FILE_BYTES", "load_taste", "save_taste", "staged_taste"]

_Parts = TypeVar("_Parts", bound=TasteParts)

FORMAT_VERSION = 3
# The weights at 8 bytes each, and as much again for the digests: 2,100 of them take 0.1 MB.
MAX_FILE_BYTES = 2 * 8 * MAX_WEIGHTS
_MAX_REASON = 200
_KIND = "sevensongs taste"
_ZIP = b"PK\3\4"  # of format 2; a safetensors file that begins so would have a header of 67 MB
_DAMAGE = (
    LookupError,
    MemoryError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the readers of both formats, NumPy and json raise on bytes that are not theirs."""


def save_taste(taste: TasteParts, path: str | os.PathLike[str]) -> None:
    """Write a taste atomically: a reader sees the old file or the new one, never a half.

    Parameters
    ----------
    taste : TasteParts
    path : path-like
        Its folder is made if missing.

    Raises
    ------
    TasteError
        If the file can't be written, or is a device or a folder, or would be larger than
        `MAX_FILE_BYTES`; an older file is then untouched.
    """
    with staged_taste(taste, path):
        pass


@contextlib.contextmanager
def staged_taste(taste: TasteParts, path: str | os.PathLike[str]) -> Iterator[None]:
    """Write a taste under a temporary name, and give it its own after the block.

    `cache.durable.staged` says more.

    The block writes the labels: on a full disk neither is replaced.

    Raises
    ------
    TasteError
        As `save_taste`; errors of ours in the block pass.
    """
    facts = {"kind": _KIND, "format": FORMAT_VERSION, **facts_of(taste)}
    text = json.dumps(facts, sort_keys=True, allow_nan=False)
    content = format_3(text, arrays_of(taste), max_bytes=MAX_FILE_BYTES)
    try:
        with staged(Path(os.fspath(path)), lambda file: file.write(content)):
            yield
    except OSError as error:
        target = os.path.realpath(os.fspath(path))
        raise TasteError(f"can't write the taste to {target!r}: {write_problem(error)}") from error


def load_taste(path: str | os.PathLike[str], kind: type[_Parts]) -> _Parts:
    """Read a taste, trusting nothing in the file.

    Parameters
    ----------
    path : path-like
        What `save_taste` wrote, or a file of format 2.
    kind : type
        What to make of it: `classify.Taste`, which this module does not know.

    Returns
    -------
    An instance of `kind`.

    Raises
    ------
    TasteError
        If there is no such file, or it is damaged, truncated, pickled, too large, not a taste, or
        of a newer format.
    """
    shown = repr(os.fspath(path))
    try:
        content = _read_regular_file(path, max_bytes=MAX_FILE_BYTES)
        return _taste_in(content, kind)
    except FileNotFoundError as error:
        raise TasteError(
            f"there is no taste at {shown} yet: 'sevensongs embed PATH' hears your music, and "
            "'sevensongs label like SONG' or 'sevensongs train --like ...' makes a taste"
        ) from error
    except (IsADirectoryError, PermissionError) as error:
        raise TasteError(f"can't read a taste from {shown}: {error.strerror}") from error
    except ClassifyError as error:
        raise TasteError(f"{shown}: {error}") from error
    except _DAMAGE as error:
        reason = f"{type(error).__name__}: {error}"
        raise TasteError(
            f"{shown} is not a taste, or is damaged ({reason:.{_MAX_REASON}}); "
            "copy it again, or make it anew with 'sevensongs train'"
        ) from error


class _File(Protocol):
    """What both formats hold."""

    facts: str
    names: frozenset[str]

    def arrays(self) -> dict[str, NDArray[Any]]: ...


def _taste_in(content: bytes, kind: type[_Parts]) -> _Parts:
    if content.startswith(_ZIP):
        from classify.taste.format_2 import Format2File  # imports zipfile, for few files

        return _taste_of(Format2File(content, max_bytes=MAX_FILE_BYTES), 2, kind)
    return _taste_of(Format3File(content), 3, kind)


def _taste_of(file: _File, version: int, kind: type[_Parts]) -> _Parts:
    # The version first, as a newer one may have other arrays.
    facts = _facts(file.facts, version)
    names = array_names(facts)
    if file.names - names:
        raise TasteError(
            f"holds {min(file.names - names)!r:.80}, which no taste has: don't trust it"
        )
    if names - file.names:
        raise ValueError(f"it has no array {min(names - file.names)!r}")
    return parts_from(facts, file.arrays(), kind)


def _facts(text: str, version: int) -> dict[str, Any]:
    facts = json.loads(text)
    if not isinstance(facts, dict) or facts.get("kind") != _KIND:
        raise TasteError("is an array file but not a taste")
    told = facts["format"]
    if not isinstance(told, int) or isinstance(told, bool):
        raise TypeError(f"{told!r:.40} where the number of a format is needed")
    if told > FORMAT_VERSION:
        raise TasteError(
            f"is of taste format {told!s:.20}, this version reads up to {FORMAT_VERSION}: upgrade "
            "sevensongs"
        )
    if told == 1:
        raise TasteError("is of taste format 1, of before the first release: train it again")
    if told != version:
        raise ValueError(f"format {told} in a file of format {version}")
    return facts


def _read_regular_file(path: str | os.PathLike[str], *, max_bytes: int) -> bytes:
    """Read a regular file of a sane size.

    A FIFO or a device, which might never end, is not even opened.

    Raises
    ------
    TasteError
        If it is no regular file, or larger.
    OSError
        If it can't be read, or is a folder.
    """
    _require_regular(os.stat(path), max_bytes)
    # Again once it is open, as it may be another one by now; O_NONBLOCK so that a FIFO can't hold
    # us up.
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        _require_regular(os.fstat(descriptor), max_bytes)
    except (OSError, TasteError):
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(max_bytes + 1)  # it may have grown
    if len(content) > max_bytes:
        raise TasteError(f"is a file of more than {max_bytes} bytes, so it is no taste")
    return content


def _require_regular(status: os.stat_result, max_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
        raise TasteError(
            f"is no regular file of up to {max_bytes} bytes, so it is no taste (it has "
            f"{status.st_size})"
        )
