"""What of a recording is embedded, in pieces.

It is cut into pieces that several workers take, and put together again.

The cut depends on what else there is to do; what comes out does not, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cache import WHOLE, Entry
from embed.decoding.probing import AudioInfo
from embed.encoders.pooling import song_vector
from embed.encoders.registry import EncoderSpec
from embed.encoders.windows import NativeCut, choose_windows

__all__ = ["BLOCK", "Assembly", "Outline", "Piece", "cut_pieces", "max_pieces"]

BLOCK = 16
"""Windows embedded at a time, so that memory stays flat on a ten-hour recording."""
_MIN_BLOCKS = 2  # of a piece: below, opening the file and coming to its place cost too much


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The unit of work: `first` to `stop` of the windows that are embedded of a recording.

    `n_windows` is how many windows of the recording are embedded, spread evenly; 0 for all.
    """

    info: AudioInfo
    n_windows: int
    first: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Which windows of a recording are embedded by an encoder."""

    spec: EncoderSpec
    info: AudioInfo
    n_windows: int

    @cached_property
    def cut(self) -> NativeCut:
        """How windows lie in the recording."""
        return NativeCut(
            grid=self.spec.grid, native_hz=self.info.rate_hz, n_native=self.info.n_samples
        )

    @cached_property
    def n_grid(self) -> int:
        """How many windows the whole recording has."""
        return self.spec.grid.count(self.cut.n_samples)

    @cached_property
    def chosen(self) -> list[int]:
        """Those that are embedded, in time order."""
        return choose_windows(self.n_grid, self.n_windows)

    def parts(self, first: int, stop: int) -> list[int]:
        """Return how many parts are heard of each of the chosen windows `first` to `stop`."""
        return [self.spec.grid.parts_heard(i, self.cut.n_samples) for i in self.chosen[first:stop]]

    def entry(self, frames: NDArray[np.float16]) -> Entry:
        """Make what is stored of the frames (len(chosen), dim).

        `n_windows` is 0 if the frames are all there are.
        """
        n = len(self.chosen)
        return Entry(
            digest=self.info.digest,
            n_windows=WHOLE if n == self.n_grid else self.n_windows,
            duration_s=self.info.duration_s,
            coverage=n / self.n_grid,
            starts_s=np.array([i * self.spec.hop_s for i in self.chosen], dtype=np.float32),
            frames=frames,
            vector=song_vector(frames, np.array(self.parts(0, n), dtype=np.float64)),
        )


def max_pieces(n_windows: int) -> int | None:
    """Return how many pieces a recording can have of which so many windows are embedded.

    None stands for any number: `n_windows` is `cache.WHOLE`.
    """
    return None if n_windows == WHOLE else math.ceil(n_windows / (_MIN_BLOCKS * BLOCK))


def cut_pieces(
    outline: Outline, *, n_pieces: int, max_windows: int | None = None
) -> Iterator[Piece]:
    """Cut what is embedded of a recording into about equal pieces.

    Parameters
    ----------
    outline : Outline
    n_pieces : int
        How many; fewer where they would have less than 32 windows.
    max_windows : int, optional
        Of a piece, a multiple of `BLOCK`; goes before `n_pieces`.

    Yields
    ------
    Piece
        In time order; all but the last have a multiple of `BLOCK` windows.
    """
    n = len(outline.chosen)
    size = max(math.ceil(n / n_pieces / BLOCK), _MIN_BLOCKS) * BLOCK
    size = min(size, max_windows or size)
    for first in range(0, n, size):
        yield Piece(
            info=outline.info, n_windows=outline.n_windows, first=first, stop=min(first + size, n)
        )


class Assembly:
    """A recording of which pieces come back, in any order.

    Memory is what will be stored: the frames.
    """

    def __init__(self, outline: Outline, dim: int) -> None:
        n = len(outline.chosen)
        self._outline = outline
        self._frames = np.empty((n, dim), dtype=np.float16)
        self._missing = np.ones(n, dtype=bool)

    def take(self, first: int, frames: NDArray[np.float16]) -> Entry | None:
        """Put in the frames from window `first` on; returns the entry once none is missing."""
        stop = first + len(frames)
        self._frames[first:stop] = frames
        self._missing[first:stop] = False
        return None if self._missing.any() else self._outline.entry(self._frames)
