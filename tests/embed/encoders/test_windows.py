from __future__ import annotations

import itertools

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embed import ENCODERS, EmbedError, Grid, Span
from embed.encoders.windows import SCAN_WINDOWS, NativeCut, choose_windows, coverage_windows

RATES_HZ = [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000]

lengths = st.integers(min_value=1, max_value=40_000_000)
rates = st.sampled_from(RATES_HZ)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Grids as encoders have them.

    Their windows have parts of equal steps, each part as long as a step or longer.
    """
    n_parts = draw(st.integers(1, 8))
    step = draw(st.integers(100, 20_000))
    part = step + draw(st.integers(0, 10_000))
    pad = draw(st.integers(0, part // 2))
    window = part + (n_parts - 1) * step
    return Grid(
        rate_hz=16000,
        window_samples=window,
        step_samples=step * n_parts,
        pad_samples=pad,
        n_parts=n_parts,
    )


some_grids = st.one_of(
    st.sampled_from([ENCODERS[n].grid for n in ("musicnn", "yamnet", "vggish")]), grids()
)


def test_coverage_is_a_word_or_a_number() -> None:
    assert coverage_windows("scan") == SCAN_WINDOWS == 12
    assert coverage_windows("full") == 0
    assert coverage_windows("7") == coverage_windows(7) == 7


@pytest.mark.parametrize("coverage", ["", "all", "0", 0, -1, "1.5", "1e3", 10**9, "nan"])
def test_another_coverage_is_refused_with_what_it_must_be(coverage: str | int) -> None:
    with pytest.raises(EmbedError, match="must be 'scan', 'full' or a number"):
        coverage_windows(coverage)


@given(n_grid=st.integers(1, 20_000), n_windows=st.integers(0, 300))
def test_windows_are_some_of_the_grids_in_order_each_once(n_grid: int, n_windows: int) -> None:
    chosen = choose_windows(n_grid, n_windows)
    full = choose_windows(n_grid, 0)
    assert full == list(range(n_grid))
    assert set(chosen) <= set(full)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == (min(n_windows, n_grid) or n_grid)


@given(n_grid=st.integers(13, 20_000), n_windows=st.integers(1, 11))
def test_a_few_windows_are_some_of_a_scans_and_about_evenly_spread(
    n_grid: int, n_windows: int
) -> None:
    chosen, scan = choose_windows(n_grid, n_windows), choose_windows(n_grid, SCAN_WINDOWS)
    places = [scan.index(i) for i in chosen]
    assert places == choose_windows(SCAN_WINDOWS, n_windows)
    assert len(places) == n_windows
    # Each within half a step of a scan from the middle of its share.
    middles = (np.arange(n_windows) + 0.5) * n_grid / n_windows
    assert np.abs(chosen - middles).max() <= n_grid / SCAN_WINDOWS / 2 + 1


@given(n_grid=st.integers(2, 20_000), n_windows=st.integers(12, 300))
def test_windows_are_spread_evenly(n_grid: int, n_windows: int) -> None:
    chosen = choose_windows(n_grid, n_windows)
    n = len(chosen)
    steps = np.diff(chosen)
    if n > 1:
        assert steps.max() - steps.min() <= 1
    # as much is left out before the first as after the last, and half as much as between two
    before, after = chosen[0], n_grid - 1 - chosen[-1]
    assert abs(before - after) <= 1
    assert before <= n_grid / n / 2


@given(grid=some_grids, n_samples=lengths)
def test_windows_begin_inside_the_recording_and_all_but_the_first_end_there(
    grid: Grid, n_samples: int
) -> None:
    n = grid.count(n_samples)
    assert n >= 1
    assert [grid.start(0), grid.start(n - 1)] == [
        -grid.pad_samples,
        (n - 1) * grid.step_samples - grid.pad_samples,
    ]
    parts = [grid.parts_heard(i, n_samples) for i in (0, n // 2, n - 1)]
    assert all(1 <= p <= grid.n_parts for p in parts)
    if n > 1:
        assert parts[0] == grid.n_parts
        assert grid.start(n - 1) < n_samples
        # what the last window's whole parts hear is inside, but for the padding
        step = grid.step_samples // grid.n_parts
        part = grid.window_samples - (grid.n_parts - 1) * step
        assert grid.start(n - 1) + (parts[-1] - 1) * step + part <= n_samples + grid.pad_samples


@given(grid=some_grids, n_samples=lengths, more=st.integers(0, 100_000))
def test_a_longer_recording_has_no_fewer_windows(grid: Grid, n_samples: int, more: int) -> None:
    assert grid.count(n_samples) <= grid.count(n_samples + more)
    assert grid.count(n_samples + grid.step_samples) <= grid.count(n_samples) + 1


@given(grid=grids(), n_samples=st.integers(1, 60_000))
def test_cutting_gives_the_counted_windows_of_the_padded_waveform(
    grid: Grid, n_samples: int
) -> None:
    waveform = np.arange(1, n_samples + 1, dtype=np.float32)
    windows = grid.cut(waveform)
    assert windows.shape == (grid.count(n_samples), grid.window_samples)
    for i, window in enumerate(windows):
        times = grid.start(i) + np.arange(grid.window_samples)
        inside = (times >= 0) & (times < n_samples)
        np.testing.assert_array_equal(window, np.where(inside, times + 1, 0))


@given(grid=some_grids, native_hz=rates, n_native=lengths, n_windows=st.integers(1, 20))
def test_spans_are_in_order_and_of_bounded_length(
    grid: Grid, native_hz: int, n_native: int, n_windows: int
) -> None:
    cut = NativeCut(grid=grid, native_hz=native_hz, n_native=n_native)
    assert abs(cut.n_samples / grid.rate_hz - n_native / native_hz) <= 1 / grid.rate_hz
    chosen = choose_windows(grid.count(cut.n_samples), n_windows)
    spans = cut.spans(chosen)
    assert len(spans) == len(chosen)
    assert all(a.start <= b.start and a.stop <= b.stop for a, b in itertools.pairwise(spans))
    for i, span in zip(chosen, spans, strict=True):
        start_s, stop_s = span.start / native_hz, span.stop / native_hz
        wanted_s = (
            grid.start(i) / grid.rate_hz,
            (grid.start(i) + grid.window_samples) / grid.rate_hz,
        )
        assert wanted_s[0] - 0.25 < start_s <= wanted_s[0]
        assert wanted_s[1] <= stop_s < wanted_s[1] + 0.25


def _span_of(waveform: NDArray[np.float32], span: Span) -> NDArray[np.float32]:
    """Do as `read_spans` does: silence outside."""
    out = np.zeros(span.stop - span.start, dtype=np.float32)
    low, high = max(span.start, 0), min(span.stop, len(waveform))
    if low < high:
        out[low - span.start : high - span.start] = waveform[low:high]
    return out


@pytest.mark.parametrize("native_hz", RATES_HZ)
@pytest.mark.parametrize("encoder", ["musicnn", "yamnet"])
def test_a_window_resampled_alone_is_that_of_the_whole_resampled_at_once(
    encoder: str, native_hz: int
) -> None:
    grid = ENCODERS[encoder].grid
    n_native = round(31.3 * native_hz) + 17
    waveform = np.random.default_rng(3).uniform(-0.9, 0.9, size=n_native).astype(np.float32)
    # A second of silence on either side, as a window has it: soxr begins abruptly.
    padded = np.pad(waveform, native_hz)
    whole = padded if native_hz == 16000 else soxr.resample(padded, native_hz, 16000, quality="HQ")
    whole = whole[16000:]
    cut = NativeCut(grid=grid, native_hz=native_hz, n_native=n_native)
    expected = grid.cut(whole[: cut.n_samples])
    indices = choose_windows(grid.count(cut.n_samples), 0)
    assert len(indices) == len(expected) >= 6
    for i, span in zip(indices, cut.spans(indices), strict=True):
        alone = cut.resample(i, span, _span_of(waveform, span))
        assert alone.dtype == np.float32
        np.testing.assert_allclose(alone, expected[i], atol=1e-5, rtol=0)


@pytest.mark.parametrize("native_hz", RATES_HZ)
def test_a_tone_keeps_its_pitch_and_phase(native_hz: int) -> None:
    grid = ENCODERS["musicnn"].grid
    waveform = np.sin(2 * np.pi * 440 * np.arange(10 * native_hz) / native_hz).astype(np.float32)
    cut = NativeCut(grid=grid, native_hz=native_hz, n_native=len(waveform))
    (span,) = cut.spans([1])
    window = cut.resample(1, span, _span_of(waveform, span))
    times = (grid.start(1) + np.arange(grid.window_samples)) / 16000
    np.testing.assert_allclose(window, np.sin(2 * np.pi * 440 * times), atol=1e-3)


def test_a_recording_shorter_than_a_window_is_followed_by_silence() -> None:
    grid = ENCODERS["musicnn"].grid
    waveform = np.full(44100, 0.5, dtype=np.float32)
    cut = NativeCut(grid=grid, native_hz=44100, n_native=44100)
    assert grid.count(cut.n_samples) == 1
    (span,) = cut.spans([0])
    window = cut.resample(0, span, _span_of(waveform, span))
    assert not window[: grid.pad_samples].any()
    assert np.abs(window[1000:15000] - 0.5).max() < 1e-3
    assert not window[grid.pad_samples + 16001 :].any()
