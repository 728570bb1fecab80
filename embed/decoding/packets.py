"""Decode the packets that some spans of a recording need, and know where each one's samples are.

Nothing here seeks: a seek lands elsewhere in Ogg Vorbis, in MP3 without an index and in whatever
lies about its duration. Packets are demuxed from the start and most are dropped undecoded, which
costs a tenth of decoding them and is always right.

By hand: parts have the very samples of the whole, which no seek promises. Decoding takes 0.08 s of
processor time a song for a scan, 0.34 s for the whole (results/embed.jsonl).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any

from embed.decoding.container import decode_packet
from embed.decoding.joined_parts import resampled
from embed.decoding.packet_timing import PacketLengths

if TYPE_CHECKING:
    import av

    _Placed = tuple[int, int, av.Packet[Any]]  # first sample, how many, and what holds them

__all__ = ["PacketLayout", "Span", "decode_spans", "is_counted"]


@dataclass(frozen=True, kw_only=True)
class _Codec:
    """How packets of a codec map to samples, where that can be told without decoding.

    `counted`: every packet holds the same number of samples, so its index says where it is
    (timestamps in MP4 files jitter). Otherwise its timestamp says it to the sample. `preroll_s` is
    what the decoder must hear before a span so that it sounds there as in a full decode (AAC:
    overlap and spectral band replication; MP3 has a rule of its own; Opus: RFC 7845 asks for 80
    ms).
    """

    counted: bool
    preroll_s: float


# Any codec that is neither here nor Vorbis (WMA, whose clock counts milliseconds; ...) is decoded
# from its start, and the spans are cut from that.
_SELECTIVE: dict[str, _Codec] = {
    "mp3": _Codec(counted=True, preroll_s=0.0),
    "mp3float": _Codec(counted=True, preroll_s=0.0),
    "aac": _Codec(counted=True, preroll_s=1.0),
    "alac": _Codec(counted=True, preroll_s=0.0),
    "flac": _Codec(counted=False, preroll_s=0.0),
    "opus": _Codec(counted=False, preroll_s=0.5),
    "wavpack": _Codec(counted=False, preroll_s=0.0),
}
# Half a second leaves 3e-7 in some windows, a whole one nothing. Opus without stray timestamps
# keeps the half second, so that no stored embedding moves.
_SUMMED_OPUS_S = 1.0
_PCM = _Codec(counted=False, preroll_s=0.0)
# An MP3 frame may begin up to 511 bytes back, in the frames before it ("bit reservoir", ISO
# 11172-3), which hold up to 38 bytes of headers each; FFmpeg's decoder, once lost, is right again a
# frame or two later.
_RESERVOIR_BYTES = 2048
_MP3_HEADER_BYTES = 38
_MP3_SETTLING_PACKETS = 4
_MP3_RUN_UP_S = 1.0  # at most
_UNTOLD = 2**40  # longer than any packet, in any unit


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
        Samples a packet decodes to, and how many the decoder drops at the start; 0 where not
        constant.
    first_pts : int or None
        Timestamp of the first sample, in units of the stream's time base.
    summed : bool
        Whether the lengths of the packets before tell where one's samples are, because its
        timestamp does not (Vorbis and Opus in Ogg).
    """

    codec: str
    rate_hz: int
    packet_samples: int
    skip_samples: int
    first_pts: int | None
    summed: bool = False


def is_counted(codec: str) -> bool:
    """Whether packets of a codec hold the same number of samples each."""
    return codec in _SELECTIVE and _SELECTIVE[codec].counted


def decode_spans(
    packets: Iterable[av.Packet[Any]],
    stream: av.AudioStream,
    layout: PacketLayout,
    spans: Sequence[Span],
    *,
    run_up_s: float = math.inf,
) -> Iterator[tuple[int, av.AudioFrame]]:
    """Decode what the spans need, each frame with its position in samples.

    Run-ups are not given out. `run_up_s` is the most that is decoded before a span: with less than
    its codec asks for, samples are near those of a full decode, not the same.
    """
    context = stream.codec_context
    codec = _PCM if layout.codec.startswith("pcm_") else _SELECTIVE.get(layout.codec)
    exact_clock = stream.time_base is not None and 1 / stream.time_base >= layout.rate_hz
    if layout.summed:
        lengths = PacketLengths(stream)
        preroll = (
            round(min(_SUMMED_OPUS_S, run_up_s) * layout.rate_hz)
            if layout.codec == "opus"
            else lengths.longest
        )
        return _decode_needed(
            _by_sum(packets, layout, lengths), context, layout, _needs(spans, preroll)
        )
    if codec is not None and codec.counted and layout.packet_samples:
        preroll, n_kept = _preroll(layout, codec, run_up_s)
        return _decode_needed(
            _by_index(packets, layout), context, layout, _needs(spans, preroll), n_kept=n_kept
        )
    if codec is not None and not codec.counted and exact_clock and layout.first_pts is not None:
        needs = _needs(spans, math.ceil(min(codec.preroll_s, run_up_s) * layout.rate_hz))
        return _decode_stamped(packets, stream, layout, needs)
    return _decode_all(packets, context, layout, _needs(spans, 0))


@dataclass(frozen=True, kw_only=True)
class _Need:
    """Samples from `start` to `stop` that are wanted without a gap; decoding begins at `run_up`."""

    run_up: int
    start: int
    stop: int


def _needs(spans: Sequence[Span], preroll: int) -> list[_Need]:
    """Join spans that follow one another too closely for a gap between them."""
    needs: list[_Need] = []
    for span in spans:
        start, stop = span.start, span.stop
        if needs and start - preroll <= needs[-1].stop:
            joined = needs.pop()
            start, stop = joined.start, max(joined.stop, stop)
        needs.append(_Need(run_up=start - preroll, start=start, stop=stop))
    return needs


def _preroll(layout: PacketLayout, codec: _Codec, run_up_s: float) -> tuple[int, int]:
    """Return how many samples a counted codec must hear before a span.

    For MP3, return instead of how many packets to choose.
    """
    if layout.codec.startswith("mp3"):
        return 0, math.ceil(min(_MP3_RUN_UP_S, run_up_s) * layout.rate_hz / layout.packet_samples)
    return math.ceil(min(codec.preroll_s, run_up_s) * layout.rate_hz), 0


def _by_index(packets: Iterable[av.Packet[Any]], layout: PacketLayout) -> Iterator[_Placed]:
    """Place packets that all hold the same number of samples."""
    length = layout.packet_samples
    position = -layout.skip_samples
    for packet in packets:
        yield position, length, packet
        position += length


def _by_sum(
    packets: Iterable[av.Packet[Any]], layout: PacketLayout, lengths: PacketLengths
) -> Iterator[_Placed]:
    """Place packets by the lengths of those before."""
    position = -layout.skip_samples
    for packet in packets:
        length = lengths.next(packet)
        yield position, length, packet
        position += length


def _decode_needed(
    placed: Iterable[_Placed],
    context: Any,
    layout: PacketLayout,
    needs: Sequence[_Need],
    *,
    n_kept: int = 0,
    position: Callable[[av.AudioFrame], int | None] | None = None,
) -> Iterator[tuple[int, av.AudioFrame]]:
    """Decode packets of known places.

    Of the `n_kept` packets before a need, as many are decoded as an MP3 frame reaches back.
    `position` tells a frame's place where it is not its packet's.
    """
    ahead = iter(needs)
    need = next(ahead)
    passed = _Passed(n_kept)
    for start, length, packet in placed:
        while start >= need.stop:
            following = next(ahead, None)
            if following is None:
                return
            need = following
        if start + length <= need.run_up:
            passed.add(packet)
            continue
        passed.let_hear(context)
        for frame in _at_rate(decode_packet(context, packet), layout.rate_hz):
            at = max(start, 0) if position is None else position(frame)
            if at is not None and at + frame.samples > need.start:
                yield at, frame


class _Passed:
    """Packets that were passed over since the last one decoded, the last of them at hand."""

    def __init__(self, n_kept: int) -> None:
        self.n_packets = 0
        self._last: deque[av.Packet[Any]] = deque(maxlen=n_kept)

    def add(self, packet: av.Packet[Any]) -> None:
        """Pass over a packet."""
        self.n_packets += 1
        self._last.append(packet)

    def let_hear(self, context: Any) -> None:
        """Bring the decoder to where it would be if it had decoded them all, and forget them."""
        if not self.n_packets:
            return
        heard: list[av.Packet[Any]] = []
        n_bytes = 0
        while self._last and n_bytes < _RESERVOIR_BYTES:
            heard.append(self._last.pop())
            if len(heard) > _MP3_SETTLING_PACKETS:
                n_bytes += max(0, heard[-1].size - _MP3_HEADER_BYTES)
        if len(heard) < self.n_packets:
            context.flush_buffers()
        for packet in reversed(heard):
            decode_packet(context, packet)
        self._last.clear()
        self.n_packets = 0


def _decode_stamped(
    packets: Iterable[av.Packet[Any]],
    stream: av.AudioStream,
    layout: PacketLayout,
    needs: Sequence[_Need],
) -> Iterator[tuple[int, av.AudioFrame]]:
    """Decode packets whose timestamps place them; the frames' own say where their samples are."""
    first = layout.first_pts or 0
    scale = Fraction(stream.time_base or 1) * layout.rate_hz
    by_sample = scale == 1  # then no fraction need be multiplied

    def placed() -> Iterator[_Placed]:
        for packet, length in _with_lengths(packets):
            start = (packet.pts or 0) - first
            if by_sample:
                yield start, length, packet
            else:
                yield round(start * scale), math.ceil(length * scale), packet

    def position(frame: av.AudioFrame) -> int | None:
        if frame.pts is None:
            return None
        return frame.pts - first if by_sample else round((frame.pts - first) * scale)

    return _decode_needed(placed(), stream.codec_context, layout, needs, position=position)


def _with_lengths(packets: Iterable[av.Packet[Any]]) -> Iterator[tuple[av.Packet[Any], int]]:
    """Give packets that have a timestamp, and how long they are in its units.

    One that does not say (FLAC of tiny frames) lasts until the next begins, the last one for ever.
    """
    held: av.Packet[Any] | None = None
    for packet in packets:
        if packet.pts is None:
            continue
        if held is not None:
            yield held, max(0, packet.pts - (held.pts or 0))
            held = None
        if packet.duration:
            yield packet, packet.duration
        else:
            held = packet
    if held is not None:
        yield held, _UNTOLD


def _decode_all(
    packets: Iterable[av.Packet[Any]], context: Any, layout: PacketLayout, needs: Sequence[_Need]
) -> Iterator[tuple[int, av.AudioFrame]]:
    """Decode everything, to know where samples are by counting them."""
    ahead = iter(needs)
    need = next(ahead)
    position = 0
    decoded = chain.from_iterable(decode_packet(context, one) for one in chain(packets, [None]))
    for frame in resampled(decoded, layout.rate_hz):
        while position >= need.stop:
            following = next(ahead, None)
            if following is None:
                return
            need = following
        if position + frame.samples > need.start:
            yield position, frame
        position += frame.samples


def _at_rate(frames: Sequence[av.AudioFrame], rate_hz: int) -> Iterable[av.AudioFrame]:
    """Resample frames whose rate differs from the stream's first.

    They come from a splice of another recording that `survey` did not see.
    """
    for frame in frames:  # `all` takes four times as long, a millisecond a song
        if frame.sample_rate != rate_hz:
            return resampled(frames, rate_hz)
    return frames
