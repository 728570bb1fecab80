"""Ogg Vorbis files that hold their headers twice, which FFmpeg refuses and other players pass over.

Some editors write the three Vorbis headers, and again the three in a page of their own. Hiding that
page from FFmpeg is all that it takes; the page layout is that of RFC 3533.
"""

from __future__ import annotations

import io
from typing import BinaryIO

__all__ = ["HidingFile", "find_repeated_headers"]

_SEARCHED_BYTES = 2**18  # cover art in a comment header can push the page this far
_HEADER_BYTES = 27


def find_repeated_headers(file: BinaryIO) -> tuple[int, int] | None:
    """Find a page after the first that begins with a Vorbis identification header.

    Parameters
    ----------
    file : binary file
        Its position is put back to the start.

    Returns
    -------
    (start, stop) : tuple of int, or None
        The page's bytes; None where no such page is among the file's first ones.
    """
    file.seek(0)
    head = file.read(_SEARCHED_BYTES)
    file.seek(0)
    start = 0
    while head[start : start + 4] == b"OggS" and len(head) >= start + _HEADER_BYTES:
        n_segments = head[start + 26]
        body = start + _HEADER_BYTES + n_segments
        stop = body + sum(head[start + _HEADER_BYTES : body])
        if start > 0 and head[body : body + 7] == b"\x01vorbis":
            return start, stop
        start = stop
    return None


class HidingFile(io.RawIOBase):
    """A file without some of its bytes.

    Parameters
    ----------
    file : binary file
        Open for reading; it is not closed with this one.
    start, stop : int
        The bytes that readers don't see.
    """

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self._file = file
        self._start, self._gap = start, stop - start
        self._size = file.seek(0, io.SEEK_END) - self._gap
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position, the hidden bytes not counted."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position, the hidden bytes not counted."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes; all that is left if negative."""
        left = max(0, self._size - self._position)
        size = left if size < 0 else min(size, left)
        before = min(size, max(0, self._start - self._position))
        parts = [
            self._at(self._position, before),
            self._at(self._position + before + self._gap, size - before),
        ]
        self._position += size
        return b"".join(parts)

    def _at(self, position: int, size: int) -> bytes:
        if size <= 0:
            return b""
        self._file.seek(position)
        return self._file.read(size)
