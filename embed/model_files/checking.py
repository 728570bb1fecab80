"""Whether a network in a file hears: what its card says wrong shows in what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from embed.errors import EncoderError
from embed.model_files.card import MAX_DIM, Card

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_network"]

_APART = 1e-3
"""Sounds as unlike as these differ by more than that, relative to the longer embedding."""
_SAME = 1e-6
_MOST = 65504.0  # float16, which the cache stores
_SATURATED = 0.2


def check_network(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    inputs: Mapping[str, NDArray[np.float32]],
    card: Card,
    *,
    apart: Sequence[str],
) -> int:
    """Check a network on sounds that have nothing in common.

    Parameters
    ----------
    run : callable
        From `open_model`.
    inputs : mapping of name to ndarray, shape (parts, ...), float32
        What the front end gives for silence, noise, tones; the name is how messages call a sound.
    card : Card
    apart : sequence of str
        The sounds that must have embeddings of their own.

    Returns
    -------
    int
        The embedding's width.

    Raises
    ------
    EncoderError
        If numbers are not finite, too large to store, the same for unlike sounds, or others each
        time; the message says what looks wrong in the card.
    """
    means = {}
    for sound, read in inputs.items():
        if not np.isfinite(read).all():
            raise _wrong(f"the front end gives NaN or infinity for {sound}", card, read)
        given = run(read)
        if len(given) != card.parts or not 0 < given.shape[1] <= MAX_DIM:
            raise _wrong(
                f"it gives numbers of shape {given.shape}; {card.parts} embeddings of 1 to "
                f"{MAX_DIM} numbers are needed: see [output] name, axis and pool",
                card,
                read,
            )
        if not np.isfinite(given).all():
            raise _wrong(f"it gives NaN or infinity for {sound}", card, read)
        if np.abs(given).max() > _MOST:
            what = f"it gives {np.abs(given).max():.3g} for {sound}, and up to {_MOST:g} is stored"
            raise _wrong(what, card, read)
        if np.abs(run(read) - given).max() > _SAME * max(1.0, float(np.abs(given).max())):
            raise _wrong(f"it gives other numbers each time for {sound}", card, read)
        means[sound] = given.mean(axis=0).astype(np.float64)
    for one, other in combinations(apart, 2):
        longest = max(np.linalg.norm(means[one]), np.linalg.norm(means[other]))
        if np.linalg.norm(means[one] - means[other]) <= _APART * longest:
            what = f"it gives the same for {one} and {other}, so it does not hear"
            raise _wrong(what, card, inputs[other])
    return int(next(iter(means.values())).shape[0])


def _wrong(what: str, card: Card, read: NDArray[np.float32]) -> EncoderError:
    return EncoderError(f"The network does not embed: {what}. {_what_looks_wrong(card, read)}")


def _what_looks_wrong(card: Card, read: NDArray[np.float32]) -> str:
    """Say what the network was given, and where the card decides it."""
    finite = read[np.isfinite(read)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    said = f"It was given numbers from {low:.4g} to {high:.4g} at {card.rate_hz} Hz"
    if card.input.scale and card.front_end is None:
        integers = np.rint(read / card.input.scale) + card.input.zero_point
        outside = float(((integers < 0) | (integers > 255)).mean())
        if outside > _SATURATED:
            return (
                f"{said}; {outside:.0%} of them are beyond what 8-bit integers of [input] scale "
                f"{card.input.scale:g} and zero_point {card.input.zero_point} hold, which looks "
                "wrong."
            )
    if card.log_mel is not None:
        return (
            f"{said}: do [log_mel] log, gain, floor, mean and scale give what it was trained on? "
            "And is [output] the right one?"
        )
    if card.front_end is not None:
        return (
            f"{said}: should [input] gain be 32768, and are [front_end] scale and offset right? "
            "And is [output] the right one?"
        )
    return (
        f"{said}: should [input] gain be 32768, for 16-bit numbers? And is [output] the right one?"
    )
