"""One recording's embedding, and how it becomes a row and comes back."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.errors import StoreFormatError
from cache.key import is_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = [
    "WHOLE",
    "Entry",
    "check_shapes",
    "covers",
    "entry_at",
    "entry_table",
    "vector_crc32",
    "vectors_of",
]

WHOLE = 0
"""`n_windows` of an entry that covers the whole recording."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """What one encoder made of one recording.

    Parameters
    ----------
    digest : str
        The recording, 32 lowercase hex characters.
    n_windows : int
        Windows asked for, 0 (`WHOLE`) for the whole recording. There may be fewer frames: silent
        windows have none.
    duration_s : float
        Length of the recording in seconds, positive.
    coverage : float
        Share of the recording that the frames cover, in (0, 1].
    starts_s : ndarray, shape (n_frames,), float32
        Where each frame starts, in seconds, in time order.
    frames : ndarray, shape (n_frames, dim), float16
        Frame embeddings in time order.
    vector : ndarray, shape (dim_vector,), float32
        The song vector.

    Raises
    ------
    ValueError
        If a value is outside its domain, a shape does not fit the others, a dtype is another,
        or a number is not finite.
    """

    digest: str
    n_windows: int
    duration_s: float
    coverage: float
    starts_s: NDArray[np.float32]
    frames: NDArray[np.float16]
    vector: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not is_digest(self.digest):
            raise ValueError(f"digest is {self.digest!r}; it must be 32 lowercase hex characters")
        if not 0 <= self.n_windows < 2**31:
            raise ValueError(f"n_windows is {self.n_windows}; it must be 0 (whole) or positive")
        if not (math.isfinite(self.duration_s) and self.duration_s > 0):
            raise ValueError(f"duration_s is {self.duration_s} s; it must be positive and finite")
        if not 0 < self.coverage <= 1:
            raise ValueError(f"coverage is {self.coverage}; it must be in (0, 1]")
        _check_array("starts_s", self.starts_s, np.float32, n_axes=1)
        _check_array("frames", self.frames, np.float16, n_axes=2)
        _check_array("vector", self.vector, np.float32, n_axes=1)
        if len(self.starts_s) != len(self.frames):
            raise ValueError(
                f"starts_s has {len(self.starts_s)} times for {len(self.frames)} frames; "
                "there must be one a frame"
            )
        if self.starts_s[0] < 0 or np.any(np.diff(self.starts_s) < 0):
            raise ValueError("starts_s goes below 0 s or back in time; it must be in time order")


def _check_array(name: str, array: NDArray[Any], dtype: type, *, n_axes: int) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        kind = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{name} is {kind}; it must be an array of {np.dtype(dtype)}")
    if array.ndim != n_axes or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; it must have {n_axes} axes, none empty")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} holds numbers that are not finite (NaN, or beyond the range of "
            f"{np.dtype(dtype)}); every one must be finite"
        )


def covers(held: int | None, n_windows: int) -> bool:
    """Whether an entry of `held` windows, None for no entry, has those asked for, or more.

    Examples
    --------
    >>> from cache import WHOLE, covers
    >>> covers(12, 8), covers(12, WHOLE), covers(WHOLE, 8), covers(None, 8)
    (True, False, True, False)
    """
    return held is not None and (held == WHOLE or 0 < n_windows <= held)


def check_shapes(
    entries: Sequence[Entry], *, encoder: str, dim: int, dim_vector: int | None
) -> None:
    """Refuse entries that do not belong into one store.

    Parameters
    ----------
    entries : sequence of Entry
        At least one.
    encoder : str
        The store's, for the message.
    dim : int
        Numbers a frame has there.
    dim_vector : int or None
        Numbers a song vector has there; None if none is there yet.

    Raises
    ------
    StoreFormatError
        If one has other dimensions than the store or the first.
    """
    dim_vector = len(entries[0].vector) if dim_vector is None else dim_vector
    for entry in entries:
        if entry.frames.shape[1] != dim:
            raise StoreFormatError(
                f"frames of {entry.digest} have {entry.frames.shape[1]} numbers, the store of "
                f"{encoder} {dim}; open the store of the encoder that made them"
            )
        if len(entry.vector) != dim_vector:
            raise StoreFormatError(
                f"the vector of {entry.digest} has {len(entry.vector)} numbers, others in the "
                f"store of {encoder} {dim_vector}; pool every song in the same way"
            )


def vector_crc32(digest: str, n_windows: int, vector: NDArray[np.float32]) -> int:
    """Checksum of a song vector together with whose it is.

    Lance does not notice a flipped byte in its files. With the key inside, a row whose key
    has changed is caught as well.

    Parameters
    ----------
    digest, n_windows
        The row's key.
    vector : ndarray, shape (dim_vector,), float32, contiguous

    Returns
    -------
    int
        CRC-32 in [0, 2**32).
    """
    # A view of the bytes, not a copy; Arrow's numbers and this are little-endian.
    return zlib.crc32(vector.view(np.uint8).data, zlib.crc32(f"{digest} {n_windows}".encode()))


def _frames_crc32(entry: Entry) -> int:
    crc = zlib.crc32(f"{entry.digest} {entry.n_windows}".encode())
    crc = zlib.crc32(struct.pack("<dd", entry.duration_s, entry.coverage), crc)
    crc = zlib.crc32(entry.starts_s.tobytes(), crc)
    return zlib.crc32(entry.frames.tobytes(), crc)


def entry_table(entries: Sequence[Entry]) -> pa.Table:
    """Lay entries out as rows.

    Parameters
    ----------
    entries : sequence of Entry
        At least one, all of one dim and dim_vector.

    Returns
    -------
    pyarrow.Table
        One row an entry; cache/README.md describes the columns.
    """
    import pyarrow as pa

    vectors = np.stack([e.vector for e in entries])  # (n, dim_vector)
    counts = [len(e.frames) for e in entries]
    ends = np.cumsum([0, *counts])
    dim = entries[0].frames.shape[1]
    frames = np.concatenate([e.frames.ravel() for e in entries])  # (sum of n_frames * dim,)
    starts_s = np.concatenate([e.starts_s for e in entries])  # (sum of n_frames,)
    crcs = [vector_crc32(e.digest, e.n_windows, np.ascontiguousarray(e.vector)) for e in entries]
    columns = {
        "digest": pa.array([e.digest for e in entries], pa.string()),
        "n_windows": pa.array([e.n_windows for e in entries], pa.int32()),
        "duration_s": pa.array([float(e.duration_s) for e in entries], pa.float64()),
        "coverage": pa.array([float(e.coverage) for e in entries], pa.float64()),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1]),
        # Flat, because a list of fixed-size lists is understood by fewer readers.
        "frames": pa.LargeListArray.from_arrays(pa.array(ends * dim), pa.array(frames)),
        "starts_s": pa.LargeListArray.from_arrays(pa.array(ends), pa.array(starts_s)),
        "vector_crc32": pa.array(crcs, pa.uint32()),
        "frames_crc32": pa.array([_frames_crc32(e) for e in entries], pa.uint32()),
    }
    fields = [pa.field(name, column.type, nullable=False) for name, column in columns.items()]
    return pa.table(columns, schema=pa.schema(fields))


def vectors_of(column: pa.FixedSizeListArray) -> NDArray[np.float32]:
    """View a vector column as an array of shape (n, dim_vector), without a copy."""
    flat: NDArray[np.float32] = column.flatten().to_numpy()
    return flat.reshape(len(column), column.type.list_size)


def entry_at(rows: pa.RecordBatch | pa.Table, at: int, dim: int) -> Entry | None:
    """Rebuild one entry.

    Parameters
    ----------
    rows : pyarrow.Table or RecordBatch
        With every column of `entry_table`.
    at : int
        Which row.
    dim : int
        Numbers a frame.

    Returns
    -------
    Entry or None
        None if the row does not match its checksums.
    """

    def cell(name: str) -> Any:
        return rows[name][at]

    try:
        entry = Entry(
            digest=cell("digest").as_py(),
            n_windows=cell("n_windows").as_py(),
            duration_s=cell("duration_s").as_py(),
            coverage=cell("coverage").as_py(),
            starts_s=cell("starts_s").values.to_numpy().copy(),
            frames=cell("frames").values.to_numpy().reshape(-1, dim).copy(),
            vector=cell("vector").values.to_numpy().copy(),
        )
    except (ValueError, TypeError, AttributeError):
        # Only whole entries were ever written, so a row that is none has been damaged.
        return None
    if vector_crc32(entry.digest, entry.n_windows, entry.vector) != cell("vector_crc32").as_py():
        return None
    return entry if _frames_crc32(entry) == cell("frames_crc32").as_py() else None
