"""How long packets are, known without decoding them, and what their timestamps say.

A Vorbis packet holds one block, short or long, and completes the samples from the middle of the
block before it to the middle of its own: a quarter of both lengths together (Vorbis I
specification, 4.3.8). FFmpeg tells that number, but begins each Ogg page as if a short block had
gone before; so the blocks are followed here. An Opus packet says its own length (RFC 6716, 3.1),
and FFmpeg tells it.

By hand: only a packet whose length is known can be dropped undecoded. Decoding takes 0.08 s of
processor time a Vorbis song for a scan, 0.30 s for the whole (results/embed.jsonl).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av

__all__ = ["Clock", "PacketLengths"]

_IDENTIFICATION = b"\x01vorbis"
# in the identification header: the byte that holds both block sizes, as powers of two
_SIZES_AT = 28
_POWERS = range(6, 14)
_LONGEST_OPUS = 5760  # 120 ms at 48 kHz
# by which timestamps may jump (back a little: Vorbis in Ogg) before they are mistrusted
_MAX_STRAY_S = 0.1
# Monkey's Audio packs 7 s; a last packet that claims more hides a wrong length
_MAX_PACKET_S = 10.0
# From shorter ones a length is not far off; longer ones take long to decode, and tell their length.
_DOUBTED_LAST_S = (0.1, 2.0)


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
        self.longest = (
            {"vorbis": long // 2, "opus": _LONGEST_OPUS}.get(codec.name, 0) if by_sample else 0
        )
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
        """Return how many samples the next packet decodes to.

        The last packet's may be cut to the end.
        """
        return self.next_told(packet.duration or 0)

    def next_told(self, told: int) -> int:
        """Return the same of a packet of which FFmpeg tells this length."""
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


class Clock:
    """What the timestamps of a stream's packets say, from its first on.

    Parameters
    ----------
    stream : av.AudioStream

    Attributes
    ----------
    n_packets : int
        How many have been seen.
    """

    def __init__(self, stream: av.AudioStream) -> None:
        self._time_base = stream.time_base
        self._end: int | Fraction | None = None
        self._last_pts = 0
        self._backstep: int | Fraction = 0
        self._gap: int | Fraction = 0  # the longest that no packet fills
        self._timed = False  # whether the last packet says how long it is
        self._longest: int | Fraction = 0
        self._step: int | Fraction = (
            0  # from the last packet that does not say how long it is, to the next
        )
        self._lengths = PacketLengths(stream)
        self._sum = 0  # of the packets' lengths, in samples
        self.n_packets = 0

    def pass_over(self, block: Sequence[av.Packet[Any]]) -> None:
        """Count packets, where their number alone tells the length."""
        self.n_packets += len(block)

    def see(self, block: Sequence[av.Packet[Any]]) -> None:
        """Note packets' timestamps."""
        self.n_packets += len(block)
        told = [packet.duration or 0 for packet in block]
        if self._lengths.adds_up:
            self._sum += sum(map(self._lengths.next_told, told))
        end, timed, last_pts = self._end, self._timed, self._last_pts
        backstep, gap, longest = self._backstep, self._gap, self._longest
        for packet, length in zip(block, told, strict=True):
            pts = packet.pts
            if pts is None:
                continue
            if end is None:
                end = pts
            elif end - pts > backstep:
                backstep = end - pts
            elif not timed:
                self._step = pts - end
                longest = max(longest, self._step)
            elif pts - end > gap:
                gap = pts - end
            timed = length > 0
            if length > longest:
                longest = length
            if pts + length > end:
                end = pts + length
            last_pts = pts
        self._end, self._timed, self._last_pts = end, timed, last_pts
        self._backstep, self._gap, self._longest = backstep, gap, longest

    @property
    def doubts_last(self) -> bool:
        """Whether the last packet is so long that what it claims should be looked at.

        Many containers (Matroska, Musepack) give it the length of all others.
        """
        low, high = _DOUBTED_LAST_S
        return low < (self._told_end - self._last_pts) * (self._time_base or 0) < high

    def end_with(self, n_samples: int, rate_hz: int) -> None:
        """Note how much the last packet decodes to."""
        if self._time_base is None or n_samples == 0:
            return
        end = self._last_pts + Fraction(n_samples, rate_hz) / self._time_base
        if end < self._told_end:
            self._end, self._timed = end, True

    @property
    def _told_end(self) -> int | Fraction:
        """Where the last packet ends by its timestamp; one without a length, as the one before."""
        return (self._end or 0) + (0 if self._timed else self._step)

    @property
    def strict(self) -> bool:
        """Whether every packet begins where the one before it ended, or a little later."""
        return self._backstep <= 0 and not self._jumps

    def agrees_with_sum(self, n_samples: int, skip_samples: int) -> bool:
        """Whether the lengths of all packets are known, and end where time does."""
        stray = self._sum - skip_samples - n_samples
        return self._lengths.adds_up and not self._jumps and abs(stray) <= self._lengths.longest

    @property
    def _jumps(self) -> bool:
        """Whether time jumps.

        Chained recordings start at zero again, and a damaged clock says anything.
        """
        if self._time_base is None:
            return False
        stray_s = max(self._backstep, self._gap) * self._time_base
        return stray_s > _MAX_STRAY_S or self._longest * self._time_base > _MAX_PACKET_S

    def n_samples(self, first_pts: int | None, rate_hz: int) -> int:
        """Return the length after the first sample; 0 where the timestamps don't tell."""
        if self._end is None or first_pts is None or self._time_base is None or self._jumps:
            return 0
        stands_still = self.n_packets > 1 and self._told_end - first_pts <= self._longest
        if stands_still:  # as in some RealMedia files
            return 0
        return max(0, round((self._told_end - first_pts) * self._time_base * rate_hz))
