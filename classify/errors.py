"""The one tree of errors of the `classify` package.

Every message says what is wrong, the measured value with its unit, the limit and the remedy.
"""

__all__ = ["ClassifyError", "LabelError", "SameSongError", "TasteError", "VectorError"]


class ClassifyError(Exception):
    """Root of everything that `classify` raises on purpose."""


class LabelError(ClassifyError):
    """Labels that nothing can be learnt from: too few, contradictory, or one-sided."""


class TasteError(ClassifyError):
    """A taste that can't be read, written or used with these vectors."""


class VectorError(ClassifyError):
    """Song vectors of a wrong shape, or with values that are not finite."""


class SameSongError(LabelError):
    """A like and a dislike are the same song, under two digests."""

    def __init__(self, liked: str, disliked: str) -> None:
        super().__init__(
            f"{liked} is liked and {disliked} disliked, and they sound the same: copies of one song; "
            "take one of the labels away"
        )
        self.digests = (liked, disliked)
