"""Decode the packets that some spans of a recording need, and know where each one's samples are.

Nothing here seeks: a seek lands elsewhere in Ogg Vorbis, in MP3 without an index and in whatever lies about
its duration. Packets are demuxed from the start and most are dropped undecoded, which costs a fiftieth of
decoding them and is always right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from embed.container import decode_packet

if TYPE_CHECKING:
    import av

__all__ = ["PacketLayout", "Span", "decode_spans", "is_counted"]


@dataclass(frozen=True, kw_only=True)
class _Codec:
    """How packets of a codec map to samples, where that can be told without decoding.

    `counted`: every packet holds the same number of samples, so its index says where it is (timestamps in
    MP4 files jitter). Otherwise its timestamp says it to the sample. `preroll_s` is what the decoder
    must hear before a span so that it sounds there as in a full decode (MP3: the bit reservoir;
    AAC: overlap and spectral band replication; Opus: RFC 7845 asks for 80 ms).
    """

    counted: bool
    preroll_s: float


# Any codec that is not here (Vorbis, whose timestamps stray by 448 samples and come back; WMA, whose clock
# counts milliseconds; ...) is decoded from its start, and the spans are cut from that.
_SELECTIVE: dict[str, _Codec] = {
    "mp3": _Codec(counted=True, preroll_s=1.0),
    "mp3float": _Codec(counted=True, preroll_s=1.0),
    "aac": _Codec(counted=True, preroll_s=1.0),
    "alac": _Codec(counted=True, preroll_s=0.0),
    "flac": _Codec(counted=False, preroll_s=0.0),
    "opus": _Codec(counted=False, preroll_s=0.5),
    "wavpack": _Codec(counted=False, preroll_s=0.0),
}
_PCM = _Codec(counted=False, preroll_s=0.0)


@dataclass(frozen=True, kw_only=True)
class Span:
    """Samples `start` to `stop` of a recording at its own rate; parts outside of it are silence."""

    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class PacketLayout:
    """How a stream's packets map to samples.

    Attributes
    ----------
    codec : str
        FFmpeg's name of the decoder; empty where the packets must be decoded from the start.
    rate_hz : int
        As decoded.
    packet_samples, skip_samples : int
        Samples a packet decodes to, and how many the decoder drops at the start; 0 where not constant.
    first_pts : int or None
        Timestamp of the first sample, in units of the stream's time base.
    """

    codec: str
    rate_hz: int
    packet_samples: int
    skip_samples: int
    first_pts: int | None


def is_counted(codec: str) -> bool:
    """Whether packets of a codec hold the same number of samples each."""
    return codec in _SELECTIVE and _SELECTIVE[codec].counted


def decode_spans(
    packets: Iterable[av.Packet[Any]], stream: av.AudioStream, layout: PacketLayout, spans: Sequence[Span]
) -> Iterator[tuple[int, av.AudioFrame]]:
    """Decode what the spans need, each frame with its position in samples."""
    codec = _PCM if layout.codec.startswith("pcm_") else _SELECTIVE.get(layout.codec)
    exact_clock = stream.time_base is not None and 1 / stream.time_base >= layout.rate_hz
    if codec is not None and codec.counted and layout.packet_samples:
        return _decode_counted(packets, stream, layout, _Wanted(spans, codec.preroll_s, layout.rate_hz))
    if codec is not None and not codec.counted and exact_clock and layout.first_pts is not None:
        return _decode_stamped(packets, stream, layout, _Wanted(spans, codec.preroll_s, layout.rate_hz))
    return _decode_all(packets, stream, layout)


def _decode_all(
    packets: Iterable[av.Packet[Any]], stream: av.AudioStream, layout: PacketLayout
) -> Iterator[tuple[int, av.AudioFrame]]:
    position = 0
    for packet in packets:
        for frame in _same_kind(decode_packet(stream.codec_context, packet), layout):
            yield position, frame
            position += frame.samples
    for frame in _same_kind(decode_packet(stream.codec_context, None), layout):
        yield position, frame
        position += frame.samples


def _decode_counted(
    packets: Iterable[av.Packet[Any]], stream: av.AudioStream, layout: PacketLayout, wanted: _Wanted
) -> Iterator[tuple[int, av.AudioFrame]]:
    context = stream.codec_context
    for k, packet in enumerate(packets):
        position = k * layout.packet_samples - layout.skip_samples
        if wanted(position, position + layout.packet_samples, context):
            for frame in _same_kind(decode_packet(context, packet), layout):
                yield max(position, 0), frame


def _decode_stamped(
    packets: Iterable[av.Packet[Any]], stream: av.AudioStream, layout: PacketLayout, wanted: _Wanted
) -> Iterator[tuple[int, av.AudioFrame]]:
    context = stream.codec_context
    scale = Fraction(stream.time_base or 1) * layout.rate_hz
    first = layout.first_pts or 0
    for packet in packets:
        if packet.pts is None:
            continue
        position = round((packet.pts - first) * scale)
        length = math.ceil((packet.duration or 0) * scale) or layout.rate_hz
        if wanted(position, position + length, context):
            for frame in _same_kind(decode_packet(context, packet), layout):
                if frame.pts is not None:
                    yield round((frame.pts - first) * scale), frame


class _Wanted:
    """Whether a packet is needed by a span, or as the run-up to one; resets the decoder after a gap."""

    def __init__(self, spans: Sequence[Span], preroll_s: float, rate_hz: int) -> None:
        self._spans = spans
        self._next = 0
        self._preroll = math.ceil(preroll_s * rate_hz)
        self._gap = False

    def __call__(self, start: int, stop: int, context: Any) -> bool:
        while self._next < len(self._spans) and self._spans[self._next].stop <= start:
            self._next += 1
        if self._next == len(self._spans) or stop <= self._spans[self._next].start - self._preroll:
            self._gap = True
            return False
        if self._gap:
            context.flush_buffers()
            self._gap = False
        return True


def _same_kind(frames: Iterable[av.AudioFrame], layout: PacketLayout) -> Iterator[av.AudioFrame]:
    """Leave out frames whose rate differs from the stream's first (a splice of another recording)."""
    return (frame for frame in frames if frame.sample_rate == layout.rate_hz)
