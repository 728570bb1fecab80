"""The benchmark of a cluster works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "bench_cluster.py"
pytest.importorskip("ray", reason="Ray is not installed: the extra `cluster`")


@pytest.mark.long
def test_the_cluster_benchmark_runs_and_nothing_is_lost(tmp_path: Path, compiled: Path) -> None:
    out = tmp_path / "cluster.jsonl"
    argv = [sys.executable, BENCHMARK, "--quick", "--cache", compiled, "--out", out]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    speed, kills = (json.loads(line) for line in out.read_text("utf-8").splitlines())
    assert speed["ratio"] > 0
    assert 0 < speed["bytes_a_song"] < 1000, "of few songs: what a report takes itself counts"
    assert (kills["lost"], kills["wrong"], kills["twice"], kills["errors"]) == (0, 0, 0, [])
    assert sum(kills["victims"].values()) == kills["n"] == 3
