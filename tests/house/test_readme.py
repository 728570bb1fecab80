"""The figures in the READMEs are those of the committed results."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / "tests" / "benchmarks"
RESULTS = BENCHMARKS / "results" / "accuracy.jsonl"
ACCURACY = [RESULTS, RESULTS.with_name("accuracy_other.jsonl")]
PAGE, README = BENCHMARKS / "README.md", REPOSITORY / "README.md"
SPEED = ("embed.jsonl", "library.jsonl", "start.jsonl", "service.jsonl", "servers.jsonl")
OF_RUNS = ("speed", "library", "start", "scores", "uploads", "labels", "pages", "subsonic")
MIN_DRAWS, MIN_RUNS = 10, 5
MIN_EARLY_DRAWS = 5  # each of all tastes, and of 31 ways to hear a library in part
MIN_KILLS, MIN_FUZZED = 100, 2000
MIN_LABEL_DRAWS, MOST_LABELS = 20, 0.6
MIN_DUEL_DRAWS = 10


def test_readme_has_the_accuracy_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    tables = import_module("accuracy.table")
    rows = tables.read_rows(*ACCURACY)
    page, readme = PAGE.read_text("utf-8"), README.read_text("utf-8")
    assert tables.replace_tables(page, rows) == page, "run python -m accuracy.table"
    assert tables.replace_tables(readme, rows, tables.SUMMARY) == readme, "the same"
    assert all(table(rows).count("\n") > 2 for table in tables.TABLES.values())


@pytest.mark.parametrize("file", ACCURACY, ids=lambda file: file.stem)
def test_the_committed_results_are_of_a_full_run(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    rows = import_module("accuracy.table").read_rows(file)
    if not rows:
        pytest.skip(f"{file.name} is not there yet")
    assert not any(row.get("quick") for row in rows)
    assert all(row["n_draws"] >= MIN_DRAWS for row in rows)
    wanted = {"draws", "precision"}  # `labels` has rows of its own, over both collections
    if file == RESULTS:
        wanted |= {"ceiling", "ood", "robustness"}
    assert wanted <= {row["kind"] for row in rows}
    assert {row["commit"] for row in rows} == {rows[0]["commit"]}
    assert {row["collection"] for row in rows} == {"dev" if file == RESULTS else "other"}


def test_readme_has_the_speed_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    tables = import_module("speed.table")
    page, readme = PAGE.read_text("utf-8"), README.read_text("utf-8")
    expected = tables.replace_tables(page, RESULTS.parent)
    assert expected == page, "run python -m speed.table RESULTS PAGE README"
    summary = {tables.SUMMARY: tables.summary_table(RESULTS.parent)}
    assert tables.put_tables(readme, summary) == readme, "the same"
    for name, (file, _, _) in tables.TABLES.items():
        place = page.partition(f"<!-- table: {name} -->")[2].partition("<!-- end -->")[0]
        if not (RESULTS.parent / file).is_file():  # figures come from rows, never by hand
            assert place.strip() == ""


@pytest.mark.parametrize("file", SPEED)
def test_the_committed_speed_is_of_a_full_run(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    rows = import_module("speed.rows").read_rows(RESULTS.parent / file)
    if not rows:
        pytest.skip(f"{file} is not there yet")
    assert not any(row.get("quick") or row["dirty"] for row in rows)
    assert all(row["n_runs"] >= MIN_RUNS for row in rows if row["kind"] in OF_RUNS)
    assert not any(str(REPOSITORY) in str(row) or "/tmp" in str(row) for row in rows)
    assert all(row["processor"] and row["cores"] and row["versions"] for row in rows)


def test_readme_has_the_reliability_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    table = import_module("reliability.table")
    rows = import_module("speed.rows").read_rows(RESULTS.parent / "reliability.jsonl")
    page = PAGE.read_text("utf-8")
    assert table.replace_table(page, rows) == page, "run python -m reliability.table ROWS PAGE"
    assert not any(row["dirty"] for row in rows)
    assert not any(str(REPOSITORY) in str(row) or "/tmp" in str(row) for row in rows)
    times = {row["fault"]: row["n"] for row in rows}
    assert times["SIGKILL of embed, then run again"] >= MIN_KILLS
    assert times["hostile audio"] >= MIN_FUZZED
    for row in rows:  # a row that says otherwise is a bug to mend, not a figure to print
        assert (row["lost"], row["wrong"], row["survived"]) == (0, 0, row["n"]), row["fault"]


def test_readme_has_the_stability_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    table = import_module("stability.table")
    rows = import_module("speed.rows").read_rows(RESULTS.parent / "stability.jsonl")
    page = PAGE.read_text("utf-8")
    assert table.replace_tables(page, rows) == page, "run python -m stability.table ROWS PAGE"
    least = {"first look": MIN_EARLY_DRAWS}
    assert all(row["n_draws"] >= least.get(row["kind"], MIN_DRAWS) for row in rows)
    assert not any(row["dirty"] for row in rows)
    assert not any(str(REPOSITORY) in str(row) or "/tmp" in str(row) for row in rows)


def test_readme_has_the_labels_that_were_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    table = import_module("suggest.table")
    rows = import_module("speed.rows").read_rows(RESULTS.parent / "suggest.jsonl")
    page = PAGE.read_text("utf-8")
    assert table.replace_table(page, rows) == page, "run python -m suggest.table ROWS PAGE"
    assert not any(row.get("quick") for row in rows)
    assert not any(str(REPOSITORY) in str(row) or "/tmp" in str(row) for row in rows)
    duels = [row for row in rows if row["kind"] == "duel"]
    assert all(row["n_draws"] >= MIN_DUEL_DRAWS for row in duels)
    assert all(row["n_draws"] >= MIN_LABEL_DRAWS for row in rows if row not in duels)
    shares = [row["share"] for row in rows if row["kind"] == "labels" and row["way"] == "suggest"]
    assert len(shares) >= 10
    assert max(shares) <= MOST_LABELS
