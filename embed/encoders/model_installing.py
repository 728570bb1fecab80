"""Have a network that a user brings as a file: check it, and copy it with its card.

It runs in the compiler's child process, which a hostile file may crash or stall.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embed.encoders.manifest import Manifest
from embed.encoders.registry import EncoderSpec
from embed.encoders.storing import probe_signal, store_compiled, write_constants
from embed.errors import EncoderError, LimitExceeded
from embed.limits import bounded_memory
from embed.model_files.card import Card
from embed.model_files.card_reading import card_path
from embed.model_files.checking import check_network
from embed.model_files.front_end import front_end_constants
from embed.model_files.model_file import (
    CARD_FILE,
    FRONT_END_STEM,
    MODEL_STEM,
    ModelFile,
    card_to_json,
    tag_names,
)
from embed.model_files.onnx_file import require_plain_onnx
from embed.model_files.running import ACTIVATIONS, OutputParts, open_model, output_parts
from embed.model_files.tflite_file import require_plain_tflite
from embed.networks.network import Weights

__all__ = ["install_model"]

_RUNTIMES = {"onnx": "onnx", "tflite": "litert"}
_REQUIRE_PLAIN: Mapping[str, Callable[[Path], None]] = {
    "onnx": require_plain_onnx,
    "tflite": require_plain_tflite,
}
_SOUNDS = ("silence", "noise", "a chord", "a tone that breaks off")
_MEMORY_BYTES = 4 * 2**30  # a network's own numbers, beside its file
_COPIES = 6  # of its weights, that a runtime makes while it opens a file


def install_model(spec: EncoderSpec, model: ModelFile, weights: Weights, folder: Path) -> None:
    """Check a model file and copy it into a subfolder of `folder`, its fingerprint's.

    Raises
    ------
    EncoderUnavailable
        If a file can't be read or the runtime is missing.
    EncoderError
        If a file is refused, or what the network gives is no embedding.
    """
    for path in (model.path, model.front_end_path):
        if path is not None:
            _REQUIRE_PLAIN[model.kind](path)
    size = model.path.stat().st_size
    try:
        with bounded_memory(_MEMORY_BYTES + _COPIES * size):
            store_compiled(folder, lambda part: _fill(part, spec, model, weights))
    except LimitExceeded as error:
        raise EncoderError(
            f"{model.path} is refused: it needs more than "
            f"{(_MEMORY_BYTES + _COPIES * size) / 2**30:.0f} GB of memory."
        ) from error


def _fill(part: Path, spec: EncoderSpec, model: ModelFile, weights: Weights) -> Manifest:
    """Copy a model file into a folder and try the copy."""
    copy, front_end = part / f"{MODEL_STEM}.{model.kind}", None
    shutil.copyfile(model.path, copy)
    if model.front_end_path is not None:
        front_end = part / f"{FRONT_END_STEM}.{model.kind}"
        shutil.copyfile(model.front_end_path, front_end)
    if model.digest(copy, front_end) != weights.sha256:
        raise EncoderError(f"{model.path} or its card changed while it was copied; try again.")
    (part / CARD_FILE).write_text(card_to_json(model.card), encoding="utf-8")
    constants = front_end_constants(model.card)
    probe = probe_signal(spec.grid.window_samples, spec.grid.rate_hz)
    inputs = dict(zip(_SOUNDS, spec.read(probe, constants), strict=True))
    try:
        run = open_model(model.kind, part, model.card)
        dim = check_network(run, inputs, model.card, apart=_SOUNDS[:3])
        tags, columns = _tags(part, model, inputs[_SOUNDS[1]])
    except EncoderError as error:
        hint = card_path(model.path)
        where = f"its card {hint}" if hint.exists() else f"it has no card {hint}"
        raise type(error)(f"{model.path} ({where}): {error}") from error
    write_constants(part, constants | columns)
    return Manifest(
        encoder=spec.name,
        fingerprint=spec.fingerprint(weights),
        dim=dim,
        input_shape=inputs[_SOUNDS[0]].shape,
        runtime=_RUNTIMES[model.kind],
        tags=tags,
        weights_path=str(model.path),
        weights_sha256=weights.sha256,
        max_difference=0.0,
        tensorflow="",
    )


def _tags(
    part: Path, model: ModelFile, read: NDArray[np.float32]
) -> tuple[tuple[str, ...], dict[str, NDArray[np.float32]]]:
    """Return the names of a network's tags, and where in the embedding their scores are."""
    tags = model.card.tags
    if tags is None:
        return (), {}
    names = tag_names(model)
    outputs = output_parts(model.kind, part, model.card)(read)
    start, width = _columns(model.card, tags.output, outputs)
    if width != len(names):
        raise EncoderError(f"[tags] {tags.file} has {len(names)} names, and the output {width}.")
    place = (start, start + width, ACTIVATIONS.index(tags.activation))
    return names, {"tags": np.array(place, dtype=np.float32)}


def _columns(card: Card, output: str, outputs: OutputParts) -> tuple[int, int]:
    """Return where an output begins in the embedding, and how wide it is."""
    widths = [one.shape[1] for one in outputs]
    names = [one.name for one in card.outputs]
    k = names.index(output) if output else 0
    return sum(widths[:k]), widths[k]
