"""Verdicts are counted rightly, commits compared on the same songs, collections side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.whole.test_bench_accuracy import collection

N_DRAWS = 3


def bench(name: str) -> ModuleType:
    return import_module(f"accuracy.{name}")


def hidden_case() -> Any:
    return bench("plan").Case(kind="draws", hidden=True)


def found_in(songs: Any, n_draws: int = N_DRAWS) -> Any:
    plan = bench("plan")
    draws = [plan.evaluate(songs, hidden_case(), seed, {}) for seed in range(n_draws)]
    return {way: [draw[way] for draw in draws] for way in draws[0]}


def judged(truth: list[int], called: list[int]) -> Any:
    scored = bench("ways").Scored(
        scores=np.linspace(0.9, 0.1, len(truth)),
        probabilities=True,
        called=np.array(called, dtype=bool),
    )
    return bench("figures").judge(np.array(truth, dtype=bool), scored, picks=True)


def test_verdicts_are_counted_for_their_precision_and_recall() -> None:
    first = judged([1, 0, 1, 1, 0], [1, 1, 1, 0, 0])  # two of three are right; two of three found
    second = judged([1, 0, 0, 0, 0], [1, 0, 0, 0, 0])
    row = bench("figures").verdict_figures([{"a": first, "b": second}])
    assert row["like_precision"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-4)
    assert row["like_precision_of_all"] == pytest.approx(3 / 4)
    assert row["like_recall"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-4)
    assert (row["n_called"], row["share_without_calls"]) == (2, 0)
    assert row["first_ten_at_best"] == pytest.approx(0.2)


def test_a_taste_that_calls_nothing_has_no_precision_and_no_recall() -> None:
    row = bench("figures").verdict_figures([{"a": judged([1, 0], [0, 0])}])
    assert (row["like_precision"], row["like_precision_of_all"]) == (None, None)
    assert (row["like_recall"], row["share_without_calls"]) == (0, 1)
    assert bench("figures").verdict_figures([{"a": {"auc": 0.5}}]) == {}


def test_hidden_rows_tell_of_verdicts_and_others_do_not() -> None:
    plan, results, songs = bench("plan"), bench("rows").Results(), collection()
    rows = list(results.add("musicnn", hidden_case(), found_in(songs)))
    assert 0 <= rows[0]["like_precision"] <= 1
    assert rows[0]["first_ten"] == rows[0]["precision_at_10"]
    assert not any(key.startswith("n_called_right") for key in rows[0])
    plain = plan.Case(kind="draws")
    draws = [plan.evaluate(songs, plain, seed, {}) for seed in range(2)]
    by_way = {way: [draw[way] for draw in draws] for way in draws[0]}
    assert "like_precision" not in next(iter(results.add("musicnn", plain, by_way)))


def kept(path: Path, songs: Any, n_draws: int = N_DRAWS) -> Any:
    results = bench("rows").Results()
    list(results.add("musicnn", hidden_case(), found_in(songs, n_draws)))
    module = bench("kept")
    songs_hash = module.songs_hash(songs)
    module.keep(path, results.found, commit="abc1234", songs=songs_hash, default="musicnn")
    return module.Baseline.read(path)


def test_the_same_code_differs_from_its_own_baseline_by_exactly_zero(tmp_path: Path) -> None:
    songs = collection()
    results = bench("rows").Results(kept(tmp_path / "kept.jsonl", songs))
    rows = list(results.add("musicnn", hidden_case(), found_in(songs)))
    entry = next(one for one in rows[0]["differences"] if "baseline" in one["to"])
    assert entry["to"]["baseline"] == "abc1234"
    assert entry["auc"] == {"mean": 0.0, "ci90_of_mean": [0.0, 0.0], "ci90_of_draws": [0.0, 0.0]}


def test_another_encoder_is_compared_with_the_baseline_of_the_default_one(tmp_path: Path) -> None:
    songs = collection(signal=1.0)
    baseline = kept(tmp_path / "kept.jsonl", songs)
    better = replace(songs, encoder="better", vectors=collection(signal=3.0).vectors)
    found = found_in(better)
    rows = list(bench("rows").Results(baseline).add("better", hidden_case(), found))
    (entry,) = (one for one in rows[0]["differences"] if "baseline" in one["to"])
    assert entry["to"]["encoder"] == "musicnn"
    case = replace(hidden_case(), ways=())
    way = bench("ways").OURS
    before = bench("figures").summarise(baseline.found("musicnn", case, way, n_draws=N_DRAWS))
    assert entry["auc"]["mean"] == pytest.approx(rows[0]["auc"] - before["auc"], abs=2e-4)
    assert entry["auc"]["mean"] > 0


def test_a_new_default_encoder_is_compared_with_the_former_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    songs, rows = collection(), bench("rows")
    baseline = kept(tmp_path / "kept.jsonl", songs)
    monkeypatch.setattr(rows, "DEFAULT_ENCODER", "better")
    found = found_in(replace(songs, encoder="better"))
    row = next(iter(rows.Results(baseline).add("better", hidden_case(), found)))
    (entry,) = (one for one in row["differences"] if "baseline" in one["to"])
    assert entry["to"]["encoder"] == "musicnn"
    monkeypatch.setattr(bench("table"), "DEFAULT_ENCODER", "better")
    table = bench("table").encoder_table([row | {"hidden": False}])
    assert "against `musicnn` at abc1234" in table.splitlines()[0]
    assert "| +0.000 (+0.000 to +0.000) |" in table.splitlines()[2]


def test_a_baseline_of_other_songs_or_fewer_draws_is_refused(tmp_path: Path) -> None:
    songs = collection()
    baseline = kept(tmp_path / "kept.jsonl", songs, 2)
    baseline.require(songs)
    with pytest.raises(SystemExit, match="other songs"):
        baseline.require(replace(songs, tastes=songs.tastes[::-1]))
    case, way = replace(hidden_case(), ways=()), bench("ways").OURS
    assert baseline.found("yamnet", case, way, n_draws=2) is None
    with pytest.raises(SystemExit, match="has 2 draws, and 3 are asked: --draws 2"):
        baseline.found("musicnn", case, way, n_draws=3)
    (tmp_path / "empty.jsonl").write_text("")
    for name in ("empty.jsonl", "none.jsonl"):
        with pytest.raises(SystemExit, match=name):
            bench("kept").Baseline.read(tmp_path / name)


def test_tables_show_both_collections_and_the_baseline_where_there_are_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs, table = collection(), bench("table")
    for module in ("rows", "table"):
        monkeypatch.setattr(bench(module), "DEFAULT_ENCODER", "musicnn")
    results = bench("rows").Results(kept(tmp_path / "kept.jsonl", songs))
    rows = list(results.add("musicnn", hidden_case(), found_in(songs)))
    plain = [rows[0] | {"hidden": False}, *rows]
    assert "nine games" not in table.encoder_table([row for row in plain if "auc" in row])
    other = [row | {"collection": "other", "auc": 0.111} for row in plain]
    both = [*plain, *other]
    for name in ("ways", "encoders", "likes"):
        assert "nine games" in table.TABLES[name](both).splitlines()[0]
        assert "0.111" in table.TABLES[name](both)
        assert "0.111" not in table.TABLES[name](plain)
    assert "against `musicnn` at abc1234" in table.encoder_table(plain)
    lines = table.verdict_table(both).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == list(table._MUSIC.values())


def test_rows_of_several_files_are_read_and_one_that_is_missing_has_none(tmp_path: Path) -> None:
    first = tmp_path / "accuracy.jsonl"
    first.write_text(json.dumps({"auc": 1}) + "\n")
    read = bench("table").read_rows
    assert read(first, tmp_path / "accuracy_other.jsonl") == [{"collection": "dev", "auc": 1}]
