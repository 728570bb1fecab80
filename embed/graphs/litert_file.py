"""Write a graph as a file for LiteRT, a flatbuffer of the schema that LiteRT brings."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.graphs.graph import Describe, Graph, GraphTensor, Operation, trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["litert_file"]

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
_ALIGNMENT = 16  # of a buffer, as the schema says
_DESCRIPTION = "Seven Songs"
# By operator: the schema's table of its options.
_OPTIONS = {
    "ABS": "AbsOptions",
    "ADD": "AddOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "PAD": "PadOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "TRANSPOSE": "TransposeOptions",
}
_VERSIONS = {"FULLY_CONNECTED": 5}
"""Of operators, where it is not 1: 5 has the bias left out and keeps the number of axes."""


def litert_file(network: Describe, input_shape: tuple[int, ...]) -> bytes:
    """Write a network as a file for LiteRT.

    Parameters
    ----------
    network : callable
        From the graph's input to its output.
    input_shape : tuple of int
    """
    graph = trace(network, input_shape)
    from ai_edge_litert import schema_py_generated as schema

    return _packed(_File(schema, graph).model())


class _File:
    """Collects tensors, buffers and operators, and numbers them."""

    def __init__(self, schema: Any, graph: Graph) -> None:
        self._schema = schema
        self._graph = graph
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]  # the first one is empty, by convention
        self._constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}
        self._indices: dict[GraphTensor, int] = {}
        self._kinds: list[str] = sorted({operation.kind for _, operation in graph.made})

    def model(self) -> Any:
        schema, graph = self._schema, self._graph
        self._indices[graph.input] = self._tensor(graph.input.shape, "FLOAT32", 0)
        operators = [self._operator(made, operation) for made, operation in graph.made]
        subgraph = schema.SubGraphT(
            tensors=self._tensors,
            inputs=[self._indices[graph.input]],
            outputs=[self._indices[graph.output]],
            operators=operators,
            name="main",
        )
        return schema.ModelT(
            version=_SCHEMA_VERSION,
            operatorCodes=[self._code(kind) for kind in self._kinds],
            subgraphs=[subgraph],
            description=_DESCRIPTION,
            buffers=self._buffers,
        )

    def _code(self, kind: str) -> Any:
        builtin = getattr(self._schema.BuiltinOperator, kind)
        return self._schema.OperatorCodeT(
            # all of ours fit the one byte that older readers know
            deprecatedBuiltinCode=builtin,
            builtinCode=builtin,
            version=_VERSIONS.get(kind, 1),
        )

    def _operator(self, made: GraphTensor, operation: Operation) -> Any:
        inputs = [self._input(one) for one in operation.inputs]
        self._indices[made] = self._tensor(made.shape, "FLOAT32", 0)
        table = _OPTIONS[operation.kind]
        options = getattr(self._schema, f"{table}T")()
        for name, value in operation.options.items():
            if not hasattr(options, name):
                raise AttributeError(f"{table} has no {name}")
            setattr(options, name, value)
        return self._schema.OperatorT(
            opcodeIndex=self._kinds.index(operation.kind),
            inputs=inputs,
            outputs=[self._indices[made]],
            builtinOptionsType=getattr(self._schema.BuiltinOptions, table),
            builtinOptions=options,
        )

    def _input(self, one: GraphTensor | NDArray[Any] | None) -> int:
        if one is None:
            return -1
        return self._indices[one] if isinstance(one, GraphTensor) else self._constant(one)

    def _constant(self, values: NDArray[Any]) -> int:
        content = values.astype(values.dtype.newbyteorder("<")).tobytes()
        kind = values.dtype.name.upper()
        key = (kind, values.shape, hashlib.sha256(content).digest())
        if key not in self._constants:
            data = np.frombuffer(content, dtype=np.uint8)
            self._buffers.append(_aligned_buffer(self._schema, data))
            self._constants[key] = self._tensor(values.shape, kind, len(self._buffers) - 1)
        return self._constants[key]

    def _tensor(self, shape: tuple[int, ...], kind: str, buffer: int) -> int:
        tensor = self._schema.TensorT(
            shape=list(shape),
            type=getattr(self._schema.TensorType, kind),
            buffer=buffer,
            name=f"{len(self._tensors)}",
        )
        self._tensors.append(tensor)
        return len(self._tensors) - 1


def _aligned_buffer(schema: Any, data: NDArray[np.uint8]) -> Any:
    """Make a buffer that begins at a multiple of 16 bytes, which Python's own would not."""

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802
            builder.StartVector(1, len(data), _ALIGNMENT)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data.tobytes()
            at = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, at)
            return schema.BufferEnd(builder)

    return Aligned()


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())
