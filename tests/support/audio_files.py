"""Audio files of every kind that the tests read, made on the spot with PyAV."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

import embed

Signal = NDArray[np.float32]
"""Shape (n_channels, n_samples)."""

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A container and codec, and what may be asked of it."""

    name: str
    suffix: str
    codec: str
    options: dict[str, str] = field(default_factory=dict)
    bit_rate: int | None = None
    sample_format: str | None = None
    muxer_options: dict[str, str] = field(default_factory=dict)
    layouts: dict[int, str] = field(default_factory=dict)
    rates_hz: tuple[int, ...] = (8000, 11025, 22050, 32000, 44100, 48000, 96000)
    channels: tuple[int, ...] = (1, 2, 6)
    packet_samples: int = 4608  # by which a length may be off
    lossless: float = 0.0  # the largest error of a sample, 0 for lossy codecs

    def write(
        self, path: Path, signal: Signal, rate_hz: int, tags: dict[str, str] | None = None
    ) -> Path:
        """Write `signal` (n_channels, n_samples) to `path`."""
        layout = {**_LAYOUTS, **self.layouts}[len(signal)]
        with av.open(str(path), "w", options=dict(self.muxer_options)) as container:
            container.metadata.update(tags or {})
            stream = cast(
                Any, container.add_stream(self.codec, rate=rate_hz, options=dict(self.options))
            )
            stream.layout = layout
            if self.sample_format:
                stream.format = self.sample_format
            if self.bit_rate:
                stream.bit_rate = self.bit_rate
            for first in range(0, signal.shape[1], rate_hz):
                chunk = np.ascontiguousarray(signal[:, first : first + rate_hz])
                frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = rate_hz, first
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path


_TO_48_KHZ = (8000, 11025, 16000, 22050, 32000, 44100, 48000)
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="mp3-cbr",
            suffix=".mp3",
            codec="libmp3lame",
            bit_rate=128_000,
            rates_hz=_TO_48_KHZ,
            channels=(1, 2),
        ),
        Kind(
            name="mp3-vbr",
            suffix=".mp3",
            codec="libmp3lame",
            options={"flags": "+qscale", "global_quality": str(4 * 118)},
            rates_hz=_TO_48_KHZ,
            channels=(1, 2),
        ),
        Kind(name="flac", suffix=".flac", codec="flac", sample_format="s16", lossless=1.01 / 2**15),
        Kind(
            name="flac-24",
            suffix=".flac",
            codec="flac",
            sample_format="s32",
            lossless=1.01 / 2**23,
        ),
        Kind(
            name="vorbis",
            suffix=".ogg",
            codec="vorbis",
            options={"strict": "experimental"},
            bit_rate=128_000,
            rates_hz=_TO_48_KHZ,
            channels=(2,),
        ),
        Kind(
            name="opus",
            suffix=".opus",
            codec="libopus",
            bit_rate=96_000,
            rates_hz=(8000, 16000, 48000),
        ),
        # Perceptual noise substitution (PNS) is off in two: its noise differs with every decoder's
        # state.
        Kind(name="aac", suffix=".m4a", codec="aac", options={"aac_pns": "0"}, bit_rate=128_000),
        Kind(
            name="aac-pns", suffix=".m4a", codec="aac", options={"aac_pns": "1"}, bit_rate=128_000
        ),
        Kind(name="adts", suffix=".aac", codec="aac", options={"aac_pns": "0"}, bit_rate=128_000),
        Kind(
            name="alac",
            suffix=".m4a",
            codec="alac",
            sample_format="s16p",
            layouts={6: "5.1"},
            lossless=1.01 / 2**15,
        ),
        Kind(name="wav-u8", suffix=".wav", codec="pcm_u8", lossless=1.01 / 2**7),
        Kind(name="wav-16", suffix=".wav", codec="pcm_s16le", lossless=1.01 / 2**15),
        Kind(name="wav-24", suffix=".wav", codec="pcm_s24le", lossless=1.01 / 2**23),
        Kind(name="wav-float", suffix=".wav", codec="pcm_f32le", lossless=1e-7),
        Kind(name="wav-double", suffix=".wav", codec="pcm_f64le", lossless=1e-7),
        Kind(name="aiff", suffix=".aiff", codec="pcm_s16be", lossless=1.01 / 2**15),
        Kind(name="aiff-24", suffix=".aiff", codec="pcm_s24be", lossless=1.01 / 2**23),
        Kind(
            name="wma",
            suffix=".wma",
            codec="wmav2",
            bit_rate=128_000,
            rates_hz=_TO_48_KHZ,
            channels=(1, 2),
        ),
        Kind(
            name="wavpack",
            suffix=".wv",
            codec="wavpack",
            sample_format="s16p",
            lossless=1.01 / 2**15,
        ),
    )
}
"""One of each; see `Kind`."""


def music(seconds: float, rate_hz: int, n_channels: int = 2, seed: int = 1) -> Signal:
    """Make something like music: chords that change and beats that never repeat."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    t = np.arange(n) / rate_hz
    step = 1 + 0.25 * (t // 2 % 5)
    chord = sum(np.sin(2 * np.pi * f * step * t) for f in (220.0, 277.2, 329.6, 880.0))
    beat = np.exp(-12 * (t % 0.43)) * np.convolve(rng.normal(size=n), np.ones(4) / 4, mode="same")
    rows = [
        0.06 * chord * np.cos(0.5 * k * t) + 0.5 * np.roll(beat, 50 * k) * (1 - 0.1 * k)
        for k in range(n_channels)
    ]
    return np.clip(np.stack(rows), -0.95, 0.95).astype(np.float32)


def silence(seconds: float, rate_hz: int = 48000) -> NDArray[np.float32]:
    """Make digital silence, shape (n_samples,)."""
    return np.zeros(round(seconds * rate_hz), dtype=np.float32)


def track_samples(path: str) -> NDArray[np.float32]:
    """Decode a track of the demo, as `embed` does: shape (n_samples,), 48 kHz, mono."""
    info = embed.probe(path)
    assert info.rate_hz == 48000
    (samples,) = embed.read_spans(info, [embed.Span(start=0, stop=info.n_samples)])
    return samples


def decode_whole(path: Path | str) -> tuple[NDArray[np.float32], int]:
    """Decode a file from its first packet to its last, the plain way.

    Return the mean of channels, and the rate. This is independent of `embed`, which is tested
    against these samples.
    """
    open_: Any = av.open
    # PyAV 18 refuses tags that are not UTF-8 without this; PyAV 19 has no such argument.
    tags = {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
    with open_(str(path), **tags) as container:
        resampler = av.AudioResampler(format="fltp")
        parts = []
        rate_hz = 0
        for frame in container.decode(audio=0):
            rate_hz = frame.sample_rate
            frame.pts = None
            parts += [planar.to_ndarray().mean(axis=0) for planar in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32), rate_hz
