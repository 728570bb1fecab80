"""The benchmark of the index of `similar` counts what it says."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def test_all_are_found_where_all_are_looked_at_and_few_where_pictures_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    bench = import_module("bench_similar")
    random = np.random.default_rng(0)
    songs = np.arange(600) // 6
    vectors = random.standard_normal((100, 64))[songs] + random.standard_normal((600, 64))
    vectors = vectors.astype(np.float32)
    monkeypatch.setattr(bench, "SHARES", (0.05, 0.3, 1.0))
    rows = list(bench.recall(vectors, songs, n_queries=40))
    recalls = [row["recall"] for row in rows]
    assert recalls == sorted(recalls)
    assert recalls[0] > 0.5  # by chance 0.05
    assert recalls[2] == 1.0
    assert {row["n_passages"] for row in rows} == {600}
    index = bench.NeighbourIndex
    nothing = np.zeros((600, 64), np.int8)
    monkeypatch.setattr(
        index, "pictures_at", lambda self, at, vectors: (at, nothing[:, : self.axes.shape[1]])
    )
    blind = [row["recall"] for row in bench.recall(vectors, songs, n_queries=40)]
    assert blind[0] < 0.3
