"""Checksums: of a file, of columns, and of many rows at once.

Each row has its CRC-32; this finds the one of the rows one after the other.

One call a row costs more in Python than the arithmetic, and keeps the other threads waiting. But a
CRC is linear over GF(2): from those of the rows follows that of all their bytes (as in zlib's
`crc32_combine`), by a few table lookups a row for thousands of rows at once.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from zlib_ng.zlib_ng import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["digest_chars", "file_crc32", "joined_crc32", "rows_crc32"]

_POLYNOMIAL = 0xEDB88320
_START = np.array([0xFFFFFFFF], np.uint32)
"""A CRC-32 is the register, which starts so, with all its bits turned over."""
_DIGEST_CHARS = 32
_CHUNK_BYTES = 2**20


def file_crc32(path: Path) -> tuple[int, int]:
    """Return the size of a file in bytes and its CRC-32."""
    size, crc = 0, 0
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            size, crc = size + len(block), crc32(block, crc)
    return size, crc


def rows_crc32(rows: pa.Table, names: Sequence[str]) -> tuple[int, int]:
    """Return the rows of a table and the CRC-32 of some columns: one of text, then of numbers."""
    texts = rows[names[0]].combine_chunks().cast("binary").to_pylist()
    crc = crc32(b"\0".join(texts))
    for name in names[1:]:
        crc = crc32(np.ascontiguousarray(rows[name].to_numpy()).view(np.uint8).data, crc)
    return rows.num_rows, crc


def digest_chars(digests: pa.StringArray) -> NDArray[np.uint8] | None:
    """View digests as characters, shape (n, 32), without a copy.

    Return None if a damaged one has another length.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from cache import digest_chars
    >>> digest_chars(pa.array(["0" * 32, "f" * 32])).shape
    (2, 32)
    """
    if not len(digests):
        return np.zeros((0, _DIGEST_CHARS), np.uint8)
    _, places, chars = digests.buffers()
    ends = np.frombuffer(places, np.int32)[digests.offset : digests.offset + len(digests) + 1]
    if digests.null_count or not (np.diff(ends) == _DIGEST_CHARS).all():
        return None
    return np.frombuffer(chars, np.uint8)[ends[0] : ends[-1]].reshape(-1, _DIGEST_CHARS)


def joined_crc32(
    digests: NDArray[np.uint8], n_windows: NDArray[np.int32], crcs: NDArray[np.uint32], n_bytes: int
) -> int:
    """Tell which CRC-32 song vectors have one after the other.

    Parameters
    ----------
    digests : ndarray, shape (n, n_chars), uint8
        Whose they are; at least one.
    n_windows : ndarray, shape (n,), int32
    crcs : ndarray, shape (n,), uint32
        The checksum of each vector with its key, see `vector_crc32`.
    n_bytes : int
        Length of each vector.

    Returns
    -------
    int
        CRC-32 in [0, 2**32).
    """
    # What each vector leaves in an empty register.
    left: NDArray[np.uint32] = ~crcs ^ _through(_zeros(n_bytes), _registers(digests, n_windows))
    left[:1] ^= _through(_zeros(n_bytes), _START)
    while len(left) > 1:
        if len(left) % 2:
            # a register that is empty stays so
            left = np.concatenate([np.zeros(1, np.uint32), left])
        left = _through(_zeros(n_bytes), left[0::2]) ^ left[1::2]
        n_bytes *= 2
    return int(~left[0])


def _registers(digests: NDArray[np.uint8], n_windows: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Return the registers after the vectors' keys, shape (n,)."""
    n_chars = digests.shape[1]
    tables = _after(n_chars)
    at = digests.T + (np.arange(n_chars) * 256)[:, np.newaxis]
    after: NDArray[np.uint32] = np.bitwise_xor.reduce(tables.take(at), axis=0)
    after ^= _through(_zeros(n_chars), _START)
    for value in np.unique(n_windows):  # a few
        some = n_windows == value
        register = after[some]
        for char in b" %d" % value:
            register = _BYTE[(register ^ np.uint32(char)) & 0xFF] ^ (register >> np.uint32(8))
        after[some] = register
    return after


def _byte_table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ (table & np.uint32(1)) * np.uint32(_POLYNOMIAL)
    return table


_BYTE = _byte_table()
"""What each byte leaves in an empty register."""


@cache
def _after(n_chars: int) -> NDArray[np.uint32]:
    """Tabulate what each byte of a text leaves after its end, shape (n_chars, 256)."""
    tables = np.empty((n_chars, 256), np.uint32)
    tables[-1] = _BYTE
    for place in range(n_chars - 1, 0, -1):
        tables[place - 1] = _through(_zeros(1), tables[place])
    return tables


@cache
def _zeros(n_bytes: int) -> NDArray[np.uint32]:
    """Tabulate what becomes of a register's four bytes by a number of zeros, shape (4, 256)."""
    if n_bytes == 1:
        one = np.arange(256, dtype=np.uint32)
        return np.stack([_BYTE, one, one << np.uint32(8), one << np.uint32(16)])
    half = _zeros(n_bytes // 2)
    twice = _through(half, half)
    return _through(_zeros(1), twice) if n_bytes % 2 else twice


def _through(zeros: NDArray[np.uint32], registers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Take registers, of any shape, through zeros."""
    # little-endian
    octets = np.ascontiguousarray(registers).view(np.uint8).reshape(*registers.shape, 4)
    low, second, third, high = (zeros[i].take(octets[..., i]) for i in range(4))
    return np.asarray(low ^ second ^ third ^ high)
