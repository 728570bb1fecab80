"""Arrays in a zip (NumPy's `.npz`) from a stranger: nothing runs, memory and time are bounded.

Python's `zipfile` and `numpy.load` believe a file too much for that. The first lists as many
members as the directory has room for and, asked for a whole member, unpacks it before it looks at
the size that was promised (300 kB of zeros took 630 MB); the second allocates what an array's
header claims, and parses that header as Python. So the directory is checked before `zipfile` sees
it, a member is unpacked up to its promised size and no further, and of headers only the one form
that NumPy writes for plain arrays is read.
"""

from __future__ import annotations

import errno
import io
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.errors import TasteError

__all__ = ["DAMAGE", "ArrayArchive", "read_regular_file"]

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,  # a flag or a compression method of a newer zip
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,  # "File is encrypted"
    TypeError,
    ValueError,
)
"""Whatever zipfile, zlib, NumPy and json raise on bytes that are not theirs."""

_MAX_MEMBERS = 64
_MAX_DIRECTORY_BYTES = 256 * _MAX_MEMBERS
# The ends of a zip's directory: APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3.16 and 4.3.15.
_END = struct.Struct("<4s4H2LH")
_ZIP64_LOCATOR_BYTES = 20
# What numpy.lib.format (version 1.0) writes: magic, version, length of the header, the header.
_NPY_START = struct.Struct("<6sBBH")
_NPY_MAGIC = b"\x93NUMPY"
_NPY_HEADER = re.compile(
    rb"\{'descr': '([<>|][A-Za-z]\d{0,4})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,12}(?:, \d{1,12}){0,7},?)?)\), \} *\n"
)
_TYPES = frozenset({"<f4", ">f4", "<f8", ">f8", "|u1"})


def read_regular_file(path: str | os.PathLike[str], *, max_bytes: int) -> bytes:
    """Read a regular file of a sane size.

    A FIFO or a device, which might never end, is not even opened.

    Parameters
    ----------
    path : path-like
    max_bytes : int

    Returns
    -------
    bytes

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


class ArrayArchive:
    """The arrays of an `.npz` file, each read when it is asked for.

    Parameters
    ----------
    content : bytes
        The whole file.
    max_bytes : int
        What all members together may hold, unpacked.

    Attributes
    ----------
    names : frozenset of str
        Of its members, without ``.npy``.

    Raises
    ------
    TasteError
        If it promises more than the limits, or holds a name twice or what is no array.
    One of `DAMAGE`
        If it is no zip.
    """

    def __init__(self, content: bytes, *, max_bytes: int) -> None:
        _check_directory(content)
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        entries = self._archive.infolist()
        n_bytes = sum(entry.file_size for entry in entries)
        if n_bytes > max_bytes or len(entries) > _MAX_MEMBERS:
            raise TasteError(
                f"holds {n_bytes} bytes in {len(entries)} members, the limits are {max_bytes} and "
                f"{_MAX_MEMBERS}: not a taste of ours, don't trust it"
            )
        others = [entry.filename for entry in entries if not entry.filename.endswith(".npy")]
        if others:  # NumPy would read them as bytes
            raise TasteError(f"holds {others[0]!r:.80}, which is no array: don't trust it")
        self._entries = {entry.filename.removesuffix(".npy"): entry for entry in entries}
        if len(self._entries) < len(entries):
            raise TasteError(
                "holds two members of one name, which no taste of ours does: don't trust it"
            )
        self.names = frozenset(self._entries)

    def read(self, name: str) -> NDArray[Any]:
        """Unpack an array.

        Parameters
        ----------
        name : str

        Returns
        -------
        ndarray
            Of float32, float64 or uint8 in native byte order, owned and contiguous: the bits of a
            score depend on none of these.

        Raises
        ------
        TasteError
            If it holds pickled objects.
        One of `DAMAGE`
            If it is missing, damaged, or of another type.
        """
        if name not in self._entries:
            raise ValueError(f"it has no member {name!r}")
        entry = self._entries[name]
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"compression method {entry.compress_type}")
        with self._archive.open(entry) as member:
            # The promised size as a bound; without it zipfile unpacks up to 2 GiB before it looks.
            return _parse_npy(member.read(entry.file_size))


def _check_directory(content: bytes) -> None:
    """Refuse what zipfile would spend memory on.

    It goes by the directory's size, not by its count.
    """
    end = content[-_END.size :]
    if not content.startswith(b"PK") or len(end) < _END.size or not end.startswith(b"PK\5\6"):
        raise ValueError("it does not begin and end as a zip does; it may be cut short")
    _, _, _, _, n_members, n_bytes, _, _ = _END.unpack(end)
    is_zip64 = content[: -_END.size][-_ZIP64_LOCATOR_BYTES:].startswith(b"PK\6\7")
    if is_zip64 or n_members > _MAX_MEMBERS or n_bytes > _MAX_DIRECTORY_BYTES:
        raise TasteError(
            f"lists {n_members} members in {n_bytes} bytes{' or more' if is_zip64 else ''}, the "
            f"limits are {_MAX_MEMBERS} and {_MAX_DIRECTORY_BYTES}: not a taste of ours, don't "
            "trust it"
        )


def _parse_npy(data: bytes) -> NDArray[Any]:
    if len(data) < _NPY_START.size:
        raise ValueError(f"array file of {len(data)} bytes")
    magic, major, minor, n_header = _NPY_START.unpack_from(data)
    start = _NPY_START.size + n_header
    header = _NPY_HEADER.fullmatch(data[_NPY_START.size : start])
    if (magic, major, minor) != (_NPY_MAGIC, 1, 0) or header is None:
        raise ValueError("an array's header is none that NumPy writes for plain numbers")
    type_name = header[1].decode("ascii")
    if type_name == "|O":
        raise TasteError("holds pickled objects, which could run code: don't trust it")
    shape = tuple(int(n) for n in header[3].replace(b",", b" ").split())
    dtype = np.dtype(type_name) if type_name in _TYPES else None
    if dtype is None or math.prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError(f"array of {type_name!r} with shape {shape} in {len(data) - start} bytes")
    order: Any = "F" if header[2] == b"True" else "C"
    array = np.ndarray(shape, dtype, buffer=data, offset=start, order=order)
    return np.array(array, dtype=dtype.newbyteorder("="), order="C")
