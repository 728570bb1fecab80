"""APEv2 tags at the end of files: FFmpeg tells one value of several, and of MP3 files nothing.

By hand: mutagen reads them, and is under the GPL; ten lines are read here, bounded
(tests/embed/decoding/test_tags.py: `test_the_ape_tag_of_an_mp3_is_read`).
"""

from __future__ import annotations

import io

__all__ = ["read_ape_tags"]

_FOOTER_BYTES = 32
_ID3V1_BYTES = 128
_MAX_READ = 2**18  # from the tag's start; texts come before pictures
_MAX_ITEMS = 200
_KIND_BITS = 6  # of an item's flags: 0 for text


def read_ape_tags(path: str) -> dict[str, str]:
    """Read the text items of a file's APEv2 tag.

    Parameters
    ----------
    path : str

    Returns
    -------
    dict
        Names as they are written, to texts; of several values joined by semicolons, as FFmpeg joins
        those of Vorbis comments. Bytes that are not UTF-8 are surrogate escapes. Empty where there
        is no tag.

    Raises
    ------
    OSError
        If the file can't be read.

    Examples
    --------
    >>> from embed.decoding.ape_tags import read_ape_tags
    >>> read_ape_tags("music/calm_acoustic_1.opus")
    {}
    """
    with open(path, "rb") as file:
        n_bytes = file.seek(0, io.SEEK_END)
        for after in (0, _ID3V1_BYTES):
            stop = n_bytes - after - _FOOTER_BYTES
            file.seek(max(0, stop))
            footer = file.read(_FOOTER_BYTES)
            if stop >= 0 and footer[:8] == b"APETAGEX":
                size = int.from_bytes(footer[12:16], "little")  # of items and footer
                start = stop + _FOOTER_BYTES - size
                if not 0 <= start <= stop:
                    return {}
                file.seek(start)
                return _items(file.read(min(stop - start, _MAX_READ)))
    return {}


def _items(content: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    for _ in range(_MAX_ITEMS):
        key_end = content.find(b"\0", at + 8)
        if key_end < 0:
            break
        size = int.from_bytes(content[at : at + 4], "little")
        is_text = not int.from_bytes(content[at + 4 : at + 8], "little") & _KIND_BITS
        key, value = content[at + 8 : key_end], content[key_end + 1 : key_end + 1 + size]
        if is_text and key.isascii():
            text = value.strip(b"\0").replace(b"\0", b";")
            found[key.decode("ascii")] = text.decode("utf-8", "surrogateescape")
        at = key_end + 1 + size
    return found
