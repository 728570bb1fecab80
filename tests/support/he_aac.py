"""HE-AAC, of which Debian has no encoder: AAC LC of half the rate, with spectral band replication.

What replicates the bands (ISO 14496-3, 4.4.2.8) is as short as it can be: above the bands that are
coded there is next to nothing, but the decoder doubles the rate.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["adts_frames", "with_sbr"]

_HEADER_BYTES = 7
_FILL, _SBR, _END = 0b110, 0b1101, 0b111
_COUNT = 40  # bytes of the fill element
# present, amplitude resolution, start and stop frequency, crossover band, reserved, two flags
_SBR_HEADER = "1" + "1" + "0101" + "1001" + "000" + "00" + "0" + "0"


def adts_frames(content: bytes) -> Iterator[bytes]:
    """Cut an ADTS file into its frames, headers and all."""
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at + 3 : at + 6], "big") >> 5 & 0x1FFF
        yield content[at : at + size]
        at += size


def with_sbr(content: bytes) -> bytes:
    """Return an ADTS file of AAC LC as one of HE-AAC, at twice the rate."""
    return b"".join(map(_extended, adts_frames(content)))


def _extended(frame: bytes) -> bytes:
    """Put an extension before the end of a frame."""
    bits = f"{int.from_bytes(frame[_HEADER_BYTES:], 'big'):0{8 * len(frame[_HEADER_BYTES:])}b}"
    end = bits.rindex(f"{_END:b}", 0, bits.rindex("1") + 1)
    extension = f"{_SBR:04b}{_SBR_HEADER}".ljust(8 * _COUNT, "0")
    fill = f"{_FILL:03b}1111{_COUNT - 14:08b}{extension}"
    bits = bits[:end] + fill + f"{_END:b}"
    bits += "0" * (-len(bits) % 8)
    payload = int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = int.from_bytes(frame[:_HEADER_BYTES], "big")
    # 56 bits, of which the length has those from the 30th to the 42nd
    size = _HEADER_BYTES + len(payload)
    header = header & ~(0x1FFF << 13) | size << 13
    return header.to_bytes(_HEADER_BYTES, "big") + payload
