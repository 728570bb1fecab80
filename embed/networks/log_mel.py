"""Log-mel front ends: from waveform windows to what a network reads.

The mel filters come from librosa when an encoder is compiled and are stored beside its network, so
that nothing at embedding time imports librosa (1.6 s). A test compares the whole path with
librosa's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["LogMelParams", "log_mel", "mel_filters", "mel_spectrogram"]


@dataclass(frozen=True, kw_only=True)
class LogMelParams:
    """The numbers of one log-mel front end; they belong to a network's training."""

    sample_rate_hz: int
    n_fft: int
    hop_samples: int
    n_mels: int
    gain: float
    """The logarithm is ``log10(gain * power + 1)``."""


def mel_filters(params: LogMelParams) -> NDArray[np.float32]:
    """Compute the Slaney-normalised mel filter bank with librosa.

    Returns
    -------
    ndarray, shape (n_fft // 2 + 1, n_mels), float32
    """
    from librosa.filters import mel

    bank = mel(sr=params.sample_rate_hz, n_fft=params.n_fft, n_mels=params.n_mels)
    return np.ascontiguousarray(np.asarray(bank, dtype=np.float32).T)


def log_mel(
    windows: NDArray[np.float32], filters: NDArray[np.float32], params: LogMelParams
) -> NDArray[np.float32]:
    """Turn waveform windows into log-mel spectrograms.

    The first STFT frame covers the first `n_fft` samples of a window: centring (librosa's default)
    is a matter of where the window is cut, not of this function.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_samples), float32
        Waveforms in [-1, 1] at `params.sample_rate_hz`.
    filters : ndarray, shape (n_fft // 2 + 1, n_mels), float32
        From `mel_filters`.

    Returns
    -------
    ndarray, shape (n_windows, n_stft_frames, n_mels), float32
        ``log10(gain * mel power + 1)``.
    """
    result = mel_spectrogram(
        windows, filters, _hann(params.n_fft), hop_samples=params.hop_samples, power=2
    )
    result *= np.float32(params.gain)
    result += np.float32(1)
    return np.log10(result, out=result)


def mel_spectrogram(
    windows: NDArray[np.float32],
    filters: NDArray[np.float32],
    taper: NDArray[np.float32],
    *,
    hop_samples: int,
    power: float,
) -> NDArray[np.float32]:
    """Turn waveform windows into mel spectrograms, without a logarithm and without centring.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_samples), float32
    filters : ndarray, shape (n_fft // 2 + 1, n_mels), float32
    taper : ndarray, shape (n_fft,), float32
        By which each STFT frame is multiplied.
    hop_samples : int
        From one STFT frame to the next.
    power : float
        Of the magnitude: 1 or 2.

    Returns
    -------
    ndarray, shape (n_windows, n_stft_frames, n_mels), float32
    """
    from scipy.fft import rfft  # a tenth of a second to import, so only where something is heard

    n_fft = len(taper)
    n_bins = n_fft // 2 + 1
    n_frames = 1 + (windows.shape[-1] - n_fft) // hop_samples
    # One window at a time, in the same memory, stays in the processor's cache: 16 at once take
    # twice as long.
    framed = np.empty((n_frames, n_fft), dtype=np.float32)
    powers = np.empty((n_frames, n_bins), dtype=np.float32)
    result = np.empty((len(windows), n_frames, filters.shape[1]), dtype=np.float32)
    for window, mel in zip(windows, result, strict=True):
        frames = np.lib.stride_tricks.sliding_window_view(window, n_fft)[::hop_samples]
        np.multiply(frames, taper, out=framed)
        # Several STFT frames in one instruction: a quarter of the time that NumPy's takes.
        spectrum = rfft(framed, overwrite_x=True)
        np.square(spectrum.real, out=powers)
        powers += np.square(spectrum.imag)
        if power == 1:
            np.sqrt(powers, out=powers)
        np.matmul(powers, filters, out=mel)  # (n_stft_frames, n_mels)
    return result


@lru_cache(maxsize=8)
def _hann(n: int) -> NDArray[np.float32]:
    """Return the periodic Hann window, as STFTs use it."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)
