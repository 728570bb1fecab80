"""How loud a recording is, by stretches of it from all over; FFmpeg's meter measures them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from embed.decoding.packets import Span
from embed.decoding.probing import probe
from embed.decoding.spans import read_spans
from embed.encoders.windows import SCAN_WINDOWS, choose_windows
from embed.limits import Limits, bounded_memory

__all__ = ["measure_loudness"]

_STRETCH_S = 3
_SILENT_LUFS = -70.0  # the meter counts nothing that is quieter


def measure_loudness(path: str, limits: Limits) -> float | None:
    """Measure a file's loudness in this process, which a decoder may take down.

    Parameters
    ----------
    path : str
        An audio file.
    limits : Limits
        What it may ask.

    Returns
    -------
    float or None
        In LUFS (EBU R 128), of as many stretches of 3 s as a scan hears, evenly spread; of a short
        recording, all. Channels are heard as their mean, on two speakers. None for silence.

    Raises
    ------
    EmbedError

    Examples
    --------
    >>> from embed import Limits, measure_loudness
    >>> measure_loudness("music/calm_acoustic_1.opus", Limits())
    -14.202
    """
    with bounded_memory():
        info = probe(path, limits)
        length = _STRETCH_S * info.rate_hz
        n = max(1, info.n_samples // length)
        chosen = choose_windows(n, SCAN_WINDOWS)
        spans = [Span(start=i * length, stop=(i + 1) * length) for i in chosen]
        return _loudness(read_spans(info, spans), info.rate_hz)


def _loudness(stretches: Iterable[NDArray[np.float32]], rate_hz: int) -> float | None:
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=rate_hz, format="fltp", layout="mono", time_base=Fraction(1, rate_hz)
    )
    meter = graph.add("ebur128", "metadata=1:dualmono=1")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    at = 0
    for samples in stretches:
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, at
        at += len(samples)
        source.push(frame)
    source.push(None)
    loudness = _SILENT_LUFS
    while True:
        try:
            measured = sink.pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return loudness if loudness > _SILENT_LUFS else None
        loudness = float(measured.metadata.get("lavfi.r128.I", loudness))
