"""What a TensorFlow Lite file says of itself, read without a runtime, and what is refused in one.

Places of fields are those of the format's schema, TensorFlow's schema.fbs (schema version 3).

By hand: LiteRT's own reader of the schema is 0.2 s of imports, and its package `flatbuffers` checks
no offset, so a damaged file reads anywhere. tests/embed/model_files/test_files.py compares the two.
"""

from __future__ import annotations

import struct
from pathlib import Path

from embed.errors import EncoderError
from embed.model_files.outline import ModelOutline, Tensor, mapped

__all__ = ["require_plain_tflite", "tflite_outline"]

_IDENTIFIER = b"TFL3"
_CUSTOM = 32  # BuiltinOperator_CUSTOM
_MAX_ENTRIES = 1_000_000
_DTYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    7: "int16",
    9: "int8",
    10: "float64",
    16: "uint16",
}


class _Table:
    """A flatbuffer's table; all that lies outside the file is a `struct.error`."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self._at = at
        self._fields = at - _number(data, at, "<i")
        self._n_bytes = _number(data, self._fields, "<H")

    def place(self, field: int) -> int:
        """Return where a field is; 0 where it is left out."""
        entry = 4 + 2 * field
        if entry + 2 > self._n_bytes:
            return 0
        offset = _number(self._data, self._fields + entry, "<H")
        return self._at + offset if offset else 0

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """Return a number that is kept in the table."""
        at = self.place(field)
        return _number(self._data, at, kind) if at else default

    def table(self, field: int) -> _Table | None:
        """Return another table that a field leads to."""
        at = self.place(field)
        return _Table(self._data, at + _number(self._data, at, "<I")) if at else None

    def _vector(self, field: int) -> tuple[int, int]:
        at = self.place(field)
        if not at:
            return 0, 0
        start = at + _number(self._data, at, "<I")
        length = _number(self._data, start, "<I")
        if length > _MAX_ENTRIES:
            raise struct.error(f"a list of {length}")
        return start + 4, length

    def tables(self, field: int) -> list[_Table]:
        """Return the tables of a list."""
        start, length = self._vector(field)
        places = range(start, start + 4 * length, 4)
        return [_Table(self._data, at + _number(self._data, at, "<I")) for at in places]

    def numbers(self, field: int, kind: str) -> list[int]:
        """Return the numbers of a list."""
        start, length = self._vector(field)
        if length > 64 * 1024:
            raise struct.error(f"a list of {length}")
        return [_number(self._data, start + k * struct.calcsize(kind), kind) for k in range(length)]

    def text(self, field: int) -> str:
        """Return a text."""
        start, length = self._vector(field)
        return bytes(self._data[start : start + length]).decode("utf-8", "replace")


def _number(data: memoryview, at: int, kind: str) -> int:
    if at < 0:
        raise struct.error("a place before the file's first byte")
    (value,) = struct.unpack_from(kind, data, at)
    return int(value) if kind != "<f" else value


def _model(path: Path, data: memoryview) -> _Table:
    if bytes(data[4:8]) != _IDENTIFIER:
        raise EncoderError(f"{path} is no TensorFlow Lite file: it has no {_IDENTIFIER.decode()}.")
    return _Table(data, _number(data, 0, "<I"))


def tflite_outline(path: Path) -> ModelOutline:
    """Read the inputs and outputs of a TensorFlow Lite file.

    Raises
    ------
    EncoderUnavailable
        If the file can't be read.
    EncoderError
        If it is no TensorFlow Lite file.
    """
    with mapped(path) as data:
        try:
            main, *_ = _model(path, data).tables(2)
            tensors = main.tables(0)
            inputs, outputs = (
                tuple(_tensor(tensors[k]) for k in main.numbers(field, "<i")) for field in (1, 2)
            )
        except (struct.error, ValueError, IndexError) as error:
            raise EncoderError(f"{path} is no TensorFlow Lite file: {error}.") from error
    if not inputs or not outputs:
        raise EncoderError(f"{path} has no input or no output.")
    return ModelOutline(inputs=inputs, outputs=outputs)


def _tensor(table: _Table) -> Tensor:
    dims = table.numbers(7, "<i") or table.numbers(0, "<i")
    scale, zero_point = 0.0, 0
    quantization = table.table(4)
    if quantization is not None:
        scales = quantization.numbers(2, "<f")
        zero_points = quantization.numbers(3, "<q")
        if len(scales) == 1 and len(zero_points) == 1:
            scale, zero_point = float(scales[0]), zero_points[0]
    return Tensor(
        name=table.text(3),
        shape=tuple(n if n > 0 else None for n in dims),
        dtype=_DTYPES.get(table.number(1, "<b"), "other"),
        scale=scale,
        zero_point=zero_point,
    )


def require_plain_tflite(path: Path) -> None:
    """Refuse a TensorFlow Lite file that leads to others, or needs operators of other programs.

    Raises
    ------
    EncoderUnavailable
        If the file can't be read.
    EncoderError
        If it is no TensorFlow Lite file, names external data or uses a custom operator.
    """
    with mapped(path) as data:
        try:
            model = _model(path, data)
            codes = model.tables(1)
            custom = [
                one.text(1)
                for one in codes
                if one.place(1) or _CUSTOM in (one.number(0, "<b"), one.number(3, "<i"))
            ]
            external = bool(model.tables(8) or model.tables(9))
        except (struct.error, ValueError, IndexError) as error:
            raise EncoderError(f"{path} is no TensorFlow Lite file: {error}.") from error
    if custom:
        raise EncoderError(
            f"{path} is refused: it needs the custom operator {custom[0]!r:.60}, which is a "
            "program of its own; convert the network to built-in operators (TFLITE_BUILTINS) only."
        )
    if external:
        raise EncoderError(
            f"{path} is refused: its weights are in another file; convert the network to one file."
        )
