"""What a model file says of itself: its inputs and outputs.

It is read without a runtime, as an encoder is looked up at every start.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embed.errors import EncoderError, EncoderUnavailable

__all__ = ["MAX_FILE_BYTES", "ModelOutline", "Tensor", "mapped"]

MAX_FILE_BYTES = 2**31
"""What one protobuf or flatbuffer can hold."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An input or output of a network.

    Attributes
    ----------
    name : str
    shape : tuple of int or None
        None where the file leaves a length open.
    dtype : str
        As NumPy calls it; ``other`` where NumPy has no such numbers.
    scale, zero_point : float, int
        Of integers: what they stand for is ``(q - zero_point) * scale``. A scale of 0: not told.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0

    @property
    def told(self) -> str:
        """Name and shape, as messages show them."""
        dims = ", ".join("?" if n is None else str(n) for n in self.shape)
        return f"{self.name} ({dims}) of {self.dtype}"


@dataclass(frozen=True, kw_only=True)
class ModelOutline:
    """The inputs and outputs of a network, in the file's order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """Map a model file into memory; of a large one only what is looked at is read.

    Raises
    ------
    EncoderUnavailable
        If it can't be read.
    EncoderError
        If it is empty or too large, or what reads it meets something that is no model.
    """
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            if not 0 < size < MAX_FILE_BYTES:
                raise EncoderError(
                    f"{path} has {size} bytes; a model file has more than 0 and less than "
                    f"{MAX_FILE_BYTES}."
                )
            # Not closed here: an error's traceback may still hold parts of it.
            yield memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise EncoderUnavailable(
            f"The model file {path} can't be read ({error.strerror or error})."
        ) from error
