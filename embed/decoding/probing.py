"""What a music file is, learnt by reading it through without decoding it: digest, length, tags."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache import audio_hash
from embed.decoding.container import KeptPackets, Packets, decode_packet, open_audio
from embed.decoding.packet_timing import Clock, PacketLengths
from embed.decoding.packets import PacketLayout, is_counted
from embed.decoding.tags import Tags, read_tags
from embed.errors import AudioError, UnreadableFile
from embed.limits import RATES_HZ, Limits

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["MIN_DURATION_S", "AudioInfo", "probe", "require_unchanged"]

MIN_DURATION_S = 0.5
"""Shorter recordings are refused: there is no music to hear in them."""
_MAX_CHANNELS = 64
_GUESSED_LENGTH = frozenset({"aac", "asf"})
_GAIN_AT = slice(16, 18)  # in an Opus header: 256ths of a decibel
_N_HEAD_PACKETS = 8  # decoded by `probe`, to learn how the decoder maps packets to samples


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What `probe` learns of a file.

    Attributes
    ----------
    digest : str
        Names the recording: a digest of its encoded packets, so tags and names do not matter.
    layout : PacketLayout
    n_channels : int
    n_samples : int
        Length at `rate_hz`; exact or, for some codecs, a packet too long.
    warning : str or None
        What is wrong with the file, where it is usable all the same.
    size_bytes, mtime_ns : int
        The file's, before it was read; `require_unchanged` compares them.
    """

    path: str
    digest: str
    layout: PacketLayout
    n_channels: int
    n_samples: int
    tags: Tags
    warning: str | None
    size_bytes: int
    mtime_ns: int

    @property
    def rate_hz(self) -> int:
        """Sample rate, as decoded."""
        return self.layout.rate_hz

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.rate_hz


def probe(
    path: str | os.PathLike[str],
    limits: Limits | None = None,
    *,
    kept: KeptPackets | None = None,
) -> AudioInfo:
    """Read a file through without decoding it: digest, length, tags.

    Parameters
    ----------
    path : path
    limits : Limits, optional
        The usual ones unless given.
    kept : KeptPackets, optional
        Is given the packets, for `read_spans`.

    Raises
    ------
    AudioError
        If it can't be read, holds no audio, or less than `MIN_DURATION_S` of it.
    LimitExceeded
        If it is larger or longer than the limits allow.

    Examples
    --------
    >>> from embed import probe
    >>> info = probe("music/calm_acoustic_1.opus")
    >>> info.rate_hz, round(info.duration_s, 1)
    (48000, 32.3)
    """
    path, limits = os.fspath(path), limits or Limits()
    before = _stat(path)
    limits.require_size(before.st_size)
    with open_audio(path) as (container, stream):
        context = stream.codec_context
        head, clock = _Head(stream), Clock(stream)
        expected_s = _expected_s(container)
        digest = audio_hash(
            codec=context.name, rate_hz=context.sample_rate, n_channels=context.channels
        )
        digest.update(_gain(stream))
        packets = Packets(container, stream)
        for block in packets.blocks():
            digest.update(b"".join(block))
            head.hear(block)
            clock.see(block)
            if kept is not None:
                kept.add(block)
        head.require_audio()
        if head.counts_packets:
            n_samples = clock.n_packets * head.packet_samples - head.skip_samples
        else:
            n_samples = clock.n_samples(head.first_pts, head.rate_hz)
        layout = _layout(context.name, head, clock, n_samples)
        tags = read_tags(container.metadata, stream.metadata)
    n_samples = n_samples or _count_samples(path, head.rate_hz)
    _require_length(n_samples / head.rate_hz, limits)
    return AudioInfo(
        path=path,
        digest=digest.hexdigest(),
        layout=layout,
        n_channels=head.n_channels,
        n_samples=n_samples,
        tags=tags,
        warning=packets.warning or _cut_short(n_samples / head.rate_hz, expected_s),
        size_bytes=before.st_size,
        mtime_ns=before.st_mtime_ns,
    )


def _require_length(duration_s: float, limits: Limits) -> None:
    if duration_s < MIN_DURATION_S:
        raise AudioError(
            f"holds {duration_s:.2f} s of audio; at least {MIN_DURATION_S} s are needed"
        )
    limits.require_duration(duration_s)


def require_unchanged(info: AudioInfo) -> None:
    """Check that a file is the one that was probed.

    So no digest gets another recording's embedding.

    Raises
    ------
    UnreadableFile
        If it has changed or gone.
    """
    after = _stat(info.path)
    if (after.st_size, after.st_mtime_ns) != (info.size_bytes, info.mtime_ns):
        raise UnreadableFile("changed while it was read; run again when it is complete")


def _gain(stream: av.AudioStream) -> bytes:
    """Return the gain in an Opus header (RFC 7845, 5.1), which decoders apply.

    Return nothing where it is 0.

    Two files of the same packets and other gains sound different, so they are two recordings.
    """
    header = stream.codec_context.extradata or b""
    if stream.codec_context.name != "opus" or not header.startswith(b"OpusHead"):
        return b""
    return header[_GAIN_AT].strip(b"\0") and header[_GAIN_AT]


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UnreadableFile(f"can't be read ({getattr(error, 'strerror', error)})") from error


def _expected_s(container: InputContainer) -> float:
    """Return the length that a file's header tells.

    Return 0 where FFmpeg guesses it from the file's size.
    """
    return 0.0 if container.format.name in _GUESSED_LENGTH else (container.duration or 0) / 1e6


def _cut_short(duration_s: float, expected_s: float) -> str | None:
    """Say that a file ends early, where that is more than headers err by."""
    if expected_s - duration_s <= max(1.0, 0.02 * expected_s):
        return None
    return f"ends after {duration_s:.1f} s of an expected {expected_s:.1f} s; it may be cut short"


class _Head:
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

    def hear(self, block: Sequence[av.Packet[Any]]) -> None:
        """Decode the first packets; further ones only while nothing has come out."""
        for packet in block:
            if len(self.counts) >= _N_HEAD_PACKETS and self.rate_hz:
                return
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
        if not self.rate_hz:
            raise AudioError("none of its audio can be decoded")
        low, high = RATES_HZ
        if not low <= self.rate_hz <= high:
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
        n = self.packet_samples
        # Only the first packets may give less than a full one, and none more than one frame.
        growing = all(a <= b for a, b in zip(self.counts, self.counts[1:], strict=False))
        constant = growing and self.counts[-1] == n and self.counts[-2:-1] in ([], [n])
        return is_counted(self._context.name) and constant and max(self._sizes) == 1


def _layout(codec: str, head: _Head, clock: Clock, n_samples: int) -> PacketLayout:
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


def _count_samples(path: str, rate_hz: int) -> int:
    """Decode a whole file to learn its length at `rate_hz`.

    This is for timestamps that can't be trusted.
    """
    n_samples = 0
    with open_audio(path) as (container, stream):
        for packet in Packets(container, stream):
            frames = decode_packet(stream.codec_context, packet)
            n_samples += sum(frame.samples for frame in frames if frame.sample_rate == rate_hz)
    return n_samples
