"""The benchmark cannot leak: nobody plays two parts, and every way is judged on the same songs."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

SIZES = {"a": 12, "b": 13, "c": 9, "d": 25}
DIM = 16
SEEDS = range(4)


def bench(name: str) -> ModuleType:
    return import_module(f"accuracy.{name}")


def collection(*, signal: float = 1.5, seed: int = 0) -> Any:
    """Four tastes, each a blob about a centre of its own."""
    rng = np.random.default_rng(seed)
    tastes = np.repeat(list(SIZES), list(SIZES.values()))
    centres = {name: signal * rng.standard_normal(DIM) for name in SIZES}
    vectors = np.array([centres[taste] + rng.standard_normal(DIM) for taste in tastes])
    order = rng.permutation(len(tastes)) if seed == 0 else np.arange(len(tastes))
    return bench("tasks").Collection(
        encoder="test",
        fingerprint="0" * 16,
        blocks=(),
        digests=tuple(f"{row:032x}" for row in range(len(tastes))),
        tastes=tastes[order],
        vectors=vectors[order].astype(np.float32),
    )


def parts(draw: Any) -> list[set[int]]:
    return [set(rows.tolist()) for rows in (draw.likes, draw.dislikes, draw.unlabelled, draw.test)]


def assert_sound(draw: Any, *, hidden: bool = False) -> None:
    """No song plays two parts; hidden songs are judged although they are in the library."""
    likes, dislikes, unlabelled, test = parts(draw)
    assert len(likes) == len(draw.likes)
    assert len(test) == len(draw.test) == len(draw.truth)
    assert not likes & dislikes
    assert not (likes | dislikes) & (unlabelled | test)
    assert not unlabelled & test or hidden
    assert draw.truth.any()
    assert not draw.truth.all()


@pytest.mark.parametrize("n_like", [3, 5, 7, 10, 20])
def test_the_test_is_the_same_with_every_kind_of_dislikes(n_like: int) -> None:
    tasks, songs = bench("tasks"), collection()
    for taste, size in SIZES.items():
        for seed in SEEDS:
            draws = {
                kind: tasks.library_draw(songs, taste, n_like=n_like, dislikes=kind, seed=seed)
                for kind in tasks.DISLIKE_KINDS
            }
            if size < n_like + 2:
                assert set(draws.values()) == {None}
                continue
            for kind, draw in draws.items():
                assert_sound(draw)
                assert len(draw.likes) == n_like
                assert len(draw.dislikes) == (0 if kind == "none" else 7)
                np.testing.assert_array_equal(draw.test, draws["none"].test)
                np.testing.assert_array_equal(draw.truth, songs.tastes[draw.test] == taste)
                np.testing.assert_array_equal(draw.library, draws["none"].library)
                assert not (songs.tastes[draw.dislikes] == taste).any()
                assert not (songs.tastes[draw.unlabelled] == taste).any()


def test_draws_differ_by_seed_and_are_the_same_in_every_encoder() -> None:
    tasks, songs = bench("tasks"), collection()
    other = replace(songs, encoder="other", vectors=np.tanh(songs.vectors[:, ::-1]))
    for seed in SEEDS:
        draw = tasks.library_draw(songs, "d", n_like=7, dislikes="random", seed=seed)
        again = tasks.library_draw(other, "d", n_like=7, dislikes="random", seed=seed)
        assert parts(draw) == parts(again)
        further = tasks.library_draw(songs, "d", n_like=7, dislikes="random", seed=seed + 1)
        assert parts(draw) != parts(further)


def test_near_dislikes_are_the_library_songs_most_like_the_likes() -> None:
    tasks, songs = bench("tasks"), collection()
    draw = tasks.library_draw(songs, "a", n_like=7, dislikes="near", seed=0)
    rows = tasks.unit_rows(songs, draw.library)
    to_likes = rows @ rows[draw.likes].mean(axis=0)
    assert to_likes[draw.dislikes].min() > to_likes[draw.unlabelled].max()


def test_hidden_songs_are_all_that_is_not_labelled() -> None:
    songs = collection()
    draw = bench("tasks").hidden_draw(songs, "b", n_like=7, seed=1)
    assert_sound(draw, hidden=True)
    np.testing.assert_array_equal(draw.unlabelled, draw.test)
    assert len(draw.test) == len(songs.digests) - 7
    assert draw.truth.sum() == SIZES["b"] - 7


def test_the_ceiling_and_seven_likes_are_judged_on_the_same_songs() -> None:
    songs = collection()
    for taste, size in SIZES.items():
        most, seven = bench("tasks").ceiling_draws(songs, taste, n_like=7, seed=2)
        assert_sound(most)
        assert_sound(seven)
        assert len(most.likes) == round(size * 2 / 3)
        assert parts(seven)[0] <= parts(most)[0]
        assert parts(seven)[1:] == parts(most)[1:]


@pytest.mark.parametrize("number", range(6))
def test_a_hard_task_and_its_reference_are_judged_on_the_same_songs(number: int) -> None:
    tasks, songs = bench("tasks"), collection()
    name, task = list(tasks.ROBUSTNESS.items())[number]
    n_found = 0
    for taste in SIZES:
        for seed in SEEDS:
            pair = task(songs, taste, seed)
            if pair is None:
                continue
            n_found += 1
            draw, reference = pair
            assert len(draw.likes) == 7
            assert_sound(draw, hidden="third" in name)
            if reference is not None:
                assert_sound(reference, hidden="third" in name)
                assert parts(draw)[3] == parts(reference)[3]
                np.testing.assert_array_equal(draw.truth, reference.truth)
                assert parts(draw)[:3] != parts(reference)[:3]
    assert n_found >= 2 * len(SEEDS)


def test_copies_of_likes_are_new_songs_in_the_library_only() -> None:
    songs = collection()
    draw, plain = bench("tasks").ROBUSTNESS["near-duplicates of the likes in the library"](
        songs, "d", 0
    )
    assert len(set(draw.collection.digests)) == len(songs.digests) + 7
    added = sorted(parts(draw)[2] - parts(plain)[2])
    assert added == list(range(len(songs.digests), len(songs.digests) + 7))
    distance = np.linalg.norm(draw.collection.vectors[added] - songs.vectors[plain.likes], axis=1)
    assert 0 < distance.max() < np.linalg.norm(songs.vectors.std(axis=0))
    assert plain.collection is songs


def test_ways_that_take_no_dislikes_find_the_same_with_every_kind() -> None:
    tasks, ways, songs = bench("tasks"), bench("ways"), collection()
    draws = [
        tasks.library_draw(songs, "a", n_like=7, dislikes=kind, seed=0)
        for kind in tasks.DISLIKE_KINDS
    ]
    for name in ways.LIKES_ONLY:
        first, *others = [ways.WAYS[name](draw).scores for draw in draws]
        for scores in others:
            np.testing.assert_array_equal(scores, first)


@pytest.mark.long
def test_a_draw_gives_the_same_figures_again() -> None:
    plan, songs = bench("plan"), collection()
    names = ("sevensongs kernel", "tutorial", "isolation forest", "one-class SVM")
    case = plan.Case(kind="draws", ways=names)
    assert plan.evaluate(songs, case, 3, {}) == plan.evaluate(songs, case, 3, {})


@pytest.mark.long
def test_every_way_finds_a_taste_and_none_finds_one_in_noise() -> None:
    plan, ways = bench("plan"), bench("ways")
    case = plan.Case(kind="draws", ways=tuple(name for name in ways.WAYS if name != ways.DENSE))
    for signal, low, high in ((1.5, 0.7, 1.0), (0.0, 0.35, 0.65)):
        found = [
            plan.evaluate(collection(signal=signal, seed=seed), case, seed, {})
            for seed in range(1, 5)
        ]
        for way in case.ways:
            auc = np.mean([taste["auc"] for draw in found for taste in draw[way].values()])
            assert low < auc <= high, way


def some_figures(shift: float = 0.0, tastes: str = "abc") -> Any:
    rng = np.random.default_rng(5)
    return [{taste: {"auc": rng.uniform(0.6, 0.9) + shift} for taste in tastes} for _ in range(10)]


def test_a_way_differs_from_itself_by_exactly_zero() -> None:
    figures = bench("figures")
    difference = figures.paired_difference(some_figures(), some_figures())["auc"]
    assert difference == {"mean": 0.0, "ci90_of_mean": [0.0, 0.0], "ci90_of_draws": [0.0, 0.0]}


def test_a_paired_difference_is_blind_to_what_all_ways_share() -> None:
    figures = bench("figures")
    shifted = figures.paired_difference(some_figures(0.01), some_figures())["auc"]
    assert shifted == {"mean": 0.01, "ci90_of_mean": [0.01, 0.01], "ci90_of_draws": [0.01, 0.01]}
    with pytest.raises(ValueError, match="same draws and tastes"):
        figures.paired_difference(some_figures(), some_figures(tastes="ab"))


def test_picks_are_as_many_as_the_asked_precision_allows() -> None:
    figures, ways = bench("figures"), bench("ways")
    truth = np.array([True, False, True, False])
    scores = np.array([0.9, 0.6, 0.8, 0.1])
    found = figures.judge(truth, ways.Scored(scores=scores, probabilities=True), picks=True)
    assert (found["picks_0.7"], found["right_0.7"]) == (3, 2)  # mean 0.77; with the fourth 0.6
    assert (found["picks_0.9"], found["right_0.9"]) == (1, 1)
    rows = {row["asked_precision"]: row for row in figures.precision_rows([{"a": found}])}
    assert rows[0.7]["achieved_precision"] == round(2 / 3, 4)
    assert rows[0.5]["n_picks"] == 4
    timid = figures.judge(truth, ways.Scored(scores=scores / 10, probabilities=True), picks=True)
    row = figures.precision_rows([{"a": timid}])[0]
    assert (row["achieved_precision"], row["share_without_picks"]) == (None, 1.0)


def test_calibration_error_is_zero_for_honest_and_large_for_bold_scores() -> None:
    error = bench("figures").calibration_error
    truth = np.arange(100) < 25
    assert error(truth, np.full(100, 0.25)) == pytest.approx(0)
    assert error(truth, np.full(100, 1.0)) == pytest.approx(0.75)


def test_sounds_beside_songs_get_every_verdict_counted() -> None:
    plan, songs = bench("plan"), collection()
    sounds = {"hiss": np.zeros((3, DIM), np.float32)}
    found = plan.evaluate(songs, plan.Case(kind="ood", hidden=True), 0, sounds)
    assert set(found) == {"hiss", "songs of the taste", "other songs"}
    for figures in found["hiss"].values():
        assert figures["like"] + figures["unsure"] + figures["dislike"] == 3


def test_rows_compare_every_way_with_the_kernel_head_on_the_same_draws() -> None:
    plan, rows, ways = bench("plan"), bench("rows"), bench("ways")
    results, songs = rows.Results(), collection()
    written = []
    for dislikes in ("none", "near"):
        names = (ways.OURS, "tutorial", *(["cosine"] if dislikes == "none" else []))
        case = plan.Case(kind="draws", dislikes=dislikes, ways=names)
        draws = [plan.evaluate(songs, case, seed, {}) for seed in range(2)]
        found = {way: [draw[way] for draw in draws] for way in names}
        written += list(results.add(bench("music").DEFAULT_ENCODER, case, found))
    by_name = {(row["way"], row["dislikes"]): row for row in written}
    assert len(by_name) == len(written) == 6, "cosine has a row with dislikes too"
    to = [entry["to"]["dislikes"] for entry in by_name["tutorial", "near"]["differences"]]
    assert to == ["near", "none"]
    assert by_name["cosine", "none"]["auc"] == by_name["cosine", "near"]["auc"]
    table = bench("table").way_table(written)
    assert table.count("\n") == 5
    assert f"| {by_name['cosine', 'near']['auc']:.3f} |" in table


def test_a_readme_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table 'ways'"):
        bench("table").replace_tables("no marks", [])
