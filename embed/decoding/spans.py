"""Music files to mono float32, in bounded memory: spans of a recording, cut from what is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embed.container import Packets, open_audio
from embed.errors import AudioError
from embed.mono import join_frames
from embed.packets import Span, decode_spans
from embed.recording import AudioInfo

if TYPE_CHECKING:
    import av

__all__ = ["read_spans"]

_MAX_AMPLITUDE = 4.0


def read_spans(
    info: AudioInfo, spans: Sequence[Span], *, kept: Sequence[av.Packet[Any]] | None = None
) -> Iterator[NDArray[np.float32]]:
    """Decode spans of a probed file, in their order.

    Parameters
    ----------
    info : AudioInfo
        From `probe`, of the same unchanged file.
    spans : sequence of Span
        Ordered by start and by stop; they may overlap.
    kept : sequence of packets, optional
        The file's, from `probe`; then only its head is read again, for a decoder in its first state.

    Yields
    ------
    ndarray, shape (span.stop - span.start,), float32
        Mean of the channels, in [-1, 1], at `info.rate_hz`. The same samples as a full decode holds there;
        after the recording's end, zeros.

    Raises
    ------
    AudioError
        If the file can't be read any more, or nothing in it decodes.
    """
    if not spans:
        return
    cutter = _Cutter(spans)
    with open_audio(info.path) as (container, stream):
        packets = Packets(container, stream) if kept is None else kept
        frames = decode_spans(packets, stream, info.layout, spans)
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
                samples[low - span.start : high - span.start] = chunk[low - position : high - position]
                self.heard = True

    def completed(self, end: int | None) -> Iterator[NDArray[np.float32]]:
        """Give out the spans that are complete when all before `end` has been fed; None: all of them."""
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
    if samples.min() >= -_MAX_AMPLITUDE and samples.max() <= _MAX_AMPLITUDE:  # NaN compares as false
        return samples
    return np.clip(np.nan_to_num(samples, nan=0.0), -_MAX_AMPLITUDE, _MAX_AMPLITUDE)
