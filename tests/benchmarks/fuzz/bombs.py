"""Small files that ask for hours of work or gigabytes of memory, made by hand."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from fuzz.ogg import Page, join_pages, split_pages

__all__ = ["BOMBS", "flac_silence", "opus_silence"]

Bomb = Callable[[Mapping[str, bytes], np.random.Generator], tuple[bytes, str]]

_FLAC_BLOCK = 65535


def _crc_table(polynomial: int, bits: int) -> list[int]:
    top = 1 << bits - 1
    table = []
    for byte in range(256):
        crc = byte << bits - 8
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & top else 0)) & (1 << bits) - 1
        table.append(crc)
    return table


_CRC8 = _crc_table(0x07, 8)
_CRC16 = _crc_table(0x8005, 16)


def flac_silence(
    hours: float, *, rate_hz: int = 1000, n_channels: int = 1, n_bits: int = 16
) -> bytes:
    """Make a FLAC file of silence.

    It takes some 15 bytes for 65535 samples (RFC 9639, constant subframes).
    """
    n_blocks = max(1, round(hours * 3600 * rate_hz / _FLAC_BLOCK))
    n_samples = n_blocks * _FLAC_BLOCK
    fields = rate_hz << 44 | n_channels - 1 << 41 | n_bits - 1 << 36 | n_samples % 2**36
    info = struct.pack(">HH6xQ16x", _FLAC_BLOCK, _FLAC_BLOCK, fields)
    head = b"fLaC" + struct.pack(">I", 0x80 << 24 | len(info)) + info
    return head + b"".join(_flac_frame(number, n_channels, n_bits) for number in range(n_blocks))


def _flac_frame(number: int, n_channels: int, n_bits: int) -> bytes:
    # Fixed block size, told in 16 bits; rate and sample size as in the file's header.
    head = bytes([0xFF, 0xF8, 0x70, n_channels - 1 << 4])
    head += chr(number).encode("utf-8", "surrogatepass") + struct.pack(">H", _FLAC_BLOCK - 1)
    crc = 0
    for byte in head:
        crc = _CRC8[crc ^ byte]
    frame = head + bytes([crc]) + bytes(1 + n_bits // 8) * n_channels
    crc = 0
    for byte in frame:
        crc = (crc << 8 & 0xFF00) ^ _CRC16[crc >> 8 ^ byte]
    return frame + struct.pack(">H", crc)


def opus_silence(hours: float, *, gain: int = 0) -> bytes:
    """Make an Ogg Opus file of silence.

    It takes two bytes for 120 ms (RFC 6716, six empty frames of SILK).
    """
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48000, gain, 0)
    tags = b"OpusTags" + struct.pack("<I", 1) + b"x" + struct.pack("<I", 0)
    pages = [
        Page(flags=2, granule=0, serial=1, body=head),
        Page(flags=0, granule=0, serial=1, body=tags),
    ]
    packet = bytes([1 << 3 | 3, 6])
    n_packets = round(hours * 3600 / 0.12)
    for first in range(0, n_packets, 255):
        n = min(255, n_packets - first)
        granule = (first + n) * 5760
        page = Page(flags=0, granule=granule, serial=1, body=packet * n, lacing=bytes([2]) * n)
        pages.append(page)
    return join_pages(pages)


def _long_flac(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    hours = float(rng.choice([5, 23, 25, 200]))
    return flac_silence(hours), f"{hours:g} hours of silence in FLAC"


def _wide_flac(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    rate_hz = int(rng.choice([1, 7, 1000, 655350, 1048575]))
    n_channels = int(rng.integers(1, 9))
    n_bits = int(rng.choice([8, 16, 24]))
    content = flac_silence(0.02, rate_hz=rate_hz, n_channels=n_channels, n_bits=n_bits)
    return content, f"FLAC of {rate_hz} Hz, {n_channels} channels, {n_bits} bits"


def _long_opus(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    hours = float(rng.choice([0.2, 0.5, 1, 25], p=[0.4, 0.3, 0.2, 0.1]))
    return _cached_opus(hours), f"{hours:g} hours of silence in Opus"


@functools.lru_cache
def _cached_opus(hours: float) -> bytes:
    return opus_silence(hours)


def _loud_opus(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    """The gain in an Opus header goes to +128 dB."""
    pages = split_pages(sources["opus"])
    head = bytearray(pages[0].body)
    gain = int(rng.choice([-32768, -1, 1, 32767]))
    struct.pack_into("<h", head, 16, gain)
    pages[0].body = bytes(head)
    return join_pages(pages), f"Opus with a gain of {gain / 256:.0f} dB"


@functools.lru_cache
def _zeros(n_bytes: int) -> bytes:
    """Compress many zeros, without ever holding them."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    return b"".join(packer.compress(block) for _ in range(n_bytes // 2**20)) + packer.flush()


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def _compressed_index(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    n_bytes = int(rng.choice([2**24, 2**29]))
    body = _box(b"dcom", b"zlib") + _box(b"cmvd", struct.pack(">I", n_bytes) + _zeros(n_bytes))
    content = _box(b"ftyp", b"M4A \0\0\0\0") + _box(b"moov", _box(b"cmov", body))
    return content, f"an MP4 index of {n_bytes} zeros, compressed"


def _huge_index(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    """An MP4 that says it has many million samples of one byte: 24 bytes of memory for each."""
    content = bytearray(sources["aac-index-first"])
    n = int(rng.choice([2_000_000, 50_000_000, 2**28, 2**31]))
    sizes, times = content.find(b"stsz"), content.find(b"stts")
    struct.pack_into(">II", content, sizes + 8, 1, n)
    struct.pack_into(">III", content, times + 8, 1, n, 1024)
    chunks = content.find(b"stsc")
    struct.pack_into(">II", content, chunks + 16, n, 1)
    return bytes(content), f"an MP4 index of {n} samples"


def _compressed_tag(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    n_bytes = int(rng.choice([2**24, 2**29]))
    name = [b"TIT2", b"APIC", b"TXXX", b"PRIV"][int(rng.integers(4))]
    body = _synchsafe(n_bytes % 2**28) + _zeros(n_bytes)
    frame = name + _synchsafe(len(body)) + b"\0\x09" + body  # compressed, with its length
    tag = b"ID3\x04\0\0" + _synchsafe(len(frame)) + frame
    return tag + sources["mp3"], f"an ID3 tag with {n_bytes} zeros, compressed"


def _synchsafe(n: int) -> bytes:
    return bytes(n >> shift & 127 for shift in (21, 14, 7, 0))


def _picture(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    n_bytes = int(rng.choice([2**20, 2**23]))
    if rng.random() < 0.5:
        body = b"\0image/jpeg\0\3\0" + b"\xff\xd8" + bytes(n_bytes)
        frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
        return b"ID3\x03\0\0" + _synchsafe(len(frame)) + frame + sources[
            "mp3"
        ], f"a cover of {n_bytes} bytes"
    picture = (
        struct.pack(">II", 3, 10)
        + b"image/jpeg"
        + struct.pack(">6I", 0, 2**31, 2**31, 24, 0, n_bytes)
    )
    block = picture + bytes(n_bytes)
    flac = sources["flac"]
    inserted = struct.pack(">I", 6 << 24 | len(block)) + block
    return flac[:42] + inserted + flac[42:], f"a cover of {n_bytes} bytes, 2 billion dots wide"


def _many_boxes(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    way = int(rng.integers(5))
    n = 200_000
    if way == 0:
        return _box(b"ftyp", b"M4A \0\0\0\0") + _box(b"free", b"") * n + sources[
            "aac"
        ], f"{n} empty MP4 boxes"
    if way == 1:
        boxes = b""
        for _ in range(3000):
            boxes = _box(b"moov", boxes)
        return _box(b"ftyp", b"M4A \0\0\0\0") + boxes, "3000 MP4 boxes, each in the next"
    if way == 2:
        wav = sources["wav"]
        return wav[:12] + b"LIST\0\0\0\0" * n + wav[12:], f"{n} empty WAV chunks"
    if way == 3:
        tag = b"ID3\x03\0\0\0\0\0\x14" + bytes(20)
        return tag * (n // 20) + sources["mp3"], f"{n // 20} ID3 tags"
    aiff = sources["aiff"]
    return aiff[:12] + b"ANNO\0\0\0\0" * n + aiff[12:], f"{n} empty AIFF chunks"


def _wide_wav(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    """WAV with rates and channels at the edge, and floats that are no numbers."""
    n_channels = int(rng.choice([1, 2, 63, 64, 65, 255, 1000]))
    rate_hz = int(rng.choice([1, 999, 1000, 44100, 767_999, 768_000, 768_001, 4_000_000_000]))
    values = rng.choice(np.array([np.nan, np.inf, -np.inf, 0, 1e38, -1e38, 1e-45, 1]), size=300_000)
    data = values.astype("<f4").tobytes()
    block = 4 * n_channels
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", len(data) + 36, b"WAVE", b"fmt ", 16, 3, n_channels, rate_hz),
        *(rate_hz * block % 2**32, block, 32, b"data", len(data)),
    )
    return head + data, f"WAV of broken floats, {n_channels} channels, {rate_hz} Hz"


def _zero_blocks(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    """Silence, and stretches of nothing but zero bytes, after headers of each kind."""
    name = str(rng.choice(sorted(sources)))
    n = int(rng.choice([100_000, 2_000_000]))
    return sources[name][:700] + bytes(n), f"a header of {name} and {n} zeros"


def _endless_aac(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[bytes, str]:
    """The smallest frames that there are, many of them."""
    adts = bytes.fromhex("fff15c8000fffc")  # 11025 Hz... and a length of 7: a header alone
    frame = [adts, b"\xff\xe3\x18\xc4" + bytes(20), b"\x0b\x77" + bytes(62)][int(rng.integers(3))]
    n = int(rng.choice([10_000, 100_000]))
    return frame * n, f"{n} frames of {len(frame)} bytes"


BOMBS: dict[str, Bomb] = {
    "hours in FLAC": _long_flac,
    "extreme FLAC": _wide_flac,
    "hours in Opus": _long_opus,
    "gain in Opus": _loud_opus,
    "compressed MP4 index": _compressed_index,
    "huge MP4 index": _huge_index,
    "compressed ID3 tag": _compressed_tag,
    "huge covers": _picture,
    "many small boxes": _many_boxes,
    "extreme WAV": _wide_wav,
    "zeros": _zero_blocks,
    "tiny frames": _endless_aac,
}
"""By kind."""
