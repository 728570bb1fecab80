"""The first packets of a stream, decoded: how its packets map to samples, and whether they can be.

By hand: PyAV tells of no codec how many samples a packet will give, nor how many the decoder drops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embed.decoding.container import decode_packet
from embed.decoding.packet_timing import Clock, PacketLengths
from embed.decoding.packets import PacketLayout, is_counted
from embed.errors import AudioError
from embed.limits import RATES_HZ, is_read

if TYPE_CHECKING:
    import av

__all__ = ["PacketHead", "find_layout"]

_MAX_CHANNELS = 64
_ENCRYPTED_TAGS = frozenset({"drms", "enca"})  # of MP4's sample entries: FairPlay, and all others
_N_HEAD_PACKETS = 8  # decoded, to learn how the decoder maps packets to samples


class PacketHead:
    """The first packets of a stream, decoded: rate, channels, and how packets map to samples."""

    def __init__(self, stream: av.AudioStream) -> None:
        self._context = stream.codec_context
        self.counts: list[int] = []
        self._sizes: list[int] = []
        self._lengths = PacketLengths(stream)
        self._told: list[int] = []  # samples, without decoding
        self.rate_hz = 0
        self.n_channels = 0
        self.first_pts: int | None = None
        self._encrypted = self._context.codec_tag in _ENCRYPTED_TAGS
        self._counts: bool | None = None  # once it is settled

    def hear(self, block: Sequence[av.Packet[Any]]) -> None:
        """Decode the first packets; further ones only while nothing has come out."""
        for packet in block:
            if len(self.counts) >= _N_HEAD_PACKETS and self.rate_hz:
                return
            self._encrypted |= packet.has_sidedata("encryption_info")
            frames = decode_packet(self._context, packet)
            if frames and not self.rate_hz:
                first = frames[0]
                self.rate_hz, self.first_pts = first.sample_rate, first.pts
                self.n_channels = len(first.layout.channels)
            self.counts.append(sum(frame.samples for frame in frames))
            self._sizes.append(len(frames))
            self._told.append(self._lengths.next(packet))

    def require_audio(self) -> None:
        """Refuse what does not decode, or decodes to something absurd."""
        if not self.counts:
            raise AudioError("holds no audio packets")
        if self._encrypted:
            raise AudioError("is encrypted (DRM); its seller's programs alone can play it")
        if not self.rate_hz:
            raise AudioError("none of its audio can be decoded")
        low, high = RATES_HZ
        if not is_read(self.rate_hz):
            raise AudioError(f"has a sample rate of {self.rate_hz} Hz; {low} to {high} Hz are read")
        if self.n_channels > _MAX_CHANNELS:
            raise AudioError(f"has {self.n_channels} channels; up to {_MAX_CHANNELS} are read")

    @property
    def packet_samples(self) -> int:
        """Samples of a full packet."""
        return max(self.counts)

    @property
    def skip_samples(self) -> int:
        """Samples that the decoder drops at the start (its delay, and what the encoder padded)."""
        return len(self.counts) * self.packet_samples - sum(self.counts)

    @property
    def dropped(self) -> int | None:
        """Samples that the decoder drops at the start.

        They are known where packets otherwise have the lengths told.
        """
        n_dropped = sum(self._told) - sum(self.counts)
        position = -n_dropped
        for told, count in zip(self._told, self.counts, strict=True):
            if count != min(told, max(0, position + told)):
                return None
            position += told
        return n_dropped

    @property
    def counts_packets(self) -> bool:
        """Whether a packet's index tells where its samples are."""
        if self._counts is not None:
            return self._counts
        counts = is_counted(self._context.name) and self._is_constant
        if len(self.counts) >= _N_HEAD_PACKETS and self.rate_hz:  # `hear` takes no more
            self._counts = counts
        return counts

    @property
    def _is_constant(self) -> bool:
        n = self.packet_samples
        # Only the first packets may give less than a full one, and none more than one frame.
        growing = all(a <= b for a, b in zip(self.counts, self.counts[1:], strict=False))
        constant = growing and self.counts[-1] == n and self.counts[-2:-1] in ([], [n])
        return constant and max(self._sizes) == 1


def find_layout(codec: str, head: PacketHead, clock: Clock, n_samples: int) -> PacketLayout:
    """Find what tells where a packet's samples are.

    It is its index, its timestamp, or the packets before it.
    """
    counted = head.counts_packets
    stamped = clock.strict and codec != "vorbis"
    dropped = None if counted or stamped else head.dropped
    summed = dropped is not None and clock.agrees_with_sum(n_samples, dropped)
    skip_samples = dropped if summed else None
    return PacketLayout(
        codec=codec if counted or stamped or summed else "",  # empty: decode from the start
        rate_hz=head.rate_hz,
        packet_samples=head.packet_samples if counted else 0,
        skip_samples=head.skip_samples if counted else skip_samples or 0,
        first_pts=head.first_pts,
        summed=summed,
    )
