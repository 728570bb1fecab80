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
    """One fixed-window network, as an encoder file builds it.

    Attributes
    ----------
    function : callable
        From inputs side by side, a `GraphTensor` (n, ...), to embeddings (n, dim), in the
        operations of `embed.graphs`. Where the encoder needs TensorFlow, from one float32 tensor of
        `input_shape` to embeddings (n_parts, dim), in what TensorFlow can trace.
    input_shape : tuple of int
        Of one input; it begins with 1 unless the encoder needs TensorFlow.
    constants : mapping of name to ndarray
        Arrays that the front end or the tags need at embedding time.
    n_at_once : int
        How many windows LiteRT is given at a time, where the encoder does not need TensorFlow. What
        it makes of a window does not depend on the others.
    keep : object
        Whatever must outlive `function`, such as a SavedModel whose variables it reads.
    """

    function: Callable[[Any], Any]
    input_shape: tuple[int, ...]
    constants: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    n_at_once: int = 1
    keep: object = None
