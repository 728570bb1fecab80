"""The aisfx encoder against the numbers of its authors' own network (see golden/README.md)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from embed.encoders.windows import choose_windows
from embed.networks import aisfx
from tests.support.encoder_models import as_published, compiled_root, cosine, full_windows

N_SAMPLES = 132_300


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> embed.Encoder:
    root = compiled_root("aisfx", tmp_path_factory)
    return as_published(embed.load_encoder("aisfx", root=root))


@pytest.fixture
def golden(shared: Path) -> Mapping[str, NDArray[Any]]:
    with np.load(shared / "golden" / "aisfx.npz") as stored:
        return {key: stored[key] for key in stored.files}


def sounds() -> dict[str, NDArray[np.float32]]:
    made = {
        "tone": 0.1 * np.sin(2 * np.pi * 440 * np.arange(N_SAMPLES) / 44100),
        "noise": 0.1 * np.random.default_rng(0).standard_normal(N_SAMPLES),
        "silence": np.zeros(N_SAMPLES),
    }
    return {name: sound.astype(np.float32) for name, sound in made.items()}


@pytest.mark.parametrize("name", ["tone", "noise", "silence"])
def test_it_is_the_authors_network_on_the_very_same_waveform(
    name: str, encoder: embed.Encoder, golden: Mapping[str, NDArray[Any]]
) -> None:
    (frame,) = encoder.embed(sounds()[name])
    np.testing.assert_allclose(frame, golden[name], atol=1e-5 * float(golden[name].max()))


@pytest.mark.slow
def test_it_is_the_authors_network_on_music(
    encoder: embed.Encoder, golden: Mapping[str, NDArray[Any]], tracks: list[str]
) -> None:
    assert golden["names"].tolist() == [Path(track).name for track in tracks]
    # Cut as the pipeline cuts, which resamples each window alone; the golden numbers are of the
    # whole waveform resampled at once.
    # The authors cut every 3 s, we every 2.992.
    grid = replace(encoder.spec.grid, window_samples=N_SAMPLES, step_samples=N_SAMPLES)
    for k in range(0, len(tracks), 5):
        windows, _ = full_windows(tracks[k], grid)
        assert len(windows) == golden["n_windows"][k]
        frames = encoder.embed_windows(windows)
        for ours, theirs in ((frames[0], golden["first"][k]), (frames.mean(0), golden["mean"][k])):
            assert cosine(ours, theirs) >= 0.9999
            np.testing.assert_allclose(ours, theirs, atol=0.02 * float(theirs.max()))


def test_windows_are_framed_alone_and_end_with_their_last_frame(encoder: embed.Encoder) -> None:
    grid = encoder.spec.grid
    assert (grid.rate_hz, grid.window_samples, grid.step_samples) == (44100, 131_072, 131_947)
    noise = sounds()["noise"]
    step = noise[: grid.step_samples]
    frames = encoder.embed(np.concatenate([step, -step, step, noise[:1000]]))
    assert frames.shape == (3, 512)
    # Of the same power, whatever stands before.
    np.testing.assert_allclose(frames[0], frames[1], rtol=1e-5)
    np.testing.assert_array_equal(frames[0], frames[2])
    tail = noise.copy()
    tail[131_072:] = 1  # past the last of 128 STFT frames
    np.testing.assert_array_equal(encoder.embed(tail), frames[:1])
    tail[131_000:] = 1
    assert (encoder.embed(tail) != frames[:1]).any()


def test_a_window_is_heard_alike_beside_others_and_alone(encoder: embed.Encoder) -> None:
    noise = np.random.default_rng(1).standard_normal((3, encoder.spec.grid.window_samples))
    windows = (0.1 * noise).astype(np.float32)
    together = encoder.embed_windows(windows)
    for window, heard in zip(windows, together, strict=True):
        np.testing.assert_array_equal(encoder.embed_windows(window[np.newaxis])[0], heard)


def test_its_windows_lie_beside_musicnns() -> None:
    own, other = (embed.encoder_spec(name) for name in ("aisfx", "musicnn"))
    for duration_s in (9.0, 34.4, 61.7, 240.0, 3600.0):
        starts = []
        for spec in (own, other):
            n_grid = spec.grid.count(round(duration_s * spec.grid.rate_hz))
            chosen = choose_windows(n_grid, spec.scan_windows)
            starts.append([spec.grid.start(i) / spec.grid.rate_hz for i in chosen])
        for start in starts[0]:
            assert min(abs(start - theirs) for theirs in starts[1]) < 0.02


def test_the_front_end_is_librosas() -> None:
    from librosa.feature import melspectrogram
    from librosa.filters import mel

    noise = sounds()["noise"]
    filters = aisfx.build(aisfx.locate()).constants
    ours = aisfx.front_end(noise[np.newaxis], filters)
    power = melspectrogram(
        y=noise, sr=44100, n_fft=2048, hop_length=1024, n_mels=96, htk=True, norm=None
    )
    sums = mel(sr=44100, n_fft=2048, n_mels=96, htk=True, norm=None).sum(axis=1)
    theirs = np.log10(1e4 * power[:, :128] / sums[:, np.newaxis] + 1).T / 9.457798957824707
    assert ours.shape == (1, 128, 96)
    np.testing.assert_allclose(ours[0], theirs, atol=1e-5)


def test_it_names_its_authors_and_their_licence() -> None:
    credit = embed.encoder_spec("aisfx").credit
    for part in ("A. B. Ma", "A. Lerch", "Representation Learning", "ISMIR 2022", "CC BY 4.0"):
        assert part in credit
    (row,) = [row for row in embed.encoder_status() if row.name == "aisfx"]
    assert row.credit == credit


def test_a_missing_wheel_is_told_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(embed.EncoderUnavailable, match="not installed") as caught:
        aisfx.locate()
    assert "pip install --no-deps aisfx==0.1.2" in str(caught.value)


def damage(checkpoint: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[5000] ^= 1
    checkpoint.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "message"),
    [(Path.unlink, "lacks its checkpoint"), (damage, "expected 499ea75909c9")],
    ids=["missing", "damaged"],
)
def test_a_damaged_wheel_is_told_with_the_pip_line(
    harm: Callable[[Path], None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "aisfx"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('never import it')", encoding="ascii")
    checkpoint = package / "models" / "checkpoint.pth"
    shutil.copy(aisfx.locate().path, checkpoint)
    monkeypatch.syspath_prepend(str(package.parent))
    assert aisfx.locate().path == checkpoint
    harm(checkpoint)
    with pytest.raises(embed.EncoderUnavailable, match=message) as caught:
        embed.load_encoder("aisfx", root=tmp_path / "cache")
    assert "pip install --force-reinstall --no-deps aisfx==0.1.2" in str(caught.value)
    assert "aisfx" not in sys.modules
    assert not os.path.exists(tmp_path / "cache" / "encoders")
