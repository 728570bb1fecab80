"""Whether an MP3 file tells its length; where it does not, FFmpeg guesses it from the bit rate."""

from __future__ import annotations

__all__ = ["is_mp3_without_length"]

_TAG_HEADER_BYTES = 10
_MAX_TAGS = 4
_SEARCHED_BYTES = 4096  # after the tags: more than the longest frame
_LENGTHS = (b"Xing", b"Info", b"VBRI")


def is_mp3_without_length(path: str) -> bool:
    """Whether a file begins as MP3 does, with no header that tells its length.

    Parameters
    ----------
    path : str

    Raises
    ------
    OSError
        If it can't be read.

    Examples
    --------
    >>> from embed.decoding.mp3_headers import is_mp3_without_length
    >>> is_mp3_without_length("music/calm_acoustic_1.opus")
    False
    """
    with open(path, "rb") as file:
        at = 0
        for _ in range(_MAX_TAGS):
            file.seek(at)
            head = file.read(_TAG_HEADER_BYTES)
            if head[:3] != b"ID3" or len(head) < _TAG_HEADER_BYTES:
                break
            # ID3v2: four bytes of seven bits (id3.org, ID3v2.4.0, 3.1)
            sizes = head[6:10]
            at += _TAG_HEADER_BYTES + sum((b & 127) << 7 * k for k, b in enumerate(sizes[::-1]))
        file.seek(at)
        content = file.read(_SEARCHED_BYTES)
    is_frame = content[:1] == b"\xff" and content[1:2] >= b"\xe0"
    return is_frame and not any(one in content for one in _LENGTHS)
