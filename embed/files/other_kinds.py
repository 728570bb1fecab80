"""What a file is by its first bytes, where its name or FFmpeg does not tell."""

from __future__ import annotations

__all__ = ["is_transport_stream", "kind_that_is_no_audio"]

_HEAD_BYTES = 2048
_SEARCHED_BYTES = 2**20  # for zeros, at both ends
_TRANSPORT_PACKET_BYTES = 188  # ISO 13818-1, 2.4.3.2: each begins with the byte 0x47
_SYNC = 0x47
_N_PACKETS = 4
_PICTURE = "a picture"
_ARCHIVE = "an archive; unpack it"
_TRACKER = "a tracker module (notes and samples); render it to sound first"
# What it begins with, at which byte, and what it then is.
_SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"MThd", 0, "a MIDI file (notes, no sound); render it to sound first"),
    (b"Extended Module: ", 0, _TRACKER),
    (b"IMPM", 0, _TRACKER),
    (b"SCRM", 44, _TRACKER),
    (b"M.K.", 1080, _TRACKER),
    (b"PK\x03\x04", 0, _ARCHIVE),
    (b"Rar!\x1a\x07", 0, _ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", 0, _ARCHIVE),
    (b"\x1f\x8b\x08", 0, _ARCHIVE),
    (b"%PDF-", 0, "a PDF"),
    (b"\xff\xd8\xff", 0, _PICTURE),
    (b"\x89PNG\r\n", 0, _PICTURE),
    (b"GIF8", 0, _PICTURE),
    (b"WEBP", 8, _PICTURE),
    (b"SQLite format 3\0", 0, "a database"),
    (b"\0\x05\x16\x07", 0, "what macOS keeps beside a file (AppleDouble)"),
    (b"#EXTM3U", 0, "a playlist; with a name that ends in .m3u8 it is read as one"),
    (b"[playlist]", 0, "a playlist; with a name that ends in .pls it is read as one"),
)
_WEB_PAGE = "a web page, as sites send in place of a song; download it again"
_ZEROS = "zeros alone, as a download that was broken off leaves; get it again"
_TEXT = "text; a list of songs is read where its name ends in .txt, .csv or .m3u8"


def kind_that_is_no_audio(path: str) -> str | None:
    """Say what a file is that FFmpeg does not take for audio; None where that is not known.

    Parameters
    ----------
    path : str
        Of a regular file.

    Raises
    ------
    OSError
        If it can't be read.

    Examples
    --------
    >>> from embed.files.other_kinds import kind_that_is_no_audio
    >>> kind_that_is_no_audio("music/calm_acoustic_1.opus")
    """
    with open(path, "rb") as file:
        start = file.read(_SEARCHED_BYTES)
        file.seek(-min(_SEARCHED_BYTES, file.seek(0, 2)), 2)
        is_zeros = len(start) > 1 and not start.strip(b"\0") and not file.read().strip(b"\0")
    if is_zeros:
        return _ZEROS
    head = start[:_HEAD_BYTES]
    for signature, at, kind in _SIGNATURES:
        if head[at : at + len(signature)] == signature:
            return kind
    words = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower()
    if words.startswith((b"<!doctype html", b"<html")):
        return _WEB_PAGE
    return _TEXT if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if len(head) < 2 or any(byte < 32 and byte not in b"\t\n\f\r" for byte in head):
        return False
    try:
        head[: head.rfind(b"\n") + 1 or None].decode()
    except UnicodeDecodeError:
        return False
    return True


def is_transport_stream(path: str) -> bool:
    """Whether a file is an MPEG transport stream; TypeScript has the same suffix, ``.ts``.

    Parameters
    ----------
    path : str

    Examples
    --------
    >>> from embed.files.other_kinds import is_transport_stream
    >>> is_transport_stream("music/calm_acoustic_1.opus")
    False
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_N_PACKETS * _TRANSPORT_PACKET_BYTES)
    except OSError:
        return True  # which it is not known; whoever reads it says why
    return len(head) > _TRANSPORT_PACKET_BYTES and all(
        byte == _SYNC for byte in head[::_TRANSPORT_PACKET_BYTES]
    )
