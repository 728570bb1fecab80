"""The VGG encoders of the musicnn wheel.

Each has five blocks of small convolutions on the same log-mel patches.

Pons and Serra's baseline beside musicnn, after training on one of the same two data sets. Written
anew from their description (see `checkpoint`) and the checkpoints' variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.networks.log_mel import mel_filters
from embed.networks.musicnn_wheel import (
    FRONT_END,
    MSD_TAGS,
    MTT_TAGS,
    N_STFT_FRAMES,
    Checkpoint,
    batch_norm,
    read_variables,
)
from embed.networks.network import Network, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["DIM", "MSD", "MTT", "VGGCheckpoint", "build", "tag_scores"]

Size = tuple[int, int]  # (time, mel)
_LAST_POOLINGS = (((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4)))


@dataclass(frozen=True, kw_only=True)
class VGGCheckpoint(Checkpoint):
    """A VGG's checkpoint.

    Attributes
    ----------
    poolings : tuple of (size, stride)
        Of each block's maximum pooling, as in the graph beside the checkpoint (`.meta`), in which
        it was trained. The wheel's code pools otherwise for MSD_vgg, which moves its tags by up to
        0.5.
    """

    poolings: tuple[tuple[Size, Size], ...]


MSD = VGGCheckpoint(
    folder="MSD_vgg",
    sha256="9683d756b8311146534f333502ebf4a2a78a3e320c54ab0411dff6186d8375fc",
    tags=MSD_TAGS,
    poolings=(((4, 1), (4, 1)), ((1, 4), (1, 4)), *_LAST_POOLINGS),
)
"""Trained on the Million Song Dataset."""
MTT = VGGCheckpoint(
    folder="MTT_vgg",
    sha256="458f5c8bcecc086a3bba3dce83809df6da6e0a3560a59ddd84711bf3d5fd8303",
    tags=MTT_TAGS,
    poolings=(((4, 1), (2, 2)), ((2, 2), (2, 2)), *_LAST_POOLINGS),
)
"""Trained on MagnaTagATune."""
_N_LAST = 256  # outputs of the last block: 2 in time, 1 in mel, 128 channels
DIM = 2048


def build(weights: Weights, *, checkpoint: VGGCheckpoint) -> Network:
    """Build the network in TensorFlow from a checkpoint's variables.

    Returns
    -------
    Network
        From a log-mel patch (1, 187, 96) to what the last three blocks hold (1, 2048): the fifth's
        256 outputs, which the dense layer reads; the fourth's maximum and mean over time, 128
        channels in 6 bands each; the third's maximum and mean over time and bands, 128 channels
        each.

    Raises
    ------
    EncoderUnavailable
        If TensorFlow can't read the checkpoint.
    """
    variables = read_variables(weights)
    return Network(
        function=lambda patch: _embedding(_blocks(patch, variables, checkpoint.poolings)),
        input_shape=(1, N_STFT_FRAMES, FRONT_END.n_mels),
        constants={
            "mel_filters": mel_filters(FRONT_END),
            "tags_w": variables["dense/kernel"],
            "tags_b": variables["dense/bias"],
        },
        tags=checkpoint.tags,
    )


def tag_scores(
    embeddings: NDArray[np.float32], constants: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Compute the tags' probabilities from embeddings: the network's last layer.

    Parameters
    ----------
    embeddings : ndarray, shape (n_frames, 2048), float32

    Returns
    -------
    ndarray, shape (n_frames, 50), float32
        In [0, 1], in the order of the checkpoint's tags.
    """
    logits = embeddings[:, :_N_LAST] @ constants["tags_w"] + constants["tags_b"]
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def _blocks(
    patch: Any, v: Mapping[str, NDArray[np.float32]], poolings: tuple[tuple[Size, Size], ...]
) -> list[Any]:
    """Return the outputs of the five blocks, (1, time, mel, 128) each."""
    import tensorflow as tf

    x = batch_norm(patch[..., tf.newaxis], v, 0)  # (1, 187, 96, 1)
    blocks = []
    for i, (size, stride) in enumerate(poolings, start=1):
        x = tf.nn.conv2d(x, v[f"{i}CNN/kernel"], strides=1, padding="SAME")
        x = batch_norm(tf.nn.relu(x + v[f"{i}CNN/bias"]), v, i)
        x = tf.nn.max_pool2d(x, size, stride, "VALID")
        blocks.append(x)
    return blocks


def _embedding(blocks: list[Any]) -> Any:
    import tensorflow as tf

    third, fourth, fifth = blocks[2:]  # (1, 23, 12, 128), (1, 11, 6, 128), (1, 2, 1, 128)
    parts = [
        fifth,
        tf.reduce_max(fourth, 1),
        tf.reduce_mean(fourth, 1),
        tf.reduce_max(third, (1, 2)),
        tf.reduce_mean(third, (1, 2)),
    ]
    return tf.concat([tf.reshape(part, (1, -1)) for part in parts], axis=1)  # (1, 2048)
