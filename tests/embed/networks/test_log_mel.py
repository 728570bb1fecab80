from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from embed import ENCODERS, Grid
from embed.networks.log_mel import LogMelParams, log_mel, mel_filters
from embed.networks.musicnn_wheel import FRONT_END

PARAMS = LogMelParams(sample_rate_hz=16000, n_fft=512, hop_samples=256, n_mels=96, gain=10000.0)


@pytest.fixture(scope="module")
def filters() -> NDArray[np.float32]:
    return mel_filters(PARAMS)


def _sounds() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(7)
    t = np.arange(5 * 16000) / 16000
    return {
        "noise": rng.normal(scale=0.2, size=t.size).astype(np.float32),
        "tone": (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32),
        "chirp": (0.9 * np.sin(2 * np.pi * (50 + 700 * t) * t)).astype(np.float32),
        "quiet": (1e-4 * rng.normal(size=t.size)).astype(np.float32),
        "silence": np.zeros(t.size, dtype=np.float32),
        "loud": np.where(np.sin(2 * np.pi * 100 * t) > 0, 1.0, -1.0).astype(np.float32),
    }


@pytest.mark.parametrize("name", list(_sounds()))
def test_the_front_end_is_librosas(name: str, filters: NDArray[np.float32]) -> None:
    from librosa.feature import melspectrogram

    waveform = _sounds()[name]
    # centred, zero-padded
    power = melspectrogram(y=waveform, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    expected = np.log10(10000.0 * power + 1).T  # (n_stft_frames, n_mels)
    # A grid of one long window, padded as centring pads: the whole spectrogram, edges and all.
    grid = Grid(
        rate_hz=16000, window_samples=16000 * 5 + 512, step_samples=16000 * 5, pad_samples=256
    )
    windows = grid.cut(waveform)
    assert windows.shape == (1, 16000 * 5 + 512)
    ours = log_mel(windows, filters, PARAMS)[0]
    assert ours.shape == expected.shape == (313, 96)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=0)


def test_musicnns_windows_are_librosas_patches_of_187_frames(filters: NDArray[np.float32]) -> None:
    from librosa.feature import melspectrogram

    assert (
        FRONT_END == PARAMS
    )  # of the authors' code: sr 16000, FFT 512, hop 256, 96 mels, log10(10000 x + 1)
    grid = ENCODERS["musicnn"].grid
    waveform = np.concatenate([_sounds()["chirp"], _sounds()["noise"]])
    power = melspectrogram(y=waveform, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    expected = np.log10(10000.0 * power + 1).T
    patches = log_mel(grid.cut(waveform), filters, PARAMS)
    assert patches.shape == (len(waveform) // 256 // 187, 187, 96)
    for k, patch in enumerate(patches):
        np.testing.assert_allclose(patch, expected[187 * k : 187 * (k + 1)], atol=1e-4, rtol=0)


def test_silence_is_zero_and_louder_is_more(filters: NDArray[np.float32]) -> None:
    sounds = _sounds()
    assert not log_mel(sounds["silence"][np.newaxis], filters, PARAMS).any()
    quiet, loud = (log_mel(g * sounds["noise"][np.newaxis], filters, PARAMS) for g in (0.1, 1.0))
    assert (loud > quiet).all()


def test_a_tone_stands_in_its_own_band(filters: NDArray[np.float32]) -> None:
    from librosa import mel_frequencies

    spectrogram = log_mel(_sounds()["tone"][np.newaxis], filters, PARAMS)[0]
    loudest_hz = mel_frequencies(n_mels=98, fmax=8000)[1:-1][spectrogram.mean(axis=0).argmax()]
    assert abs(loudest_hz - 440) < 40


def test_windows_are_independent(filters: NDArray[np.float32]) -> None:
    windows = np.stack([sound[:5000] for sound in _sounds().values()])
    together = log_mel(windows, filters, PARAMS)
    for k in range(len(windows)):
        np.testing.assert_array_equal(together[k], log_mel(windows[k : k + 1], filters, PARAMS)[0])
