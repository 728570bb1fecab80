"""What a music file is, learnt by reading it through without decoding it: digest, length, tags."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from cache import audio_hash
from embed.decoding.ape_tags import read_ape_tags
from embed.decoding.container import KeptPackets, Packets, decode_packet, open_audio, say_tracks
from embed.decoding.id3_tags import read_id3_tags
from embed.decoding.mp3_headers import is_mp3_without_length
from embed.decoding.packet_head import PacketHead, find_layout
from embed.decoding.packet_timing import Clock
from embed.decoding.packets import PacketLayout
from embed.decoding.survey import Watch, survey
from embed.decoding.tags import Tags, read_tags
from embed.decoding.wav_sizes import say_hidden_sound
from embed.errors import AudioError, UnreadableFile
from embed.files.cue_sheets import album_words, count_songs
from embed.limits import Limits

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["MIN_DURATION_S", "AudioInfo", "probe", "probe_tags", "require_unchanged"]

MIN_DURATION_S = 0.5
"""Shorter recordings are refused: there is no music to hear in them."""
_GUESSED_LENGTH = frozenset(
    {"aac", "ac3", "amr", "amrnb", "amrwb", "asf", "dts", "eac3", "mlp", "mpeg", "mpegts", "truehd"}
)
_ID3_FIRST = frozenset({"aac", "mp3", "tta"})
_APE_LAST = frozenset({"ape", "mp3", "mpc", "mpc8", "tak", "tta", "wv"})
_LARGE_PACKET_BYTES = 2048  # from which to join packets first takes longer
_GAIN_AT = slice(16, 18)  # in an Opus header: 256ths of a decibel


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
        head, watch, clock = PacketHead(stream), Watch(stream), Clock(stream)
        digest = _named_by(stream)
        packets = Packets(container, stream)
        for block in packets.blocks():
            n_bytes = _add(digest, block)
            head.hear(block)
            watch.see(block, head)
            (clock.pass_over if head.counts_packets else clock.see)(block)
            if kept is not None:
                kept.add(block, n_bytes)
            last = block[-1]
        head.require_audio()
        n_samples = _told_samples(head, clock, stream, last)
        layout = find_layout(stream.codec_context.name, head, clock, n_samples)
        told, expected_s = _told(path, container, stream), _expected_s(container, stream)
        more = _besides(path, container, stream, told, before.st_size)
    warning = packets.warning
    if watch.doubts or not n_samples:
        found = survey(path)
        found.require_audio()
        layout, n_samples = found.correct(layout, n_samples)
        warning = warning or found.warning
    duration_s = n_samples / layout.rate_hz
    _require_length(duration_s, limits)
    return AudioInfo(
        path=path,
        digest=digest.hexdigest(),
        layout=layout,
        n_channels=head.n_channels,
        n_samples=n_samples,
        tags=read_tags(*told),
        warning=_joined(warning or _cut_short(path, duration_s, expected_s), more),
        size_bytes=before.st_size,
        mtime_ns=before.st_mtime_ns,
    )


def probe_tags(path: str) -> tuple[Tags, str | None]:
    """Read a file's tags, and no more of it than that takes.

    It raises as `probe` does.

    Returns
    -------
    tuple of Tags and (str or None)
        The second says that it is an album, where it is one by a CUE sheet in it.

    Examples
    --------
    >>> from embed.decoding.probing import probe_tags
    >>> probe_tags("music/calm_acoustic_1.opus")[0].title
    'Calm Acoustic 1'
    """
    with open_audio(path) as (container, stream):
        told = _told(path, container, stream)
        return read_tags(*told), _say_album(container, stream, told)


def _named_by(stream: av.AudioStream) -> Any:
    """Begin a digest of packets: with what decoders know beside them."""
    context = stream.codec_context
    digest = audio_hash(
        codec=context.name, rate_hz=context.sample_rate, n_channels=context.channels
    )
    digest.update(_gain(stream))
    return digest


def _add(digest: Any, block: Sequence[av.Packet[Any]]) -> int:
    """Add packets to a digest; return how many bytes they have."""
    if block[0].size > _LARGE_PACKET_BYTES:
        for packet in block:
            digest.update(packet)
        return sum(packet.size for packet in block)
    joined = b"".join(block)
    digest.update(joined)
    return len(joined)


def _besides(
    path: str,
    container: InputContainer,
    stream: av.AudioStream,
    told: Sequence[Mapping[str, str]],
    n_bytes: int,
) -> str | None:
    """Say what should be known of a file besides: further tracks, an album, hidden sound."""
    hidden = say_hidden_sound(path, n_bytes) if container.format.name == "wav" else None
    album = _say_album(container, stream, told)
    return _joined(say_tracks(container, stream), _joined(album, hidden))


def _say_album(
    container: InputContainer, stream: av.AudioStream, told: Sequence[Mapping[str, str]]
) -> str | None:
    """Say that a file is an album, where it has a CUE sheet in it: in a tag, or FLAC's own."""
    sheets = [text for tags in told for key, text in tags.items() if key.lower() == "cuesheet"]
    counts = [count_songs(text.encode("utf-8", "surrogateescape")) for text in sheets]
    n_songs = max((n for counted in counts for n in counted.values()), default=0)
    if container.format.name == "flac":
        # FFmpeg makes chapters of it, counted in samples; those of tags in milliseconds
        tick = Fraction(1, stream.rate)
        n_songs = max(n_songs, sum(one["time_base"] == tick for one in container.chapters()))
    return album_words(n_songs) if n_songs > 1 else None


def _told(path: str, container: InputContainer, stream: av.AudioStream) -> list[Mapping[str, str]]:
    """Return all sources of tags, the surest first."""
    kind = container.format.name
    told: list[Mapping[str, str]] = [container.metadata, stream.metadata]
    if kind in _ID3_FIRST:
        told.insert(0, read_id3_tags(path))
    if kind in _APE_LAST:  # of which FFmpeg tells one value each, and of MP3 none
        told.insert(len(told) if kind == "mp3" else 0, read_ape_tags(path))
    return told


def _told_samples(
    head: PacketHead, clock: Clock, stream: av.AudioStream, last: av.Packet[Any]
) -> int:
    """Return the length that packets tell; 0 where they don't."""
    if head.counts_packets:
        return clock.n_packets * head.packet_samples - head.skip_samples
    if clock.doubts_last:
        frames = decode_packet(stream.codec_context, last)
        clock.end_with(sum(frame.samples for frame in frames), head.rate_hz)
    return clock.n_samples(head.first_pts, head.rate_hz)


def _joined(*warnings: str | None) -> str | None:
    return "; ".join(warning for warning in warnings if warning) or None


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


def _expected_s(container: InputContainer, stream: av.AudioStream) -> float:
    """Return the length that a file's header tells of its audio.

    Return 0 where FFmpeg guesses it from the file's size, or knows that of another stream only.
    """
    if container.format.name in _GUESSED_LENGTH:
        return 0.0
    if len(container.streams) > 1:
        return float((stream.duration or 0) * (stream.time_base or 0))
    return (container.duration or 0) / 1e6


def _cut_short(path: str, duration_s: float, expected_s: float) -> str | None:
    """Say that a file ends early, where that is more than headers err by."""
    if expected_s - duration_s <= max(1.0, 0.02 * expected_s) or is_mp3_without_length(path):
        return None
    return f"ends after {duration_s:.1f} s of an expected {expected_s:.1f} s; it may be cut short"
