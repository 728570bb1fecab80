"""Read the tensors of a checkpoint that TensorFlow wrote (a "tensor bundle"), without TensorFlow.

It is an index, in the table format of LevelDB, and a file of the numbers. The index maps each
tensor's name to its type, shape and place, in protobuf (TensorFlow's tensor_bundle.proto).

By hand: TensorFlow is two gigabytes for 5 kB of index (tests/embed/networks/test_tensor_bundle.py
compares the two). A bundle is read that has one file of numbers, no compression, and float32. Every
block of the index has a checksum, and what it says is compared with the file of numbers; damage to
these numbers is for the caller to notice.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_tensor_bundle"]

_FOOTER_BYTES = 48
_MAGIC = 0xDB4775248B80FB57
_TRAILER_BYTES = 5  # after a block: its compression, its checksum
_MAX_INDEX_BYTES = 10_000_000
_FLOAT = 1  # DT_FLOAT
_TYPE, _SHAPE, _FILE, _OFFSET, _SIZE = 1, 2, 3, 4, 5  # fields of BundleEntryProto
_DIM, _DIM_SIZE = 2, 1  # of TensorShapeProto, and of what is in it
_CASTAGNOLI = 0x82F63B78  # CRC-32C's polynomial, its bits reversed


def read_tensor_bundle(
    folder: Path, prefix: str, wanted: Callable[[str], bool]
) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of a checkpoint whose names are wanted.

    Parameters
    ----------
    folder : Path
    prefix : str
        What the checkpoint's files begin with.
    wanted : callable
        Whether a tensor of this name is read.

    Raises
    ------
    OSError
        If a file can't be read.
    ValueError
        If the index is damaged, or says what is not read here.
    """
    index = (folder / f"{prefix}.index").read_bytes()
    if len(index) > _MAX_INDEX_BYTES:
        raise ValueError(f"the index has {len(index)} bytes")
    try:
        entries = {
            name.decode(): _message(entry)
            for name, entry in _table(index)
            if name and wanted(name.decode())  # the one without a name is of all tensors
        }
        numbers = np.memmap(folder / f"{prefix}.data-00000-of-00001", dtype=np.uint8, mode="r")
        return {name: _tensor(name, entry, numbers) for name, entry in entries.items()}
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"the index is damaged: {error}") from error


def _tensor(
    name: str, entry: dict[int, list[int | bytes]], numbers: NDArray[np.uint8]
) -> NDArray[np.float32]:
    said = [_number(entry, field) for field in (_TYPE, _FILE, _OFFSET, _SIZE)]
    dims = [
        _number(_message(dim), _DIM_SIZE)
        for shape in entry.get(_SHAPE, [])
        if isinstance(shape, bytes)
        for dim in _message(shape).get(_DIM, [])
        if isinstance(dim, bytes)
    ]
    kind, file, offset, size = said
    if (kind, file) != (_FLOAT, 0) or size != 4 * math.prod(dims) or offset + size > len(numbers):
        raise ValueError(f"the tensor {name} is of type {kind}, in file {file}, {dims}: {size} B")
    return np.frombuffer(numbers[offset : offset + size].tobytes(), dtype="<f4").reshape(dims)


def _number(message: dict[int, list[int | bytes]], field: int) -> int:
    value = message.get(field, [0])[-1]
    if not isinstance(value, int):
        raise ValueError(f"field {field} is no number")
    return value


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a table of LevelDB."""
    footer = data[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("the index does not end as one")
    at = 0
    for _ in range(2):  # where a table of metadata is, which there is none of
        _, at = _varint(footer, at)
    for _, handle in _block(data, footer[at:]):
        yield from _block(data, handle)


def _block(data: bytes, handle: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block, of which a handle says where it is."""
    offset, at = _varint(handle, 0)
    size, _ = _varint(handle, at)
    block = data[offset : offset + size]
    compression, checksum = struct.unpack_from("<BI", data, offset + size)
    if compression or checksum != _masked(_crc32c(data[offset : offset + size + 1])):
        raise ValueError("a block of the index is compressed or damaged")
    (n_restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (n_restarts + 1)
    key, at = b"", 0
    while at < end:
        shared, at = _varint(block, at)  # with the key before
        n_key, at = _varint(block, at)
        n_value, at = _varint(block, at)
        key = key[:shared] + block[at : at + n_key]
        at += n_key
        yield key, block[at : at + n_value]
        at += n_value


def _message(data: bytes) -> dict[int, list[int | bytes]]:
    """Read the fields of a protobuf message by their numbers."""
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: int | bytes
        if key & 7 == 0:
            value, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _masked(checksum: int) -> int:
    """Mask a checksum as LevelDB does those that it stores."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc32c(data: bytes) -> int:
    table, checksum = _crc32c_table(), 0xFFFFFFFF
    for byte in data:
        checksum = table[(checksum ^ byte) & 0xFF] ^ checksum >> 8
    return checksum ^ 0xFFFFFFFF


@cache
def _crc32c_table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [one >> 1 ^ (_CASTAGNOLI if one & 1 else 0) for one in table]
    return table
