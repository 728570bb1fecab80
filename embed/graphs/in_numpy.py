"""Compute a graph in NumPy, plainly: what LiteRT's computations are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from embed.graphs.graph import Describe, GraphTensor, Operation, trace

__all__ = ["in_numpy"]

Array = NDArray[Any]
Options = Mapping[str, int]
_SAME = 0  # Padding_SAME


def in_numpy(network: Describe, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute what a network makes of inputs side by side, shape (n, ...)."""
    graph = trace(network, inputs.shape)
    values: dict[GraphTensor, NDArray[Any]] = {graph.input: inputs}
    last = {one: made for made, operation in graph.made for one in operation.tensors}
    for made, operation in graph.made:
        values[made] = _computed(operation, values)
        for one in set(operation.tensors):
            if last[one] is made:
                del values[one]
    return values[graph.output]


def _computed(operation: Operation, values: Mapping[GraphTensor, NDArray[Any]]) -> NDArray[Any]:
    inputs = [values[one] if isinstance(one, GraphTensor) else one for one in operation.inputs]
    made: NDArray[Any] = _COMPUTE[operation.kind](operation.options, *inputs)
    rectified = operation.options.get("fusedActivationFunction")
    return np.maximum(made, 0) if rectified else made


def _windows(options: Options, x: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """Return what a window sees at each of its places: (n, down, across, n_channels, *size)."""
    strides = (options["strideH"], options["strideW"])
    if options["padding"] == _SAME:
        widths = []
        for n, taps, stride in zip(x.shape[1:3], size, strides, strict=True):
            missing = max((-(-n // stride) - 1) * stride + taps - n, 0)
            widths.append((missing // 2, missing - missing // 2))
        x = np.pad(x, ((0, 0), *widths, (0, 0)))
    return sliding_window_view(x, size, axis=(1, 2))[:, :: strides[0], :: strides[1]]


def _conv_2d(options: Options, x: Array, kernel: Array, bias: Array) -> Array:
    seen = _windows(options, x, kernel.shape[1:3])
    return np.tensordot(seen, kernel, ([3, 4, 5], [3, 1, 2])) + bias


def _depthwise_conv_2d(options: Options, x: Array, kernel: Array, bias: Array) -> Array:
    seen = _windows(options, x, kernel.shape[1:3])
    taps = [(i, j) for i in range(kernel.shape[1]) for j in range(kernel.shape[2])]
    made = bias
    for i, j in taps:
        made = made + seen[..., i, j] * kernel[0, i, j]
    return made


def _max_pool_2d(options: Options, x: Array) -> Array:
    size = (options["filterHeight"], options["filterWidth"])
    largest: Array = _windows(options, x, size).max(axis=(4, 5))
    return largest


def _cut(options: Options, x: Array, starts: Array, stops: Array, _: Array) -> Array:
    whole = options["beginMask"]
    ends = zip(starts, stops, strict=True)
    return x[
        tuple(
            slice(None) if whole >> axis & 1 else slice(start, stop)
            for axis, (start, stop) in enumerate(ends)
        )
    ]


_COMPUTE: Mapping[str, Callable[..., Any]] = {
    "ABS": lambda _, x: np.abs(x),
    "ADD": lambda _, x, y: x + y,
    "BATCH_MATMUL": lambda _, a, b: a @ b,
    "CONCATENATION": lambda options, *parts: np.concatenate(parts, options["axis"]),
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": lambda _, x, matrix, __: x @ matrix.T,
    "GATHER": lambda options, x, indices: x.take(indices, options["axis"]),
    "MAXIMUM": lambda _, x, y: np.maximum(x, y),
    "MAX_POOL_2D": _max_pool_2d,
    "MEAN": lambda _, x, axes: x.mean(tuple(axes)),
    "MUL": lambda _, x, y: x * y,
    "PACK": lambda options, *parts: np.stack(parts, options["axis"]),
    "PAD": lambda _, x, widths: np.pad(x, widths),
    "REDUCE_MAX": lambda _, x, axes: x.max(tuple(axes)),
    "RESHAPE": lambda _, x, shape: x.reshape(shape),
    "STRIDED_SLICE": _cut,
    "SUB": lambda _, x, y: x - y,
    "TRANSPOSE": lambda _, x, axes: x.transpose(axes),
}
