"""The arithmetic of a head without the library that trained it: layers of plain arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from classify.errors import TasteError
from classify.taste.vectors import FloatArray

__all__ = ["ACTIVATIONS", "MAX_WEIGHTS", "Activation", "Layer", "check_layers"]

Layer = tuple[FloatArray, FloatArray]
Activation = Literal["relu", "exp"]


def _exp(hidden: FloatArray) -> FloatArray:
    capped = np.minimum(hidden, 0)
    return np.exp(capped, out=capped)


# What lies between layers. A likeness is 1 at most; more is rounding, or a file that means harm.
ACTIVATIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "relu": lambda hidden: np.maximum(hidden, 0),
    "exp": _exp,
}

# A kernel head has 26,000; far more is no taste of ours.
MAX_WEIGHTS = 1_000_000

# No song's decision can be larger than this: sums of larger numbers end in infinity, and then in no
# number.
_MAX_DECISION = 1e100


def check_layers(dim: int, layers: Sequence[Layer]) -> None:
    """Check that layers lead from `dim` inputs to one output by finite numbers.

    Parameters
    ----------
    dim : int
        Numbers that the first layer reads.
    layers : sequence of (W, b)
        `W` of shape (n_in, n_out), `b` of shape (n_out,), float64.

    Raises
    ------
    TasteError
        If they do not, hold more than `MAX_WEIGHTS` numbers, or could lead to a decision beyond
        1e100.
    """
    if not layers:
        raise TasteError("taste has no layer; it needs at least 1: train it again")
    n_weights = sum(weights.size + bias.size for weights, bias in layers)
    if n_weights > MAX_WEIGHTS:
        raise TasteError(f"taste has {n_weights} weights, the limit is {MAX_WEIGHTS}")
    n_in, largest = dim, 1.0  # a song in song space has unit length
    for number, (weights, bias) in enumerate(layers):
        if weights.ndim != 2 or weights.shape[0] != n_in or bias.shape != (weights.shape[1],):
            raise TasteError(
                f"layer {number} of the taste has shapes {weights.shape} and {bias.shape}; "
                f"({n_in}, n) and (n,) are needed: train it again"
            )
        if weights.dtype != np.float64 or bias.dtype != np.float64:
            raise TasteError(f"layer {number} of the taste is not float64: train it again")
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise TasteError(
                f"layer {number} of the taste holds a value that is not finite: train it again"
            )
        n_in = weights.shape[1]
        with np.errstate(over="ignore"):
            largest = max(
                1.0, float(np.max(largest * np.abs(weights).sum(axis=0) + np.abs(bias), initial=0))
            )
        if not largest <= _MAX_DECISION:
            raise TasteError(
                f"layer {number} of the taste reaches {largest:g}; {_MAX_DECISION:g} is the limit"
            )
    if n_in != 1:
        raise TasteError(f"taste ends in {n_in} outputs; 1 is needed")
