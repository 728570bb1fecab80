"""The running of a compiled network.

It runs on LiteRT, or on TensorFlow where it would not convert or a GPU is wanted.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.encoders.manifest import CONSTANTS_FILE, MODEL_FILE, Manifest
from embed.errors import EncoderError
from embed.graphs.in_tensorflow import in_tensorflow
from embed.model_files.running import open_model
from embed.native_chatter import without_chatter
from embed.networks.network import Network, Weights
from embed.networks.tensorflow_extra import has_tensorflow, require_tensorflow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embed.encoders.registry import EncoderSpec

__all__ = [
    "RunBatch",
    "open_litert",
    "open_runtime",
    "open_tensorflow",
    "open_tensorflow_batches",
    "read_constants",
    "require_gpu",
    "sees_gpu",
]

RunBatch = Callable[["NDArray[np.float32]"], "NDArray[np.float32]"]
"""From windows or patches (n, ...) to their embeddings (n, n_parts, dim)."""


def open_runtime(
    spec: EncoderSpec, manifest: Manifest, folder: Path, runtime: str
) -> tuple[RunBatch, Mapping[str, NDArray[np.float32]]]:
    """Open a compiled encoder's network and constants.

    Raises
    ------
    EncoderError
        If the compiled files are damaged, or a network in a file can't be opened.
    """
    constants = read_constants(folder)
    if spec.model_file is not None:
        if runtime != manifest.runtime:
            raise EncoderError(f"{spec.name} runs on {manifest.runtime}, and on no other runtime.")
        run = open_model(spec.model_file.kind, folder, spec.model_file.card)
        return _one_by_one(run), constants
    if runtime == "litert":
        try:
            model = (folder / MODEL_FILE).read_bytes()
            return open_litert(model, manifest.input_shape), constants
        except (OSError, ValueError, RuntimeError) as error:
            raise _damaged(folder, error) from error
    return open_tensorflow(spec, manifest.weights), constants


def _one_by_one(run: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> RunBatch:
    """Make of what runs one window, (n_parts, dim), what runs several."""
    return lambda inputs: np.stack([run(one) for one in inputs])


def read_constants(folder: Path) -> Mapping[str, NDArray[np.float32]]:
    """Read the arrays that a compiled encoder's front end and tags need.

    Raises
    ------
    EncoderError
        If the file is damaged.
    """
    try:
        with np.load(folder / CONSTANTS_FILE, allow_pickle=False) as stored:
            return {name: np.asarray(stored[name], dtype=np.float32) for name in stored.files}
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> EncoderError:
    return EncoderError(
        f"The compiled encoder in {folder} is damaged ({error}). Remove it; it will be made anew."
    )


def open_litert(model: bytes, input_shape: tuple[int, ...]) -> RunBatch:
    """Open a LiteRT model for one thread: every worker has a core of its own.

    Parameters
    ----------
    model : bytes
        It takes an input, or several side by side on the first axis.
    input_shape : tuple of int
        That of one input.

    Raises
    ------
    ValueError
        If it is not a model.
    """
    from ai_edge_litert.interpreter import Interpreter

    with without_chatter():
        interpreter = Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
    (input_,) = interpreter.get_input_details()
    (output,) = interpreter.get_output_details()
    shape = tuple(int(n) for n in input_["shape"])
    n_at_once = shape[0] // input_shape[0]

    def run_some(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        missing = n_at_once - len(inputs)
        full = np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])
        interpreter.set_tensor(input_["index"], full.reshape(shape))
        interpreter.invoke()
        given = np.array(interpreter.get_tensor(output["index"]), dtype=np.float32)
        return given.reshape(n_at_once, -1, given.shape[-1])[: len(inputs)]

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        places = range(0, len(inputs), n_at_once)
        return np.concatenate([run_some(inputs[at : at + n_at_once]) for at in places])

    return run


def open_tensorflow(spec: EncoderSpec, weights: Weights) -> RunBatch:
    """Build the network in TensorFlow and run it there (imports TensorFlow, 6 s)."""
    tf, network = _build(spec, weights)
    function = tf.function(_in_tensorflow(spec, network), autograph=False)

    def run(window: NDArray[np.float32]) -> NDArray[np.float32]:
        tensor = tf.constant(window.reshape(network.input_shape), dtype=tf.float32)
        return np.asarray(function(tensor).numpy(), dtype=np.float32)

    return _one_by_one(run)


def open_tensorflow_batches(spec: EncoderSpec, weights: Weights) -> RunBatch:
    """Build the network in TensorFlow for many inputs at a time, on a GPU where there is one.

    A network for one window gets a batch axis in each operation from `tf.vectorized_map`. One that
    can't be had so, as may be in a model from elsewhere, runs window by window.

    Raises
    ------
    EncoderUnavailable
        If the weights have gone. What is returned raises EncoderError where TensorFlow fails.
    """
    tf, network = _build(spec, weights)
    of_inputs = _in_tensorflow(spec, network)
    tf.get_logger().setLevel("ERROR")  # it warns of each operation that it must loop over
    # On a GPU, 10 bits of mantissa would move embeddings by 1e-3; the cache's are the processor's.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    signature = tf.TensorSpec((None, *network.input_shape), tf.float32)

    def trace(map_: Callable[..., Any]) -> Any:
        over_batch = tf.function(lambda x: map_(of_inputs, x), autograph=False)
        return over_batch.get_concrete_function(signature)  # (n, ...) -> (n, n_parts, dim)

    def at_once(function: Callable[[Any], Any], x: Any) -> Any:
        return function(x[:, 0])[:, tf.newaxis]

    try:
        # A graph takes batches, and is not vectorised: TensorFlow 2.21 crashes in what it makes of
        # musicnn.
        function = trace(tf.vectorized_map if spec.needs_tensorflow else at_once)
    except Exception:  # it has no error class of its own for an operation that it can't vectorise
        function = trace(partial(tf.map_fn, fn_output_signature=tf.float32))

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        tensor = tf.constant(inputs.reshape(-1, *network.input_shape), dtype=tf.float32)
        try:
            return np.asarray(function(tensor).numpy(), dtype=np.float32)
        except tf.errors.OpError as error:
            half = len(inputs) // 2
            # 20 MB a window, for musicnn
            if isinstance(error, tf.errors.ResourceExhaustedError) and half:
                return np.concatenate([run(inputs[:half]), run(inputs[half:])])
            reason = " ".join(str(error).split())[:200]
            raise EncoderError(
                f"TensorFlow failed at {spec.name}: {reason}. Use --device cpu."
            ) from error

    return run


def _build(spec: EncoderSpec, weights: Weights) -> tuple[Any, Network]:
    """Import TensorFlow, quietly, and build a network."""
    require_tensorflow(f"To run {spec.name} in TensorFlow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # else it takes all of a GPU's memory
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with without_chatter(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorflow_hub imports pkg_resources
        import tensorflow as tf

        return tf, spec.build(weights)


def _in_tensorflow(spec: EncoderSpec, network: Network) -> Callable[[Any], Any]:
    if spec.needs_tensorflow:
        return network.function
    return in_tensorflow(network.function, network.input_shape)


def require_gpu() -> None:
    """Check in a child process that TensorFlow sees a GPU.

    Raises
    ------
    EncoderError
        If it does not.
    EncoderUnavailable
        If TensorFlow is not installed.
    """
    require_tensorflow("A GPU")
    if not _tensorflow_sees_gpu():
        raise EncoderError(
            "TensorFlow sees no GPU on this machine. Use --device cpu (or auto), or install "
            "TensorFlow with CUDA: pip install 'tensorflow[and-cuda]'."
        )


def sees_gpu() -> bool:
    """Whether TensorFlow sees a GPU; at once False where no driver of one is loaded."""
    # NVIDIA's kernel module makes /dev/nvidia0, ...; under WSL it is /dev/dxg.
    devices = [*Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("dxg")]
    return bool(devices) and has_tensorflow() and _tensorflow_sees_gpu()


@functools.cache  # a station asks before each shard
def _tensorflow_sees_gpu() -> bool:
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    child = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, env=environment, check=False
    )
    return child.stdout.split()[-1:] not in ([], [b"0"])
