"""The one tree of errors of the `classify` package.

Every message says what is wrong, the measured value with its unit, the limit and the remedy.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

__all__ = [
    "ClassifyError",
    "LabelError",
    "SameSongError",
    "ServerError",
    "TasteError",
    "VectorError",
    "one_song_needed",
    "write_problem",
]

if TYPE_CHECKING:
    from embed import Failure


class ClassifyError(Exception):
    """Root of everything that `classify` raises on purpose."""


class LabelError(ClassifyError):
    """Labels that nothing can be learnt from: too few, contradictory, or one-sided."""


class ServerError(ClassifyError):
    """A music server that can't be reached, refuses, or answers with what is not understood."""


class TasteError(ClassifyError):
    """A taste that can't be read, written or used with these vectors."""


class VectorError(ClassifyError):
    """Song vectors of a wrong shape, or with values that are not finite."""


class SameSongError(LabelError):
    """A like and a dislike are the same song, under two digests."""

    def __init__(self, liked: str, disliked: str) -> None:
        super().__init__(
            f"{liked} is liked and {disliked} disliked, and they sound the same: copies of one "
            "song; take one of the labels away"
        )
        self.digests = (liked, disliked)


def write_problem(error: OSError) -> str:
    """Say why a file could not be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.strerror}); free some space, or choose another place"
    return f"{error.strerror or error}; choose another place"


def one_song_needed(named: Sequence[str], n_songs: int, failed: Sequence[Failure]) -> str:
    """Say why what was named is not the one song that is needed."""
    if len(named) == 1 and not n_songs and failed and failed[0].error == "does not exist":
        return f"there is no file {named[0]}"
    why = f": {failed[0].error}" if failed else "; name one audio file"
    return f"{', '.join(named)} holds {n_songs} songs, one is needed{why}"
