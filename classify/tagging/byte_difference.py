"""What must be kept of a file to get it back from its successor, byte for byte.

New tags move the rest of a file, or change a few bytes at its beginning and add some at its end. So
what both have at their ends is found first, and the rest is compared block by block.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["ByteDifference", "byte_difference", "checksum"]

_BLOCK = 4096
_READ = 256 * _BLOCK


@dataclass(frozen=True, kw_only=True)
class ByteDifference:
    """The former file, as blocks to be written over its successor.

    Attributes
    ----------
    size : int
        Bytes of the former file.
    n_end : int
        Bytes that both have at their ends.
    blocks : tuple of (int, bytes)
        Where the former file has other bytes, and which; before what both have.
    """

    size: int
    n_end: int
    blocks: tuple[tuple[int, bytes], ...]

    def restore(self, successor: Path, into: BinaryIO) -> None:
        """Write the former file.

        Examples
        --------
        >>> import io
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from classify.tagging.byte_difference import byte_difference
        >>> with TemporaryDirectory() as folder:
        ...     old, new, into = Path(folder, "old"), Path(folder, "new"), io.BytesIO()
        ...     _ = old.write_bytes(b"head" + bytes(9000)), new.write_bytes(b"longer" + bytes(9000))
        ...     byte_difference(old, new, most_bytes=100).restore(new, into)
        ...     into.getvalue() == old.read_bytes()
        True
        """
        n_start = self.size - self.n_end
        with successor.open("rb") as file:
            _copy(file, into, min(n_start, os.fstat(file.fileno()).st_size - self.n_end))
            for at, block in self.blocks:
                into.seek(at)
                into.write(block)
            into.seek(n_start)
            file.seek(-self.n_end, os.SEEK_END)
            _copy(file, into, self.n_end)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        blocks = [[at, base64.b64encode(block).decode()] for at, block in self.blocks]
        return {"size": self.size, "n_end": self.n_end, "blocks": blocks}

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> ByteDifference:
        """Read what `document` gives."""
        blocks = tuple((int(at), base64.b64decode(block)) for at, block in document["blocks"])
        return cls(size=int(document["size"]), n_end=int(document["n_end"]), blocks=blocks)


def byte_difference(former: Path, successor: Path, *, most_bytes: int) -> ByteDifference | None:
    """Compare two files; None where more would have to be kept than is wanted.

    See `ByteDifference.restore` for an example.
    """
    with former.open("rb") as old, successor.open("rb") as new:
        sizes = [os.fstat(file.fileno()).st_size for file in (old, new)]
        n_end = _common_end(old, new, sizes)
        n_start = sizes[0] - n_end
        n_compared = min(n_start, sizes[1] - n_end)
        blocks: list[tuple[int, bytes]] = []
        n_kept = n_start - n_compared
        for at in range(0, n_compared, _BLOCK):
            n = min(_BLOCK, n_compared - at)
            old.seek(at)
            new.seek(at)
            block = old.read(n)
            if block != new.read(n):
                blocks.append((at, block))
                n_kept += n
            if n_kept > most_bytes:
                return None
        if n_start > n_compared:
            old.seek(n_compared)
            blocks.append((n_compared, old.read(n_start - n_compared)))
    return ByteDifference(size=sizes[0], n_end=n_end, blocks=tuple(blocks))


def checksum(path: Path) -> str:
    """Return a checksum of all bytes of a file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from classify.tagging.byte_difference import checksum
    >>> len(checksum(Path("song.opus")))
    128
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _common_end(old: BinaryIO, new: BinaryIO, sizes: list[int]) -> int:
    """Count the bytes that two files have in common at their ends."""
    most, n_same = min(sizes), 0
    while n_same < most:
        n = min(_READ, most - n_same)
        parts = []
        for file, size in zip((old, new), sizes, strict=True):
            file.seek(size - n_same - n)
            parts.append(np.frombuffer(file.read(n), np.uint8))
        other = np.flatnonzero(parts[0] != parts[1])
        if other.size:
            return n_same + n - 1 - int(other[-1])
        n_same += n
    return n_same


def _copy(source: BinaryIO, into: BinaryIO, n_bytes: int) -> None:
    while n_bytes > 0:
        part = source.read(min(_READ, n_bytes))
        if not part:
            return
        into.write(part)
        n_bytes -= len(part)
