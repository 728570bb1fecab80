from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embed.model_files.card import Card, Input, LogMel, Output
from embed.model_files.front_end import front_end_constants, read_parts

RATE_HZ = 22050
N = 8192
SOUND = np.random.default_rng(3).normal(0, 0.1, N).astype(np.float32)
USUAL: dict[str, Any] = {"n_fft": 1024, "hop": 256, "mels": 40}


def _card(log_mel: LogMel, **said: Any) -> Card:
    said = {"parts": 1, "hop_samples": N, "window_samples": N} | said
    return Card(
        rate_hz=RATE_HZ,
        input=Input(layout=("batch", "time", "mel"), gain=said.pop("input_gain", 1.0)),
        outputs=(Output(name="y"),),
        log_mel=log_mel,
        **said,
    )


def _read(log_mel: LogMel, **said: Any) -> Any:
    card = _card(log_mel, **said)
    length = (card.parts - 1) * card.hop_samples + card.window_samples
    windows = SOUND[np.newaxis, :length]
    return read_parts(windows, front_end_constants(card), card=card)[0]


@pytest.mark.parametrize(
    ("said", "librosas"),
    [
        ({}, {}),
        ({"scale_kind": "htk"}, {"htk": True}),
        ({"norm": "none"}, {"norm": None}),
        ({"norm": "l2"}, {"norm": 2}),
        ({"power": 1}, {"power": 1.0}),
        ({"fmin": 100.0, "fmax": 5000.0}, {"fmin": 100.0, "fmax": 5000.0}),
        ({"window": 800}, {"win_length": 800}),
        ({"taper": "hamming"}, {"window": "hamming"}),
        ({"taper": "ones", "hop": 300}, {"window": "ones", "hop_length": 300}),
        ({"center": True}, {"center": True}),
        ({"center": True, "pad": "reflect"}, {"center": True, "pad_mode": "reflect"}),
    ],
    ids=str,
)
def test_the_mel_spectrogram_is_librosas(said: dict[str, Any], librosas: dict[str, Any]) -> None:
    from librosa.feature import melspectrogram

    usual = {"n_fft": 1024, "hop_length": 256, "n_mels": 40, "center": False}
    wanted = melspectrogram(y=SOUND, sr=RATE_HZ, **(usual | librosas)).T
    log_mel = LogMel(**(USUAL | {"log": "none"} | said))
    (ours,) = _read(log_mel)
    assert ours.shape == wanted.shape == (log_mel.n_frames(N), 40)
    np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-6 * wanted.max())


def test_logarithms_are_as_the_card_says() -> None:
    (mel,) = _read(LogMel(**USUAL, log="none")).astype(np.float64)
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"log": "ln", "floor": 0.01}, np.log(mel + 0.01)),
        ({"log": "log10", "gain": 1e4, "floor": 1.0}, np.log10(1e4 * mel + 1)),
        ({"log": "ln", "floor": 0.5, "floor_kind": "max"}, np.log(np.maximum(mel, 0.5))),
        ({"log": "db", "floor": 1e-10}, 10 * np.log10(mel + 1e-10)),
        ({"log": "ln", "mean": -4.0, "scale": 2.5}, (np.log(mel + 1e-6) + 4) / 2.5),
    ]
    for said, wanted in cases:
        (ours,) = _read(LogMel(**USUAL, **said))
        np.testing.assert_allclose(ours, wanted, atol=1e-4, err_msg=str(said))


def test_decibels_end_below_the_loudest_as_librosas_do() -> None:
    from librosa import power_to_db

    (mel,) = _read(LogMel(**USUAL, log="none"))
    said: dict[str, Any] = {"log": "db", "floor": 1e-10, "floor_kind": "max", "top_db": 12.0}
    (ours,) = _read(LogMel(**USUAL, **said))
    np.testing.assert_allclose(ours, power_to_db(mel, top_db=12.0), atol=1e-3)
    assert ours.max() - ours.min() == pytest.approx(12, abs=1e-3)
    (ours,) = _read(LogMel(**USUAL, **said, below_peak=True))
    np.testing.assert_allclose(ours, power_to_db(mel, ref=np.max, top_db=12.0), atol=1e-3)


def test_each_part_is_read_by_itself() -> None:
    log_mel = LogMel(**USUAL)
    together = _read(log_mel, parts=3, window_samples=2048, hop_samples=1000)
    assert together.shape == (3, log_mel.n_frames(2048), 40)
    for k, part in enumerate(together):
        card = _card(log_mel, window_samples=2048)
        alone = SOUND[np.newaxis, 1000 * k : 1000 * k + 2048]
        (wanted,) = read_parts(alone, front_end_constants(card), card=card)[0]
        np.testing.assert_array_equal(part, wanted)


def test_the_waveform_may_be_meant_in_16_bits() -> None:
    quiet = _read(LogMel(**USUAL, log="none", power=1))
    loud = _read(LogMel(**USUAL, log="none", power=1), input_gain=32768.0)
    np.testing.assert_allclose(loud, 32768 * quiet, rtol=1e-4)


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("n_fft", [512, 1023])
def test_frames_are_counted_both_ways(center: bool, n_fft: int) -> None:
    log_mel = LogMel(n_fft=n_fft, hop=160, mels=8, center=center)
    for n_frames in (7, 96):
        n_samples = log_mel.n_samples(n_frames)
        assert log_mel.n_frames(n_samples) == n_frames
        assert log_mel.n_frames(n_samples - 1) == n_frames - 1
