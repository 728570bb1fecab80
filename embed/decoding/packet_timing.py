"""How many samples packets decode to, known without decoding them.

A Vorbis packet holds one block, short or long, and completes the samples from the middle of the block before
it to the middle of its own: a quarter of both lengths together (Vorbis I specification, 4.3.8). FFmpeg tells
that number, but begins each Ogg page as if a short block had gone before; so the blocks are followed here.
An Opus packet says its own length (RFC 6716, 3.1), and FFmpeg tells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av

__all__ = ["PacketLengths"]

_IDENTIFICATION = b"\x01vorbis"
_SIZES_AT = 28  # in the identification header: the byte that holds both block sizes, as powers of two
_POWERS = range(6, 14)
_LONGEST_OPUS = 5760  # 120 ms at 48 kHz


class PacketLengths:
    """Lengths of a stream's packets, from its first on.

    Parameters
    ----------
    stream : av.AudioStream

    Attributes
    ----------
    longest : int
        The most samples that a packet can decode to; 0 where lengths can't be told.
    adds_up : bool
        Whether every packet so far, but for the last, had a length that can be.
    """

    def __init__(self, stream: av.AudioStream) -> None:
        codec = stream.codec_context
        by_sample = stream.time_base is not None and stream.time_base * codec.sample_rate == 1
        short, long = _block_sizes(codec.extradata or b"") if codec.name == "vorbis" else (0, 0)
        self.longest = {"vorbis": long // 2, "opus": _LONGEST_OPUS}.get(codec.name, 0) if by_sample else 0
        self.adds_up = self.longest > 0
        self._ended = False
        self._is_vorbis = codec.name == "vorbis"
        self._short, self._long = short, long
        self._before = 0
        # From the block before and the length that FFmpeg tells, to the block and the true length.
        self._steps = {
            (short, short // 2): (short, short // 2),
            (short, (short + long) // 4): (long, (short + long) // 4),
            (long, short // 2): (short, (short + long) // 4),  # the first of a page
            (long, (short + long) // 4): (short, (short + long) // 4),
            (long, long // 2): (long, long // 2),
        }

    def next(self, packet: av.Packet[Any]) -> int:
        """Return how many samples the next packet decodes to; the last one's may be cut to the end."""
        told = packet.duration or 0
        if self._ended:
            self.adds_up = False
        if not self._is_vorbis:
            self._ended = not 0 < told <= _LONGEST_OPUS
            return told
        if not self._before:  # the first completes nothing
            self._before = self._short if told == self._short // 2 else self._long
            return 0
        step = self._steps.get((self._before, told))
        if step is None:
            self._ended = True
            return told
        self._before, n_samples = step
        return n_samples


def _block_sizes(header: bytes) -> tuple[int, int]:
    """Read the sizes of short and long blocks from Vorbis headers; zeros where they can't be."""
    start = header.find(_IDENTIFICATION)
    if start < 0 or len(header) <= start + _SIZES_AT:
        return 0, 0
    sizes = header[start + _SIZES_AT]
    short, long = sizes & 15, sizes >> 4
    if short not in _POWERS or long not in _POWERS or short > long:
        return 0, 0
    return 1 << short, 1 << long
