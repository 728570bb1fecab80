"""README's figures are those of the committed results."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
BENCHMARKS = REPOSITORY / "tests" / "benchmarks"


def test_readme_has_the_accuracy_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    lines = (BENCHMARKS / "results" / "accuracy.jsonl").read_text("utf-8").splitlines()
    table = import_module("bench_accuracy").readme_table([json.loads(line) for line in lines])
    assert table.count("\n") > 4
    assert table in (REPOSITORY / "README.md").read_text("utf-8")
