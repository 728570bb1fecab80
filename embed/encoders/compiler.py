"""Turn an encoder's network into a fixed-window LiteRT model, once.

A network of ours is a graph, which is written as such a model (`embed.graphs`). One of TensorFlow's
is converted. A network that a user brings as a file is copied and checked
(`embed.encoders.model_installing`).

TensorFlow takes 6 s to import and half a gigabyte, LiteRT 0.1 s. So the compiler runs in a child
process (``python -m embed.encoders.compiler``), and nothing else ever imports TensorFlow unless it
must compute with it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache import local_root
from embed.encoders.manifest import MODEL_FILE, Manifest, read_manifest
from embed.encoders.model_installing import install_model
from embed.encoders.registry import EncoderSpec, encoder_spec
from embed.encoders.runtime import open_litert
from embed.encoders.storing import probe_signal, store_compiled, write_constants
from embed.errors import EmbedError, EncoderError, EncoderUnavailable
from embed.graphs.in_numpy import in_numpy
from embed.graphs.litert_file import litert_file
from embed.networks.network import Network, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "compile_encoder",
    "compile_in_child",
]

_MAX_DIFFERENCE = 1e-4  # of the compiled network from the original, relative to its largest output
_CHILD_TIMEOUT_S = 900
_SIGN_EVERY_S = 10.0
_log = logging.getLogger("sevensongs")
_ERRORS = {kind.__name__: kind for kind in (EmbedError, EncoderError, EncoderUnavailable)}


def compile_in_child(name: str, folder: Path) -> str:
    """Compile an encoder in a child process; return its fingerprint.

    Raises
    ------
    EncoderError, EncoderUnavailable
        As `compile_encoder`; also if the child dies or takes too long.
    """
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    # "" is the working folder, in a script from stdin.
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    command = [
        sys.executable,
        "-P",
        "-W",
        "ignore",
        "-m",
        "embed.encoders.compiler",
        name,
        str(folder),
    ]
    code, out, errors = _ended(command, environment, name)
    lines = out.decode("utf-8", "replace").splitlines()
    try:
        answer: dict[str, str] = json.loads(lines[-1])
    except (IndexError, ValueError):
        tail = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise EncoderError(
            f"Compiling the encoder {name} ended with exit code {code}: {' '.join(tail)}"
        ) from None
    if "error" in answer:
        raise _ERRORS.get(answer["kind"], EncoderError)(answer["error"])
    return answer["fingerprint"]


def _ended(command: list[str], environment: dict[str, str], name: str) -> tuple[int, bytes, bytes]:
    """Run a child to its end, and say now and then that it is at work.

    Return its exit code and what it wrote to stdout and stderr.
    """
    started = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as child:
        try:
            while True:
                try:
                    out, errors = child.communicate(timeout=_SIGN_EVERY_S)
                    return child.returncode, out, errors
                except subprocess.TimeoutExpired:
                    passed_s = time.monotonic() - started
                    if passed_s > _CHILD_TIMEOUT_S:
                        raise
                    _log.info("Still preparing the encoder %s: %.0f s so far", name, passed_s)
        except subprocess.TimeoutExpired as error:
            child.kill()
            raise EncoderUnavailable(
                f"Compiling the encoder {name} took more than {_CHILD_TIMEOUT_S} s and was given "
                "up."
            ) from error
        except BaseException:  # such as Ctrl-C: nobody waits for it any more
            child.kill()
            raise


def compile_encoder(spec: EncoderSpec, folder: Path) -> str:
    """Compile an encoder into a subfolder of `folder`.

    Return its fingerprint, which is the subfolder's name.

    A network of TensorFlow's that does not convert, or that converts to something else, is left to
    TensorFlow: the manifest says so and carries the warning.

    Raises
    ------
    EncoderUnavailable
        If the weights can't be had.
    EncoderError
        If the network does not map a window to one embedding, or LiteRT computes it wrongly.
    """
    weights = _weights(spec)
    fingerprint = spec.fingerprint(weights)
    if read_manifest(folder / fingerprint) is not None:
        return fingerprint
    if spec.model_file is not None:
        install_model(spec, spec.model_file, weights, folder)
        return fingerprint
    network = spec.build(weights)
    probe = probe_signal(spec.grid.window_samples, spec.grid.rate_hz)
    inputs = spec.read(probe, network.constants)
    make = _convert if spec.needs_tensorflow else _write
    model, difference, dim, warning = make(spec, network, inputs)
    manifest = Manifest(
        encoder=spec.name,
        fingerprint=fingerprint,
        dim=dim,
        input_shape=network.input_shape,
        runtime="litert" if model else "tensorflow",
        tags=network.tags,
        weights_path=str(weights.path.absolute()),
        weights_sha256=weights.sha256,
        max_difference=difference,
        tensorflow=version("tensorflow") if spec.needs_tensorflow else "",
        warning=warning,
    )

    def fill(part: Path) -> Manifest:
        if model is not None:
            (part / MODEL_FILE).write_bytes(model)
        write_constants(part, network.constants)
        return manifest

    store_compiled(folder, fill)
    return fingerprint


def _weights(spec: EncoderSpec) -> Weights:
    try:
        return spec.locate()
    except EncoderUnavailable:
        if spec.fetch is None:
            raise
        return spec.fetch(local_root() / "hub")


def _write(
    spec: EncoderSpec, network: Network, inputs: NDArray[np.float32]
) -> tuple[bytes, float, int, None]:
    """Write a graph, and compare what LiteRT makes of it with what NumPy does.

    Return the model, the difference, the dim and no warning.
    """
    n, *others = network.input_shape
    model = litert_file(network.function, (n * network.n_at_once, *others))
    got = open_litert(model, network.input_shape)(inputs)
    wanted = in_numpy(network.function, inputs)[:, np.newaxis]
    difference = _relative(got, wanted)
    if not difference <= _MAX_DIFFERENCE:
        raise EncoderError(
            f"LiteRT computes {spec.name} wrongly on this machine, by {difference:.1e} of the "
            "largest number. Try another version of ai-edge-litert."
        )
    return model, difference, int(got.shape[-1]), None


def _relative(got: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    return float(np.abs(got - wanted).max() / max(1e-9, float(np.abs(wanted).max())))


def _convert(
    spec: EncoderSpec, network: Network, inputs: NDArray[np.float32]
) -> tuple[bytes | None, float, int, str | None]:
    """Convert a network of TensorFlow's, and compare.

    Return the model (None: stay on TensorFlow), the difference, the dim and a warning.
    """
    import tensorflow as tf

    signature = tf.TensorSpec(network.input_shape, tf.float32)
    try:
        # AutoGraph would wrap our errors in its tracebacks.
        function = tf.function(network.function, autograph=False).get_concrete_function(signature)
        wanted = np.stack(
            [function(tf.constant(x.reshape(network.input_shape))).numpy() for x in inputs]
        )
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise EncoderError(
            f"{spec.name} does not map a window of {spec.grid.window_samples} samples to "
            f"embeddings: {' '.join(str(error).split())[:300]}"
        ) from error
    if not np.isfinite(wanted).all():
        raise EncoderError(
            f"{spec.name} gives NaN or infinity for a test signal (silence, noise, tones)."
        )
    dim = int(wanted.shape[-1])
    try:
        model = _converted(network)
        got = open_litert(model, network.input_shape)(inputs)
    except Exception as error:  # the converter has no error class of its own
        reason = " ".join(str(error).split())[:200]
        return None, 0.0, dim, _slow(spec, f"it does not convert to LiteRT ({reason})")
    difference = _relative(got, wanted)
    if not difference <= _MAX_DIFFERENCE:
        return None, difference, dim, _slow(spec, f"its LiteRT copy is off by {difference:.1e}")
    return model, difference, dim, None


def _converted(network: Network) -> bytes:
    import tensorflow as tf

    signature = tf.TensorSpec(network.input_shape, tf.float32)
    function = tf.function(network.function, autograph=False).get_concrete_function(signature)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())


def _slow(spec: EncoderSpec, why: str) -> str:
    return f"The encoder {spec.name} runs on TensorFlow, with a slow start: {why}."


def _main() -> None:
    """Run as a child: compile, and answer with one line of JSON."""
    name, folder = sys.argv[1:]
    try:
        answer = {"fingerprint": compile_encoder(encoder_spec(name), Path(folder))}
    except EmbedError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    except OSError as error:
        answer = {
            "error": f"The compiled encoder can't be written: {error}",
            "kind": "EncoderError",
        }
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    _main()
