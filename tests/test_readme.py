"""README's figures are those of the committed results."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
BENCHMARKS = REPOSITORY / "tests" / "benchmarks"
RESULTS = BENCHMARKS / "results" / "accuracy.jsonl"
MIN_DRAWS = 10


def test_readme_has_the_accuracy_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    tables = import_module("accuracy_table")
    rows = tables.read_rows(RESULTS)
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert tables.replace_tables(readme, rows) == readme, "run tests/benchmarks/accuracy_table.py ROWS README"
    assert all(table(rows).count("\n") > 2 for table in tables.TABLES.values())


def test_the_committed_results_are_of_a_full_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    rows = import_module("accuracy_table").read_rows(RESULTS)
    assert not any(row.get("quick") for row in rows)
    assert all(row["n_draws"] >= MIN_DRAWS for row in rows)
    assert {row["kind"] for row in rows} == {"draws", "labels", "ceiling", "precision", "ood", "robustness"}
    assert {row["commit"] for row in rows} == {rows[0]["commit"]}
