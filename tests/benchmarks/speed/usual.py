"""The usual way to embed songs, file by file, as tutorials do it.

It takes Librosa, then the network in TensorFlow.

A process of its own: `python speed/usual.py ENCODER`. It loads everything, says so, and then embeds
the files of each JSON list that it reads, a line of figures for each. Loading is not counted, so
the usual way looks better than it is.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["USUAL", "serve"]

Embed = Callable[[str], NDArray[np.float32]]
_N_FRAMES = 187


def _yamnet() -> Embed:
    """Follow the TF Hub tutorial: the whole waveform at once, the mean over frames."""
    import librosa
    import tensorflow as tf

    from embed import encoder_spec

    model = tf.saved_model.load(str(encoder_spec("yamnet").locate().path))

    def embed(path: str) -> NDArray[np.float32]:
        waveform, _ = librosa.load(path, sr=16000, mono=True)
        _, embeddings, _ = model(waveform)
        return np.asarray(embeddings.numpy().mean(axis=0))

    return embed


def _musicnn() -> Embed:
    """Follow the musicnn package.

    Take Librosa's mel spectrogram, then one patch of 187 frames at a time.
    """
    import librosa
    import tensorflow as tf

    from embed import encoder_spec
    from embed.networks.musicnn_wheel import read_variables

    variables = read_variables(encoder_spec("musicnn").locate())
    signature = [tf.TensorSpec((1, _N_FRAMES, 96), tf.float32)]
    network = tf.function(lambda patch: _pools(patch, variables), input_signature=signature)

    def embed(path: str) -> NDArray[np.float32]:
        waveform, _ = librosa.load(path, sr=16000, mono=True)
        mel = librosa.feature.melspectrogram(
            y=waveform, sr=16000, n_fft=512, hop_length=256, n_mels=96
        )  # (96, n_frames)
        log_mel = np.log10(10000 * mel.T + 1).astype(np.float32)
        starts = range(0, len(log_mel) - _N_FRAMES + 1, _N_FRAMES)
        patches = [
            network(log_mel[np.newaxis, start : start + _N_FRAMES]).numpy() for start in starts
        ]
        return np.asarray(np.concatenate(patches).mean(axis=0))

    return embed


def _pools(patch: Any, v: dict[str, NDArray[np.float32]]) -> Any:
    """Compute the network's pools (1, 1506) from a patch (1, 187, 96).

    It goes layer by layer, as in the paper.
    """
    import tensorflow as tf

    x = _normalise(patch[..., tf.newaxis], v, 0)
    padded = tf.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]])
    # timbral: 7 frames by 90% and 40% of the bands
    fronts = [_layer(padded, v, i, "VALID") for i in (0, 1)]
    fronts += [_layer(x, v, i, "SAME") for i in (2, 3, 4)]  # temporal: 128, 64 and 32 frames
    first = tf.concat([tf.reduce_max(front, axis=2) for front in fronts], axis=2)  # (1, 187, 561)
    second = _middle(first, v, 5)
    third = _middle(second, v, 6) + second
    fourth = _middle(third, v, 7) + third
    channels = tf.concat([first, second, third, fourth], axis=2)  # (1, 187, 753)
    pools = tf.stack([tf.reduce_max(channels, axis=1), tf.reduce_mean(channels, axis=1)], axis=2)
    return tf.reshape(pools, (1, -1))


def _middle(x: Any, v: dict[str, NDArray[np.float32]], i: int) -> Any:
    import tensorflow as tf

    padded = tf.pad(x[..., tf.newaxis], [[0, 0], [3, 3], [0, 0], [0, 0]])
    return tf.squeeze(_layer(padded, v, i, "VALID"), axis=2)


def _layer(x: Any, v: dict[str, NDArray[np.float32]], i: int, padding: str) -> Any:
    import tensorflow as tf

    name = f"conv2d_{i}" if i else "conv2d"
    convolved = tf.nn.conv2d(x, v[f"{name}/kernel"], strides=1, padding=padding) + v[f"{name}/bias"]
    return _normalise(tf.nn.relu(convolved), v, i + 1)


def _normalise(x: Any, v: dict[str, NDArray[np.float32]], i: int) -> Any:
    import tensorflow as tf

    name = f"batch_normalization_{i}" if i else "batch_normalization"
    keys = ("moving_mean", "moving_variance", "beta", "gamma")
    return tf.nn.batch_normalization(x, *(v[f"{name}/{key}"] for key in keys), 1e-3)


USUAL: dict[str, Callable[[], Embed]] = {"musicnn": _musicnn, "yamnet": _yamnet}


def serve(encoder: str) -> None:
    """Embed the files of each line.

    Answer with seconds, processor seconds and the peak of memory.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    out = os.fdopen(os.dup(1), "w", buffering=1)  # TensorFlow may say things on stdout
    os.dup2(2, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embed = USUAL[encoder]()
        out.write("ready\n")
        for line in sys.stdin:
            wall, cpu = time.perf_counter(), time.process_time()
            vectors = [embed(path) for path in json.loads(line)]
            answer = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
            answer["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            answer["mean"] = float(np.mean(vectors))
            out.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    serve(sys.argv[1])
