"""The cover of a recording: a picture in its file, or one beside it, drawn anew as two small JPEGs.

A picture is as hostile as any file: it is bounded in bytes and in pixels before it is decoded, only
raster formats are, and nothing of it is passed on but its pixels.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from embed.decoding.container import open_audio
from embed.limits import Limits, bounded_memory

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["CoverArt", "cover_stamp", "find_cover"]

_MAX_BYTES = 16_000_000
_MAX_PIXELS = 30_000_000
_SMALL, _LARGE = 128, 512
_QUALITY = 85
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_STEMS = ("cover", "folder", "front", "album", "albumart")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_MOST_ENTRIES = 5000  # of a folder, that are looked at
_MOST_PICTURES = 8  # of a file, that are tried


@dataclass(frozen=True, kw_only=True)
class CoverArt:
    """A cover as JPEG, in two sizes.

    Attributes
    ----------
    small, large : bytes
        At most 128 and 512 pixels on a side.
    """

    small: bytes
    large: bytes


def find_cover(path: str, limits: Limits, beside: bool = False) -> CoverArt | None:
    """Find a recording's cover in this process, which a decoder may take down.

    Parameters
    ----------
    path : str
        An audio file.
    limits : Limits
        What it may ask.
    beside : bool
        Whether a picture such as `cover.jpg` or `folder.png` in its folder will do, where it holds
        none itself.

    Returns
    -------
    CoverArt or None
        Of the first picture that can be decoded; None where there is none.

    Raises
    ------
    EmbedError
        If the file can't be read.

    Examples
    --------
    >>> from embed import Limits, find_cover
    >>> find_cover("music/calm_acoustic_1.opus", Limits()) is None
    True
    """
    limits.require_size(os.stat(path).st_size)
    with bounded_memory():
        for picture in _pictures(path, beside=beside):
            drawn = _drawn(picture)
            if drawn is not None:
                return drawn
    return None


def cover_stamp(path: str) -> tuple[tuple[str, int, int], ...]:
    """Tell which pictures lie beside a recording as its cover, without opening any.

    Returns
    -------
    tuple of (str, int, int)
        Name, size and time of change of each, in the order in which `find_cover` tries them: equal
        as long as none of them is replaced. Empty where the folder can't be read.

    Examples
    --------
    >>> from embed import cover_stamp
    >>> cover_stamp("music/calm_acoustic_1.opus")
    ()
    """
    stamps = []
    try:
        for beside in _beside(os.path.dirname(path)):
            status = os.lstat(beside)
            stamps.append((os.path.basename(beside), status.st_size, status.st_mtime_ns))
    except (OSError, ValueError):  # gone meanwhile; a NUL in the name
        return ()
    return tuple(stamps)


def _pictures(path: str, *, beside: bool) -> Iterator[bytes]:
    yield from _attached(path)
    if beside:
        yield from _in_folder(os.path.dirname(path))


def _attached(path: str) -> Iterator[bytes]:
    """Return the pictures in a file's tags; FFmpeg has each as a stream of one packet."""
    with open_audio(path) as (container, _):
        streams = [s for s in container.streams.video if s.disposition & s.disposition.attached_pic]
        for stream in streams[:_MOST_PICTURES]:
            packet: Any = next(container.demux(stream), None)
            if packet is not None and 0 < packet.size <= _MAX_BYTES:
                yield bytes(packet)


def _in_folder(folder: str) -> Iterator[bytes]:
    """Read the pictures of a folder that are called as covers are, the likeliest first."""
    for path in _beside(folder):
        content = _read(path)
        if content is not None:
            yield content


def _beside(folder: str) -> list[str]:
    """List the pictures of a folder that are called as covers are, the likeliest first."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in islice(entries, _MOST_ENTRIES):
            stem, suffix = os.path.splitext(entry.name.lower())
            if stem in _STEMS and suffix in _SUFFIXES:
                found[_STEMS.index(stem), entry.name] = entry.path
    return [path for _, path in sorted(found.items())]


def _read(path: str) -> bytes | None:
    """Read a regular file of no more bytes than a picture has; a link may lead anywhere."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
                return None
            return file.read(_MAX_BYTES)
    except OSError:
        return None


def _drawn(picture: bytes) -> CoverArt | None:
    """Draw a picture anew; None if it is none, or larger than any cover."""
    from PIL import Image

    try:
        with (
            warnings.catch_warnings(action="ignore"),  # our own bound is lower than Pillow's
            Image.open(io.BytesIO(picture), formats=_FORMATS) as opened,
        ):
            if opened.width * opened.height > _MAX_PIXELS:
                return None
            opened.draft("RGB", (2 * _LARGE, 2 * _LARGE))  # a JPEG is decoded no larger than needed
            opened.thumbnail((_LARGE, _LARGE))
            image = _on_white(opened)
            large = _jpeg(image)
            image.thumbnail((_SMALL, _SMALL))
            return CoverArt(small=_jpeg(image), large=large)
    except Exception:
        return None


def _on_white(image: Picture) -> Picture:
    """Return a picture without transparency, which JPEG has not."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _jpeg(image: Picture) -> bytes:
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()
