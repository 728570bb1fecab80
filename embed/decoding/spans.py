"""Spans of a recording as mono float32, cut from what is decoded, in bounded memory.

By hand: `librosa.load` holds a whole recording, 6 GB for ten hours at 44.1 kHz. `embed` scans such
a file in 315 MB and hears all of it in 486 MB, workers and all (results/embed.jsonl).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embed.decoding.container import Packets, open_audio
from embed.decoding.packets import Span, decode_spans
from embed.decoding.probing import AudioInfo
from embed.errors import AudioError

if TYPE_CHECKING:
    import av

__all__ = ["join_frames", "read_spans"]

_MAX_AMPLITUDE = 4.0
_BLOCK_SAMPLES = 16384  # two channels of them and their mean lie in a core's own cache
# By FFmpeg's sample format (without "p" for planar): what to subtract and to divide by.
_SCALES: dict[str, tuple[float, float]] = {
    "u8": (128.0, 128.0),
    "s16": (0.0, 2.0**15),
    "s32": (0.0, 2.0**31),
    "s64": (0.0, 2.0**63),
    "flt": (0.0, 1.0),
    "dbl": (0.0, 1.0),
}


def read_spans(
    info: AudioInfo,
    spans: Sequence[Span],
    *,
    kept: Sequence[av.Packet[Any]] | None = None,
    run_up_s: float = math.inf,
) -> Iterator[NDArray[np.float32]]:
    """Decode spans of a probed file, in their order.

    Parameters
    ----------
    info : AudioInfo
        From `probe`, of the same unchanged file.
    spans : sequence of Span
        Ordered by start; they may overlap, and one may lie within another.
    kept : sequence of packets, optional
        The file's, from `probe`; then only its head is read again, for a decoder in its first
        state.
    run_up_s : float
        The most that is decoded before a span. As much as the codec asks for, unless given: with
        less, samples are near those of a full decode, which will do for a picture.

    Yields
    ------
    ndarray, shape (span.stop - span.start,), float32
        Mean of the channels, in [-1, 1], at `info.rate_hz`. The same samples as a full decode holds
        there; after the recording's end, zeros.

    Raises
    ------
    AudioError
        If the file can't be read any more, or nothing in it decodes.

    Examples
    --------
    >>> from embed import Span, probe, read_spans
    >>> info = probe("music/calm_acoustic_1.opus")
    >>> (second,) = read_spans(info, [Span(start=0, stop=info.rate_hz)])
    >>> second.shape, second.dtype
    ((48000,), dtype('float32'))
    """
    if not spans:
        return
    cutter = _Cutter(spans)
    with open_audio(info.path) as (container, stream):
        packets = Packets(container, stream) if kept is None else kept
        frames = decode_spans(packets, stream, info.layout, spans, run_up_s=run_up_s)
        for position, chunk in join_frames(frames):
            cutter.feed(position, chunk)
            yield from cutter.completed(position + len(chunk))
            if cutter.done:
                return
    if not cutter.heard:
        raise AudioError("none of its audio can be decoded")
    yield from cutter.completed(None)


class _Cutter:
    """Collect decoded chunks into spans."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._open: list[tuple[Span, NDArray[np.float32]]] = []
        self._next = 0
        self.heard = False

    @property
    def done(self) -> bool:
        """Whether every span has been given out."""
        return self._next == len(self._spans) and not self._open

    def feed(self, position: int, chunk: NDArray[np.float32]) -> None:
        """Take a chunk that starts at `position`."""
        end = position + len(chunk)
        self._open_until(end)
        for span, samples in self._open:
            low, high = max(position, span.start), min(end, span.stop)
            if low < high:
                samples[low - span.start : high - span.start] = chunk[
                    low - position : high - position
                ]
                self.heard = True

    def completed(self, end: int | None) -> Iterator[NDArray[np.float32]]:
        """Give out the spans that are complete when all before `end` has been fed.

        With None for `end`, give out all of them.
        """
        self._open_until(end)
        while self._open and (end is None or self._open[0][0].stop <= end):
            yield _finite(self._open.pop(0)[1])

    def _open_until(self, end: int | None) -> None:
        while self._next < len(self._spans):
            span = self._spans[self._next]
            if end is not None and span.start >= end:
                return
            self._open.append((span, np.zeros(span.stop - span.start, dtype=np.float32)))
            self._next += 1


def _finite(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Silence NaN and bound what broken floats hold; lossy codecs rightly overshoot ±1 a little."""
    # NaN compares as false
    if samples.min() >= -_MAX_AMPLITUDE and samples.max() <= _MAX_AMPLITUDE:
        return samples
    return np.clip(np.nan_to_num(samples, nan=0.0), -_MAX_AMPLITUDE, _MAX_AMPLITUDE)


def join_frames(
    frames: Iterable[tuple[int, av.AudioFrame]],
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Join frames that follow one another into blocks, and mix each block to mono.

    Parameters
    ----------
    frames : iterable of (int, AudioFrame)
        With the position of each one's first sample.

    Yields
    ------
    (int, ndarray), shape (n_samples,), float32
        Position of a block's first sample, and the mean of its channels, full scale at ±1.
    """
    from av import AudioFifo

    kind: tuple[int, str] | None = None
    fifo = AudioFifo()
    start = end = 0
    for position, frame in frames:
        # The queue itself does not notice that channels come and go.
        same = position == end and kind == (frame.layout.nb_channels, frame.format.name)
        if not same or end - start >= _BLOCK_SAMPLES:
            if end > start:
                yield start, _drain(fifo)
            start = position
        if not same:
            fifo = AudioFifo()
            kind = frame.layout.nb_channels, frame.format.name
        frame.pts = None  # or the queue checks timestamps, which stray
        fifo.write(frame)
        end = position + frame.samples
    if end > start:
        yield start, _drain(fifo)


def _drain(fifo: av.AudioFifo) -> NDArray[np.float32]:
    frame = fifo.read()
    assert frame is not None  # there are samples in it
    return _to_mono(frame)


def _to_mono(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Mean of the channels, float32, full scale at ±1."""
    n_channels = len(frame.layout.channels)
    samples = frame.to_ndarray()  # planar: (n_channels, n); packed: (1, n * n_channels)
    if not frame.format.is_planar:
        samples = samples.reshape(-1, n_channels).T
    offset, scale = _SCALES[frame.format.name.removesuffix("p")]
    dtype = np.float32 if samples.dtype.itemsize <= 4 else np.float64
    # floats may be broken; `read_spans` mends them
    with np.errstate(over="ignore", invalid="ignore"):
        mono = _mean(samples, dtype, offset, scale)
    return mono.astype(np.float32, copy=False)


def _mean(
    samples: NDArray[Any], dtype: type[np.float32] | type[np.float64], offset: float, scale: float
) -> NDArray[Any]:
    mono: NDArray[Any]
    if len(samples) == 2 and not offset:  # what `mean` gives too, bit for bit, ten times faster
        mono = np.add(samples[0], samples[1], dtype=dtype)
        mono *= dtype(0.5 / scale)
    else:
        mono = samples.mean(axis=0, dtype=dtype)
        if offset or scale != 1.0:
            mono = (mono - offset) / scale
    return mono
