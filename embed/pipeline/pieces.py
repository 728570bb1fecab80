"""What of a recording is embedded, in pieces.

It is cut into pieces that several workers take, and put together again.

The cut depends on what else there is to do; what comes out does not, to the last bit. Where some of
the windows are silent, the levels of all are measured, and others are taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cache import WHOLE, Entry
from embed.decoding.probing import AudioInfo
from embed.encoders.levels import meets_silence, sounding_windows
from embed.encoders.pooling import song_vector
from embed.encoders.registry import EncoderSpec
from embed.encoders.windows import NativeCut, choose_windows, pooled_windows, take_windows

__all__ = ["BLOCK", "Assembly", "Frames", "Known", "Outline", "Piece", "cut_pieces", "max_pieces"]

FloatArray = NDArray[np.float64]

BLOCK = 16
"""Windows embedded at a time, so that memory stays flat on a ten-hour recording."""
_MIN_BLOCKS = 2  # of a piece: below, opening the file and coming to its place cost too much


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What is known of windows of a recording before it is opened.

    A frame and a level are functions of their window alone, so these are as good as ones made
    anew. Where a window has both, it is not even decoded.

    Attributes
    ----------
    frames : mapping of int to ndarray, shape (dim,), float16
        By window of the grid.
    levels : mapping of int to float
        See `embed.encoders.levels.level_of`.
    """

    frames: Mapping[int, NDArray[np.float16]] = field(default_factory=dict)
    levels: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: Entry | None, spec: EncoderSpec, levels: Mapping[int, float]) -> Known:
        """Return what an encoder's entry tells, if there is one, beside levels."""
        if entry is None:
            return cls(levels=levels)
        windows = np.rint(entry.starts_s / spec.hop_s).astype(int).tolist()
        return cls(frames=dict(zip(windows, entry.frames, strict=True)), levels=levels)

    def has(self, window: int) -> bool:
        """Whether nothing of a window is left to be found."""
        return window in self.frames and window in self.levels

    def among(self, windows: Sequence[int]) -> Known:
        """Return what is known of some windows."""
        return Known(
            frames={i: self.frames[i] for i in windows if i in self.frames},
            levels={i: self.levels[i] for i in windows if i in self.levels},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """The unit of work: some of the windows that are embedded of a recording.

    Attributes
    ----------
    info : AudioInfo
    n_windows : int
        How many windows of the recording are embedded; 0 for all.
    windows : tuple of int
        Which of the grid these are, in time order.
    first : int
        How many of those that are embedded come before.
    known : Known
        What is known of them.
    """

    info: AudioInfo
    n_windows: int
    windows: tuple[int, ...]
    first: int = 0
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """What comes of a piece.

    Attributes
    ----------
    values : ndarray, shape (n, dim), float16
    levels : ndarray, shape (n,), float64
        Of the windows; see `embed.encoders.levels.level_of`.
    """

    values: NDArray[np.float16]
    levels: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Outline:
    """Which windows of a recording are embedded by an encoder.

    Attributes
    ----------
    spec : EncoderSpec
    info : AudioInfo
    n_windows : int
        How many; 0 for all.
    levels : ndarray, shape (n_grid,), float64, or None
        Of all the recording's windows, where they have been measured.
    known : Known
        What is known of its windows.
    """

    spec: EncoderSpec
    info: AudioInfo
    n_windows: int
    levels: FloatArray | None = None
    known: Known = field(default_factory=Known)

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
        """Those that are embedded, in time order; they sound, as far as levels are known."""
        scan = self.spec.scan_windows
        sounding: Sequence[int] = range(self.n_grid)
        if self.levels is not None:
            sounding = sounding_windows(self.levels, scan)
        return take_windows(self.n_grid, sounding, self.n_windows, scan)

    @property
    def whole(self) -> Piece:
        """All of it as one piece."""
        return self.piece(self.chosen)

    def piece(self, windows: Sequence[int], first: int = 0) -> Piece:
        """Cut a piece out, of some of the chosen windows; `first` of them come before."""
        return Piece(
            info=self.info,
            n_windows=self.n_windows,
            windows=tuple(windows),
            first=first,
            known=self.known.among(windows),
        )

    def parts(self, windows: Sequence[int]) -> list[int]:
        """Return how many parts are heard of each of some windows."""
        return [self.spec.grid.parts_heard(i, self.cut.n_samples) for i in windows]

    def entry(self, frames: Frames) -> Entry | None:
        """Make what is stored of the frames of the chosen windows; silent ones are left out.

        Returns
        -------
        Entry or None
            Its `n_windows` is 0 if the windows are all there are, its `coverage` the share of all
            that is stored. None where windows are silent and others would sound: then the levels of
            all are wanted.
        """
        everything = len(self.chosen) == self.n_grid
        if everything:
            sounding = sounding_windows(frames.levels, self.spec.scan_windows)
            values = frames.values if len(sounding) == self.n_grid else frames.values[sounding]
            return self._entry(sounding, values, WHOLE)
        if self.levels is None and self._meets_silence(frames.levels):
            return None
        return self._entry(self.chosen, frames.values, self.n_windows)

    def _meets_silence(self, levels: FloatArray) -> bool:
        """Whether a chosen window is silent beside those of a scan, which stand for the song."""
        scan = set(choose_windows(self.n_grid, self.spec.scan_windows))
        of_scan = [k for k, i in enumerate(self.chosen) if i in scan]
        whole_scan = len(of_scan) == len(scan)
        return meets_silence(levels, levels[of_scan] if whole_scan else levels)

    def _entry(self, stored: Sequence[int], frames: NDArray[np.float16], n_windows: int) -> Entry:
        pooled = pooled_windows(stored, self.n_grid, self.spec.scan_windows)
        weights = np.array(self.parts([stored[k] for k in pooled]), dtype=np.float64)
        return Entry(
            digest=self.info.digest,
            n_windows=n_windows,
            duration_s=self.info.duration_s,
            coverage=len(stored) / self.n_grid,
            starts_s=np.array([i * self.spec.hop_s for i in stored], dtype=np.float32),
            frames=frames,
            vector=song_vector(frames[pooled], weights),
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
    chosen, n = outline.chosen, len(outline.chosen)
    size = max(math.ceil(n / n_pieces / BLOCK), _MIN_BLOCKS) * BLOCK
    size = min(size, max_windows or size)
    for first in range(0, n, size):
        yield outline.piece(chosen[first : first + size], first)


class Assembly:
    """A recording of which pieces come back, in any order.

    Memory is what will be stored: the frames.
    """

    def __init__(self, outline: Outline, dim: int) -> None:
        n = len(outline.chosen)
        self.outline = outline
        self._frames = np.empty((n, dim), dtype=np.float16)
        self._levels = np.full(n, np.nan)

    def take(self, first: int, frames: Frames) -> bool:
        """Put in the frames from window `first` on; returns whether that was the last piece."""
        stop = first + len(frames.values)
        self._frames[first:stop] = frames.values
        self._levels[first:stop] = frames.levels
        return not np.isnan(self._levels).any()

    def entry(self) -> Entry | None:
        """Make what is stored of them all; see `Outline.entry`."""
        return self.outline.entry(Frames(values=self._frames, levels=self._levels))
