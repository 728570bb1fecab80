"""Two passes over many new songs: a few windows of each, which are soon a ranking; then the rest.

The rest is heard in the order in which songs are wanted, and no window goes through a network
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from embed.encoders.registry import EncoderSpec
from embed.sifting.files_left import File

__all__ = ["FROM_SONGS", "WantedFirst", "first_windows"]

FROM_SONGS = 500
"""New songs from which on a first look is taken: a scan of fewer is over in two minutes."""
_SHARE = 3


def first_windows(spec: EncoderSpec) -> int:
    """Return how many windows of a song an encoder hears at first: a third of a scan's.

    With fewer there is a ranking sooner, but one within 0.02 in AUC of a whole scan's is there
    later (tests/benchmarks/README.md). Two of aisfx are the least: its network runs on two at a
    time, and of one alone there is no deviation.

    Examples
    --------
    >>> from embed import encoder_spec
    >>> from embed.pipeline.first_look import first_windows
    >>> first_windows(encoder_spec("musicnn")), first_windows(encoder_spec("aisfx"))
    (4, 2)
    """
    return max(1, spec.scan_windows // _SHARE)


class WantedFirst:
    """Puts files in the order in which their recordings are wanted.

    Parameters
    ----------
    tell : callable
        Returns the digests of recordings, those wanted most first; the same object as before where
        nothing has changed.
    """

    def __init__(self, tell: Callable[[], Sequence[str]]) -> None:
        self._tell = tell
        self._told: Sequence[str] = ()
        self._places: dict[str, int] = {}

    def __call__(self, files: Sequence[File]) -> list[File]:
        """Return the files in order; those not wanted come last, as they stand."""
        told = self._tell()
        if told is not self._told:
            self._told, self._places = told, {digest: k for k, digest in enumerate(told)}
        last = len(self._places)
        return sorted(files, key=lambda file: self._places.get(file.digest or "", last))
