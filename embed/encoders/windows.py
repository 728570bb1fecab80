"""Which stretches of a recording an encoder hears, and how they are cut to its rate.

A recording is laid out in a grid of windows, one a stored frame. Full coverage takes all of them, a
scan takes some of the same, so that scanned frames are among the full ones, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed.decoding.packets import Span
from embed.errors import EmbedError

__all__ = [
    "SCAN_WINDOWS",
    "Grid",
    "NativeCut",
    "choose_windows",
    "coverage_windows",
    "pooled_windows",
    "take_windows",
]

SCAN_WINDOWS = 12
"""Windows of a `scan`, unless an encoder's row in `ENCODERS` says otherwise.

A song needs some ten.
"""
_MARGIN_S = 0.05  # heard on either side of a window, so that the resampling filter has run in


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The windows of one encoder, in samples at its rate.

    Window i covers samples ``i * step_samples - pad_samples`` and on, for `window_samples`; what
    lies before the recording's start and after its end is silence. The network may give several
    embeddings a window, one for each of `n_parts` equal steps (YAMNet: six patches); their mean is
    stored.
    """

    rate_hz: int
    window_samples: int
    step_samples: int
    pad_samples: int = 0
    n_parts: int = 1

    def count(self, n_samples: int) -> int:
        """Return how many windows `n_samples` hold; at least one."""
        return -(-self._count_parts(n_samples) // self.n_parts)

    def parts_heard(self, i: int, n_samples: int) -> int:
        """Return how many parts of window `i` lie wholly inside `n_samples`.

        Only in the last window are there fewer.
        """
        return min(self.n_parts, self._count_parts(n_samples) - i * self.n_parts)

    def samples_heard(self, i: int, n_samples: int) -> int:
        """Return how many samples of window `i`, from its first, the network's parts read."""
        left_out = self.n_parts - self.parts_heard(i, n_samples)
        return self.window_samples - left_out * (self.step_samples // self.n_parts)

    def _count_parts(self, n_samples: int) -> int:
        step = self.step_samples // self.n_parts
        length = self.window_samples - (self.n_parts - 1) * step
        return max(1, (n_samples + 2 * self.pad_samples - length) // step + 1)

    def start(self, i: int) -> int:
        """Return the first sample of window `i`; negative inside the padding."""
        return i * self.step_samples - self.pad_samples

    def cut(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut a waveform (n_samples,) into its windows (n_windows, window_samples)."""
        n = self.count(len(waveform))
        after = max(0, self.start(n - 1) + self.window_samples - len(waveform))
        padded = np.pad(waveform, (self.pad_samples, after))
        views = np.lib.stride_tricks.sliding_window_view(padded, self.window_samples)
        return np.ascontiguousarray(views[:: self.step_samples][:n])


def coverage_windows(coverage: str | int, *, scan_windows: int = SCAN_WINDOWS) -> int:
    """Turn a coverage (``scan``, ``full`` or a number of windows) into a number; 0 means all.

    Parameters
    ----------
    coverage : {'scan', 'full'} or int
    scan_windows : int
        What ``scan`` means to the encoder; see `EncoderSpec`.

    Raises
    ------
    EmbedError
        If it is none of these.

    Examples
    --------
    >>> from embed import coverage_windows
    >>> coverage_windows("scan"), coverage_windows("full"), coverage_windows(5)
    (12, 0, 5)
    """
    if coverage == "scan":
        return scan_windows
    if coverage == "full":
        return 0
    try:
        n_windows = int(coverage)
    except ValueError:
        n_windows = 0
    if not 1 <= n_windows <= 1_000_000:
        raise EmbedError(
            f"coverage is {coverage!r}; it must be 'scan', 'full' or a number of windows a song, 1 "
            "or more"
        )
    return n_windows


def choose_windows(n_grid: int, n_windows: int) -> list[int]:
    """Choose `n_windows` of a grid's `n_grid`, spread evenly; 0 chooses all.

    Fewer than 12 are chosen among the 12 of a usual scan. So encoders with grids of one step hear
    the same places, which are decoded once, whatever their scans take.

    Examples
    --------
    >>> from embed.encoders.windows import choose_windows
    >>> choose_windows(80, 12)
    [3, 10, 16, 23, 30, 36, 43, 50, 56, 63, 70, 76]
    >>> choose_windows(80, 4)
    [10, 30, 50, 70]
    """
    if n_windows == 0 or n_windows >= n_grid:
        return list(range(n_grid))
    if n_windows < SCAN_WINDOWS < n_grid:
        usual = _middles(n_grid, SCAN_WINDOWS)
        return [usual[k] for k in _middles(SCAN_WINDOWS, n_windows)]
    return _middles(n_grid, n_windows)


def _middles(n: int, n_shares: int) -> list[int]:
    """Cut `n` places into equal shares; return the one in the middle of each."""
    return [(2 * k + 1) * n // (2 * n_shares) for k in range(n_shares)]


def take_windows(
    n_grid: int, sounding: Sequence[int], n_windows: int, scan_windows: int
) -> list[int]:
    """Take windows of a recording, spread evenly over what sounds.

    Parameters
    ----------
    n_grid : int
        How many windows the recording has.
    sounding : sequence of int
        Those that sound, in time order; all where nothing is known of silence.
    n_windows : int
        How many; 0 for all that sound.
    scan_windows : int
        How many a scan takes. Where more are taken, a scan's are among them.

    Returns
    -------
    list of int
        In time order. Where silence is not among them, those of the grid spread evenly.

    Examples
    --------
    >>> from embed.encoders.windows import take_windows
    >>> take_windows(8, range(8), 2, 12), take_windows(8, [0, 1, 2, 3], 2, 12)
    ([2, 6], [1, 3])
    """
    if n_windows == 0 or n_windows >= len(sounding):
        return list(sounding)
    there = set(sounding)
    taken = choose_windows(n_grid, min(n_windows, scan_windows))
    if not there.issuperset(taken):
        taken = [sounding[k] for k in choose_windows(len(sounding), len(taken))]
    if n_windows > len(taken):
        rest = sorted(there.difference(taken))
        more = choose_windows(len(rest), n_windows - len(taken))
        taken = sorted([*taken, *(rest[k] for k in more)])
    return taken


def pooled_windows(stored: Sequence[int], n_grid: int, scan_windows: int) -> list[int]:
    """Tell which of the stored windows make the song vector: those that a scan takes.

    So it is the same whether a song was scanned or heard whole.

    Parameters
    ----------
    stored : sequence of int
        Windows of the grid, in time order.
    n_grid : int
        How many windows the recording has.
    scan_windows : int
        How many a scan takes.

    Returns
    -------
    list of int
        Places in `stored`, in order: all, where there are no more than a scan takes.

    Examples
    --------
    >>> from embed.encoders.windows import pooled_windows
    >>> pooled_windows(range(8), 8, 2), pooled_windows([0, 1, 2, 3], 8, 2)
    ([2, 6], [1, 3])
    """
    taken = take_windows(n_grid, stored, min(scan_windows, len(stored)), scan_windows)
    place = {window: k for k, window in enumerate(stored)}
    return [place[window] for window in taken]


@dataclass(frozen=True, kw_only=True)
class NativeCut:
    """Windows of a grid, as spans at a recording's own rate and back.

    Every span starts where a sample of either rate falls on the same instant, so that a window
    resampled alone has the samples of the whole recording resampled at once.
    """

    grid: Grid
    native_hz: int
    n_native: int

    @property
    def _ratio(self) -> tuple[int, int]:
        """Return (samples of the encoder, samples of the recording) that last equally long."""
        divisor = math.gcd(self.native_hz, self.grid.rate_hz)
        return self.grid.rate_hz // divisor, self.native_hz // divisor

    @property
    def n_samples(self) -> int:
        """The recording's length at the encoder's rate."""
        up, down = self._ratio
        return -(-self.n_native * up // down)

    def spans(self, indices: Sequence[int]) -> list[Span]:
        """Return what must be decoded for windows `indices`."""
        up, down = self._ratio
        if up == down:
            starts = [self.grid.start(i) for i in indices]
            return [Span(start=a, stop=a + self.grid.window_samples) for a in starts]
        margin = round(_MARGIN_S * self.grid.rate_hz)
        spans = []
        for i in indices:
            first = (self.grid.start(i) - margin) // up
            last = -(-(self.grid.start(i) + self.grid.window_samples + margin) // up)
            spans.append(Span(start=first * down, stop=last * down))
        return spans

    def windows(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return all windows of a recording, (n_windows, window_samples), from its (n_native,)."""
        if self.native_hz == self.grid.rate_hz:
            return self.grid.cut(samples)
        spans = self.spans(range(self.grid.count(self.n_samples)))
        before = -min(span.start for span in spans)
        padded = np.pad(samples, (before, max(0, spans[-1].stop - len(samples))))
        return np.stack(
            [
                self.resample(i, span, padded[span.start + before : span.stop + before])
                for i, span in enumerate(spans)
            ]
        )

    def resample(self, i: int, span: Span, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return window `i` (window_samples,) from the samples of its span."""
        up, down = self._ratio
        start = self.grid.start(i)
        if up != down:
            import soxr

            resampled = soxr.resample(samples, self.native_hz, self.grid.rate_hz, quality="HQ")
            offset = start - span.start // down * up
            samples = resampled[offset : offset + self.grid.window_samples]
        window = np.zeros(self.grid.window_samples, dtype=np.float32)
        low, high = max(0, -start), min(self.grid.window_samples, self.n_samples - start)
        high = min(high, len(samples))
        if low < high:
            window[low:high] = samples[low:high]
        return window
