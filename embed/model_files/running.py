"""From what a network in a file reads to embeddings: layout, integers, outputs, pooling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.errors import EncoderError
from embed.model_files.card import Card, Input, Output
from embed.model_files.card_reading import OUTLINES
from embed.model_files.model_file import FRONT_END_STEM, MODEL_STEM
from embed.model_files.opening import Call, open_network
from embed.model_files.outline import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ACTIVATIONS", "model_tag_scores", "open_model", "output_parts"]

ACTIVATIONS = ("sigmoid", "softmax", "none")
"""What makes scores of tags, in the order in which it is kept beside a network."""
OutputParts = list["NDArray[np.float32]"]


def open_model(
    kind: str, folder: Path, card: Card
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Open the copy of a model file, in its folder.

    Returns
    -------
    callable
        From what `read_parts` makes of one window, (parts, ...), to embeddings (parts, dim).

    Raises
    ------
    EncoderUnavailable, EncoderError
        See `open_network`; what is returned raises EncoderError.
    """
    outputs = output_parts(kind, folder, card)

    def run(parts: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate(outputs(parts), axis=1)

    return run


def output_parts(
    kind: str, folder: Path, card: Card
) -> Callable[[NDArray[np.float32]], OutputParts]:
    """Open the copy of a model file; see `open_model`.

    Here each output is by itself, (parts, dim).
    """
    path = folder / f"{MODEL_STEM}.{kind}"
    (tensor,) = OUTLINES[kind](path).inputs
    call = open_network(kind, path, [one.name for one in card.outputs])
    before = _open_front_end(kind, folder, card)
    has_batch = "batch" in card.input.layout
    n_batch = tensor.shape[card.input.layout.index("batch")] if has_batch else 1

    def run(parts: NDArray[np.float32]) -> OutputParts:
        read = parts if before is None else before(parts)
        size = n_batch or len(read)
        found: list[OutputParts] = []
        for at in range(0, len(read), size):
            batch = read[at : at + size]
            n = len(batch)
            if n < size:
                batch = np.concatenate(
                    [batch, np.zeros_like(batch, shape=(size - n, *batch.shape[1:]))]
                )
            values = _arranged(batch, card.input, tensor)
            outputs = zip(call(values), card.outputs, strict=True)
            found.append(
                [_pooled(given, one, size if has_batch else 0)[:n] for given, one in outputs]
            )
        return [np.concatenate(blocks) for blocks in zip(*found, strict=True)]

    return run


def _open_front_end(
    kind: str, folder: Path, card: Card
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]] | None:
    """Open the network that is before another: from (n, samples) to (n, frames, bands)."""
    if card.front_end is None:
        return None
    path = folder / f"{FRONT_END_STEM}.{kind}"
    (tensor,) = OUTLINES[kind](path).inputs
    call: Call = open_network(kind, path)
    scale, offset = np.float32(card.front_end.scale), np.float32(card.front_end.offset)

    def run(parts: NDArray[np.float32]) -> NDArray[np.float32]:
        shape = [1] * (len(tensor.shape) - 1)
        found = []
        for one in parts:
            (given,) = call(one.reshape(*shape, -1).astype(np.float32))
            frames = given.squeeze()
            if frames.ndim != 2:
                raise EncoderError(
                    f"The front end gives numbers of shape {given.shape}; frames of bands are "
                    "needed"
                )
            found.append(frames.astype(np.float32) * scale + offset)
        return np.stack(found)

    return run


def _arranged(batch: NDArray[np.float32], input_: Input, tensor: Tensor) -> NDArray[Any]:
    """Bring (n, time) or (n, time, mel) into the layout and the numbers that a network reads."""
    layout = input_.layout
    values = batch[:, np.newaxis]  # batch, channel, time[, mel]
    axes = ["batch", "channel", "time", "mel"][: values.ndim]
    if "channel" in layout:
        values = np.repeat(values, tensor.shape[layout.index("channel")] or 1, axis=1)
    order = [axes.index(axis) for axis in layout]
    left_out = [k for k in range(values.ndim) if k not in order]  # of length 1
    values = values.transpose([*left_out, *order]).reshape([values.shape[k] for k in order])
    if any(n is not None and n != m for n, m in zip(tensor.shape, values.shape, strict=True)):
        raise EncoderError(
            f"The front end gives numbers of shape {values.shape}, and the network reads "
            f"{tensor.told}: window_samples is wrong, or the layout"
        )
    if not input_.scale:
        return np.ascontiguousarray(values, dtype=tensor.dtype)
    limits = np.iinfo(tensor.dtype)
    integers = np.rint(values / np.float32(input_.scale)) + input_.zero_point
    return np.ascontiguousarray(np.clip(integers, limits.min, limits.max).astype(tensor.dtype))


def _pooled(given: NDArray[Any], output: Output, n_batch: int) -> NDArray[np.float32]:
    """Make embeddings (n, dim) of an output; `n_batch` is 0 where it has no batch."""
    values = given.astype(np.float32)
    if output.scale:
        values = (values - output.zero_point) * np.float32(output.scale)
    if not n_batch:
        values, n_batch = values[np.newaxis], 1
    if values.ndim == 0 or len(values) != n_batch:
        raise EncoderError(
            f"The output {output.name} has shape {given.shape}; its first length must be that of "
            f"the batch, {n_batch}"
        )
    if values.ndim == 1 or output.pool == "none":
        return values.reshape(n_batch, -1)
    if not -values.ndim < output.axis < values.ndim - 1:
        raise EncoderError(
            f"The output {output.name} has shape {given.shape}, and no axis {output.axis} beside "
            "the batch"
        )
    axis = output.axis + 1 if output.axis >= 0 else output.axis
    rest = np.moveaxis(values, axis, -1).reshape(n_batch, -1, values.shape[axis])
    if output.pool == "mean":
        return np.asarray(rest.mean(axis=1), dtype=np.float32)
    if output.pool == "max":
        return np.asarray(rest.max(axis=1), dtype=np.float32)
    return rest[:, 0 if output.pool == "first" else -1]


def model_tag_scores(
    embeddings: NDArray[np.float32], constants: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Score the tags of a network in a file for embeddings (n, dim): (n, n_tags), in [0, 1].

    An output that is tags is among the embedding's numbers.
    """
    start, stop, kind = (int(n) for n in constants["tags"])
    values = embeddings[:, start:stop].astype(np.float64)
    if ACTIVATIONS[kind] == "sigmoid":
        values = 1 / (1 + np.exp(-np.clip(values, -80, 80)))
    elif ACTIVATIONS[kind] == "softmax":
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        values = powers / powers.sum(axis=1, keepdims=True)
    return np.asarray(np.clip(values, 0, 1), dtype=np.float32)
