"""The aisfx encoder: Ma and Lerch's network for sound effects, which hears 44.1 kHz whole.

Source: A. B. Ma and A. Lerch, "Representation Learning for the Automatic Indexing of Sound Effects
Libraries", ISMIR 2022, pages 866-875 (paper and weights CC BY 4.0); weights: the `aisfx` 0.1.2
wheel (its code, MIT, is never imported). The network is written anew from the paper's description
of it, "CNN-9 with maximum pooling", and the checkpoint's variables.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embed.errors import EncoderUnavailable
from embed.graphs.graph import GraphTensor, relu
from embed.graphs.operations import concatenate, conv_2d, cut, reduce_max, reduce_mean, reshape
from embed.networks.log_mel import LogMelParams, log_mel
from embed.networks.network import Network, Weights
from embed.networks.torch_zip import read_torch_zip
from embed.networks.winograd import Phases, conv_3x3, interleave, pool_2x2

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CREDIT",
    "DIM",
    "FRONT_END",
    "FRONT_END_PARAMS",
    "HOW_TO_GET",
    "N_STFT_FRAMES",
    "STEP_SAMPLES",
    "WINDOW_SAMPLES",
    "build",
    "front_end",
    "locate",
    "read_layers",
]

FRONT_END = LogMelParams(
    sample_rate_hz=44100, n_fft=2048, hop_samples=1024, n_mels=96, gain=10000.0
)
N_STFT_FRAMES = 128
WINDOW_SAMPLES = (N_STFT_FRAMES - 1) * FRONT_END.hop_samples + FRONT_END.n_fft // 2
"""What the 128 STFT frames read; 2.97 s. The authors' 3 s have 1,228 samples more, never read."""
STEP_SAMPLES = 131_947
"""musicnn's 2.992 s: their windows of a song lie side by side, and are decoded once."""
DIM = 512
_LOG_SCALE = 9.457798957824707
"""What the authors divide the logarithm by."""
FRONT_END_PARAMS = {**asdict(FRONT_END), "log_scale": _LOG_SCALE}
_SHA256 = "499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5"
_BATCH_NORM_EPSILON = 1e-5  # torch's default, with which it was trained
_N_BLOCKS = 4
_FIRST_OF_LAST_BLOCK = 6
_N_AT_ONCE = 2
_LAST_TILE = 2
"""For 4, the last block's filters would be 57 MB, not 25."""
Layer = tuple["NDArray[np.float32]", "NDArray[np.float32]"]
"""A convolution's kernel (3, 3, n_in, n_out), and bias (n_out,)."""

HOW_TO_GET = (
    "uv installs it with the project; with pip: pip install --no-deps aisfx==0.1.2 "
    "(--no-deps because only its data file is wanted)"
)
_REINSTALL = "Reinstall it: pip install --force-reinstall --no-deps aisfx==0.1.2"
CREDIT = (
    'A. B. Ma and A. Lerch, "Representation Learning for the Automatic Indexing of Sound Effects '
    'Libraries", ISMIR 2022; weights CC BY 4.0, compiled here for LiteRT'
)


def locate() -> Weights:
    """Find the checkpoint in the installed wheel, without importing its code.

    Raises
    ------
    EncoderUnavailable
        If the wheel is missing, incomplete, or its weights are not the released ones.
    """
    spec = importlib.util.find_spec("aisfx")
    if spec is None or spec.origin is None:
        raise EncoderUnavailable(f"aisfx's weights are not installed. {HOW_TO_GET}.")
    path = Path(spec.origin).parent / "models" / "checkpoint.pth"
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EncoderUnavailable(
            f"The aisfx wheel in {path.parents[1]} lacks its checkpoint ({error.strerror}: "
            f"{path}). {_REINSTALL}."
        ) from error
    if digest != _SHA256:
        raise EncoderUnavailable(
            f"The aisfx checkpoint {path} has SHA-256 {digest[:12]}…, expected {_SHA256[:12]}…: "
            f"it is damaged or another release. {_REINSTALL}."
        )
    return Weights(path=path, sha256=digest)


def build(weights: Weights) -> Network:
    """Build the network from the checkpoint's variables.

    Returns
    -------
    Network
        From log-mel patches (n, 128, 96) to embeddings (n, 512): of each channel the maximum over
        time of its mean over mel.

    Raises
    ------
    EncoderUnavailable
        If the checkpoint can't be read.
    """
    layers = read_layers(weights)
    return Network(
        function=lambda patch: _embedding(patch, layers),
        input_shape=(1, N_STFT_FRAMES, FRONT_END.n_mels),
        constants={"mel_filters": _mel_filters()},
        n_at_once=_N_AT_ONCE,
    )


def front_end(
    windows: NDArray[np.float32], constants: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Turn windows (n, 131072) into the log-mel patches (n, 128, 96) that the network reads.

    Each window is framed on its own: the first STFT frame is centred on its first sample, with
    zeros before it.
    """
    padded = np.pad(windows[:, :WINDOW_SAMPLES], ((0, 0), (FRONT_END.n_fft // 2, 0)))
    return log_mel(padded, constants["mel_filters"], FRONT_END) / np.float32(_LOG_SCALE)


def read_layers(weights: Weights) -> list[Layer]:
    """Read the eight convolutions, with the batch normalisation after each folded in.

    Returns
    -------
    list of (kernel, bias)
        Kernels of shape (3, 3, n_in, n_out) over (time, mel), biases of shape (n_out,).

    Raises
    ------
    EncoderUnavailable
        If the checkpoint can't be read.
    """
    try:
        state, _ = read_torch_zip(weights.path)
        return [
            _layer(state, f"embedding_net.conv_block{block}", i)
            for block in range(1, _N_BLOCKS + 1)
            for i in (1, 2)
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderUnavailable(
            f"The aisfx checkpoint {weights.path} can't be read ({error}). {_REINSTALL}."
        ) from error


def _layer(
    state: Mapping[str, NDArray[np.float32]], block: str, i: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    norm = f"{block}.bn{i}"
    deviation = np.sqrt(state[f"{norm}.running_var"].astype(np.float64) + _BATCH_NORM_EPSILON)
    scale = state[f"{norm}.weight"] / deviation
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    # torch's (n_out, n_in, time, mel)
    kernel = state[f"{block}.conv{i}.weight"].transpose(2, 3, 1, 0) * scale
    return kernel.astype(np.float32), bias.astype(np.float32)


def _embedding(patches: GraphTensor, layers: Sequence[Layer]) -> GraphTensor:
    # What the first blocks hold of one window fits the processor's cache. The last block has many
    # filters and little to apply them to: those of several windows are read once.
    first, last = layers[:_FIRST_OF_LAST_BLOCK], layers[_FIRST_OF_LAST_BLOCK:]
    n = patches.shape[0]
    each = [cut(patches, 0, i, i + 1) for i in range(n)] if n > 1 else [patches]
    x = concatenate([_first_blocks(one, first) for one in each], axis=0)
    for kernel, bias in last:
        phases = _rectified(conv_3x3(x, kernel, tile=_LAST_TILE), bias)
        x = interleave(phases)
    # (n, 16, 12, 512) in phases -> (n, 512)
    means = [reduce_mean(sum(row[1:], row[0]), [2]) * (1 / len(row)) for row in phases]
    return reduce_max(concatenate(means, axis=1), [1])


def _first_blocks(patch: GraphTensor, layers: Sequence[Layer]) -> GraphTensor:
    """Compute all blocks but the last: (n, 128, 96) to (n, 16, 12, 256)."""
    (kernel, bias), *others = layers
    # one channel in, 1.3% of the work: (n, 128, 96, 64)
    x = relu(conv_2d(reshape(patch, (-1, *patch.shape[1:], 1)), kernel, bias))
    for i, (kernel, bias) in enumerate(others, start=1):
        phases = conv_3x3(x, kernel, tile=4)
        if i % 2:  # at the end of a block, before the rectifier, which has less to do then
            phases = pool_2x2(phases)
        x = interleave(_rectified(phases, bias))
    return x


def _rectified(phases: Phases, bias: NDArray[np.float32]) -> Phases:
    return [[relu(part + bias) for part in row] for row in phases]


def _mel_filters() -> NDArray[np.float32]:
    """Compute the HTK mel filter bank, each filter's weights adding up to 1, with librosa.

    Returns
    -------
    ndarray, shape (1025, 96), float32
    """
    from librosa.filters import mel

    bank = mel(
        sr=FRONT_END.sample_rate_hz,
        n_fft=FRONT_END.n_fft,
        n_mels=FRONT_END.n_mels,
        fmax=FRONT_END.sample_rate_hz / 2,
        htk=True,
        norm=None,
        dtype=np.float64,
    )
    return np.ascontiguousarray((bank / bank.sum(axis=1, keepdims=True)).T, dtype=np.float32)
