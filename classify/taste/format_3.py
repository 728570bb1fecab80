"""Tastes of format 3: a safetensors file from a stranger, within bounds.

It has 8 bytes that say how long the header is, a header of JSON, and raw arrays. The library checks
that the arrays fill the rest of the file and do not overlap. Not `safetensors.safe_open`, which
opens a file by itself and may map it: what it has checked could change. Raw arrays have no
checksums, as the members of a zip have; so one of the arrays is a checksum of all else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from classify.errors import TasteError

__all__ = ["Format3File", "format_3"]

_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 4 * 2**20
"""100,000 labelled songs; as objects of Python, the worst JSON takes twenty times as much."""
_FACTS, _CHECKSUM = "taste", "checksum"
_TYPES = ("F32", "F64", "U8")
_CHECKSUM_BYTES = 16


def format_3(facts: str, arrays: Mapping[str, NDArray[Any]], *, max_bytes: int) -> bytes:
    """Return a taste's file; the same taste gives the same bytes.

    Parameters
    ----------
    facts : str
        JSON text. One string holds all facts: safetensors writes several in no certain order.
    arrays : mapping of str to ndarray
        Of float32 or float64, in any memory layout.
    max_bytes : int
        The size that a reader takes.

    Raises
    ------
    TasteError
        If no reader would take it.
    """
    # Not as they come: safetensors copies an array's memory, whatever its order.
    plain = {name: np.asarray(array, order="C") for name, array in sorted(arrays.items())}
    checksum = np.frombuffer(_checksum(facts, plain), dtype=np.uint8)
    content = save({**plain, _CHECKSUM: checksum}, {_FACTS: facts})
    n_header = _header_bytes(content)
    if n_header > _MAX_HEADER_BYTES or len(content) > max_bytes:
        raise TasteError(
            f"the taste takes {len(content)} bytes with {n_header} of text, the limits are "
            f"{max_bytes} and {_MAX_HEADER_BYTES}: learn from fewer songs"
        )
    return content


class Format3File:
    """What a taste of format 3 holds.

    Parameters
    ----------
    content : bytes
        The whole file.

    Attributes
    ----------
    names : frozenset of str
        Of its arrays, without the checksum.
    facts : str
        JSON text, not yet parsed. A reader compares `facts` and `names` before it asks for arrays.

    Raises
    ------
    TasteError
        If it is another safetensors file, or holds a name twice.
    ValueError, TypeError, RecursionError, MemoryError
        If it is no safetensors file, or is damaged.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._header = _header(content)
        metadata = self._header.pop("__metadata__", None)
        if not isinstance(metadata, dict) or not isinstance(metadata.get(_FACTS), str):
            raise TasteError(
                f"has no text {_FACTS!r} in its metadata, so it is a safetensors file but not a "
                "taste"
            )
        self.facts: str = metadata[_FACTS]
        self._others = sorted(metadata.keys() - {_FACTS})
        self.names = frozenset(self._header) - {_CHECKSUM}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Read the arrays and compare them and the facts with their checksum.

        Returns
        -------
        dict of str to ndarray
            Of float32 or float64, owned and contiguous.

        Raises
        ------
        TasteError
            If it has other metadata than a taste has.
        ValueError, TypeError, LookupError, OverflowError, MemoryError
            If one is damaged or of another type.
        """
        if self._others:
            raise TasteError(
                f"holds {self._others[0]!r:.80} in its metadata, which no taste has: don't trust it"
            )
        _check_sizes(self._header, self._content)
        try:
            arrays = load(self._content)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        found = arrays.pop(_CHECKSUM).tobytes()
        if found != _checksum(self.facts, arrays):
            raise ValueError("its checksum is not that of what it holds")
        return arrays


def _header_bytes(content: bytes) -> int:
    return int.from_bytes(content[:_LENGTH_BYTES], "little")


def _header(content: bytes) -> dict[str, Any]:
    """Parse the header, of which no object may have a name twice: readers differ in such files."""
    n_header = _header_bytes(content)
    n_left = len(content) - _LENGTH_BYTES
    if n_header > _MAX_HEADER_BYTES:
        raise ValueError(
            f"its first 8 bytes tell of a header of {n_header} bytes, the limit is "
            f"{_MAX_HEADER_BYTES}"
        )
    if n_left < max(n_header, 1):
        raise ValueError(
            f"it has {len(content)} bytes, its header alone needs {_LENGTH_BYTES + n_header}: it "
            "is cut short"
        )
    text = content[_LENGTH_BYTES : _LENGTH_BYTES + n_header].decode("utf-8")
    header = json.loads(text, object_pairs_hook=_object)
    if not isinstance(header, dict):
        raise TypeError("its header is no object of JSON")
    return header


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise TasteError(
                f"holds {name!r:.80} twice, which no taste of ours does: don't trust it"
            )
        made[name] = value
    return made


def _check_sizes(header: Mapping[str, Any], content: bytes) -> None:
    """Refuse types that no taste has, and tell how much of a file is missing.

    All else is left to safetensors.
    """
    for name, entry in header.items():
        if entry["dtype"] not in _TYPES:
            raise ValueError(
                f"array {name!r:.40} has the type {entry['dtype']!r:.40}, a taste's have "
                f"{', '.join(_TYPES)}"
            )
    n_arrays = max(int(entry["data_offsets"][1]) for entry in header.values())
    n_header = _header_bytes(content)
    n_needed = _LENGTH_BYTES + n_header + n_arrays
    if n_needed != len(content):
        raise ValueError(f"it has {len(content)} bytes, and its header tells of {n_needed}")


def _checksum(facts: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return BLAKE2b of the facts, and of each array's name, type, shape and bytes."""
    hashed = blake2b(facts.encode("utf-8"), digest_size=_CHECKSUM_BYTES)
    for name, array in sorted(arrays.items()):
        hashed.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        hashed.update(array.tobytes())
    return hashed.digest()
