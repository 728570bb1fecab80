"""A recording as a picture: its whole log-mel spectrogram, in bounded memory however long it is.

Decoding is what takes most of the time, so no more is decoded than a picture shows.

By hand: the mel filters are librosa's (a test compares them), which takes 1.6 s to import.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from embed.decoding.container import KeptPackets
from embed.decoding.packets import Span
from embed.decoding.probing import AudioInfo, probe
from embed.decoding.spans import read_spans
from embed.errors import UnreadableFile
from embed.limits import Limits, bounded_memory
from embed.worker_pool import WorkerPool

__all__ = ["SoundPicture", "draw_sound", "drawing_s", "mel_band", "sound_picture"]

N_MELS = 128
_N_FFT_S = 0.046
"""Of a column no more is heard than one transform takes, in its middle: of four minutes 18 s."""
_MOST_COLUMNS = 400
_RUN_UP_S = 0.08
"""Is decoded before it. A decoder is right to the eye after that, after a second to the bit."""
_MAX_KEPT_BYTES = 32 * 2**20
_AT_ONCE = 64
_GAIN = np.float32(1e10)
_LEAST_BYTES_A_SECOND = 500
_FLOOR_DB = -80.0
_SILENT_DB = 1.0  # above what the gain can tell from nothing
# Slaney 1998, "Auditory toolbox": linear up to 1 kHz, then logarithmic.
_LINEAR_HZ, _MELS_A_HZ, _LOG_STEP = 1000.0, 3 / 200, math.log(6.4) / 27


@dataclass(frozen=True, kw_only=True, eq=False)
class SoundPicture:
    """A log-mel spectrogram.

    Attributes
    ----------
    levels_db : ndarray, shape (n_mels, n_columns), float32
        Mean level of each band, lowest first, below that of the loudest; -80 at least.
    duration_s : float
        The columns share it evenly.
    highest_hz : float
        Half the sample rate: where the highest band ends.
    """

    levels_db: NDArray[np.float32]
    duration_s: float
    highest_hz: float


def sound_picture(path: str | os.PathLike[str]) -> SoundPicture:
    """Draw up the log-mel spectrogram of a file.

    Parameters
    ----------
    path : path
        An audio file.

    Returns
    -------
    SoundPicture
        With at most 400 columns.

    Raises
    ------
    EmbedError
        If the file can't be read or decoded, or asks for more than any music does. It is read in a
        process of its own, so that a crash of a decoder is an error like any other.

    Examples
    --------
    >>> from embed import sound_picture
    >>> picture = sound_picture("music/calm_acoustic_1.opus")
    >>> picture.levels_db.shape, picture.highest_hz
    ((128, 400), 24000.0)
    """
    path, limits = os.fspath(path), Limits()
    try:
        n_bytes = os.stat(path).st_size
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read ({error.strerror})") from error
    pool = WorkerPool(1, limits=limits)
    try:
        return pool.call(draw_sound, path, limits, cpu_s=drawing_s(n_bytes, limits))
    finally:
        pool.close(kill=False)


def drawing_s(n_bytes: int, limits: Limits) -> float:
    """Return how much processor time the picture of a file of so many bytes may take.

    Examples
    --------
    >>> from embed import Limits, drawing_s
    >>> drawing_s(5_000_000, Limits()) > drawing_s(1_000_000, Limits()) > 60
    True
    """
    return limits.probing_s(n_bytes) + limits.embedding_s(n_bytes / _LEAST_BYTES_A_SECOND, 0)


def draw_sound(path: str, limits: Limits) -> SoundPicture:
    """Draw up a file's spectrogram in this process, which a decoder may take down.

    See `sound_picture`.

    Examples
    --------
    >>> from embed import Limits, draw_sound
    >>> draw_sound("music/calm_acoustic_1.opus", Limits()).levels_db.shape
    (128, 400)
    """
    kept = KeptPackets(_MAX_KEPT_BYTES)
    with bounded_memory():
        info = probe(path, limits, kept=kept)
        levels = _levels(info, kept)
    levels -= levels.max() if levels.max() > _SILENT_DB else -_FLOOR_DB
    return SoundPicture(
        levels_db=np.maximum(levels, np.float32(_FLOOR_DB)),
        duration_s=info.duration_s,
        highest_hz=info.rate_hz / 2,
    )


def _levels(info: AudioInfo, kept: KeptPackets) -> NDArray[np.float32]:
    """Return the level of each band in each column, in decibels, shape (N_MELS, n_columns)."""
    n_fft = 1 << round(math.log2(_N_FFT_S * info.rate_hz))
    filters = _mel_filters(info.rate_hz, n_fft)
    taper = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    n_columns = max(1, min(_MOST_COLUMNS, info.n_samples // (n_fft // 4)))
    spans = _columns(info.n_samples, n_columns, n_fft)
    columns = np.empty((n_columns, N_MELS), dtype=np.float32)
    heard = read_spans(info, spans, kept=kept.all, run_up_s=_RUN_UP_S)
    for first in range(0, n_columns, _AT_ONCE):
        some = np.stack(list(islice(heard, _AT_ONCE)))
        # NumPy's own transform: SciPy's saves less here than its import takes
        spectra = np.fft.rfft(some * taper)
        powers = np.square(spectra.real) + np.square(spectra.imag)
        columns[first : first + len(some)] = 10 * np.log10(_GAIN * (powers @ filters) + 1)
    return columns.T


def _columns(n_samples: int, n_columns: int, n_fft: int) -> list[Span]:
    """Return what is heard of each column: what one transform takes."""
    edges = np.arange(n_columns + 1) * n_samples // n_columns
    firsts = np.maximum(0, (edges[:-1] + edges[1:] - n_fft) // 2)
    return [Span(start=first, stop=first + n_fft) for first in firsts.tolist()]


def mel_band(hz: float, highest_hz: float) -> float:
    """Return where a frequency is among the bands of a picture, 0 to 128.

    The first one's middle is 0.5.

    Examples
    --------
    >>> from embed import mel_band
    >>> [round(mel_band(hz, 24000), 1) for hz in (440, 880, 24000)]
    [13.4, 27.3, 128.5]
    """
    step = _mel(highest_hz) / (N_MELS + 1)
    return _mel(hz) / step - 0.5


def _mel_filters(rate_hz: int, n_fft: int) -> NDArray[np.float32]:
    """Return Slaney's mel filters, of equal area, shape (n_fft // 2 + 1, N_MELS)."""
    mels = np.linspace(0, _mel(rate_hz / 2), N_MELS + 2)
    edges = np.array([_hz(mel) for mel in mels.tolist()])
    bins = np.linspace(0, rate_hz / 2, n_fft // 2 + 1)[:, np.newaxis]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    area = 2 / (edges[2:] - edges[:-2])
    filters: NDArray[np.float64] = np.clip(np.minimum(rising, falling), 0, None) * area
    return filters.astype(np.float32)


def _hz(mel: float) -> float:
    linear = _LINEAR_HZ * _MELS_A_HZ
    if mel < linear:
        return mel / _MELS_A_HZ
    return _LINEAR_HZ * math.exp(_LOG_STEP * (mel - linear))


def _mel(hz: float) -> float:
    if hz < _LINEAR_HZ:
        return hz * _MELS_A_HZ
    return _LINEAR_HZ * _MELS_A_HZ + math.log(hz / _LINEAR_HZ) / _LOG_STEP
