"""What FFmpeg leaves out of ID3v2 tags: all values but a frame's first, and MusicBrainz' id.

By hand: mutagen reads them, and is under the GPL; FFmpeg tells one artist of several, and no UFID
(tests/embed/decoding/test_tags.py: `test_several_artists_and_ids_are_read`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["read_id3_tags"]

_HEADER_BYTES = 10
_MAX_UNSYNCED = 2**20  # of a tag that must be decoded as a whole
_MAX_FRAME = 2**16
_MAX_FRAMES = 500
_UNSYNCED = 0x80  # of the tag's flags
_EXTENDED = 0x40
_ENCODINGS = ("cp1252", "utf-16", "utf-16-be", "utf-8")
_TEXTS = {b"TPE1": "artist", b"TP1": "artist", b"TPE2": "album_artist", b"TP2": "album_artist"}
_NAMED_TEXTS = (b"TXXX", b"TXX")
_IDS = (b"UFID", b"UFI")
_MUSICBRAINZ = b"http://musicbrainz.org"


@dataclass(frozen=True, kw_only=True)
class _Frame:
    name: bytes
    content: bytes


def read_id3_tags(path: str) -> dict[str, str]:
    """Read what FFmpeg leaves out of the ID3v2 tag at a file's start.

    Parameters
    ----------
    path : str

    Returns
    -------
    dict
        Names as FFmpeg has them, to several values joined by semicolons, and
        ``musicbrainz_trackid``. Empty where there is no such tag, or nothing left out of it.

    Raises
    ------
    OSError
        If the file can't be read.

    Examples
    --------
    >>> from embed.decoding.id3_tags import read_id3_tags
    >>> read_id3_tags("music/calm_acoustic_1.opus")
    {}
    """
    found: dict[str, str] = {}
    with open(path, "rb") as file:
        for frame in _frames(file):
            if frame.name in _IDS:
                owner, _, value = frame.content.partition(b"\0")
                if owner == _MUSICBRAINZ:
                    found["musicbrainz_trackid"] = value.decode("ascii", "replace")
                continue
            values = _texts(frame.content)
            name = _TEXTS.get(frame.name, "")
            if frame.name in _NAMED_TEXTS and values:
                name, *values = values
            if name and len(values) > 1:
                found[name] = ";".join(values)
    return found


def _frames(file: BinaryIO) -> Iterator[_Frame]:
    """Yield the frames that matter; of the others, as of pictures, nothing is read."""
    header = file.read(_HEADER_BYTES)
    if header[:3] != b"ID3" or len(header) < _HEADER_BYTES:
        return
    version, flags, n_bytes = header[3], header[5], _syncsafe(header[6:])
    if version not in (2, 3, 4):
        return
    if flags & _UNSYNCED and version < 4:
        content = file.read(min(n_bytes, _MAX_UNSYNCED)).replace(b"\xff\0", b"\xff")
        file, n_bytes = io.BytesIO(content), len(content)
    else:
        n_bytes += _HEADER_BYTES
    if flags & _EXTENDED and version > 2:
        size = file.read(4)
        file.seek(_syncsafe(size) - 4 if version == 4 else int.from_bytes(size, "big"), 1)
    for _ in range(_MAX_FRAMES):
        frame = _next_frame(file, version, n_bytes)
        if frame is None:
            return
        if frame.name in _TEXTS or frame.name in _NAMED_TEXTS or frame.name in _IDS:
            yield frame


def _next_frame(file: BinaryIO, version: int, end: int) -> _Frame | None:
    """Read a frame; one that is large, packed or encrypted without its content."""
    width = 3 if version == 2 else 4
    header = file.read(6 if version == 2 else _HEADER_BYTES)
    name, size = header[:width], header[width : 2 * width]
    flags = header[9] if len(header) == _HEADER_BYTES else 0
    n_bytes = _syncsafe(size) if version == 4 else int.from_bytes(size, "big")
    # iTunes wrote sizes of ID3v2.4 as those of ID3v2.3 are
    if version == 4 and any(byte & 0x80 for byte in size):
        n_bytes = int.from_bytes(size, "big")
    start = file.tell()
    if not name.strip(b"\0") or len(size) < width or not 0 < n_bytes <= end - start:
        return None
    is_plain = not flags & (0x0C if version == 4 else 0xC0)
    content = file.read(n_bytes) if is_plain and n_bytes <= _MAX_FRAME else b""
    file.seek(start + n_bytes)
    if version == 4:
        content = content[(flags >> 6 & 1) + 4 * (flags & 1) :]  # a group, a length
        content = content.replace(b"\xff\0", b"\xff") if flags & 2 else content
    elif version == 3:
        content = content[flags >> 5 & 1 :]
    return _Frame(name=name, content=content)


def _texts(content: bytes) -> list[str]:
    if not content or content[0] >= len(_ENCODINGS):
        return []
    encoding, raw = _ENCODINGS[content[0]], content[1:]
    if encoding != "utf-16":
        texts = raw.decode(encoding, "replace").split("\0")
    else:  # each value may have a byte order mark of its own
        texts = raw.decode("utf-16", "replace").replace("\ufeff", "").split("\0")
    return [text for text in texts if text]


def _syncsafe(size: bytes) -> int:
    """Read a number of seven bits a byte."""
    number = 0
    for byte in size:
        number = number << 7 | byte & 0x7F
    return number
