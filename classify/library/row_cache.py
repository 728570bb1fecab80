"""Numbers that were computed for recordings, kept in a file.

So they need not be computed again.

Plain caches ``<cache>/scores/*.npz``: deleting one changes nothing but the time. A row holds the
checksum of the very song vector, so that what is read is what would be computed anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cache import SCORES_FOLDER, digest_chars, local_root, places, remove_abandoned, write_whole

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PART_MARK", "KeptRows", "damaged_rows", "read_rows", "write_rows"]

PART_MARK = "+"
"""In names, before the number of a part; the parts of one thing are kept or dropped together."""
_KEPT = 8  # things; of a library of 100,000 each takes 5 to 10 MB
_DIGEST_CHARS = 32
_COLUMNS = ("digests", "crcs", "values")
_MATRIX = 2  # axes
# What NumPy and zipfile raise for a file that is not what they expect.
_DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,  # a compression method that zipfile does not know
    OSError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptRows:
    """What a file holds.

    Attributes
    ----------
    digests : pyarrow.StringArray, shape (n,)
        Recordings, each once.
    crcs : ndarray, shape (n, n_encoders), uint32
        Checksums of their song vectors.
    values : ndarray, shape (n, ...)
        What was computed of each.
    others : dict of str to ndarray
        What was kept beside them.
    """

    digests: pa.StringArray
    crcs: NDArray[np.uint32]
    values: NDArray[Any]
    others: dict[str, NDArray[Any]] = field(default_factory=dict)

    def find(
        self, digests: pa.Array, crcs: NDArray[np.uint32]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Tell which of some recordings are here with that very vector, and where.

        Both are of shape (m,).
        """
        at = places(digests, self.digests)
        is_same = at >= 0
        is_same[is_same] = (self.crcs[at[is_same]] == crcs[is_same]).all(axis=1)
        same = np.flatnonzero(is_same)
        return same, at[same]


def read_rows(root: str | Path, name: str) -> KeptRows | None:
    """Read a file; None where there is none, or it is damaged.

    Parameters
    ----------
    root : path or URI
        The cache; of an object store, what is kept is in this user's cache folder.
    name : str
        The file's, without its suffix.
    """
    path = _path(root, name)
    try:
        # Not np.load(path), which leaves a file open that is no archive. Each member's CRC-32 is
        # checked.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        names, crcs, values = (arrays.pop(key) for key in _COLUMNS)
        digests = _text_array(names)
        if (
            not len(names) == len(crcs) == len(values)
            or crcs.ndim != _MATRIX
            or not _is_finite(values)
        ):
            return None
    except _DAMAGE:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the ones used last are kept
    return KeptRows(digests=digests, crcs=crcs, values=values, others=arrays)


def write_rows(
    root: str | Path,
    name: str,
    digests: pa.Array,
    crcs: NDArray[np.uint32],
    values: NDArray[Any],
    **others: NDArray[Any],
) -> None:
    """Keep rows, all of them or nothing; where this can't be written, nothing is kept.

    Parameters
    ----------
    root, name
        As for `read_rows`.
    digests, crcs, values, others
        See `KeptRows`.
    """
    rows = digest_chars(digests)
    if rows is None:
        return  # a damaged name is no digest

    def write(file: BinaryIO) -> None:
        np.savez(file, allow_pickle=False, digests=rows, crcs=crcs, values=values, **others)

    path = _path(root, name)
    with contextlib.suppress(OSError):
        write_whole(path, write)
        _drop_old(path.parent)


def damaged_rows(root: str | Path) -> list[Path]:
    """List the files that are not, byte for byte, what was written; they can be deleted."""
    damaged = []
    for path in sorted((local_root(root) / SCORES_FOLDER).glob("*.npz")):
        try:
            content = path.read_bytes()
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except FileNotFoundError:  # another process has just dropped it
            continue
        except _DAMAGE:
            damaged.append(path)
            continue
        again = io.BytesIO()
        np.savez(again, allow_pickle=False, **arrays)  # the same arrays make the same bytes
        if again.getvalue() != content:
            damaged.append(path)
    return damaged


def _path(root: str | Path, name: str) -> Path:
    return local_root(root) / SCORES_FOLDER / f"{name}.npz"


def _is_finite(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "iuf" and bool(np.isfinite(values).all())


def _text_array(names: NDArray[np.uint8]) -> pa.StringArray:
    """View digests, shape (n, 32), uint8, as an Arrow array without a copy."""
    import pyarrow as pa

    if names.ndim != _MATRIX or names.shape[1] != _DIGEST_CHARS or names.dtype != np.uint8:
        raise ValueError("no digests")
    if names.max(initial=0) > 127:  # no ASCII
        raise ValueError("no digests")
    ends = np.arange(len(names) + 1, dtype=np.int32) * _DIGEST_CHARS
    return pa.StringArray.from_buffers(
        len(names), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(names))
    )


def _drop_old(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    names = [path.stem.partition(PART_MARK)[0] for path in files]
    kept = list(dict.fromkeys(names))[:_KEPT]
    for path, name in zip(files, names, strict=True):
        if name not in kept:
            path.unlink(missing_ok=True)
    remove_abandoned(folder)
