"""What an encoder file hands to the compiler and to the runtime.

These are its weights, and a network on one window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Network", "Weights"]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Pretrained weights on disk, named by what is in them."""

    path: Path
    sha256: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """One fixed-window network in TensorFlow, as an encoder file builds it.

    Attributes
    ----------
    function : callable
        From one float32 tensor of `input_shape` to embeddings (n_parts, dim); traceable by
        TensorFlow.
    constants : mapping of name to ndarray
        Arrays that the front end or the tags need at embedding time.
    takes_batches : bool
        Whether `function` takes several windows as well: (n, ...) to (n, dim). `input_shape` is (1,
        ...).
    n_at_once : int
        How many windows LiteRT is given at a time, by a network that takes batches. What it makes
        of a window does not depend on the others.
    keep : object
        Whatever must outlive `function`, such as a SavedModel whose variables it reads.
    """

    function: Callable[[Any], Any]
    input_shape: tuple[int, ...]
    constants: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    takes_batches: bool = False
    n_at_once: int = 1
    keep: object = None

    def __post_init__(self) -> None:
        if self.n_at_once > 1 and not self.takes_batches:
            raise ValueError(f"n_at_once is {self.n_at_once}; this needs takes_batches")
