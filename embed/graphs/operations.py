"""The operations of which networks are made, each of them an operator of LiteRT.

Images have the shape (n, n_rows, n_columns, n_channels). Windows are side by side on the first
axis; where a new shape says -1, their number is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from embed.graphs.graph import GraphTensor, Operation

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "absolute",
    "append_constants",
    "batch_matmul",
    "concatenate",
    "conv_2d",
    "cut",
    "dense",
    "depthwise_conv_2d",
    "max_pool_2d",
    "maximum",
    "pad",
    "reduce_max",
    "reduce_mean",
    "reshape",
    "stack",
    "take",
    "transpose",
]

Padding = Literal["SAME", "VALID"]
_PADDINGS = {"SAME": 0, "VALID": 1}  # Padding of the schema
Pair = tuple[int, int]


def conv_2d(
    x: GraphTensor,
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32] | None = None,
    *,
    strides: Pair = (1, 1),
    padding: Padding = "SAME",
) -> GraphTensor:
    """Convolve an image with a kernel (n_rows, n_columns, n_in, n_out)."""
    n_out = kernel.shape[-1]
    shape = (x.shape[0], *_slid(x.shape[1:3], kernel.shape[:2], strides, padding), n_out)
    ours = np.zeros(n_out, dtype=np.float32) if bias is None else bias
    inputs = (x, kernel.transpose(3, 0, 1, 2), ours)
    return _made("CONV_2D", shape, *inputs, **_sliding(strides, padding), **_UNDILATED)


def depthwise_conv_2d(
    x: GraphTensor, kernel: NDArray[np.float32], *, stride: int, padding: Padding = "SAME"
) -> GraphTensor:
    """Convolve each channel of an image with a kernel of its own: (n_rows, n_columns, n)."""
    strides = (stride, stride)
    size = _slid(x.shape[1:3], kernel.shape[:2], strides, padding)
    zeros = np.zeros(kernel.shape[-1], dtype=np.float32)
    options = {**_sliding(strides, padding), **_UNDILATED, "depthMultiplier": 1}
    shape = (x.shape[0], *size, x.shape[-1])
    return _made("DEPTHWISE_CONV_2D", shape, x, kernel[np.newaxis], zeros, **options)


def max_pool_2d(x: GraphTensor, size: Pair, strides: Pair) -> GraphTensor:
    """Take the maximum of each `size` pixels that lie inside an image, channel by channel."""
    n_rows, n_columns = _slid(x.shape[1:3], size, strides, "VALID")
    options = {**_sliding(strides, "VALID"), "filterHeight": size[0], "filterWidth": size[1]}
    return _made("MAX_POOL_2D", (x.shape[0], n_rows, n_columns, x.shape[-1]), x, **options)


def dense(x: GraphTensor, matrix: NDArray[np.float32]) -> GraphTensor:
    """Multiply what is on the last axis with a matrix (n_in, n_out)."""
    inputs = (x, matrix.T, None)
    shape = (*x.shape[:-1], matrix.shape[1])
    return _made("FULLY_CONNECTED", shape, *inputs, keepNumDims=True)


def batch_matmul(
    a: GraphTensor | NDArray[np.float32], b: GraphTensor | NDArray[np.float32]
) -> GraphTensor:
    """Multiply matrices: (n, n_rows, n_in) with (n, n_in, n_columns)."""
    return _made("BATCH_MATMUL", (a.shape[0], a.shape[1], b.shape[2]), a, b)


def maximum(x: GraphTensor, y: GraphTensor) -> GraphTensor:
    """Take the larger of two tensors' numbers."""
    return _made("MAXIMUM", x.shape, x, y)


def absolute(x: GraphTensor) -> GraphTensor:
    """Take the numbers without their sign."""
    return _made("ABS", x.shape, x)


def reduce_max(x: GraphTensor, axes: Sequence[int]) -> GraphTensor:
    """Take the maximum over some axes, which go."""
    return _made("REDUCE_MAX", _without(x.shape, axes), x, _integers(axes))


def reduce_mean(x: GraphTensor, axes: Sequence[int]) -> GraphTensor:
    """Take the mean over some axes, which go."""
    return _made("MEAN", _without(x.shape, axes), x, _integers(axes))


def reshape(x: GraphTensor, shape: Sequence[int]) -> GraphTensor:
    """Give the same numbers another shape; one of its sizes may be -1."""
    whole = np.empty(x.shape, dtype=np.bool_).reshape(shape).shape
    return _made("RESHAPE", whole, x, _integers(shape))


def transpose(x: GraphTensor, axes: Sequence[int]) -> GraphTensor:
    """Put the axes in another order."""
    return _made("TRANSPOSE", tuple(x.shape[axis] for axis in axes), x, _integers(axes))


def pad(x: GraphTensor, widths: Sequence[Pair]) -> GraphTensor:
    """Put zeros before and after, on each axis."""
    pairs = zip(x.shape, widths, strict=True)
    shape = tuple(before + n + after for n, (before, after) in pairs)
    return _made("PAD", shape, x, _integers(widths))


def cut(x: GraphTensor, axis: int, start: int, stop: int) -> GraphTensor:
    """Take what lies between two places of an axis."""
    shape = (*x.shape[:axis], stop - start, *x.shape[axis + 1 :])
    starts = [start if i == axis else 0 for i in range(len(shape))]
    stops = [stop if i == axis else 0 for i in range(len(shape))]
    others = sum(1 << i for i in range(len(shape)) if i != axis)  # of them all is taken
    inputs = (x, _integers(starts), _integers(stops), _integers([1] * len(shape)))
    return _made("STRIDED_SLICE", shape, *inputs, beginMask=others, endMask=others)


def take(x: GraphTensor, indices: NDArray[np.integer[Any]], axis: int) -> GraphTensor:
    """Take what is at some places of an axis."""
    shape = (*x.shape[:axis], len(indices), *x.shape[axis + 1 :])
    return _made("GATHER", shape, x, _integers(indices), axis=axis)


def concatenate(parts: Sequence[GraphTensor], axis: int) -> GraphTensor:
    """Put tensors side by side on an axis; of one, nothing is made."""
    first, *others = parts
    if not others:
        return first
    n = sum(part.shape[axis] for part in parts)
    shape = (*first.shape[:axis], n, *first.shape[axis + 1 :])
    return _made("CONCATENATION", shape, *parts, axis=axis)


def append_constants(x: GraphTensor, channels: NDArray[np.float32]) -> GraphTensor:
    """Append channels that are the same everywhere."""
    constant = np.broadcast_to(channels, (*x.shape[:-1], len(channels)))
    shape = (*x.shape[:-1], x.shape[-1] + len(channels))
    return _made("CONCATENATION", shape, x, constant, axis=len(shape) - 1)


def stack(parts: Sequence[GraphTensor], axis: int) -> GraphTensor:
    """Put tensors of one shape side by side on an axis of their own."""
    shape = list(parts[0].shape)
    shape.insert(axis, len(parts))
    return _made("PACK", tuple(shape), *parts, axis=axis, valuesCount=len(parts))


_UNDILATED = {"dilationHFactor": 1, "dilationWFactor": 1}


def _sliding(strides: Pair, padding: Padding) -> dict[str, int]:
    return {"strideH": strides[0], "strideW": strides[1], "padding": _PADDINGS[padding]}


def _slid(
    image: tuple[int, ...], window: tuple[int, ...], strides: Pair, padding: Padding
) -> tuple[int, ...]:
    """Return how many places a window has in an image, down and across."""
    inside = padding == "VALID"
    return tuple(
        -(-(n - (taps - 1 if inside else 0)) // stride)
        for n, taps, stride in zip(image, window, strides, strict=True)
    )


def _without(shape: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


def _integers(values: Any) -> NDArray[np.int32]:
    return np.asarray(values, dtype=np.int32)


def _made(
    kind: str,
    shape: tuple[int, ...],
    *inputs: GraphTensor | NDArray[Any] | None,
    **options: int,
) -> GraphTensor:
    return GraphTensor(shape=shape, made_by=Operation(kind=kind, inputs=inputs, options=options))
