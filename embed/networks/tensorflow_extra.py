"""TensorFlow, which only some encoders need: whether it is there, and how to get it."""

from __future__ import annotations

import importlib.util

from embed.errors import EncoderUnavailable

__all__ = ["HOW_TO_GET_TENSORFLOW", "has_tensorflow", "require_tensorflow"]

HOW_TO_GET_TENSORFLOW = "pip install 'sevensongs[tensorflow]' (with uv it comes with the project)"


def has_tensorflow() -> bool:
    """Whether TensorFlow and TensorFlow Hub are installed; neither is imported."""
    return all(importlib.util.find_spec(name) for name in ("tensorflow", "tensorflow_hub"))


def require_tensorflow(what: str) -> None:
    """Check that TensorFlow is installed.

    Raises
    ------
    EncoderUnavailable
        If it is not; it says that `what` needs it, and how to get it.
    """
    if not has_tensorflow():
        raise EncoderUnavailable(
            f"{what} needs TensorFlow, which is not installed: {HOW_TO_GET_TENSORFLOW}."
        )
