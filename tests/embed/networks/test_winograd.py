"""Convolutions tile by tile against TensorFlow's own, and a whole network of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from embed.networks import aisfx
from tests.support.encoder_models import full_windows, run_tensorflow, tone, white_noise

COMPARE_CONVOLUTIONS = """
import json, sys
import numpy as np
import tensorflow as tf
from embed.graphs.in_numpy import in_numpy
from embed.graphs.in_tensorflow import in_tensorflow
from embed.networks.winograd import conv_3x3, interleave, pool_2x2
random = np.random.default_rng(3)
differences = []
for tile in (2, 4):
    for n, n_rows, n_columns, n_in, n_out in ((1, 8, 4, 1, 1), (3, 12, 20, 5, 7), (2, 4, 4, 16, 3)):
        x = random.normal(size=(n, n_rows, n_columns, n_in)).astype(np.float32)
        kernel = random.normal(size=(3, 3, n_in, n_out)).astype(np.float32)
        theirs = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
        def whole(x):
            return interleave(conv_3x3(x, kernel, tile=tile))
        def pooled(x):
            return interleave(pool_2x2(conv_3x3(x, kernel, tile=tile)))
        pairs = [(whole, theirs), (pooled, tf.nn.max_pool2d(theirs, 2, 2, "VALID"))]
        for network, wanted in pairs:
            ours = in_numpy(network, x)
            assert ours.shape == wanted.shape
            differences.append(float(np.abs(ours - wanted).max() / np.abs(wanted).max()))
"""
COMPARE_NETWORKS = """
from embed.networks import aisfx
weights = aisfx.locate()
network = aisfx.build(weights)
patches = aisfx.front_end(np.load(sys.argv[1]), network.constants)
x = tf.constant(patches[..., np.newaxis], tf.float64)
for i, layer in enumerate(aisfx.read_layers(weights), start=1):
    kernel, bias = (numbers.astype(np.float64) for numbers in layer)
    x = tf.nn.relu(tf.nn.conv2d(x, kernel, strides=1, padding="SAME") + bias)
    if i in (2, 4, 6):
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
theirs = tf.reduce_max(tf.reduce_mean(x, 2), 1).numpy()
run = in_tensorflow(network.function, network.input_shape)
ours = run(patches).numpy()
one_by_one = np.concatenate([run(one[np.newaxis]).numpy() for one in patches])
print(json.dumps([differences, {
    "shape": ours.shape,
    "difference": float(np.abs(ours - theirs).max() / np.abs(theirs).max()),
    "of_a_window": float((np.abs(ours - theirs).max(1) / np.abs(theirs).max(1)).max()),
    "of_a_batch": float(np.abs(ours - one_by_one).max() / np.abs(theirs).max()),
    "alive": float((np.ptp(theirs, axis=0) > 0).mean()),
}]))
"""


@pytest.fixture(scope="module")
def windows(tracks: list[str]) -> NDArray[np.float32]:
    """One window each of some music, a tone, noise and silence."""
    grid = embed.encoder_spec("aisfx").grid
    music = [full_windows(track, grid)[0][2:3] for track in tracks[::7]]
    sounds = [grid.cut(sound)[:1] for sound in (tone(440, 9), white_noise(9), 0 * white_noise(9))]
    return np.concatenate([*music, *sounds])


@pytest.fixture(scope="module")
def compared(
    windows: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[float], dict[str, Any]]:
    """How far convolutions, and a network, are from TensorFlow's, which starts once."""
    path = tmp_path_factory.mktemp("winograd") / "windows.npy"
    np.save(path, windows)
    convolutions, network = run_tensorflow(COMPARE_CONVOLUTIONS + COMPARE_NETWORKS, str(path))
    return convolutions, network


@pytest.mark.long
def test_each_tile_gives_the_convolution_and_its_maxima(
    compared: tuple[list[float], dict[str, Any]],
) -> None:
    differences, _ = compared
    assert len(differences) == 12
    assert max(differences) < 5e-6


@pytest.mark.long
def test_the_network_is_the_plain_one(
    windows: NDArray[np.float32], compared: tuple[list[float], dict[str, Any]]
) -> None:
    _, found = compared
    assert found["shape"] == [len(windows), aisfx.DIM]
    assert found["difference"] < 5e-6
    assert found["of_a_window"] < 5e-6
    assert found["of_a_batch"] < 5e-6
    assert found["alive"] > 0.99  # the sounds differ, so agreement says something
