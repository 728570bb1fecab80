"""The encoders against numbers computed by their authors' own networks (see golden/README.md)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from tests.support.encoder_models import (
    as_published,
    cosine,
    full_windows,
    heard_parts,
    run_tensorflow,
    yamnet_root,
)

N_TRACKS = 28


def golden(shared: Path, name: str, tracks: list[str]) -> Mapping[str, NDArray[Any]]:
    with np.load(shared / "golden" / name) as stored:
        numbers = {key: stored[key] for key in stored.files}
    assert [Path(str(name)).name for name in numbers["names"]] == [
        Path(track).name for track in tracks
    ]
    return numbers


def top(scores: NDArray[Any], n: int) -> NDArray[np.intp]:
    return np.argsort(-scores, axis=1)[:, :n]


@pytest.mark.slow
def test_musicnn_is_the_authors_network(shared: Path, tracks: list[str], compiled: Path) -> None:
    expected = golden(shared, "musicnn_msd.npz", tracks)
    encoder = as_published(embed.load_encoder("musicnn", root=compiled))
    frames = [encoder.embed_windows(full_windows(track, encoder.spec.grid)[0]) for track in tracks]

    assert [len(one) for one in frames] == expected["n_patches"].tolist()
    frames = [one.astype(np.float16).astype(np.float32) for one in frames]
    tags = np.stack([encoder.tag_scores(one).mean(axis=0) for one in frames])
    assert cosine(tags, expected["tags"]).min() >= 0.999
    # Float16 in the cache and another decoder: more than the 1e-4 of the very same waveform.
    np.testing.assert_allclose(tags, expected["tags"], atol=1e-3)
    np.testing.assert_array_equal(top(tags, 3), top(expected["tags"], 3))

    # The penultimate layer is normalised after its rectifier, and that is folded into the last
    # layer here.
    layers = constants(compiled, encoder.fingerprint)
    hidden = [np.maximum(one @ layers["dense1_w"] + layers["dense1_b"], 0) for one in frames]
    scale, shift = penultimate_normalisation()
    penultimate = np.stack([(one * scale + shift).mean(axis=0) for one in hidden])
    assert cosine(penultimate, expected["penultimate"]).min() >= 0.999


def constants(root: Path, fingerprint: str) -> dict[str, NDArray[np.float32]]:
    with np.load(root / "encoders" / fingerprint / "constants.npz") as stored:
        return {name: stored[name] for name in stored.files}


def penultimate_normalisation() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    code = (
        "import json, sys; from embed.networks import musicnn\n"
        "from tensorflow.python.training import py_checkpoint_reader\n"
        "reader = py_checkpoint_reader.NewCheckpointReader(f'{musicnn.MSD.locate().path}/')\n"
        "names = ['gamma', 'beta', 'moving_mean', 'moving_variance']\n"
        "print(json.dumps("
        "[reader.get_tensor('batch_normalization_10/' + n).tolist() for n in names]))\n"
    )
    gamma, beta, mean, variance = (np.array(one) for one in run_tensorflow(code))
    scale = gamma / np.sqrt(variance + 0.001)
    return scale, beta - mean * scale


def test_musicnn_on_the_very_same_waveform(shared: Path, tracks: list[str], compiled: Path) -> None:
    # librosa's own spectrogram of the whole waveform, as the golden numbers were made.
    import librosa
    import soxr

    expected = golden(shared, "musicnn_msd.npz", tracks)
    encoder = as_published(embed.load_encoder("musicnn", root=compiled))
    for k in (0, 2):
        info = embed.probe(tracks[k])
        (samples,) = embed.read_spans(info, [embed.Span(start=0, stop=info.n_samples)])
        waveform = soxr.resample(samples, info.rate_hz, 16000, quality="HQ")
        spectrogram = librosa.feature.melspectrogram(
            y=waveform, sr=16000, hop_length=256, n_fft=512, n_mels=96
        )
        n_patches = int(expected["n_patches"][k])
        patches = np.log10(10000 * spectrogram.T[: n_patches * 187] + 1).reshape(n_patches, 187, 96)
        windows = encoder.spec.grid.cut(waveform)
        assert encoder.spec.front_end is not None
        ours = encoder.spec.front_end(windows, constants(compiled, encoder.fingerprint))
        np.testing.assert_allclose(ours, patches, atol=1e-4)
        tags = encoder.tag_scores(encoder.embed(waveform)).mean(axis=0)
        np.testing.assert_allclose(tags, expected["tags"][k], atol=1e-4)


@pytest.mark.long
@pytest.mark.slow
def test_yamnet_is_the_published_model(
    shared: Path,
    tracks: list[str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEVENSONGS_MODELS", str(shared / "models"))
    expected = golden(shared, "yamnet.npz", tracks)
    root = yamnet_root(shared / "models", tmp_path_factory)
    encoder = as_published(embed.load_encoder("yamnet", root=root))
    patches = [heard_parts(encoder, *full_windows(one, encoder.spec.grid)) for one in tracks]
    means = np.stack([one.mean(axis=0) for one in patches])
    assert cosine(means, expected["embedding"]).min() >= 0.999

    assert len(encoder.tags) == 521
    chosen = range(0, N_TRACKS, 3)
    scores = [encoder.tag_scores(patches[k]).mean(axis=0) for k in chosen]
    np.testing.assert_allclose(scores, expected["scores"][chosen], atol=0.02)
    np.testing.assert_array_equal(top(np.stack(scores), 1), top(expected["scores"][chosen], 1))


@pytest.mark.long
def test_yamnet_on_the_very_same_waveform(
    shared: Path,
    tracks: list[str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEVENSONGS_MODELS", str(shared / "models"))
    root = yamnet_root(shared / "models", tmp_path_factory)
    encoder = as_published(embed.load_encoder("yamnet", root=root))
    info = embed.probe(tracks[3])
    (samples,) = embed.read_spans(info, [embed.Span(start=0, stop=info.n_samples)])
    waveform = samples[:160000]  # at another rate than it was recorded at; music all the same
    np.save(tmp_path / "waveform.npy", waveform)
    code = (
        "import json, sys, numpy as np, tensorflow_hub\n"
        "model = tensorflow_hub.load(sys.argv[1])\n"
        "scores, embeddings, _ = model(np.load(sys.argv[2]))\n"
        "np.savez(sys.argv[3], scores=scores.numpy(), embeddings=embeddings.numpy()); "
        "print('null')\n"
    )
    original = os.fspath(shared / "models" / "yamnet")
    run_tensorflow(code, original, str(tmp_path / "waveform.npy"), str(tmp_path / "theirs.npz"))
    with np.load(tmp_path / "theirs.npz") as theirs:
        embeddings, scores = theirs["embeddings"], theirs["scores"]
    grid = encoder.spec.grid
    windows = grid.cut(waveform)
    parts = [grid.parts_heard(i, len(waveform)) for i in range(len(windows))]
    ours = heard_parts(encoder, windows, parts)
    # theirs pads the tail to a whole patch
    assert len(embeddings) - 1 <= len(ours) <= len(embeddings)
    np.testing.assert_allclose(ours, embeddings[: len(ours)], atol=1e-4 * float(embeddings.max()))
    np.testing.assert_allclose(encoder.tag_scores(ours), scores[: len(ours)], atol=1e-4)
