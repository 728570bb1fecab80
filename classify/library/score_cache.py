"""Decisions that a taste has made before, kept for the next time.

So scoring after ten new songs costs ten new songs.

The key holds all of the taste and of the program that decides; see `classify.library.row_cache` for
the rest. So what is read here is, bit for bit, what would be computed anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.library.row_cache import PART_MARK, read_rows, write_rows
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ScoreCache", "program_hash"]

_HOME = Path(__file__).resolve().parents[2]
_DECIDE = (
    "cache/join/*.py",
    "cache/stored_vectors.py",
    "cache/vector_reader.py",
    "classify/learning/*.py",
    "classify/library/*.py",
    "classify/scoring/*.py",
    "classify/taste/*.py",
)


class ScoreCache:
    """The decisions of one taste.

    Parameters
    ----------
    taste : Taste
    root : path or URI
        The cache; of an object store, the decisions are kept in this user's cache folder.
    part : int, optional
        Of a library that is scored in parts, which this is of.
    """

    def __init__(self, taste: Taste, root: str | Path, *, part: int | None = None) -> None:
        self._root = root
        self._name = _key(taste) if part is None else f"{_key(taste)}{PART_MARK}{part}"

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
        kept = read_rows(self._root, self._name)
        if kept is not None and kept.values.shape == kept.crcs.shape[:1]:
            asked, at = kept.find(digests, crcs)
            found[asked] = kept.values[at]
        return found

    def save(self, digests: pa.Array, crcs: NDArray[np.uint32], decisions: FloatArray) -> None:
        """Keep decisions, all of them or nothing; where this can't be written, nothing is kept.

        Parameters
        ----------
        digests, crcs
            As for `load`.
        decisions : ndarray, shape (n,), float64
        """
        write_rows(self._root, self._name, digests, crcs, decisions)


def program_hash(home: Path = _HOME) -> hashlib.blake2b:
    """Begin a key with the program: its text, not a version that somebody would forget to raise.

    Parameters
    ----------
    home : Path
        Where `cache` and `classify` are. `cache` reads song vectors and `taste` decides on them;
        `library` keeps and `scoring` chooses; `learning` says up to where two songs count as one.
    """
    hashed = hashlib.blake2b(digest_size=16)
    for modules in _DECIDE:
        for path in sorted(home.glob(modules)):  # 1 ms
            hashed.update(f"\0{path.relative_to(home).as_posix()}\0".encode())
            hashed.update(path.read_bytes())
    hashed.update(f"numpy {np.__version__}".encode())
    return hashed


def _key(taste: Taste) -> str:
    """Name a taste and the program, by all that can move a decision, and so not by the time.

    Where a label is taken back, what was decided before is there still.
    """
    hashed = program_hash()
    _feed(hashed, dataclasses.replace(taste, created_at=""))
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
