"""Run a compiled network: on LiteRT, or on TensorFlow where it would not convert or a GPU is wanted."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.errors import EncoderError
from embed.network import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embed.registry import EncoderSpec

__all__ = [
    "Manifest",
    "Run",
    "digest_files",
    "open_litert",
    "open_runtime",
    "open_tensorflow",
    "read_manifest",
    "require_gpu",
    "write_manifest",
]

Run = Callable[["NDArray[np.float32]"], "NDArray[np.float32]"]
"""From one window (or patch) to its embeddings (n_parts, dim)."""

_FORMAT = 2
_CHATTER = re.compile(rb"INFO: |I\d{4} |WARNING: All log messages before absl::InitializeLog")
"""LiteRT's "Created ... delegate"; TensorFlow's "oneDNN custom operations are on" and what goes before it."""
MODEL_FILE, CONSTANTS_FILE, MANIFEST_FILE = "model.tflite", "constants.npz", "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What lies beside a compiled network: how to run it and how it was made."""

    encoder: str
    fingerprint: str
    dim: int
    input_shape: tuple[int, ...]
    runtime: str
    tags: tuple[str, ...]
    weights_path: str
    weights_sha256: str
    max_difference: float
    """Between the compiled network and the original on the probe signal, relative to the largest value."""
    tensorflow: str
    files_sha256: Mapping[str, str] = field(default_factory=dict)
    """By name, the files beside it."""
    warning: str | None = None
    format: int = _FORMAT


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest; the last file of a compiled encoder's folder."""
    text = json.dumps(asdict(manifest), indent=1, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest | None:
    """Read a manifest; None where there is none, another version wrote it, or the files beside it differ."""
    try:
        fields: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        fields["input_shape"] = tuple(fields["input_shape"])
        fields["tags"] = tuple(fields["tags"])
        if fields["format"] != _FORMAT or fields["files_sha256"] != digest_files(folder):
            return None  # it will be compiled anew
        return Manifest(**fields)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest_files(folder: Path) -> dict[str, str]:
    """Digest a compiled encoder's files: name to SHA-256."""
    digests = {}
    for name in (MODEL_FILE, CONSTANTS_FILE):
        if (folder / name).is_file():  # without a model, it is left to TensorFlow
            with (folder / name).open("rb") as stream:
                digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def open_runtime(
    spec: EncoderSpec, manifest: Manifest, folder: Path, runtime: str
) -> tuple[Run, Mapping[str, NDArray[np.float32]]]:
    """Open a compiled encoder's network and constants.

    Raises
    ------
    EncoderError
        If the compiled files are damaged.
    """
    try:
        with np.load(folder / CONSTANTS_FILE, allow_pickle=False) as stored:
            constants = {name: np.asarray(stored[name], dtype=np.float32) for name in stored.files}
        if runtime == "litert":
            return open_litert((folder / MODEL_FILE).read_bytes()), constants
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise EncoderError(
            f"The compiled encoder in {folder} is damaged ({error}). Remove it; it will be made anew."
        ) from error
    weights = Weights(path=Path(manifest.weights_path), sha256=manifest.weights_sha256)
    return open_tensorflow(spec, weights), constants


def open_litert(model: bytes) -> Run:
    """Open a LiteRT model for one thread: every worker has a core of its own.

    Raises
    ------
    ValueError
        If it is not a model.
    """
    from ai_edge_litert.interpreter import Interpreter

    with _without_chatter():
        interpreter = Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
    (input_,) = interpreter.get_input_details()
    (output,) = interpreter.get_output_details()
    shape = tuple(int(n) for n in input_["shape"])

    def run(window: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.set_tensor(input_["index"], window.reshape(shape))
        interpreter.invoke()
        return np.array(interpreter.get_tensor(output["index"]), dtype=np.float32)

    return run


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what native code says on stderr for information, where it has no setting; all else passes."""
    with tempfile.TemporaryFile() as held:
        try:
            stderr = os.dup(2)
        except OSError:  # closed, as in a daemon
            yield
            return
        try:
            os.dup2(held.fileno(), 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)


def open_tensorflow(spec: EncoderSpec, weights: Weights) -> Run:
    """Build the network in TensorFlow and run it there (imports TensorFlow, 6 s)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_chatter(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorflow_hub imports pkg_resources
        import tensorflow as tf

        network = spec.build(weights)
    function = tf.function(network.function, autograph=False)

    def run(window: NDArray[np.float32]) -> NDArray[np.float32]:
        tensor = tf.constant(window.reshape(network.input_shape), dtype=tf.float32)
        return np.asarray(function(tensor).numpy(), dtype=np.float32)

    return run


def require_gpu() -> None:
    """Check in a child process that TensorFlow sees a GPU.

    Raises
    ------
    EncoderError
        If it does not.
    """
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    child = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, env=environment, check=False
    )
    if child.stdout.split()[-1:] in ([], [b"0"]):
        raise EncoderError(
            "TensorFlow sees no GPU on this machine. Use --device cpu (or auto), or install TensorFlow "
            "with CUDA: pip install 'tensorflow[and-cuda]'."
        )
