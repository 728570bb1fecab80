from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
import pytest

from embed.decoding.spans import join_frames

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def _frame(samples: np.ndarray[Any, Any], kind: str, n_channels: int) -> av.AudioFrame:
    """Make a frame from samples (n, n_channels)."""
    planar = kind.endswith("p")
    content = np.ascontiguousarray(samples.T) if planar else samples.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(cast(Any, content), format=kind, layout=LAYOUTS[n_channels])
    frame.sample_rate = 44100
    return frame


KINDS = {"u8": "u1", "s16": "i2", "s32": "i4", "flt": "f4", "dbl": "f8"}
KINDS |= {"s16p": "i2", "s32p": "i4", "fltp": "f4"}


@pytest.mark.parametrize("n_channels", list(LAYOUTS))
@pytest.mark.parametrize("kind", list(KINDS))
def test_blocks_hold_the_mean_of_the_channels_of_all_frames(kind: str, n_channels: int) -> None:
    dtype = np.dtype(KINDS[kind])
    rng = np.random.default_rng(4)
    values = rng.uniform(-1, 1, size=(40_000, n_channels))
    if dtype.kind in "iu":
        scale = 2 ** (8 * dtype.itemsize - 1)
        samples = np.floor(values * scale + (scale if dtype.kind == "u" else 0)).astype(dtype)
        values = (samples.astype(np.float64) - (scale if dtype.kind == "u" else 0)) / scale
    else:
        samples = values.astype(dtype)
    frames = [
        (100 + k, _frame(samples[k : k + 1152], kind, n_channels)) for k in range(0, 40_000, 1152)
    ]
    blocks = list(join_frames(frames))
    assert 1 < len(blocks) < 5
    assert [start for start, _ in blocks] == [
        100,
        *(100 + np.cumsum([len(b) for _, b in blocks])[:-1]),
    ]
    mono = np.concatenate([block for _, block in blocks])
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono, values.mean(axis=1), atol=1e-6)


def test_a_gap_begins_a_block() -> None:
    ones = np.ones((100, 1), dtype=np.float32)
    frames = [(at, _frame(ones, "fltp", 1)) for at in (0, 100, 300, 50)]
    assert [(start, len(block)) for start, block in join_frames(frames)] == [
        (0, 200),
        (300, 100),
        (50, 100),
    ]


def test_channels_and_formats_may_change_on_the_way() -> None:
    frames = [
        (0, _frame(np.full((50, 2), 0.5, dtype=np.float32), "fltp", 2)),
        (50, _frame(np.full((50, 6), 0.25, dtype=np.float32), "fltp", 6)),
        (100, _frame(np.full((50, 1), 0.75, dtype=np.float32), "fltp", 1)),
        (150, _frame(np.full((50, 1), 2**13, dtype=np.int16), "s16", 1)),
    ]
    mono = np.concatenate([block for _, block in join_frames(frames)])
    np.testing.assert_array_equal(mono, np.repeat([0.5, 0.25, 0.75, 0.25], 50))


def test_nothing_gives_nothing() -> None:
    assert list(join_frames([])) == []
