"""The musicnn encoders: Pons and Serra's musically motivated CNN.

Each is the network after training on one of two data sets.

The network is written anew from the paper (see `checkpoint`) and the checkpoints' variables.

Training has shrunk the weights of most filters to nothing: in MSD_musicnn's front end those of 497
of 561, mostly to 1e-28. Whatever they hear, such a channel says what its bias says. So the network
is computed without them, and an embedding leaves their pools out: they tell nothing of a song, and
would be two thirds of the numbers in the cache. What the later layers make of them is a constant,
which is added there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from embed.graphs.graph import GraphTensor, relu
from embed.graphs.operations import (
    concatenate,
    conv_2d,
    reduce_max,
    reduce_mean,
    reshape,
    stack,
    take,
)
from embed.networks.log_mel import mel_filters
from embed.networks.musicnn_peaks import mel_spectrum, temporal_peaks, timbral_peaks
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["MSD", "MTT", "MusicnnCheckpoint", "build", "tag_scores"]

_LOUDEST = 40.0
"""More than any number in a patch, where samples of 1 make 3 and samples of 1e38 make 36."""
# of a channel's numbers, which are about 1: less than float32's own rounding in the sums
_NEGLIGIBLE = 1e-6


@dataclass(frozen=True, kw_only=True)
class MusicnnCheckpoint(Checkpoint):
    """A checkpoint of this network.

    Attributes
    ----------
    dim : int
        Of its embeddings: the maximum and the mean over time of each channel that hears something.
    """

    dim: int


MSD = MusicnnCheckpoint(
    folder="MSD_musicnn",
    sha256="8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    tags=MSD_TAGS,
    dim=424,
)
"""Trained on the Million Song Dataset; 212 of the 753 channels hear."""
MTT = MusicnnCheckpoint(
    folder="MTT_musicnn",
    sha256="041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
    tags=MTT_TAGS,
    dim=978,
)
"""Trained on MagnaTagATune; 489 of the 753 channels hear."""


def build(weights: Weights, *, checkpoint: Checkpoint) -> Network:
    """Build the network from a checkpoint's variables.

    Returns
    -------
    Network
        From log-mel patches (n, 187, 96) to pools (n, dim): for each of the mid-end's channels that
        hears something its maximum and its mean over time, interleaved as the network's dense layer
        reads them.

    Raises
    ------
    EncoderUnavailable
        If the checkpoint can't be read.
    """
    variables = read_variables(weights)
    layers = [_layer(variables, i) for i in range(8)]
    return Network(
        function=lambda patch: _pools(batch_norm(patch, variables, 0), layers),
        input_shape=(1, N_STFT_FRAMES, FRONT_END.n_mels),
        constants={"mel_filters": mel_filters(FRONT_END), **_tag_layers(variables, layers)},
        tags=checkpoint.tags,
    )


def tag_scores(
    embeddings: NDArray[np.float32], constants: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Compute the tags' probabilities from embeddings: the network's last two layers.

    Parameters
    ----------
    embeddings : ndarray, shape (n_frames, dim), float32

    Returns
    -------
    ndarray, shape (n_frames, 50), float32
        In [0, 1], in the order of the checkpoint's tags.
    """
    hidden = np.maximum(embeddings @ constants["dense1_w"] + constants["dense1_b"], 0)
    logits = hidden @ constants["dense2_w"] + constants["dense2_b"]
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """A convolution, a rectifier, and a normalisation.

    Attributes
    ----------
    kernel : ndarray, shape (n_taps, n_bands, 1, n_filters)
    bias, scale, shift : ndarray, shape (n_filters,)
    hears : ndarray, shape (n_filters,), bool
        Whether a filter's output depends on its input.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]
    hears: NDArray[np.bool_]

    @property
    def silence(self) -> NDArray[np.float32]:
        """What a filter that hears nothing says, shape (n_filters,)."""
        return np.maximum(self.bias, 0) * self.scale + self.shift


def _layer(v: Mapping[str, NDArray[np.float32]], i: int) -> _Layer:
    name = f"conv2d_{i}" if i else "conv2d"
    kernel, bias = v[f"{name}/kernel"], v[f"{name}/bias"]
    scale, shift = scale_shift(v, i + 1)
    most = np.abs(kernel).sum(axis=(0, 1, 2)) * np.abs(scale) * _LOUDEST
    return _Layer(kernel=kernel, bias=bias, scale=scale, shift=shift, hears=most > _NEGLIGIBLE)


def _live(layers: Sequence[_Layer]) -> list[NDArray[np.bool_]]:
    """Tell which channels hear something: of the front end, and of the mid-end's three layers."""
    second = layers[5].hears
    third = layers[6].hears | second  # to a layer's output the former's is added
    fourth = layers[7].hears | third
    return [np.concatenate([layer.hears for layer in layers[:5]]), second, third, fourth]


def _silence(layers: Sequence[_Layer]) -> list[NDArray[np.float32]]:
    """Return what the channels of `_live` say that hear nothing.

    The numbers of the other channels mean nothing.
    """
    second, third, fourth = (layer.silence for layer in layers[5:])
    front = np.concatenate([layer.silence for layer in layers[:5]])
    return [front, second, third + second, fourth + third + second]


def _pools(x: GraphTensor, layers: Sequence[_Layer]) -> GraphTensor:
    live = _live(layers)
    # 7 STFT frames by 38, 67 bands
    spectrum = mel_spectrum(x, len(layers[0].kernel))
    peaks = partial(timbral_peaks, spectrum=spectrum)
    timbral = [_front(peaks, x, layer, 2) for layer in layers[:2]]
    # 128, 64, 32 by one band
    temporal = [_front(temporal_peaks, x, layer, (1, 2)) for layer in layers[2:5]]
    # (n, 1, n_stft_frames, n_channels): an image of one row, as what convolves over time reads it
    first = concatenate(timbral + temporal, axis=2)
    first = reshape(first, (-1, 1, *first.shape[1:]))
    kernel = layers[5].kernel[:, :, 0]  # (7, 561, 64)
    unheard = _of_constants(kernel[:, ~live[0]], _silence(layers)[0][~live[0]])
    second = _mid(first, layers[5], kernel[:, live[0]], unheard)
    third = _mid(second, layers[6], layers[6].kernel[:, :, 0]) + second
    fourth = _mid(third, layers[7], layers[7].kernel[:, :, 0]) + third
    later = zip((second, third, fourth), live[1:], strict=True)
    heard = [take(channels, np.flatnonzero(hears), axis=3) for channels, hears in later]
    channels = concatenate([first, *heard], axis=3)
    channels = reshape(channels, (-1, *channels.shape[2:]))
    pools = stack([reduce_max(channels, [1]), reduce_mean(channels, [1])], axis=2)
    return reshape(pools, (-1, 2 * channels.shape[2]))


def _front(
    peaks: Callable[[GraphTensor, NDArray[np.float32]], GraphTensor],
    x: GraphTensor,
    layer: _Layer,
    flat: int | tuple[int, int],
) -> GraphTensor:
    """Convolve, rectify, normalise, and take the maximum over mel, in another order.

    What comes after the convolution rises or falls with it, channel by channel: the maximum over
    mel may come first, and all else has less to do. Where the normalisation's scale is negative the
    minimum is wanted; that is the negated maximum of the negated convolution.
    """
    bias, scale, shift = (
        numbers[layer.hears] for numbers in (layer.bias, layer.scale, layer.shift)
    )
    sign = np.where(scale < 0, np.float32(-1), np.float32(1))
    filters = np.squeeze(layer.kernel[..., layer.hears] * sign, axis=flat)
    return relu(peaks(x, filters) * sign + bias) * scale + shift


def _mid(
    x: GraphTensor,
    layer: _Layer,
    kernel: NDArray[np.float32],
    unheard: NDArray[np.float32] | None = None,
) -> GraphTensor:
    """Convolve over time, rectify and normalise; all channels of `x` are seen at once."""
    kernel = kernel[np.newaxis]
    # As input channels, not as the width of an image of one channel, they make one matrix product.
    if unheard is None:
        heard = conv_2d(x, kernel, layer.bias)
    else:
        heard = conv_2d(x, kernel) + (unheard + layer.bias)
    return relu(heard) * layer.scale + layer.shift


def _of_constants(
    kernel: NDArray[np.float32], constants: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Convolve channels that never change, which end with the patch as all do.

    The result has shape (187, n_filters).
    """
    n_taps = len(kernel)
    each = constants.astype(np.float64) @ kernel  # (n_taps, n_filters)
    at = np.arange(N_STFT_FRAMES)[:, np.newaxis] + np.arange(n_taps) - n_taps // 2
    inside = (at >= 0) & (at < N_STFT_FRAMES)
    return (inside @ each).astype(np.float32)


def _tag_layers(
    v: Mapping[str, NDArray[np.float32]], layers: Sequence[_Layer]
) -> dict[str, NDArray[np.float32]]:
    """Fold what never changes into the dense kernels.

    That is the last layers' batch normalisations, and the pools that never change.
    """
    scale, shift = scale_shift(v, 9)
    scale2, shift2 = scale_shift(v, 10)
    w1, w2 = v["dense/kernel"], v["dense_1/kernel"]
    # a maximum and a mean each, of a constant the same
    live = np.repeat(np.concatenate(_live(layers)), 2)
    unheard = np.repeat(np.concatenate(_silence(layers)), 2)[~live] * scale[~live]
    return {
        "dense1_w": scale[live, np.newaxis] * w1[live],
        "dense1_b": shift @ w1 + unheard @ w1[~live] + v["dense/bias"],
        "dense2_w": scale2[:, np.newaxis] * w2,
        "dense2_b": shift2 @ w2 + v["dense_1/bias"],
    }
