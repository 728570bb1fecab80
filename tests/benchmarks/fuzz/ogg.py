"""Ogg pages (RFC 3533), taken apart and put together with right checksums."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Page", "join_pages", "split_pages"]

_HEADER = struct.Struct("<4sBBqIIIB")
_CRC_AT = 22


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(crc)
    return table


_CRC = _crc_table()


@dataclass(kw_only=True)
class Page:
    """One page; flags: 1 continued, 2 first, 4 last.

    Without `lacing`, a packet that fills the page goes on.
    """

    flags: int
    granule: int
    serial: int
    body: bytes
    lacing: bytes | None = None


def split_pages(content: bytes) -> list[Page]:
    """Take an Ogg file apart."""
    pages = []
    at = 0
    while content[at : at + 4] == b"OggS":
        _, _, flags, granule, serial, _, _, n = _HEADER.unpack_from(content, at)
        body = at + _HEADER.size + n
        lacing = content[at + _HEADER.size : body]
        at = body + sum(lacing)
        pages.append(
            Page(flags=flags, granule=granule, serial=serial, body=content[body:at], lacing=lacing)
        )
    return pages


def join_pages(pages: Iterable[Page]) -> bytes:
    """Put pages together, numbered anew."""
    numbers: dict[int, int] = {}
    parts = []
    for page in pages:
        number = numbers.get(page.serial, 0)
        numbers[page.serial] = number + 1
        lacing = page.lacing
        if lacing is None:
            n_whole, rest = divmod(len(page.body), 255)
            lacing = (b"\xff" * n_whole + (bytes([rest]) if rest else b""))[:255]
        head = _HEADER.pack(
            b"OggS", 0, page.flags & 255, page.granule, page.serial, number, 0, len(lacing)
        )
        whole = bytearray(head + lacing + page.body)
        struct.pack_into("<I", whole, _CRC_AT, _crc(whole))
        parts.append(bytes(whole))
    return b"".join(parts)


def _crc(content: bytearray) -> int:
    crc = 0
    table = _CRC
    for byte in content:
        crc = (crc << 8 & 0xFFFFFF00) ^ table[crc >> 24 ^ byte]
    return crc
