"""musicnn's fast formulation (`musicnn_peaks`) against the network written down plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embed
from embed.networks.log_mel import mel_filters
from embed.networks.musicnn_wheel import FRONT_END, front_end
from tests.support.encoder_models import full_windows, run_tensorflow, tone, white_noise

# Every layer as the paper has it: convolve, rectify, normalise, and only then the maximum over mel.
PLAIN = """
import sys
import numpy as np
import tensorflow as tf
from embed.networks import musicnn
from embed.graphs.in_tensorflow import in_tensorflow
from embed.networks.musicnn_wheel import read_variables, scale_shift

def batch_norm(x, v, i):
    scale, shift = scale_shift(v, i)
    return x * scale + shift

def layer(x, v, i, padding):
    name = f"conv2d_{i}" if i else "conv2d"
    x = tf.nn.conv2d(x, v[f"{name}/kernel"], strides=1, padding=padding)
    return batch_norm(tf.nn.relu(x + v[f"{name}/bias"]), v, i + 1)

def in_time(x):
    return tf.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]])

def middle(x, v, i):
    return layer(in_time(x[..., tf.newaxis]), v, i, "VALID")[:, :, 0]

def plain(patches, v):
    x = batch_norm(patches[..., tf.newaxis], v, 0)
    timbral = [tf.reduce_max(layer(in_time(x), v, i, "VALID"), 2) for i in (0, 1)]
    temporal = [tf.reduce_max(layer(x, v, i, "SAME"), 2) for i in (2, 3, 4)]
    first = tf.concat(timbral + temporal, 2)
    second = middle(first, v, 5)
    third = middle(second, v, 6) + second
    fourth = middle(third, v, 7) + third
    channels = tf.concat([first, second, third, fourth], 2)
    pools = tf.stack([tf.reduce_max(channels, 1), tf.reduce_mean(channels, 1)], 2)
    return tf.reshape(pools, (len(patches), -1)).numpy()

patches = np.load(sys.argv[1])
"""
COMPARE_NETWORKS = """
answers = {}
for checkpoint in (musicnn.MSD, musicnn.MTT):
    weights = checkpoint.locate()
    v = read_variables(weights)
    layers = [musicnn._layer(v, i) for i in range(8)]
    hears = np.repeat(np.concatenate(musicnn._live(layers)), 2)
    silence = np.repeat(np.concatenate(musicnn._silence(layers)), 2)[~hears]
    scales = [v[f"batch_normalization_{i}/gamma"] for i in range(1, 6)]
    whole = plain(patches, v)
    theirs = whole[:, hears]
    network = musicnn.build(weights, checkpoint=checkpoint)
    ours = in_tensorflow(network.function, network.input_shape)(patches).numpy()
    answers[checkpoint.folder] = {
        "shape": ours.shape,
        "dim": checkpoint.dim,
        "left_out": float(np.abs(whole[:, ~hears] - silence).max()),
        "n_left_out": len(silence),
        "difference": float(np.abs(ours - theirs).max() / np.abs(theirs).max()),
        "of_a_channel": float((np.abs(ours - theirs).max(0) / np.abs(theirs).max(0)).max()),
        "alive": float((np.ptp(theirs, axis=0) > 0).mean()),
        "negative_scales": int(sum((scale < 0).sum() for scale in scales)),
    }
"""
COMPARE_CONVOLUTIONS = """
from embed.graphs.in_numpy import in_numpy
from embed.networks.musicnn_peaks import temporal_peaks, timbral_peaks
random = np.random.default_rng(3)
differences = []
shapes = ((96, 7, 38), (96, 7, 67), (95, 3, 20), (40, 1, 40), (41, 5, 1), (8, 9, 7))
def differ(ours, theirs):
    differences.append(float(np.abs(ours - theirs).max() / theirs.max()))
for n_mels, n_taps, n_bands in shapes:
    x = random.normal(size=(2, 30, n_mels)).astype(np.float32)
    filters = random.normal(size=(n_taps, n_bands, 37)).astype(np.float32)
    padded = tf.pad(x, [[0, 0], [n_taps // 2, n_taps // 2], [0, 0]])[..., tf.newaxis]
    theirs = tf.reduce_max(tf.nn.conv2d(padded, filters[:, :, np.newaxis], 1, "VALID"), 2).numpy()
    differ(in_numpy(lambda x: timbral_peaks(x, filters), x), theirs)
for n_frames, n_taps in ((187, 128), (187, 32), (16, 7), (5, 64), (1, 1), (9, 2)):
    x = random.normal(size=(2, n_frames, 10)).astype(np.float32)
    filters = random.normal(size=(n_taps, 3)).astype(np.float32)
    kernel = filters[:, np.newaxis, np.newaxis]
    theirs = tf.reduce_max(tf.nn.conv2d(x[..., tf.newaxis], kernel, 1, "SAME"), 2).numpy()
    differ(in_numpy(lambda x: temporal_peaks(x, filters), x), theirs)
import json
print(json.dumps([answers, differences]))
"""


@pytest.fixture(scope="module")
def compared(patches: str) -> tuple[dict[str, dict[str, Any]], list[float]]:
    """How far networks, and convolutions, are from the plain ones; TensorFlow starts once."""
    networks, convolutions = run_tensorflow(
        PLAIN + COMPARE_NETWORKS + COMPARE_CONVOLUTIONS, patches
    )
    return networks, convolutions


@pytest.fixture(scope="module")
def patches(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of log-mel patches: music, test sounds, and numbers that no sound gives."""
    grid = embed.encoder_spec("musicnn").grid
    music = [full_windows(track, grid)[0][2:4] for track in tracks[::7]]
    sounds = [grid.cut(sound)[:1] for sound in (tone(0, 3), tone(440, 3), white_noise(3))]
    heard = front_end(np.concatenate([*music, *sounds]), {"mel_filters": mel_filters(FRONT_END)})
    random = np.random.default_rng(5).uniform(0, 6, (4, *heard.shape[1:])).astype(np.float32)
    path: Path = tmp_path_factory.mktemp("patches") / "patches.npy"
    np.save(path, np.concatenate([heard, random]))
    return str(path)


@pytest.mark.long
def test_the_fast_network_is_the_plain_one(
    compared: tuple[dict[str, dict[str, Any]], list[float]],
) -> None:
    answers, _ = compared
    assert set(answers) == {"MSD_musicnn", "MTT_musicnn"}
    for answer in answers.values():
        assert answer["shape"][1] == answer["dim"] == 1506 - answer["n_left_out"]
        # what never speaks says always the same, in the plain network too
        assert answer["left_out"] < 1e-6
        assert answer["alive"] > 0.8  # so agreement says something
        assert answer["negative_scales"] > 0  # where the maximum must be a minimum
        assert answer["difference"] < 1e-5  # of the largest value
        assert answer["of_a_channel"] < 1e-4  # of each channel's own largest, which may be small


@pytest.mark.long
def test_peaks_are_those_of_plain_convolutions(
    compared: tuple[dict[str, dict[str, Any]], list[float]],
) -> None:
    _, differences = compared
    assert len(differences) == 12
    assert max(differences) < 1e-5
