"""From windows to what a network in a file reads: its windows, its log-mel patches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from embed.model_files.card import Card, LogMel
from embed.networks.log_mel import mel_spectrogram

__all__ = ["front_end_constants", "read_parts"]

Arrays = Mapping[str, NDArray[np.float32]]


def front_end_constants(card: Card) -> dict[str, NDArray[np.float32]]:
    """Compute, with librosa, the arrays that a card's front end needs.

    Returns
    -------
    dict
        ``mel_filters`` (n_fft // 2 + 1, mels) and ``taper`` (n_fft,), float32; empty where the
        network has no log-mel front end.
    """
    log_mel = card.log_mel
    if log_mel is None:
        return {}
    from librosa.filters import get_window, mel
    from librosa.util import pad_center

    bank = mel(
        sr=card.rate_hz,
        n_fft=log_mel.n_fft,
        n_mels=log_mel.mels,
        fmin=log_mel.fmin,
        fmax=log_mel.fmax or None,
        htk=log_mel.scale_kind == "htk",
        norm={"none": None, "l2": 2}.get(log_mel.norm, log_mel.norm),
    )
    taper = get_window(log_mel.taper, log_mel.window or log_mel.n_fft, fftbins=True)
    return {
        "mel_filters": np.ascontiguousarray(np.asarray(bank, dtype=np.float32).T),
        "taper": np.asarray(pad_center(taper, size=log_mel.n_fft), dtype=np.float32),
    }


def read_parts(
    windows: NDArray[np.float32], constants: Arrays, *, card: Card
) -> NDArray[np.float32]:
    """Turn windows of the grid into what the network reads of each of their parts.

    Parameters
    ----------
    windows : ndarray, shape (n, samples of all parts), float32
    constants : mapping
        From `front_end_constants`.
    card : Card

    Returns
    -------
    ndarray, shape (n, parts, window_samples) or (n, parts, n_stft_frames, mels), float32
    """
    starts = [k * card.hop_samples for k in range(card.parts)]
    cut = np.stack([windows[:, at : at + card.window_samples] for at in starts], axis=1)
    if card.input.gain != 1:
        cut = cut * np.float32(card.input.gain)
    if card.log_mel is None:
        return cut
    flat = cut.reshape(-1, card.window_samples)
    spectrograms = _log_mel(flat, constants, card.log_mel)
    return spectrograms.reshape(len(windows), card.parts, *spectrograms.shape[1:])


def _log_mel(
    windows: NDArray[np.float32], constants: Arrays, params: LogMel
) -> NDArray[np.float32]:
    """Turn windows (n, n_samples) into log-mel spectrograms (n, n_stft_frames, mels)."""
    if params.center:
        around = ((0, 0), (params.n_fft // 2, params.n_fft // 2))
        windows = np.pad(windows, around, mode=params.pad)
    values = mel_spectrogram(
        windows,
        constants["mel_filters"],
        constants["taper"],
        hop_samples=params.hop,
        power=params.power,
    )
    values *= np.float32(params.gain)
    if params.log != "none":
        if params.floor_kind == "max":
            np.maximum(values, np.float32(params.floor), out=values)
        else:
            values += np.float32(params.floor)
        values = np.log(values) if params.log == "ln" else np.log10(values)
    if params.log == "db":
        values *= np.float32(10)
    peak = values.max(axis=(1, 2), keepdims=True)
    if params.top_db:
        np.maximum(values, peak - np.float32(params.top_db), out=values)
    if params.below_peak:
        values -= peak
    values -= np.float32(params.mean)
    values /= np.float32(params.scale)
    return values
