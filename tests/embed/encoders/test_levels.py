"""Which windows are silent, and how much of the level an encoder hears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

import embed
from embed.encoders.levels import even_out, level_of, meets_silence, sounding_windows
from embed.encoders.windows import choose_windows, pooled_windows, take_windows

SCAN = 12


def db(ratio: float) -> float:
    return float(20 * np.log10(ratio))


def sine(rms: float) -> NDArray[np.float32]:
    return np.sin(np.arange(48_000) / 8, dtype=np.float32) * np.float32(rms * np.sqrt(2))


@pytest.mark.parametrize(
    ("rms", "power", "moved_db"),
    [(0.025, 0.5, 6.02), (0.1, 0.5, 0), (0.4, 1.0, -12), (0.025, 0.0, 0), (1e-5, 1.0, 30)],
)
def test_a_windows_level_is_moved_by_its_share_of_the_way(
    rms: float, power: float, moved_db: float
) -> None:
    (moved,) = even_out(sine(rms)[np.newaxis], power)
    assert db(level_of(moved) / rms) == pytest.approx(moved_db, abs=0.05)


def test_a_silent_window_stays_as_it_is() -> None:
    silent = np.full((2, 1000), 1e-7, np.float32)
    np.testing.assert_array_equal(even_out(silent, 1.0), silent)


@given(arrays.arrays(np.float32, (5, 333), elements=st.floats(-1, 1, width=32)), st.integers(0, 4))
def test_a_windows_level_depends_on_no_other_window(windows: NDArray[np.float32], k: int) -> None:
    np.testing.assert_array_equal(even_out(windows, 0.5)[k], even_out(windows[k : k + 1], 0.5)[0])


def test_every_encoder_hears_levels_alike_and_its_name_tells(compiled: Path) -> None:
    from dataclasses import replace

    spec = embed.encoder_spec("musicnn")
    weights = spec.locate()
    others = {replace(spec, level_power=power).fingerprint(weights) for power in (0.1, 0.2, 1.0)}
    assert len(others | {spec.fingerprint(weights)}) == 4
    encoder = embed.load_encoder("musicnn", root=compiled)
    plain = embed.load_encoder("musicnn", root=compiled)
    encoder.spec, plain.spec = replace(spec, level_power=1.0), replace(spec, level_power=0.0)
    loud, quiet = (np.random.default_rng(1).normal(0, s, 48_512).astype("f4") for s in (0.2, 0.05))
    assert np.allclose(encoder.embed(loud), encoder.embed(quiet), rtol=1e-3, atol=1e-4)
    assert not np.allclose(plain.embed(loud), plain.embed(quiet), rtol=1e-2, atol=1e-3)


def test_windows_50_db_under_the_song_are_silent() -> None:
    levels = np.full(40, 0.1)
    levels[20], levels[30], levels[35] = 0.1 * 10 ** (-55 / 20), 0.1 * 10 ** (-45 / 20), 0.0
    heard = sounding_windows(levels, SCAN)
    assert sorted(set(range(40)) - set(heard)) == [20, 35]


def test_a_window_into_which_only_the_end_of_a_song_reaches_is_silent() -> None:
    for seconds, silent in ((0.3, True), (1.3, True), (1.7, False), (2.9, False)):
        window = sine(0.1)
        window[round(16_000 * seconds) :] = 0
        assert (level_of(window) == 0) == silent


def test_where_all_is_silent_all_counts() -> None:
    assert sounding_windows(np.zeros(30), SCAN) == list(range(30))
    assert meets_silence(np.zeros(3), np.zeros(3))


@st.composite
def some_levels(draw: st.DrawFn) -> NDArray[np.float64]:
    n = draw(st.integers(1, 120))
    values = st.sampled_from([0.0, 1e-8, 1e-4, 3e-4, 0.01, 0.1, 0.5])
    runs = draw(st.lists(st.tuples(values, st.integers(1, 40)), min_size=1, max_size=8))
    levels = np.concatenate([np.full(length, value) for value, length in runs])
    return np.asarray(np.resize(levels, n))


@given(some_levels(), st.integers(SCAN + 1, 130))
def test_a_scan_and_all_of_a_song_pool_the_same_windows(
    levels: NDArray[np.float64], n_windows: int
) -> None:
    n = len(levels)
    sounding = sounding_windows(levels, SCAN)
    assert sounding
    even = choose_windows(n, SCAN)
    scanned = even
    if meets_silence(levels[even], levels[even]):
        scanned = take_windows(n, sounding, SCAN, SCAN)
    assert set(scanned) <= set(sounding)
    assert len(scanned) == min(SCAN, len(sounding))
    assert [sounding[k] for k in pooled_windows(sounding, n, SCAN)] == scanned
    more = take_windows(n, sounding, n_windows, SCAN)
    assert more == sorted(set(more))
    assert len(more) == min(n_windows, len(sounding))
    assert set(scanned) <= set(more) <= set(sounding)
    if set(even) <= set(sounding):
        assert [more[k] for k in pooled_windows(more, n, SCAN)] == scanned


@given(st.integers(1, 3000), st.integers(1, 300), st.integers(1, 20))
def test_without_silence_the_windows_are_spread_evenly(n: int, n_windows: int, scan: int) -> None:
    taken = take_windows(n, range(n), n_windows, scan)
    assert len(taken) == min(n, n_windows)
    if n_windows <= scan:
        assert taken == choose_windows(n, n_windows)
    else:
        assert set(choose_windows(n, scan)) <= set(taken)
