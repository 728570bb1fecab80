"""What can go wrong between a music file and its embedding."""

from __future__ import annotations

__all__ = [
    "AudioError",
    "EmbedError",
    "EncoderError",
    "EncoderUnavailable",
    "LimitExceeded",
    "UnreadableFile",
    "UnusableEmbedding",
    "WorkerCrashed",
    "WorkerStopped",
]


class EmbedError(Exception):
    """Root of every error that `embed` raises."""


class AudioError(EmbedError):
    """A file gives no usable audio; the message says why."""


class UnreadableFile(AudioError):  # noqa: N818  says what it is
    """The system did not let us read a file; another time it may."""


class LimitExceeded(AudioError):  # noqa: N818  says what it is
    """A file asks for more than the limits allow.

    The message says of what, and what would take it.
    """


class EncoderError(EmbedError):
    """An encoder is unknown, or computed something that is not an embedding."""


class EncoderUnavailable(EncoderError):  # noqa: N818  says what it is
    """An encoder's weights can't be had; the message carries the remedy."""


class WorkerCrashed(EmbedError):  # noqa: N818  says what happened
    """The process that worked on a recording died.

    A native decoder crashed, or it was killed for memory.
    """


class WorkerStopped(EmbedError):  # noqa: N818  says what happened
    """The worker pool was stopped before a task was done."""


class UnusableEmbedding(AudioError):  # noqa: N818  says what it is
    """One encoder gives numbers for a recording that can't be stored; another may do better."""
