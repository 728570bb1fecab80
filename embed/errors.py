"""What can go wrong between a music file and its embedding."""

from __future__ import annotations

__all__ = ["AudioError", "EmbedError", "EncoderError", "EncoderUnavailable", "PathError"]


class EmbedError(Exception):
    """Root of every error that `embed` raises."""


class AudioError(EmbedError):
    """A file gives no usable audio; the message says why."""


class PathError(EmbedError):
    """A path, playlist or CSV that a user named can't be read."""


class EncoderError(EmbedError):
    """An encoder is unknown, or computed something that is not an embedding."""


class EncoderUnavailable(EncoderError):  # noqa: N818  says what it is
    """An encoder's weights can't be had; the message carries the remedy."""
