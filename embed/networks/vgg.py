"""The VGG encoders of the musicnn wheel.

Each has five blocks of small convolutions on the same log-mel patches.

Pons and Serra's baseline beside musicnn, after training on one of the same two data sets. Written
anew from their description (see `checkpoint`) and the checkpoints' variables.

As in musicnn, training has shrunk many filters to nothing (of MTT_vgg 43 of the first block's 128,
44 of the second's), which say the same whatever they hear: they are not computed. The larger
convolutions go by way of `winograd`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embed.graphs.graph import GraphTensor, relu
from embed.graphs.operations import (
    append_constants,
    concatenate,
    conv_2d,
    max_pool_2d,
    pad,
    reduce_max,
    reduce_mean,
    reshape,
    take,
)
from embed.networks.log_mel import mel_filters
from embed.networks.musicnn_wheel import (
    FRONT_END,
    MSD_TAGS,
    MTT_TAGS,
    N_STFT_FRAMES,
    Checkpoint,
    batch_norm,
    read_variables,
    scale_shift,
)
from embed.networks.network import Network, Weights
from embed.networks.winograd import conv_3x3, interleave, pool_2x2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
_LOUDEST = 1000.0
"""More than any number that a block reads."""
# of a channel's numbers, which are about 1: less than float32's own rounding in the sums
_NEGLIGIBLE = 1e-6


def build(weights: Weights, *, checkpoint: VGGCheckpoint) -> Network:
    """Build the network from a checkpoint's variables.

    Returns
    -------
    Network
        From log-mel patches (n, 187, 96) to what the last three blocks hold (n, 2048): the fifth's
        256 outputs, which the dense layer reads; the fourth's maximum and mean over time, 128
        channels in 6 bands each; the third's maximum and mean over time and bands, 128 channels
        each.

    Raises
    ------
    EncoderUnavailable
        If the checkpoint can't be read.
    """
    variables = read_variables(weights)
    layers = _layers(variables)
    return Network(
        function=lambda patch: _embedding(
            _blocks(batch_norm(patch, variables, 0), layers, checkpoint.poolings)
        ),
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """What is computed of a block: a convolution, a pooling, a rectifier.

    Attributes
    ----------
    kernel : ndarray, shape (3, 3, n_in, n_heard)
        Of the filters that hear something. The last of its inputs is 1 wherever there is an input:
        the sum of all that the block before says whatever it hears. The others are what `_blocks`
        has of that block's filters, which lack the normalisation.
    sign : ndarray, shape (n_heard,)
        That of the normalisation's scale. Where it is negative, pooling takes the minimum: the
        negated maximum of the negated convolution.
    bias, scale, shift : ndarray, shape (n_heard,)
    hears : ndarray, shape (128,), bool
        Whether a filter's output depends on its input.
    silence : ndarray, shape (128,)
        What a filter says that hears nothing; of the others without meaning.
    """

    kernel: NDArray[np.float32]
    sign: NDArray[np.float32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]
    hears: NDArray[np.bool_]
    silence: NDArray[np.float32]


def _layers(v: Mapping[str, NDArray[np.float32]]) -> list[_Layer]:
    layers: list[_Layer] = []
    for i in range(1, len(MSD.poolings) + 1):
        kernel, bias = v[f"{i}CNN/kernel"].astype(np.float64), v[f"{i}CNN/bias"]
        scale, shift = scale_shift(v, i)
        most = np.abs(kernel).sum(axis=(0, 1, 2)) * np.abs(scale) * _LOUDEST
        hears = most > _NEGLIGIBLE
        sign = np.where(scale[hears] < 0, np.float32(-1), np.float32(1))
        inputs = _without_norm(kernel, layers[-1]) if layers else kernel
        layers.append(
            _Layer(
                kernel=(inputs[..., hears] * sign).astype(np.float32),
                sign=sign,
                bias=bias[hears],
                scale=scale[hears],
                shift=shift[hears],
                hears=hears,
                silence=np.maximum(bias, 0) * scale + shift,
            )
        )
    return layers


def _without_norm(kernel: NDArray[np.float64], before: _Layer) -> NDArray[np.float64]:
    """Fold the normalisation before a convolution into it, and the inputs that never change.

    Returns
    -------
    ndarray, shape (3, 3, n_heard + 1, 128)
    """
    always = before.silence.astype(np.float64)
    always[before.hears] = before.shift
    heard = kernel[:, :, before.hears] * before.scale[:, np.newaxis]
    return np.concatenate([heard, np.tensordot(kernel, always, (2, 0))[:, :, np.newaxis]], axis=2)


def _blocks(
    patch: GraphTensor, layers: Sequence[_Layer], poolings: tuple[tuple[Size, Size], ...]
) -> list[GraphTensor]:
    """Return the outputs of the last three blocks, (n, time, mel, 128) each."""
    x = reshape(patch, (-1, *patch.shape[1:], 1))  # (n, 187, 96, 1)
    blocks = []
    for layer, (size, stride) in zip(layers, poolings, strict=True):
        # What comes after the convolution rises or falls with it: pooled, there is less to do.
        pooled = _pooled(x, layer.kernel, size, stride)
        heard = relu(pooled * layer.sign + layer.bias)
        blocks.append((heard, layer))
        x = append_constants(heard, np.ones(1, dtype=np.float32))
    return [_all_channels(heard * of.scale + of.shift, of) for heard, of in blocks[2:]]


def _pooled(x: GraphTensor, kernel: NDArray[np.float32], size: Size, stride: Size) -> GraphTensor:
    """Convolve with zeros around, and take the maximum of each `size` outputs."""
    _, n_rows, n_columns, n_in = x.shape
    if size[1] == 1 and stride[1] == 2:  # every second column is left out
        x = pad(x, ((0, 0), (1, 1), (1, 0), (0, 0)))
        x = conv_2d(x, kernel, strides=(1, 2), padding="VALID")
        return max_pool_2d(x, size, (stride[0], 1))
    tiles = [tile for tile in (4, 2) if n_rows % tile == n_columns % tile == 0]
    if n_in == 1 or not tiles:
        return max_pool_2d(conv_2d(x, kernel), size, stride)
    phases = conv_3x3(x, kernel, tile=tiles[0])
    if size == stride == (2, 2):
        return interleave(pool_2x2(phases))
    return max_pool_2d(interleave(phases), size, stride)


def _all_channels(heard: GraphTensor, layer: _Layer) -> GraphTensor:
    """Put the channels that hear nothing back in their places."""
    order = np.argsort(np.concatenate([np.flatnonzero(layer.hears), np.flatnonzero(~layer.hears)]))
    silence = layer.silence[~layer.hears]
    channels = append_constants(heard, silence) if len(silence) else heard
    return take(channels, order, axis=3)


def _embedding(blocks: list[GraphTensor]) -> GraphTensor:
    third, fourth, fifth = blocks  # (n, 23, 12, 128), (n, 11, 6, 128), (n, 2, 1, 128)
    parts = [
        fifth,
        reduce_max(fourth, [1]),
        reduce_mean(fourth, [1]),
        reduce_max(third, [1, 2]),
        reduce_mean(third, [1, 2]),
    ]
    flat = [reshape(part, (-1, int(np.prod(part.shape[1:])))) for part in parts]
    return concatenate(flat, axis=1)  # (n, 2048)
