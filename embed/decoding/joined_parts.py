"""Recordings of several rates that were joined to one stream: their frames at one rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, groupby
from typing import TYPE_CHECKING

from embed.limits import is_read

if TYPE_CHECKING:
    import av

__all__ = ["resampled"]


def resampled(frames: Iterable[av.AudioFrame], rate_hz: int) -> Iterator[av.AudioFrame]:
    """Resample stretches of other rates, one by one, where recordings were joined.

    Parameters
    ----------
    frames : iterable of AudioFrame
        All of a stream's, in their order; those of a rate that is not read are left out.
    rate_hz : int

    Yields
    ------
    AudioFrame
        At `rate_hz`; those that had it, as they were.

    Examples
    --------
    >>> from embed.decoding.joined_parts import resampled
    >>> list(resampled([], 44100))
    []
    """
    for (own_hz, *_), stretch in groupby(frames, _kind_of):
        if own_hz == rate_hz:
            yield from stretch
        elif is_read(own_hz):
            yield from _resample(stretch, rate_hz)


def _kind_of(frame: av.AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _resample(frames: Iterable[av.AudioFrame], rate_hz: int) -> Iterator[av.AudioFrame]:
    from av import AudioResampler

    resampler = AudioResampler(format="fltp", rate=rate_hz)
    time_base: Fraction | None = None
    for frame in chain(frames, [None]):
        if frame is not None:
            time_base = frame.time_base
            frame.pts = None  # or gaps between timestamps are filled
        for part in resampler.resample(frame):
            part.time_base = time_base  # as that of all frames, or they don't join
            yield part
