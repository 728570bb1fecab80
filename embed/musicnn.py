"""The musicnn encoders: Pons and Serra's musically motivated CNN, after training on one of two data sets.

The network is written anew from the paper (see `checkpoint`) and the checkpoints' variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embed.checkpoint import (
    FRONT_END,
    MSD_TAGS,
    MTT_TAGS,
    N_STFT_FRAMES,
    Checkpoint,
    batch_norm,
    read_variables,
    scale_shift,
)
from embed.network import Network, Weights
from embed.peaks import temporal_peaks, timbral_peaks
from embed.spectrogram import mel_filters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

__all__ = ["DIM", "MSD", "MTT", "build", "tag_scores"]

MSD = Checkpoint(
    folder="MSD_musicnn",
    sha256="8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    tags=MSD_TAGS,
)
"""Trained on the Million Song Dataset."""
MTT = Checkpoint(
    folder="MTT_musicnn",
    sha256="041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
    tags=MTT_TAGS,
)
"""Trained on MagnaTagATune."""
DIM = 1506  # two pools of the mid-end's 753 channels


def build(weights: Weights, *, checkpoint: Checkpoint) -> Network:
    """Build the network in TensorFlow from a checkpoint's variables.

    Returns
    -------
    Network
        From log-mel patches (n, 187, 96) to the 1506 pools of the mid-end (n, 1506): for each of the
        753 channels its maximum and its mean over time, interleaved as the network's dense layer reads them.

    Raises
    ------
    EncoderUnavailable
        If TensorFlow can't read the checkpoint.
    """
    variables = read_variables(weights)
    return Network(
        function=lambda patch: _pools(patch, variables),
        input_shape=(1, N_STFT_FRAMES, FRONT_END.n_mels),
        constants={"mel_filters": mel_filters(FRONT_END), **_tag_layers(variables)},
        tags=checkpoint.tags,
        takes_batches=True,
    )


def tag_scores(
    embeddings: NDArray[np.float32], constants: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Compute the tags' probabilities from embeddings: the network's last two layers.

    Parameters
    ----------
    embeddings : ndarray, shape (n_frames, 1506), float32

    Returns
    -------
    ndarray, shape (n_frames, 50), float32
        In [0, 1], in the order of the checkpoint's tags.
    """
    hidden = np.maximum(embeddings @ constants["dense1_w"] + constants["dense1_b"], 0)
    logits = hidden @ constants["dense2_w"] + constants["dense2_b"]
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def _pools(patch: Any, v: Mapping[str, NDArray[np.float32]]) -> Any:
    import tensorflow as tf

    x = batch_norm(patch, v, 0)  # (n, 187, 96)
    timbral = [_front(timbral_peaks, x, v, i) for i in (0, 1)]  # 7 STFT frames by 38 and by 67 mel bands
    temporal = [_front(temporal_peaks, x, v, i) for i in (2, 3, 4)]  # 128, 64 and 32 STFT frames by one band
    first = tf.concat(timbral + temporal, axis=2)  # (n, 187, 561)
    second = _mid(first, v, 5)  # (n, 187, 64)
    third = _mid(second, v, 6) + second
    fourth = _mid(third, v, 7) + third
    channels = tf.concat([first, second, third, fourth], axis=2)  # (n, 187, 753)
    pools = tf.stack([tf.reduce_max(channels, 1), tf.reduce_mean(channels, 1)], axis=2)
    return tf.reshape(pools, (-1, DIM))


def _front(peaks: Callable[..., Any], x: Any, v: Mapping[str, NDArray[np.float32]], i: int) -> Any:
    """Convolve, rectify, normalise, and take the maximum over mel, in another order.

    What comes after the convolution rises or falls with it, channel by channel: the maximum over mel may come
    first, and all else has 59 times less to do. Where the normalisation's scale is negative the minimum is
    wanted; that is the negated maximum of the negated convolution.
    """
    import tensorflow as tf

    kernel, bias = _layer(v, i)
    scale, shift = scale_shift(v, i + 1)
    sign = np.where(scale < 0, np.float32(-1), np.float32(1))
    filters = np.squeeze(kernel * sign, axis=(1, 2) if peaks is temporal_peaks else 2)
    return tf.nn.relu(peaks(x, filters) * sign + bias) * scale + shift


def _mid(x: Any, v: Mapping[str, NDArray[np.float32]], i: int) -> Any:
    """Convolve over time, rectify and normalise; all channels of `x` are seen at once."""
    import tensorflow as tf

    kernel, bias = _layer(v, i)  # (7, n_channels, 1, 64)
    # As input channels, not as the width of an image of one channel, they make one matrix product.
    x = tf.nn.conv1d(x, kernel[:, :, 0], stride=1, padding="SAME")
    return batch_norm(tf.nn.relu(x + bias), v, i + 1)


def _layer(v: Mapping[str, NDArray[np.float32]], i: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    name = f"conv2d_{i}" if i else "conv2d"
    return v[f"{name}/kernel"], v[f"{name}/bias"]


def _tag_layers(v: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Fold the last layers' batch normalisations into their dense kernels."""
    scale, shift = scale_shift(v, 9)
    scale2, shift2 = scale_shift(v, 10)
    w1, w2 = v["dense/kernel"], v["dense_1/kernel"]
    return {
        "dense1_w": scale[:, np.newaxis] * w1,
        "dense1_b": shift @ w1 + v["dense/bias"],
        "dense2_w": scale2[:, np.newaxis] * w2,
        "dense2_b": shift2 @ w2 + v["dense_1/bias"],
    }
