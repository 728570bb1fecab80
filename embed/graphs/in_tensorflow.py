"""Compute a graph in TensorFlow: for a GPU, and to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.graphs.graph import Describe, GraphTensor, Operation, trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["in_tensorflow"]

_PADDINGS = ("SAME", "VALID")


def in_tensorflow(network: Describe, input_shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """Return a network as a function of TensorFlow's tensors.

    Parameters
    ----------
    network : callable
        From the graph's input to its output.
    input_shape : tuple of int
        That of one input, beginning with 1; the function takes any number of them there.
    """
    graph = trace(network, input_shape)

    def run(x: Any) -> Any:
        import tensorflow as tf

        values = {graph.input: tf.convert_to_tensor(x, tf.float32)}
        for made, operation in graph.made:
            values[made] = _computed(tf, operation, values)
        return values[graph.output]

    return run


def _computed(tf: Any, operation: Operation, values: Mapping[GraphTensor, Any]) -> Any:
    inputs = [values[one] if isinstance(one, GraphTensor) else one for one in operation.inputs]
    made = _COMPUTE[operation.kind](tf, operation.options, *inputs)
    return tf.nn.relu(made) if operation.options.get("fusedActivationFunction") else made


def _conv_2d(
    tf: Any, options: Mapping[str, int], x: Any, kernel: NDArray[Any], bias: NDArray[Any]
) -> Any:
    strides = (options["strideH"], options["strideW"])
    # from LiteRT's (n_out, n_rows, n_columns, n_in)
    filters = kernel.transpose(1, 2, 3, 0)
    return tf.nn.conv2d(x, filters, strides, _PADDINGS[options["padding"]]) + bias


def _depthwise_conv_2d(
    tf: Any, options: Mapping[str, int], x: Any, kernel: NDArray[Any], bias: NDArray[Any]
) -> Any:
    strides = (1, options["strideH"], options["strideW"], 1)
    filters = kernel[0, ..., np.newaxis]
    return tf.nn.depthwise_conv2d(x, filters, strides, _PADDINGS[options["padding"]]) + bias


def _max_pool_2d(tf: Any, options: Mapping[str, int], x: Any) -> Any:
    size = (options["filterHeight"], options["filterWidth"])
    strides = (options["strideH"], options["strideW"])
    return tf.nn.max_pool2d(x, size, strides, _PADDINGS[options["padding"]])


def _dense(tf: Any, _: Mapping[str, int], x: Any, matrix: NDArray[Any], __: None) -> Any:
    n_out, n_in = matrix.shape
    product = tf.matmul(tf.reshape(x, (-1, n_in)), matrix.T)  # one product, not many small ones
    return tf.reshape(product, (*_sizes(tf, x)[:-1], n_out))


def _cut(tf: Any, options: Mapping[str, int], x: Any, *ends: NDArray[Any]) -> Any:
    start, stop, stride = ends
    masks = {"begin_mask": options["beginMask"], "end_mask": options["endMask"]}
    return tf.strided_slice(x, start, stop, stride, **masks)


def _concatenated(tf: Any, options: Mapping[str, int], x: Any, *others: Any) -> Any:
    # Constants are there for one input, and are the same for each.
    n = _sizes(tf, x)[0]
    parts = [
        tf.broadcast_to(one[:1], (n, *one.shape[1:])) if isinstance(one, np.ndarray) else one
        for one in others
    ]
    return tf.concat([x, *parts], options["axis"])


def _sizes(tf: Any, x: Any) -> list[Any]:
    """Return the sizes of a tensor's axes: numbers where they are known."""
    return [
        tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape.as_list())
    ]


_COMPUTE: Mapping[str, Callable[..., Any]] = {
    "ABS": lambda tf, _, x: tf.abs(x),
    "ADD": lambda tf, _, x, y: tf.add(x, y),
    "BATCH_MATMUL": lambda tf, _, a, b: tf.matmul(a, b),
    "CONCATENATION": _concatenated,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _dense,
    "GATHER": lambda tf, options, x, indices: tf.gather(x, indices, axis=options["axis"]),
    "MAXIMUM": lambda tf, _, x, y: tf.maximum(x, y),
    "MAX_POOL_2D": _max_pool_2d,
    "MEAN": lambda tf, _, x, axes: tf.reduce_mean(x, axes),
    "MUL": lambda tf, _, x, y: tf.multiply(x, y),
    "PACK": lambda tf, options, *parts: tf.stack(parts, options["axis"]),
    "PAD": lambda tf, _, x, widths: tf.pad(x, widths),
    "REDUCE_MAX": lambda tf, _, x, axes: tf.reduce_max(x, axes),
    "RESHAPE": lambda tf, _, x, shape: tf.reshape(x, shape),
    "STRIDED_SLICE": _cut,
    "SUB": lambda tf, _, x, y: tf.subtract(x, y),
    "TRANSPOSE": lambda tf, _, x, axes: tf.transpose(x, axes),
}
