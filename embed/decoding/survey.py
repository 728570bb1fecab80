"""Whether the packets of a file are all of the kind that its first ones are, and decode.

A few packets after the head are looked at. Only where they differ is the whole file decoded, to
tell: recordings that were joined have parts of several rates, of an encrypted file next to nothing
decodes, and an edit list may leave out the middle.

By hand: FFmpeg's tools decode on and leave it to their user to read what they said meanwhile. To
look takes 1 ms of processor time a song of four minutes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from embed.decoding.container import Packets, open_audio, try_packet
from embed.decoding.packet_head import PacketHead
from embed.decoding.packets import PacketLayout, is_counted
from embed.errors import AudioError
from embed.limits import is_read

if TYPE_CHECKING:
    import av

__all__ = ["Survey", "Watch", "survey"]

# Of the four bytes that an ADTS or MPEG audio frame begins with: those that mark it, and those that
# tell its kind (profile, rate, channels; version, layer, rate).
_MARKS = {"aac": 0xFFF00000, "mp": 0xFFE00000}
_KINDS = {"aac": 0x0000FDC0, "mp": 0x001E0C00}
_N_START_PACKETS = 8  # of which an edit list leaves out what the encoder padded
_EVERY_PACKETS = 16  # a header is looked at: 0.4 s
_EVERY_MARKS = 8  # of the packets that an edit list leaves out: 0.2 s
_EVERY_BLOCKS = 64  # a packet is decoded: 95 s of AAC
_EARLY_BLOCKS = frozenset({1, 4})
_MAX_CORE_HZ = 24_000  # of HE-AAC, whose headers do not differ from those of AAC LC
_MAX_PACKET_S = 1.0  # Monkey's Audio packs 7 s, and takes as long as music to decode them
_DOUBTED_SHARE = 0.25  # of packets looked at that do not decode
_MAX_ODD = 8  # packets of another length: what decoders drop at the start and end
_SHARE_OF_LONGEST = 0.1
_TOLD_SHARE = 0.1  # of packets that do not decode, from which it is worth a warning


class Watch:
    """Look at some packets of a stream after its head.

    Parameters
    ----------
    stream : av.AudioStream
        Its decoder is used.

    Attributes
    ----------
    doubts : bool
        Whether packets seen so far are of another kind than the first, or many do not decode.
    """

    def __init__(self, stream: av.AudioStream) -> None:
        self._context = stream.codec_context
        family = "aac" if self._context.name == "aac" else self._context.name[:2]
        if self._context.extradata:  # one header for all packets, which then have none
            family = ""
        self._mark, self._kind = _MARKS.get(family, 0), _KINDS.get(family, 0)
        self._first: int | None = None
        self._n_blocks = self._n_tried = self._n_failed = 0
        self._differs = False
        has_edits = stream.container.format.name.startswith("mov")
        self._may_leave_out = has_edits and is_counted(self._context.name)
        self._left_out = False  # the last packet, by an edit list
        # An ADTS header tells the rate before bands are replicated, and not whether they are.
        is_core = family == "aac" and stream.codec_context.sample_rate <= _MAX_CORE_HZ
        self._every_blocks = 1 if is_core else _EVERY_BLOCKS

    def see(self, block: Sequence[av.Packet[Any]], head: PacketHead) -> None:
        """Look at the next packets, after the head has heard them."""
        k = self._n_blocks
        self._n_blocks += 1
        if self._differs:
            return
        if self._mark:
            self._read_headers(block)
        if self._may_leave_out:
            self._find_gaps(block if k else block[_N_START_PACKETS:])
        if k in _EARLY_BLOCKS or (k % self._every_blocks == 0):
            self._decode(block[len(block) // 2], head)

    def _read_headers(self, block: Sequence[av.Packet[Any]]) -> None:
        for packet in block[::_EVERY_PACKETS]:
            word = int.from_bytes(memoryview(packet)[:4], "big")
            if word & self._mark == self._mark:
                kind = word & self._kind
                if self._first is None:
                    self._first = kind
                self._differs |= kind != self._first

    def _find_gaps(self, block: Sequence[av.Packet[Any]]) -> None:
        """Find packets that an edit list leaves out, and others after them."""
        left_out = [packet.is_discard for packet in block[::_EVERY_MARKS]]
        if self._left_out or any(left_out):
            for one in left_out:
                self._differs |= self._left_out and not one
                self._left_out = one

    def _decode(self, packet: av.Packet[Any], head: PacketHead) -> None:
        time_base = packet.time_base
        if time_base is not None and (packet.duration or 0) * time_base > _MAX_PACKET_S:
            return
        frames = try_packet(self._context, packet)
        self._n_tried += 1
        if frames is None:
            self._n_failed += 1
        elif frames:
            n_samples = sum(frame.samples for frame in frames)
            self._differs |= any(frame.sample_rate != head.rate_hz for frame in frames)
            self._differs |= head.counts_packets and n_samples > head.packet_samples

    @property
    def doubts(self) -> bool:
        """Whether the file is worth a survey."""
        return self._differs or self._n_failed > _DOUBTED_SHARE * self._n_tried


@dataclass
class Survey:
    """What the packets of a whole file decode to.

    Attributes
    ----------
    parts : list of [int, int]
        Of each stretch of one rate that is read, the rate in Hz and its samples.
    n_packets, n_failed : int
        How many there are, and how many of them do not decode.
    lengths : Counter
        How many packets decode to so many samples.
    """

    parts: list[list[int]] = field(default_factory=list)
    n_packets: int = 0
    n_failed: int = 0
    lengths: Counter[int] = field(default_factory=Counter)

    def add(self, frames: Sequence[av.AudioFrame] | None) -> None:
        """Note what a packet decoded to; None where it does not decode."""
        self.n_packets += 1
        if frames is None:
            self.n_failed += 1
            return
        self.lengths[sum(frame.samples for frame in frames)] += 1
        for frame in frames:
            if not is_read(frame.sample_rate):
                continue
            if not self.parts or self.parts[-1][0] != frame.sample_rate:
                self.parts.append([frame.sample_rate, 0])
            self.parts[-1][1] += frame.samples

    @property
    def rate_hz(self) -> int:
        """The highest rate that lasts a tenth as long as the longest, or more; 0 if there is none.

        So little of what is heard is lost.
        """
        seconds: defaultdict[int, float] = defaultdict(float)
        for rate_hz, n_samples in self.parts:
            seconds[rate_hz] += n_samples / rate_hz
        least = _SHARE_OF_LONGEST * max(seconds.values(), default=0.0)
        return max((rate_hz for rate_hz, s in seconds.items() if s >= least), default=0)

    def n_samples(self, rate_hz: int) -> int:
        """Return the length of all parts, resampled to a rate."""
        return sum(n * rate_hz // own_hz for own_hz, n in self.parts)

    def require_audio(self) -> None:
        """Refuse a file of which less than half decodes.

        Raises
        ------
        AudioError
            With the share.
        """
        if 2 * self.n_failed > self.n_packets:
            raise AudioError(
                f"{self.n_failed} of its {self.n_packets} packets do not decode "
                f"({self.n_failed / self.n_packets:.0%}); it is encrypted or damaged"
            )

    def correct(self, layout: PacketLayout, n_samples: int) -> tuple[PacketLayout, int]:
        """Return how the packets map to samples, and the length, in place of what the head told.

        Parameters
        ----------
        layout : PacketLayout
            As the head told.
        n_samples : int
            The same; 0 where it is not known.
        """
        usual = layout.packet_samples
        odd = sum(n for length, n in self.lengths.items() if length != usual)
        if len(self.parts) > 1 or (usual > 0 and odd > _MAX_ODD):
            from_start = PacketLayout(
                codec="",
                rate_hz=self.rate_hz,
                packet_samples=0,
                skip_samples=0,
                first_pts=None,
            )
            return from_start, self.n_samples(self.rate_hz)
        return layout, n_samples or self.n_samples(layout.rate_hz)

    @property
    def warning(self) -> str | None:
        """What is wrong with the file."""
        if len(self.parts) > 1:
            rates = ", then ".join(f"{n / hz:.1f} s at {hz} Hz" for hz, n in self.parts[:4])
            more = f" and {len(self.parts) - 4} more" if len(self.parts) > 4 else ""
            return f"is joined of parts: {rates}{more}; all are heard, at {self.rate_hz} Hz"
        if self.n_failed > _TOLD_SHARE * self.n_packets:
            return f"{self.n_failed} of its {self.n_packets} packets do not decode"
        return None


def survey(path: str) -> Survey:
    """Decode a whole file, to tell what its packets decode to.

    Raises
    ------
    AudioError
        If it can't be read.
    """
    found = Survey()
    with open_audio(path) as (container, stream):
        for packet in Packets(container, stream):
            found.add(try_packet(stream.codec_context, packet))
    return found
