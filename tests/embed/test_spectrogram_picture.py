"""The picture of a recording: what is loud where and when."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from embed import AudioError, Limits, draw_sound, mel_band, sound_picture, spectrogram_picture
from embed.networks.log_mel import LogMelParams, mel_filters
from embed.spectrogram_picture import N_MELS, _mel_filters
from tests.support.audio_files import KINDS, music

RATE = 16000


def _write(path: Path, samples: NDArray[np.float64]) -> str:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def test_a_tone_is_where_and_when_it_sounds(tmp_path: Path) -> None:
    t = np.arange(4 * RATE) / RATE
    tones = np.where(t < 2, np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 3000 * t))
    picture = sound_picture(_write(tmp_path / "tones.wav", 0.3 * tones))
    assert picture.duration_s == pytest.approx(4)
    assert picture.highest_hz == RATE / 2
    n_columns = picture.levels_db.shape[1]
    for at_s, hz in ((1, 440), (3, 3000)):
        loudest = int(picture.levels_db[:, round(at_s / 4 * n_columns)].argmax())
        assert loudest + 0.5 == pytest.approx(mel_band(hz, picture.highest_hz), abs=1)
    assert picture.levels_db.max() == 0


def test_silence_is_dark(tmp_path: Path) -> None:
    picture = sound_picture(_write(tmp_path / "silence.wav", np.zeros(RATE)))
    assert (picture.levels_db == -80).all()


def test_a_long_recording_has_no_larger_picture(tmp_path: Path) -> None:
    t = np.arange(300 * 200) / 200
    click = np.repeat(np.where(np.abs(t - 150) < 2, 1.0, 0.01), RATE // 200)
    noise = 0.1 * np.random.default_rng(0).normal(size=len(click))
    picture = sound_picture(_write(tmp_path / "long.wav", click * noise))
    assert picture.levels_db.shape == (128, 400)
    loud = np.flatnonzero(picture.levels_db.mean(axis=0) > picture.levels_db.mean() + 10)
    assert loud.min() * 0.75 == pytest.approx(148, abs=1)
    assert loud.max() * 0.75 == pytest.approx(152, abs=1)


@pytest.mark.parametrize(("rate_hz", "n_fft"), [(44100, 2048), (16000, 512), (96000, 4096)])
def test_its_filters_are_librosas(rate_hz: int, n_fft: int) -> None:
    params = LogMelParams(
        sample_rate_hz=rate_hz, n_fft=n_fft, hop_samples=n_fft, n_mels=N_MELS, gain=1
    )
    ours = _mel_filters(rate_hz, n_fft)
    np.testing.assert_allclose(ours, mel_filters(params), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["mp3-cbr", "opus", "aac"])
def test_what_is_decoded_in_a_hurry_looks_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = KINDS[name]
    path = str(kind.write(tmp_path / f"song{kind.suffix}", music(20, 48000), 48000))
    monkeypatch.setattr(spectrogram_picture, "_MOST_COLUMNS", 50)  # far enough apart
    hurried = draw_sound(path, Limits()).levels_db
    monkeypatch.setattr(spectrogram_picture, "_RUN_UP_S", math.inf)
    exact = draw_sound(path, Limits()).levels_db
    assert name != "opus" or (hurried != exact).any(), "less was decoded"
    assert np.abs(hurried - exact).mean() < 0.5
    assert np.percentile(np.abs(hurried - exact), 99) < 3


def test_what_is_no_audio_has_no_picture(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"no song" * 100)
    with pytest.raises(AudioError):
        sound_picture(str(tmp_path / "song.mp3"))
