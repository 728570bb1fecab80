"""How loud windows are: which of them are silent, and how much of the level an encoder hears.

By hand: loudness meters (pyloudnorm, EBU R 128) gate at a fixed level below the programme and need
blocks of 400 ms; here a window is the unit, and music 40 dB below its song's own level is music.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from embed.encoders.windows import choose_windows

__all__ = ["even_out", "level_of", "meets_silence", "sounding_windows"]

_REFERENCE_RMS = 0.1
"""The level to which others are moved, -20 dB of full scale: that of much mastered music."""
_LEAST_GAIN, _MOST_GAIN = 10 ** (-12 / 20), 10 ** (30 / 20)
_SILENCE = 1e-6
"""RMS of digital silence, -120 dB: what lossy codecs leave of zeros is below, dither is above."""
_STRETCHES = 16
_BELOW_SONG = 10 ** (-50 / 20)
"""Less of the song's own level is silence: 50 dB."""


def level_of(window: NDArray[np.float32]) -> float:
    """Return the level that half of a window has or exceeds: that of a window half silent is 0.

    Parameters
    ----------
    window : ndarray, shape (n,), float32, n >= 16

    Returns
    -------
    float
        The root mean square of the median of 16 equal stretches; full scale is 1. So a window into
        which only a song's last note reaches is silent.

    Examples
    --------
    >>> import numpy as np
    >>> from embed.encoders.levels import level_of
    >>> level_of(np.tile(np.array([0.5, -0.5], np.float32), 16))
    0.5
    """
    size = len(window) // _STRETCHES
    stretches = window[: _STRETCHES * size].reshape(_STRETCHES, size)
    powers = np.square(stretches, dtype=np.float64).mean(axis=1)
    return math.sqrt(np.sort(powers)[_STRETCHES // 2])


def even_out(windows: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Move each window's level towards -20 dB of full scale.

    Parameters
    ----------
    windows : ndarray, shape (n, window_samples), float32
    power : float
        Share of the way, in dB: 0 leaves windows as they are, 1 gives all the same level. The gain
        is from -12 to 30 dB.

    Returns
    -------
    ndarray, shape (n, window_samples), float32
        Each is a function of its window alone. Silent ones are as they were.

    Examples
    --------
    >>> import numpy as np
    >>> from embed.encoders.levels import even_out
    >>> even_out(np.full((1, 2), 0.025, np.float32), 0.5).round(3).tolist()
    [[0.05000000074505806, 0.05000000074505806]]
    """
    if power == 0:
        return windows
    gains = np.ones((len(windows), 1), dtype=np.float32)
    for k, window in enumerate(windows):  # one by one: a sum over rows may depend on their number
        rms = math.sqrt(float(np.square(window, dtype=np.float64).mean()))
        if rms > _SILENCE:
            gain = (_REFERENCE_RMS / rms) ** power
            gains[k] = min(max(gain, _LEAST_GAIN), _MOST_GAIN)
    return windows * gains


def meets_silence(levels: NDArray[np.float64], reference: NDArray[np.float64]) -> bool:
    """Whether one of some windows is silent beside the windows that stand for the song.

    Parameters
    ----------
    levels, reference : ndarray, shapes (n,) and (m,), float64
        Their levels; see `level_of`.

    Examples
    --------
    >>> import numpy as np
    >>> from embed.encoders.levels import meets_silence
    >>> meets_silence(np.array([0.1, 0.0001]), np.array([0.1]))
    True
    """
    return not bool(_sounds(levels, reference).all())


def sounding_windows(levels: NDArray[np.float64], scan_windows: int) -> list[int]:
    """Tell which windows of a recording are heard.

    Windows 50 dB and more below the mean power of all, or digitally silent, are not. Two
    exceptions: where all are silent, all are heard; and where a scan meets no silence, its windows
    are heard, as it can't know of others.

    Parameters
    ----------
    levels : ndarray, shape (n_grid,), float64
        Of all windows; see `level_of`.
    scan_windows : int
        How many a scan takes.

    Returns
    -------
    list of int
        In time order, at least one.

    Examples
    --------
    >>> import numpy as np
    >>> from embed.encoders.levels import sounding_windows
    >>> sounding_windows(np.array([0.1, 0.2, 0.0, 0.1]), 12)
    [0, 1, 3]
    """
    sounds = _sounds(levels, levels)
    if not sounds.any():
        return list(range(len(levels)))
    even = levels[choose_windows(len(levels), scan_windows)]
    if not meets_silence(even, even):
        sounds[choose_windows(len(levels), scan_windows)] = True
    return [int(i) for i in np.flatnonzero(sounds)]


def _sounds(levels: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.bool_]:
    song = float(np.sqrt(np.square(reference).mean()))
    return np.asarray(levels > max(_SILENCE, _BELOW_SONG * song))
