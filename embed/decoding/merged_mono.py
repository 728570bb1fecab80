"""Decoded frames to mono float32, a block of many frames at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

__all__ = ["join_frames"]

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


def join_frames(frames: Iterable[tuple[int, av.AudioFrame]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
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
    with np.errstate(over="ignore", invalid="ignore"):  # floats may be broken; `read_spans` mends them
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
