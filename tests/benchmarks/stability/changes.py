"""Everyday changes of a recording, made with PyAV, soxr and NumPy.

Each is a file such as people have: the same song from another shop, another program, another
setting. What is lossless is FLAC of 16 bits at the song's own rate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from embed.decoding.container import open_audio

__all__ = ["CHANGES", "FILE_CHANGES", "FULL", "Change", "limited", "make_changes", "read_song"]

Signal = NDArray[np.float32]
"""Shape (n_channels, n_samples), full scale 1."""

FULL = "`full` in place of `scan`"
_CEILING = 0.98  # of full scale: a limiter's, with room for what 16 bits round up
_STRETCH_S = 0.005
_LAYOUTS = {1: "mono", 2: "stereo"}
_MP3_RATES_HZ = (32000, 44100, 48000)
_OPUS_HZ, _LOW_HZ = 48000, 22050


@dataclass(frozen=True, kw_only=True)
class Change:
    """How a song is changed, and how it is written.

    `apply` takes the signal, its rate in Hz and a number in [0, 1) that is the song's own, and
    returns the signal and its rate.
    """

    name: str
    suffix: str = ".flac"
    codec: str = "flac"
    bit_rate: int | None = None
    apply: Callable[[Signal, int, float], tuple[Signal, int]]


def _as_it_is(signal: Signal, rate_hz: int, own: float) -> tuple[Signal, int]:
    return signal, rate_hz


def _for_mp3(signal: Signal, rate_hz: int, own: float) -> tuple[Signal, int]:
    return _at(signal, rate_hz, rate_hz if rate_hz in _MP3_RATES_HZ else _MP3_RATES_HZ[1])


def _at(signal: Signal, rate_hz: int, new_hz: int) -> tuple[Signal, int]:
    if rate_hz == new_hz:
        return signal, rate_hz
    return np.ascontiguousarray(soxr.resample(signal.T, rate_hz, new_hz, quality="HQ").T), new_hz


def _gain(decibel: float) -> np.float32:
    return np.float32(10 ** (decibel / 20))


def limited(signal: Signal, rate_hz: int) -> Signal:
    """Keep a signal below the ceiling, as a limiter does that looks 5 ms ahead.

    The gain goes straight from the middle of a stretch of 5 ms to that of the next. In the middle
    it is what this stretch and both beside it need, so what lies between is never too much.
    """
    width = max(1, round(_STRETCH_S * rate_hz))
    n_samples = signal.shape[1]
    peaks = np.abs(signal).max(axis=0)
    peaks = np.pad(peaks, (0, -n_samples % width)).reshape(-1, width).max(axis=1)
    gains = np.pad(np.minimum(1, _CEILING / np.maximum(peaks, _CEILING)), 1, constant_values=1)
    gains = np.minimum(np.minimum(gains[:-2], gains[1:-1]), gains[2:])
    middles = (np.arange(len(gains)) + 0.5) * width
    smooth = np.interp(np.arange(n_samples), middles, gains)
    return np.asarray(signal * smooth, dtype=np.float32)


def _louder(signal: Signal, rate_hz: int, own: float) -> tuple[Signal, int]:
    return limited(signal * _gain(6), rate_hz), rate_hz


def _silence(signal: Signal, rate_hz: int, seconds: float) -> Signal:
    return np.zeros((len(signal), round(seconds * rate_hz)), dtype=np.float32)


def _padded(signal: Signal, rate_hz: int, own: float) -> tuple[Signal, int]:
    """Put 0.05 to 0.5 s of silence in front, as encoders do that say nothing of their padding."""
    return np.hstack([_silence(signal, rate_hz, 0.05 + 0.45 * own), signal]), rate_hz


FILE_CHANGES = (
    Change(
        name="MP3, 128 kbit/s",
        suffix=".mp3",
        codec="libmp3lame",
        bit_rate=128_000,
        apply=_for_mp3,
    ),
    Change(
        name="Opus, 96 kbit/s",
        suffix=".opus",
        codec="libopus",
        bit_rate=96_000,
        apply=lambda signal, rate_hz, own: _at(signal, rate_hz, _OPUS_HZ),
    ),
    Change(name="12 dB quieter", apply=lambda signal, rate_hz, own: (signal * _gain(-12), rate_hz)),
    Change(name="6 dB louder, limited", apply=_louder),
    Change(
        name="mono",
        apply=lambda signal, rate_hz, own: (signal.mean(axis=0, keepdims=True), rate_hz),
    ),
    Change(name="22 kHz", apply=lambda signal, rate_hz, own: _at(signal, rate_hz, _LOW_HZ)),
    Change(name="0.05 to 0.5 s of silence in front", apply=_padded),
    Change(
        name="60 s of silence behind",
        apply=lambda signal, rate_hz, own: (
            np.hstack([signal, _silence(signal, rate_hz, 60)]),
            rate_hz,
        ),
    ),
    Change(
        name="the last third is missing",
        apply=lambda signal, rate_hz, own: (signal[:, : signal.shape[1] * 2 // 3], rate_hz),
    ),
)
CHANGES = (*(change.name for change in FILE_CHANGES), FULL)
"""The names of all ten; the last one needs no file."""


def make_changes(
    songs: Sequence[tuple[str, Path]], folder: Path, *, n_jobs: int = 1
) -> dict[str, list[Path]]:
    """Write every change of every song; what is there already stays.

    Parameters
    ----------
    songs : sequence of (digest, path)
    folder : Path
        Gets a folder for each change.
    n_jobs : int
        Processes.

    Returns
    -------
    dict of str to list of Path
        By the change's name, in the order of the songs.
    """
    from joblib import Parallel, delayed

    for change in FILE_CHANGES:
        (folder / _folder_name(change)).mkdir(parents=True, exist_ok=True)
    Parallel(n_jobs=n_jobs)(delayed(_make)(digest, path, folder) for digest, path in songs)
    return {
        change.name: [_target(change, digest, folder) for digest, _ in songs]
        for change in FILE_CHANGES
    }


def _folder_name(change: Change) -> str:
    return "".join(c if c.isalnum() else "-" for c in change.name.lower())


def _target(change: Change, digest: str, folder: Path) -> Path:
    return folder / _folder_name(change) / f"{digest}{change.suffix}"


def _make(digest: str, path: Path, folder: Path) -> None:
    targets = {change: _target(change, digest, folder) for change in FILE_CHANGES}
    missing = {change: target for change, target in targets.items() if not target.is_file()}
    if not missing:
        return
    signal, rate_hz = read_song(path)
    own = int(hashlib.blake2b(digest.encode(), digest_size=4).hexdigest(), 16) / 2**32
    for change, target in missing.items():
        part = target.with_name(f"part-{target.name}")
        _write(part, change, *change.apply(signal, rate_hz, own))
        part.rename(target)


def read_song(path: Path) -> tuple[Signal, int]:
    """Decode a song as stereo, or mono where it is, with its rate in Hz."""
    with open_audio(str(path)) as (container, stream):  # it reads some that PyAV alone does not
        rate_hz = stream.rate
        layout = _LAYOUTS[min(stream.channels, 2)]
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate_hz)
        parts = [
            out.to_ndarray()
            for frame in container.decode(stream)
            for out in resampler.resample(frame)
        ]
        parts += [out.to_ndarray() for out in resampler.resample(None)]
    return np.concatenate(parts, axis=1, dtype=np.float32), rate_hz


def _write(path: Path, change: Change, signal: Signal, rate_hz: int) -> None:
    layout = _LAYOUTS[len(signal)]
    with av.open(str(path), "w") as container:
        options = (
            {"compression_level": "7"} if change.codec == "libmp3lame" else {}
        )  # twice as fast
        stream = cast(Any, container.add_stream(change.codec, rate=rate_hz, options=options))
        stream.layout = layout
        if change.codec == "flac":
            stream.format = "s16"
        if change.bit_rate:
            stream.bit_rate = change.bit_rate
        for first in range(0, signal.shape[1], rate_hz):
            chunk = np.ascontiguousarray(signal[:, first : first + rate_hz], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate_hz, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
