"""Tensors of a network that is described, not yet computed, and the operations that make them.

Each operation is one of LiteRT's own operators, with its inputs in LiteRT's order and layout.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Describe",
    "Graph",
    "GraphTensor",
    "Operation",
    "relu",
    "trace",
]

_RELU = 1  # ActivationFunctionType_RELU
_RECTIFYING = ("ADD", "CONV_2D")
_NUMBERS = itertools.count()


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """One of LiteRT's operators at work.

    Attributes
    ----------
    kind : str
        As in LiteRT's schema (`BuiltinOperator`).
    inputs : tuple of GraphTensor, ndarray (a constant, float32 or int32) or None (left out)
    options : mapping of name to number
        As in the schema's table of the operator's options.
    number : int
        Operations are computed in the order in which they were described.
    """

    kind: str
    inputs: tuple[GraphTensor | NDArray[Any] | None, ...]
    options: Mapping[str, int] = field(default_factory=dict)
    number: int = field(init=False, default_factory=lambda: next(_NUMBERS))

    @property
    def tensors(self) -> list[GraphTensor]:
        """The inputs that are no constants."""
        return [one for one in self.inputs if isinstance(one, GraphTensor)]


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphTensor:
    """A tensor of float32 numbers that a graph takes or computes.

    It is added to, subtracted and multiplied as an array is, with tensors and with constants.

    Attributes
    ----------
    shape : tuple of int
    made_by : Operation or None
        None for the graph's input.
    """

    shape: tuple[int, ...]
    made_by: Operation | None = None

    def __add__(self, other: Any) -> GraphTensor:
        return _elementwise("ADD", self, other)

    def __sub__(self, other: Any) -> GraphTensor:
        return _elementwise("SUB", self, other)

    def __mul__(self, other: Any) -> GraphTensor:
        if not isinstance(other, GraphTensor) and np.all(np.equal(other, 1)):
            return self
        return _elementwise("MUL", self, other)

    __rmul__ = __mul__


Describe = Callable[[GraphTensor], GraphTensor]
"""A network: what it makes of its input."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """A network for inputs of one shape."""

    input: GraphTensor
    output: GraphTensor
    made: tuple[tuple[GraphTensor, Operation], ...]
    """What operations make, in the order in which it is computed; the output is among them."""


def trace(network: Describe, input_shape: tuple[int, ...]) -> Graph:
    """Describe a network for inputs of one shape; what its output does not need is left out."""
    input_ = GraphTensor(shape=input_shape)
    output = network(input_)
    made: dict[int, tuple[GraphTensor, Operation]] = {}
    left = [output]
    while left:
        one = left.pop()
        if one.made_by is not None and one.made_by.number not in made:
            made[one.made_by.number] = (one, one.made_by)
            left += one.made_by.tensors
    in_order = tuple(made[number] for number in sorted(made))
    return Graph(input=input_, output=output, made=in_order)


def relu(x: GraphTensor) -> GraphTensor:
    """Rectify a sum or a convolution, as part of the same operation."""
    if x.made_by is None or x.made_by.kind not in _RECTIFYING:
        raise ValueError("only a sum or a convolution has a rectifier of its own")
    options = {**x.made_by.options, "fusedActivationFunction": _RELU}
    return replace(x, made_by=replace(x.made_by, options=options))


def _elementwise(kind: str, x: GraphTensor, other: Any) -> GraphTensor:
    if not isinstance(other, GraphTensor):
        other = np.asarray(other, dtype=np.float32)
    shape = np.broadcast_shapes(x.shape, other.shape)
    return GraphTensor(shape=shape, made_by=Operation(kind=kind, inputs=(x, other)))
