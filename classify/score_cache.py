"""Decisions that a taste has made before, kept so that scoring after ten new songs costs ten new songs.

A plain cache of files ``<cache>/scores/<key>.npz``: deleting it changes nothing but the time. The key holds
all of the taste and of the program that decides; a row holds the checksum of the very song vector. So what is
read here is, bit for bit, what would be computed anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cache import SCORES_FOLDER, local_root
from cache.checksums import digest_chars
from cache.durable import remove_abandoned, write_whole
from cache.rows import places
from classify.features import FloatArray
from classify.taste import Taste

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ScoreCache", "damaged_scores"]

_KEPT = 8  # tastes; of a library of 100,000 each takes 5 MB
_DIGEST_CHARS = 32
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


class ScoreCache:
    """The decisions of one taste.

    Parameters
    ----------
    taste : Taste
    root : path or URI
        The cache; of an object store, the decisions are kept in this user's cache folder.
    """

    def __init__(self, taste: Taste, root: str | Path) -> None:
        self._path = local_root(root) / SCORES_FOLDER / f"{_key(taste)}.npz"

    def load(self, digests: pa.Array, crcs: NDArray[np.uint32]) -> FloatArray:
        """Look decisions up.

        Parameters
        ----------
        digests : pyarrow.StringArray, shape (n,)
            Recordings.
        crcs : ndarray, shape (n, n_encoders), uint32
            Checksums of their song vectors.

        Returns
        -------
        ndarray, shape (n,), float64
            NaN where nothing is known of that very vector, or the file is damaged.
        """
        found = np.full(len(digests), np.nan)
        try:
            # Not np.load(path), which leaves a file open that is no archive. Each member's CRC-32 is checked.
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                names, known_crcs, decisions = (archive[name] for name in ("digests", "crcs", "decisions"))
            known = _text_array(names)
            if not len(names) == len(known_crcs) == len(decisions) or not np.isfinite(decisions).all():
                return found
            at = places(digests, known)
            held = np.flatnonzero(at >= 0)
            held = held[(known_crcs[at[held]] == crcs[held]).all(axis=1)]
            found[held] = decisions[at[held]]
        except _DAMAGE:
            return np.full(len(digests), np.nan)
        with contextlib.suppress(OSError):
            os.utime(self._path)  # the ones used last are kept
        return found

    def save(self, digests: pa.Array, crcs: NDArray[np.uint32], decisions: FloatArray) -> None:
        """Keep decisions, all of them or nothing; where this can't be written, nothing is kept.

        Parameters
        ----------
        digests, crcs
            As for `load`.
        decisions : ndarray, shape (n,), float64
        """
        rows = digest_chars(digests)
        if rows is None:
            return  # a damaged name is no digest

        def write(file: BinaryIO) -> None:
            np.savez(file, allow_pickle=False, digests=rows, crcs=crcs, decisions=decisions)

        with contextlib.suppress(OSError):
            write_whole(self._path, write)
            _drop_old(self._path.parent)


def damaged_scores(root: str | Path) -> list[Path]:
    """List the files of kept decisions that are not, byte for byte, what was written; they can be deleted."""
    damaged = []
    for path in sorted((local_root(root) / SCORES_FOLDER).glob("*.npz")):
        try:
            content = path.read_bytes()
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in ("digests", "crcs", "decisions")}
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


def _text_array(names: NDArray[np.uint8]) -> pa.StringArray:
    """View digests, shape (n, 32), uint8, as an Arrow array without a copy."""
    import pyarrow as pa

    if names.ndim != 2 or names.shape[1] != _DIGEST_CHARS or names.dtype != np.uint8 or (names > 127).any():
        raise ValueError("no digests")
    ends = np.arange(len(names) + 1, dtype=np.int32) * _DIGEST_CHARS
    return pa.StringArray.from_buffers(
        len(names), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(names))
    )


def _drop_old(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in files[_KEPT:]:
        path.unlink(missing_ok=True)
    remove_abandoned(folder)


def _key(taste: Taste) -> str:
    """Name a taste and the program that decides, by all that can move a decision."""
    hashed = hashlib.blake2b(digest_size=16)
    # The program's own text instead of a version that somebody would forget to raise: 1 ms.
    for path in sorted(Path(__file__).parent.glob("*.py")):
        hashed.update(path.read_bytes())
    hashed.update(f"numpy {np.__version__}".encode())
    _feed(hashed, taste)
    return hashed.hexdigest()


def _feed(hashed: hashlib.blake2b, value: Any) -> None:
    """Feed a value with its type and shape, so that no two run into one another."""
    if isinstance(value, np.ndarray):
        hashed.update(f"\0{value.dtype.str}{value.shape}".encode())
        hashed.update(np.ascontiguousarray(value).view(np.uint8).data)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            hashed.update(f"\0{field.name}".encode())
            _feed(hashed, getattr(value, field.name))
    elif isinstance(value, tuple | list):
        hashed.update(f"\0{len(value)}".encode())
        for item in value:
            _feed(hashed, item)
    else:
        hashed.update(f"\0{value!r}".encode("utf-8", "surrogatepass"))
