"""The musicnn encoder: Pons and Serra's musically motivated CNN, trained on the Million Song Dataset.

The network is written anew from the paper and the checkpoint's variables; the wheel's own code is never
imported. Source: J. Pons and X. Serra, "musicnn: pre-trained convolutional neural networks for music audio
tagging", late-breaking demo, ISMIR 2019; weights: the `musicnn` 0.1.0 wheel, checkpoint MSD_musicnn (ISC).
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.errors import EncoderUnavailable
from embed.network import Network, Weights
from embed.spectrogram import LogMelParams, log_mel, mel_filters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "FRONT_END",
    "HOW_TO_GET",
    "N_STFT_FRAMES",
    "STEP_SAMPLES",
    "TAGS",
    "WINDOW_SAMPLES",
    "build",
    "front_end",
    "locate",
    "tag_scores",
]

FRONT_END = LogMelParams(sample_rate_hz=16000, n_fft=512, hop_samples=256, n_mels=96, gain=10000.0)
N_STFT_FRAMES = 187
"""STFT frames that the network reads at once (about 3 s)."""
STEP_SAMPLES = N_STFT_FRAMES * FRONT_END.hop_samples
WINDOW_SAMPLES = (N_STFT_FRAMES - 1) * FRONT_END.hop_samples + FRONT_END.n_fft

WEIGHTS_SHA256 = "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6"
HOW_TO_GET = (
    "uv installs it with the project; with pip: pip install --no-deps musicnn==0.1.0 "
    "(--no-deps because only its data files are wanted)"
)
_REINSTALL = "Reinstall it: pip install --force-reinstall --no-deps musicnn==0.1.0"
_BATCH_NORM_EPSILON = 1e-3  # the default of the TensorFlow 1 layer it was trained with

# The Million Song Dataset's 50 most frequent Last.fm tags, in the order of the network's outputs.
# fmt: off
TAGS: tuple[str, ...] = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock",
    "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental",
    "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop",
    "sad", "House", "happy",
)
# fmt: on


def locate() -> Weights:
    """Find the checkpoint in the installed wheel, without importing its code.

    Raises
    ------
    EncoderUnavailable
        If the wheel is missing, incomplete, or its weights are not the released ones.
    """
    spec = importlib.util.find_spec("musicnn")
    if spec is None or spec.origin is None:
        raise EncoderUnavailable(f"musicnn's weights are not installed. {HOW_TO_GET}.")
    folder = Path(spec.origin).parent / "MSD_musicnn"
    data = folder / ".data-00000-of-00001"
    try:
        digest = hashlib.sha256(data.read_bytes()).hexdigest()
        (folder / ".index").stat()
    except OSError as error:
        raise EncoderUnavailable(
            f"The musicnn wheel in {folder.parent} lacks its checkpoint ({error.strerror}: "
            f"{error.filename}). {_REINSTALL}."
        ) from error
    if digest != WEIGHTS_SHA256:
        raise EncoderUnavailable(
            f"The musicnn checkpoint {data} has SHA-256 {digest[:12]}…, expected {WEIGHTS_SHA256[:12]}…: "
            f"it is damaged or another release. {_REINSTALL}."
        )
    return Weights(path=folder, sha256=digest)


def front_end(
    windows: NDArray[np.float32], constants: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Turn windows (n, 48128) into the log-mel patches (n, 187, 96) that the network reads."""
    return log_mel(windows, constants["mel_filters"], FRONT_END)


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
        In [0, 1], in the order of `TAGS`.
    """
    hidden = np.maximum(embeddings @ constants["dense1_w"] + constants["dense1_b"], 0)
    logits = hidden @ constants["dense2_w"] + constants["dense2_b"]
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def build(weights: Weights) -> Network:
    """Build the network in TensorFlow from the checkpoint's variables.

    Returns
    -------
    Network
        From a log-mel patch (1, 187, 96) to the 1506 pools of the mid-end (1, 1506): for each of the
        753 channels its maximum and its mean over time, interleaved as the network's dense layer reads them.
    """
    import tensorflow as tf
    from tensorflow.python.training import py_checkpoint_reader

    # The checkpoint's prefix is the empty file name in this folder.
    try:
        reader = py_checkpoint_reader.NewCheckpointReader(f"{weights.path}/")
        variables = {
            name: np.asarray(reader.get_tensor(name))
            for name in reader.get_variable_to_shape_map()
            if "Adam" not in name
        }
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise EncoderUnavailable(
            f"TensorFlow can't read the musicnn checkpoint in {weights.path} ({error}). {_REINSTALL}."
        ) from error
    return Network(
        function=lambda patch: _pools(patch, variables),
        input_shape=(1, N_STFT_FRAMES, FRONT_END.n_mels),
        constants={"mel_filters": mel_filters(FRONT_END), **_tag_layers(variables)},
        tags=TAGS,
    )


def _pools(patch: Any, v: Mapping[str, NDArray[np.float32]]) -> Any:
    import tensorflow as tf

    x = _batch_norm(patch[..., tf.newaxis], v, 0)  # (1, 187, 96, 1)
    padded = tf.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]])
    timbral = [_front(padded, v, i, "VALID") for i in (0, 1)]
    temporal = [_front(x, v, i, "SAME") for i in (2, 3, 4)]
    first = tf.concat(timbral + temporal, axis=2)  # (1, 187, 561)
    second = _mid(first, v, 5)  # (1, 187, 64)
    third = _mid(second, v, 6) + second
    fourth = _mid(third, v, 7) + third
    channels = tf.concat([first, second, third, fourth], axis=2)  # (1, 187, 753)
    pools = tf.stack([tf.reduce_max(channels, 1), tf.reduce_mean(channels, 1)], axis=2)
    return tf.reshape(pools, (1, -1))  # (1, 1506)


def _conv(x: Any, v: Mapping[str, NDArray[np.float32]], i: int, padding: str) -> Any:
    """Convolve, rectify and normalise: the network's one kind of layer."""
    import tensorflow as tf

    name = f"conv2d_{i}" if i else "conv2d"
    x = tf.nn.conv2d(x, v[f"{name}/kernel"], strides=1, padding=padding)
    return _batch_norm(tf.nn.relu(x + v[f"{name}/bias"]), v, i + 1)


def _front(x: Any, v: Mapping[str, NDArray[np.float32]], i: int, padding: str) -> Any:
    import tensorflow as tf

    return tf.reduce_max(_conv(x, v, i, padding), axis=2)  # over all mel bands


def _mid(x: Any, v: Mapping[str, NDArray[np.float32]], i: int) -> Any:
    import tensorflow as tf

    padded = tf.pad(x[..., tf.newaxis], [[0, 0], [3, 3], [0, 0], [0, 0]])
    return tf.squeeze(_conv(padded, v, i, "VALID"), axis=2)


def _scale_shift(
    v: Mapping[str, NDArray[np.float32]], i: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return batch normalisation `i` at inference as a scale and a shift."""
    name = f"batch_normalization_{i}" if i else "batch_normalization"
    deviation = np.sqrt(v[f"{name}/moving_variance"] + np.float32(_BATCH_NORM_EPSILON))
    scale = v[f"{name}/gamma"] / deviation
    return scale, v[f"{name}/beta"] - v[f"{name}/moving_mean"] * scale


def _batch_norm(x: Any, v: Mapping[str, NDArray[np.float32]], i: int) -> Any:
    scale, shift = _scale_shift(v, i)
    return x * scale + shift


def _tag_layers(v: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Fold the last layers' batch normalisations into their dense kernels."""
    scale, shift = _scale_shift(v, 9)
    scale2, shift2 = _scale_shift(v, 10)
    w1, w2 = v["dense/kernel"], v["dense_1/kernel"]
    return {
        "dense1_w": scale[:, np.newaxis] * w1,
        "dense1_b": shift @ w1 + v["dense/bias"],
        "dense2_w": scale2[:, np.newaxis] * w2,
        "dense2_b": shift2 @ w2 + v["dense_1/bias"],
    }
