"""SavedModels of TF Hub's audio-embedding kind: find them, name them, take their embeddings.

Such a model maps a mono 16 kHz waveform in [-1, 1] of any length to embeddings. It comes from a
folder, from the cache of tensorflow_hub, or from TF Hub itself. Only `fetch` and `build` import
TensorFlow.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import local_root
from embed.errors import EncoderError, EncoderUnavailable
from embed.networks.network import Network, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "RATE_HZ",
    "STEP_SAMPLES",
    "WINDOW_SAMPLES",
    "build",
    "fetch",
    "how_to_get",
    "last_layer",
    "locate",
    "pick_embeddings",
]

RATE_HZ = 16000
"""What TF Hub's models of this kind listen at."""
WINDOW_SAMPLES = STEP_SAMPLES = 48000
"""The length of what a model gets at a time whose own frames we don't know.

It gets 3 s, and its embeddings of them are averaged.
"""
_TIMEOUT_S = 60.0
"""How long a hub may be silent.

The environment variable SEVENSONGS_HUB_TIMEOUT_S can say otherwise.
"""


def locate(handle: str, *, name: str = "") -> Weights:
    """Find a SavedModel that is on this machine.

    Looked for, in this order: `handle` as a folder, ``$SEVENSONGS_MODELS/<name>``, the folder that
    tensorflow_hub keeps for `handle` under ``$TFHUB_CACHE_DIR``, under our cache, and under the
    system's temporary folder (tensorflow_hub's own default).

    Raises
    ------
    EncoderUnavailable
        If it is nowhere, or what is there is incomplete.
    """
    for folder in _candidates(handle, name):
        if _has_files(folder):
            return Weights(path=folder, sha256=_digest(folder))
    if "://" not in handle:
        raise EncoderUnavailable(
            f"There is no SavedModel in {handle!r}: the folder must hold saved_model.pb and "
            "variables/."
        )
    raise EncoderUnavailable(
        f"The model {handle} is not on this machine. {how_to_get(handle, name)}"
    )


def how_to_get(handle: str, name: str) -> str:
    """Say how to get a model by hand, for error messages and the list of encoders."""
    by_name = (
        f", or put it in a folder {name!r} and set SEVENSONGS_MODELS to its parent" if name else ""
    )
    return (
        f"It is fetched from {handle} at first use. Without that: unpack its SavedModel anywhere "
        f"and use --encoder hub:FOLDER{by_name}."
    )


def fetch(handle: str, *, name: str, into: Path) -> Weights:
    """Download a SavedModel through tensorflow_hub; returns at once if it is there already.

    Raises
    ------
    EncoderUnavailable
        If it can't be had: refused, unreachable, timed out, or arrived incomplete; or if an earlier
        download left half of it.
    """
    for folder in _candidates(handle, name):
        if _has_files(folder):
            _digest(folder)  # tensorflow_hub would take what is there for the model
    import socket

    import tensorflow_hub
    from tensorflow_hub import compressed_module_resolver

    os.environ.setdefault("TFHUB_CACHE_DIR", str(into))
    timeout_s = _timeout_s()
    socket.setdefaulttimeout(timeout_s)  # tensorflow_hub sets none and would wait for ever
    # The lock of a download that was killed would be waited for twice 10 minutes.
    compressed_module_resolver.LOCK_FILE_TIMEOUT_SEC = timeout_s
    try:
        folder = Path(tensorflow_hub.resolve(handle))
    # of urllib, http.client, tarfile, zlib or TensorFlow: we don't have it
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EncoderUnavailable(
            f"TF Hub did not give {handle}: {reason[:300]}. {how_to_get(handle, name)}"
        ) from error
    return Weights(path=folder, sha256=_digest(folder))


def build(
    weights: Weights, *, window_samples: int = WINDOW_SAMPLES, n_parts: int | None = None
) -> Network:
    """Wrap a SavedModel so that one window gives `n_parts` embeddings.

    Or it gives the mean of what the model gives.

    Raises
    ------
    EncoderError
        If the model does not map a waveform to embeddings.
    """
    import tensorflow as tf
    import tensorflow_hub

    try:
        model = tensorflow_hub.load(str(weights.path))
    # TensorFlow raises anything here, and all of it means a broken model
    except Exception as error:
        raise EncoderUnavailable(
            f"TensorFlow can't load the SavedModel in {weights.path}: {error}. "
            "Remove that folder and get the model again."
        ) from error
    call = model if callable(model) else model.signatures.get("serving_default")
    if call is None:
        raise EncoderError(
            f"The SavedModel in {weights.path} can't be called and has no signature."
        )

    def embed(window: Any) -> Any:
        output = pick_embeddings(call(window))
        frames = tf.reshape(output, (-1, output.shape[-1]))  # (n, dim)
        if n_parts is None:
            return tf.reduce_mean(frames, axis=0, keepdims=True)
        return tf.ensure_shape(frames, (n_parts, output.shape[-1]))

    return Network(function=embed, input_shape=(window_samples,), keep=model)


def pick_embeddings(output: Any) -> Any:
    """Choose the embeddings among what a model returns.

    A tensor is taken as it is; of a mapping the entry whose key has "embedding" in it, or the only
    one; of a sequence the second of three (YAMNet's scores, embeddings, spectrogram), else the
    first.
    """
    if isinstance(output, Mapping):
        named = [key for key in output if "embedding" in str(key).lower()]
        if not named and len(output) != 1:
            raise EncoderError(
                f"The model returns {sorted(map(str, output))}, and none is named an embedding."
            )
        output = output[named[0] if named else next(iter(output))]
    if isinstance(output, tuple | list):
        output = output[1 if len(output) == 3 else 0]
    dtype = getattr(output, "dtype", None)
    if not getattr(dtype, "is_floating", False):
        raise EncoderError(
            f"The model returns {getattr(dtype, 'name', type(output).__name__)}, not numbers."
        )
    if output.shape.rank is None or output.shape.rank < 1 or output.shape[-1] is None:
        raise EncoderError(
            f"The model's embedding has shape {output.shape}, without a fixed width."
        )
    return output


def last_layer(weights: Weights, shape: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
    """Return the dense layer of `shape` among a SavedModel's variables, if there is just one.

    Returns
    -------
    dict
        ``tags_w`` of `shape` and ``tags_b`` of ``shape[1:]``, float32; empty where it is not to be
        told.
    """
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(weights.path / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    kernels = [k for k, s in shapes.items() if tuple(s) == shape and "OPTIMIZER" not in k]
    biases = [k for k, s in shapes.items() if tuple(s) == shape[1:] and "OPTIMIZER" not in k]
    if len(kernels) != 1 or len(biases) != 1:
        return {}
    return {
        "tags_w": np.asarray(reader.get_tensor(kernels[0]), dtype=np.float32),
        "tags_b": np.asarray(reader.get_tensor(biases[0]), dtype=np.float32),
    }


def _timeout_s() -> float:
    said = os.environ.get("SEVENSONGS_HUB_TIMEOUT_S") or str(_TIMEOUT_S)
    try:
        timeout_s = float(said)
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s < float("inf"):
        raise EncoderError(
            f"SEVENSONGS_HUB_TIMEOUT_S is {said!r}; it must be a number of seconds above 0"
        )
    return timeout_s


def _candidates(handle: str, name: str) -> list[Path]:
    if "://" not in handle:
        return [Path(handle)]
    # tensorflow_hub's naming
    key = hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()
    roots = [os.environ.get("TFHUB_CACHE_DIR"), str(local_root() / "hub")]
    found = [Path(root) / key for root in roots if root]
    found.append(Path(tempfile.gettempdir()) / "tfhub_modules" / key)
    models = os.environ.get("SEVENSONGS_MODELS")
    return [Path(models) / name, *found] if models and name else found


def _has_files(folder: Path) -> bool:
    try:
        return folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise EncoderUnavailable(
            f"The folder {folder} can't be read ({error.strerror})."
        ) from error


def _digest(folder: Path) -> str:
    """Digest a SavedModel's files, names and contents."""
    graph = folder / "saved_model.pb"
    index = folder / "variables" / "variables.index"
    for needed in (graph, index):
        if not needed.is_file():
            raise EncoderUnavailable(
                f"The SavedModel in {folder} is incomplete: {needed.relative_to(folder)} is "
                "missing, as after a download that broke off. Remove that folder and try again."
            )
    files = [
        graph,
        *sorted((folder / "variables").rglob("*")),
        *sorted((folder / "assets").rglob("*")),
    ]
    digest = hashlib.sha256()
    for file in filter(Path.is_file, files):
        try:
            with file.open("rb") as stream:
                one = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise EncoderUnavailable(
                f"The file {file} can't be read ({error.strerror})."
            ) from error
        digest.update(f"{file.relative_to(folder).as_posix()} {one}\n".encode())
    return digest.hexdigest()
