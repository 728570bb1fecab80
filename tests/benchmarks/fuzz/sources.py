"""Short excerpts of real music in every container that PyAV writes.

The fuzz corpus is made of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import av

__all__ = ["FORMATS", "LATER_FORMATS", "Format", "make_sources"]

_EXCERPT_S = 3.3
_FROM_S = 9.0


@dataclass(frozen=True, kw_only=True)
class Format:
    """A container and a codec, in FFmpeg's names."""

    suffix: str
    container: str
    codec: str
    rate_hz: int = 44100
    sample_format: str = "s16"
    layout: str = "stereo"
    bit_rate: int | None = None
    muxer: dict[str, str] = field(default_factory=dict)


FORMATS = {
    "mp3": Format(
        suffix=".mp3", container="mp3", codec="libmp3lame", sample_format="s16p", bit_rate=96_000
    ),
    "mp3-bare": Format(
        suffix=".mp3",
        container="mp3",
        codec="libmp3lame",
        rate_hz=22050,
        sample_format="s16p",
        bit_rate=48_000,
        muxer={"write_xing": "0", "id3v2_version": "0"},
    ),
    "flac": Format(suffix=".flac", container="flac", codec="flac", rate_hz=22050),
    "flac-ogg": Format(suffix=".oga", container="ogg", codec="flac", rate_hz=22050, layout="mono"),
    "vorbis": Format(suffix=".ogg", container="ogg", codec="vorbis", sample_format="fltp"),
    "opus": Format(
        suffix=".opus", container="opus", codec="libopus", rate_hz=48000, bit_rate=64_000
    ),
    "aac": Format(
        suffix=".m4a", container="ipod", codec="aac", sample_format="fltp", bit_rate=96_000
    ),
    "aac-index-first": Format(
        suffix=".m4a",
        container="mp4",
        codec="aac",
        sample_format="fltp",
        bit_rate=96_000,
        muxer={"movflags": "+faststart"},
    ),
    "aac-fragments": Format(
        suffix=".mp4",
        container="mp4",
        codec="aac",
        sample_format="fltp",
        bit_rate=96_000,
        muxer={"movflags": "+frag_keyframe+empty_moov", "frag_duration": "500000"},
    ),
    "adts": Format(
        suffix=".aac", container="adts", codec="aac", sample_format="fltp", bit_rate=96_000
    ),
    "alac": Format(
        suffix=".m4a", container="ipod", codec="alac", rate_hz=22050, sample_format="s16p"
    ),
    "wav": Format(suffix=".wav", container="wav", codec="pcm_s16le", rate_hz=16000),
    "wav-float": Format(
        suffix=".wav",
        container="wav",
        codec="pcm_f32le",
        rate_hz=16000,
        sample_format="flt",
        layout="mono",
    ),
    "aiff": Format(suffix=".aiff", container="aiff", codec="pcm_s16be", rate_hz=16000),
    "wma": Format(
        suffix=".wma", container="asf", codec="wmav2", sample_format="fltp", bit_rate=96_000
    ),
    "mka": Format(suffix=".mka", container="matroska", codec="flac", rate_hz=22050),
    "webm": Format(
        suffix=".webm", container="webm", codec="libopus", rate_hz=48000, bit_rate=64_000
    ),
    "wavpack": Format(
        suffix=".wv", container="wv", codec="wavpack", rate_hz=22050, sample_format="s16p"
    ),
    "tta": Format(suffix=".tta", container="tta", codec="tta", rate_hz=22050),
    "ac3": Format(
        suffix=".ac3", container="ac3", codec="ac3", sample_format="fltp", bit_rate=128_000
    ),
    "caf": Format(suffix=".caf", container="caf", codec="pcm_s16be", rate_hz=16000),
    "au": Format(suffix=".au", container="au", codec="pcm_s16be", rate_hz=16000),
    "w64": Format(suffix=".w64", container="w64", codec="pcm_s16le", rate_hz=16000),
}
LATER_FORMATS = {
    "adts-slow": Format(
        suffix=".aac",
        container="adts",
        codec="aac",
        rate_hz=22050,
        sample_format="fltp",
        layout="mono",
        bit_rate=48_000,
    ),
    "mp3-48": Format(
        suffix=".mp3",
        container="mp3",
        codec="libmp3lame",
        rate_hz=48000,
        sample_format="s16p",
        bit_rate=96_000,
    ),
    "ts": Format(
        suffix=".ts", container="mpegts", codec="aac", sample_format="fltp", bit_rate=96_000
    ),
    "flv": Format(
        suffix=".flv", container="flv", codec="libmp3lame", sample_format="s16p", bit_rate=96_000
    ),
    "avi": Format(
        suffix=".avi", container="avi", codec="libmp3lame", sample_format="s16p", bit_rate=96_000
    ),
    "mpg": Format(suffix=".mpg", container="mpeg", codec="mp2", bit_rate=128_000),
    "rm": Format(suffix=".rm", container="rm", codec="ac3", sample_format="fltp", bit_rate=128_000),
    "amr": Format(
        suffix=".amr",
        container="amr",
        codec="libopencore_amrnb",
        rate_hz=8000,
        layout="mono",
        bit_rate=12_200,
    ),
}
"""Those of the second corpus besides: files of the first one stay as they are."""


def make_sources(tracks: Sequence[str]) -> dict[str, bytes]:
    """Write an excerpt of a track in each format; the same tracks give the same bytes.

    Parameters
    ----------
    tracks : sequence of str
        Audio files of 13 s or more; format k takes the k-th.

    Returns
    -------
    dict
        Format's name -> content of the file.
    """
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # not in memory: an index that comes first is put there last
        formats = FORMATS | LATER_FORMATS
        return {
            name: _transcode(tracks[k % len(tracks)], formats[name], Path(folder) / name)
            for k, name in enumerate([*sorted(FORMATS), *sorted(LATER_FORMATS)])
        }


def _transcode(path: str, kind: Format, out: Path) -> bytes:
    resampler = av.AudioResampler(format=kind.sample_format, layout=kind.layout, rate=kind.rate_hz)
    # bitexact: no random serial numbers, dates or versions
    options = {"fflags": "+bitexact", **kind.muxer}
    with (
        av.open(path) as music,
        av.open(out, "w", format=kind.container, options=options) as container,
    ):
        stream = cast(
            Any,
            container.add_stream(kind.codec, rate=kind.rate_hz, options={"strict": "experimental"}),
        )
        stream.layout, stream.format = kind.layout, kind.sample_format
        stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
        if kind.bit_rate:
            stream.bit_rate = kind.bit_rate
        container.metadata.update({"title": "Excerpt", "artist": "Someone"})
        n_samples = 0
        for frame in music.decode(audio=0):
            if frame.time is None or frame.time < _FROM_S:
                continue
            if frame.time > _FROM_S + _EXCERPT_S:
                break
            frame.pts = None
            for piece in resampler.resample(frame):
                piece.pts = n_samples
                n_samples += piece.samples
                container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return out.read_bytes()
