"""What an ONNX file says of itself, read without a runtime, and what is refused in one.

Field numbers are those of the format's schema, onnx.proto (onnx 1.23, IR version 13).

By hand: the package `onnx` (27 MB) reads all of a file, weights too, and takes 0.3 s to import, at
every start that names an encoder. tests/embed/model_files/test_files.py compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from embed.errors import EncoderError
from embed.model_files.outline import ModelOutline, Tensor, mapped

__all__ = ["onnx_outline", "require_plain_onnx"]

_MAX_FIELDS = 4_000_000
"""A network of 100,000 operators has some 2 million."""
_MAX_DEPTH = 16  # of graphs in loops and branches
_BUILT_IN = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
"""Domains of operators that ONNX Runtime itself has; its own ones are in quantised files."""
_EXTERNAL = (
    "its weights are in another file (external data); put them into one: python -c "
    "\"import onnx; onnx.save(onnx.load('model.onnx'), 'whole.onnx')\""
)
_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    10: "float16",
    11: "float64",
}
_Field = tuple[int, "int | memoryview"]


class _Reader:
    """Reads protobuf messages of one file, up to a bound."""

    def __init__(self) -> None:
        self._left = _MAX_FIELDS

    def fields(self, data: memoryview) -> Iterator[_Field]:
        """Yield number and value of each field; a ValueError where there is no message."""
        at = 0
        while at < len(data):
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {_MAX_FIELDS} fields")
            key, at = _varint(data, at)
            kind = key & 7
            if kind == 0:
                value, at = _varint(data, at)
                yield key >> 3, value
                continue
            if kind not in (1, 2, 5):
                raise ValueError(f"a field of kind {kind}")
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("it ends too soon")
            yield key >> 3, data[at : at + size]
            at += size

    def messages(self, data: memoryview, number: int) -> list[memoryview]:
        """Return the messages of one field."""
        return [
            value for n, value in self.fields(data) if n == number and isinstance(value, memoryview)
        ]

    def text(self, data: memoryview, number: int) -> str:
        """Return the text of one field; empty where there is none."""
        found = self.messages(data, number)
        return bytes(found[-1]).decode("utf-8", "replace") if found else ""

    def number(self, data: memoryview, number: int) -> int | None:
        """Return the whole number of one field."""
        found = [v for n, v in self.fields(data) if n == number and isinstance(v, int)]
        return found[-1] if found else None


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("it ends inside a number")


def onnx_outline(path: Path) -> ModelOutline:
    """Read the inputs and outputs of an ONNX file.

    Raises
    ------
    EncoderUnavailable
        If the file can't be read.
    EncoderError
        If it is no ONNX file.
    """
    with mapped(path) as data:
        try:
            return _outline(_Reader(), data)
        except ValueError as error:
            raise _no_onnx(path, error) from error


def _outline(read: _Reader, data: memoryview) -> ModelOutline:
    (graph,) = read.messages(data, 7) or [data[:0]]
    inputs, outputs, weights = [], [], set()
    for number, value in read.fields(graph):
        if not isinstance(value, memoryview):
            continue
        if number == 11:
            inputs.append(_tensor(read, value))
        elif number == 12:
            outputs.append(_tensor(read, value))
        elif number == 5:
            weights.add(read.text(value, 8))
    found = tuple(one for one in inputs if one.name not in weights)
    if not found or not outputs:
        raise ValueError("it has no graph with inputs and outputs")
    return ModelOutline(inputs=found, outputs=tuple(outputs))


def _tensor(read: _Reader, info: memoryview) -> Tensor:
    kind = (read.messages(info, 2) or [info[:0]])[-1]
    tensor = (read.messages(kind, 1) or [info[:0]])[-1]
    shape = (read.messages(tensor, 2) or [info[:0]])[-1]
    dims = (read.number(dim, 1) for dim in read.messages(shape, 1))
    return Tensor(
        name=read.text(info, 1),
        shape=tuple(n if n is not None and 0 < n < 2**62 else None for n in dims),
        dtype=_DTYPES.get(read.number(tensor, 1) or 0, "other"),
    )


def require_plain_onnx(path: Path) -> None:
    """Refuse an ONNX file that leads to other files, or needs operators of other programs.

    Raises
    ------
    EncoderUnavailable
        If the file can't be read.
    EncoderError
        If it is no ONNX file, names external data or uses a custom operator.
    """
    with mapped(path) as data:
        try:
            refused = _refused(_Reader(), data)
        except ValueError as error:
            raise _no_onnx(path, error) from error
    if refused:
        raise EncoderError(f"{path} is refused: {refused}.")


def _refused(read: _Reader, data: memoryview) -> str:
    """Tell what is refused in a model; empty where nothing is."""
    functions = read.messages(data, 25)
    own = {(read.text(one, 10), read.text(one, 1)) for one in functions}
    graphs = [(graph, 0) for graph in read.messages(data, 7)]
    # Functions keep their nodes in field 7, graphs in field 1; only graphs have weights.
    nodes = [(node, 0) for one in functions for node in read.messages(one, 7)]
    while graphs or nodes:
        if nodes:
            node, depth = nodes.pop()
            domain, operator = read.text(node, 7), read.text(node, 4)
            if domain not in _BUILT_IN and (domain, operator) not in own:
                return (
                    f"it needs the custom operator {operator!r:.60} of {domain!r:.60}, which is a "
                    "program of its own; export the network without it"
                )
            tensors, inner = _inside(read, node)
            graphs += [(graph, depth + 1) for graph in inner]
        else:
            graph, depth = graphs.pop()
            if depth > _MAX_DEPTH:
                raise ValueError(f"its graphs are nested more than {_MAX_DEPTH} deep")
            nodes += [(node, depth) for node in read.messages(graph, 1)]
            sparse = read.messages(graph, 15)
            tensors = read.messages(graph, 5) + _dense(read, sparse)
        if any(read.number(one, 14) or read.messages(one, 13) for one in tensors):
            return _EXTERNAL
    return ""


def _inside(read: _Reader, node: memoryview) -> tuple[list[memoryview], list[memoryview]]:
    """Return the tensors and the graphs that a node's attributes hold."""
    tensors, graphs = [], []
    for attribute in read.messages(node, 5):
        sparse = read.messages(attribute, 22) + read.messages(attribute, 23)
        tensors += read.messages(attribute, 5) + read.messages(attribute, 10)
        tensors += _dense(read, sparse)
        graphs += read.messages(attribute, 6) + read.messages(attribute, 11)
    return tensors, graphs


def _dense(read: _Reader, sparse: list[memoryview]) -> list[memoryview]:
    """Return the tensors of which sparse ones are made."""
    return [tensor for one in sparse for field in (1, 2) for tensor in read.messages(one, field)]


def _no_onnx(path: Path, error: ValueError) -> EncoderError:
    return EncoderError(f"{path} is no ONNX file: {error}.")
