"""Tastes of format 2, which are read and no longer written: NumPy's `.npz`, a zip of arrays.

Its members are `meta` (JSON text as uint8) and the arrays that format 3 has. They may come from a
stranger: nothing runs, memory and time are bounded.

Python's `zipfile` and `numpy.load` believe a file too much for that. The first lists as many
members as the directory has room for and, asked for a whole member, unpacks it before it looks at
the size that was promised (300 kB of zeros took 630 MB); the second allocates what an array's
header claims, and parses that header as Python. So the directory is checked before `zipfile` sees
it, a member is unpacked up to its promised size and no further, and of headers only the one form
that NumPy writes for plain arrays is read.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.errors import TasteError

__all__ = ["Format2File"]

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # a flag or a compression method of a newer zip
    RuntimeError,  # "File is encrypted"
)
"""What zipfile and zlib raise on bytes that are not theirs, beside ValueError and its like."""

_MAX_META_BYTES = 4 * 2**20
"""100,000 labelled songs; as objects of Python, the worst JSON takes twenty times as much."""
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


class Format2File:
    """What a taste of format 2 holds.

    Parameters
    ----------
    content : bytes
        The whole file.
    max_bytes : int
        What all members together may hold, unpacked.

    Attributes
    ----------
    names : frozenset of str
        Of its arrays.
    facts : str
        The JSON text in `meta`.

    Raises
    ------
    TasteError
        If it promises more than the limits, holds a name twice or what is no array, or has no
        `meta`.
    ValueError, KeyError, OSError, MemoryError
        If it is no zip, or damaged.
    """

    def __init__(self, content: bytes, *, max_bytes: int) -> None:
        _check_directory(content)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
        except _DAMAGE as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        self._entries = _entries(self._archive, max_bytes)
        if "meta" not in self._entries:
            raise TasteError("has no 'meta' member, so it is an array file but not a taste")
        self.names = frozenset(self._entries) - {"meta"}
        self.facts = _text(self._read("meta"))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Unpack the arrays.

        Returns
        -------
        dict of str to ndarray
            Of float32, float64 or uint8 in native byte order, owned and contiguous: the bits of a
            score depend on none of these.

        Raises
        ------
        TasteError
            If one holds pickled objects.
        ValueError, KeyError, OSError, MemoryError
            If one is damaged or of another type.
        """
        return {name: self._read(name) for name in sorted(self.names)}

    def _read(self, name: str) -> NDArray[Any]:
        entry = self._entries[name]
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"compression method {entry.compress_type}")
        try:
            with self._archive.open(entry) as member:
                # The promised size as a bound; without it zipfile unpacks up to 2 GiB before it
                # looks.
                data = member.read(entry.file_size)
        except _DAMAGE as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        return _parse_npy(data)


def _entries(archive: zipfile.ZipFile, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    n_bytes = sum(entry.file_size for entry in entries)
    if n_bytes > max_bytes or len(entries) > _MAX_MEMBERS:
        raise TasteError(
            f"holds {n_bytes} bytes in {len(entries)} members, the limits are {max_bytes} and "
            f"{_MAX_MEMBERS}: not a taste of ours, don't trust it"
        )
    others = [entry.filename for entry in entries if not entry.filename.endswith(".npy")]
    if others:  # NumPy would read them as bytes
        raise TasteError(f"holds {others[0]!r:.80}, which is no array: don't trust it")
    named = {entry.filename.removesuffix(".npy"): entry for entry in entries}
    if len(named) < len(entries):
        raise TasteError(
            "holds two members of one name, which no taste of ours does: don't trust it"
        )
    return named


def _text(meta: NDArray[Any]) -> str:
    if meta.dtype != np.uint8 or meta.size > _MAX_META_BYTES:
        raise TasteError(
            f"has {meta.nbytes} bytes of {meta.dtype} as 'meta'; up to {_MAX_META_BYTES} of text "
            "are needed, so it is no taste"
        )
    return meta.tobytes().decode("utf-8")


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
