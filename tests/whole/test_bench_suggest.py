"""The benchmark of `suggest` is fair.

All ways start alike, get true answers, are judged on other songs.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.whole.test_bench_accuracy import collection

N_LABELS = 4


def bench(name: str) -> ModuleType:
    return import_module(f"suggest.{name}")


def test_the_opening_leaks_nothing_and_hides_half_of_the_rest() -> None:
    songs, game = collection(), bench("game")
    for taste, size in (("a", 12), ("d", 25)):
        draw = game.opening(songs, taste, n_like=3, seed=1)
        likes, unlabelled, test = (
            set(rows.tolist()) for rows in (draw.likes, draw.unlabelled, draw.test)
        )
        assert len(likes) == 3
        assert not len(draw.dislikes)
        assert not likes & unlabelled
        assert not (likes | unlabelled) & test
        assert len(likes | unlabelled | test) == len(songs.digests)
        assert (songs.tastes[draw.unlabelled] == taste).sum() == (size - 3) // 2
        np.testing.assert_array_equal(draw.truth, songs.tastes[draw.test] == taste)
        again = game.opening(songs, taste, n_like=3, seed=2)
        assert set(again.test.tolist()) != test
    assert game.opening(songs, "c", n_like=6, seed=0) is None, "three songs are too few to halve"


def test_every_way_starts_alike_and_gets_true_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    songs, game = collection(), bench("game")
    draw = game.opening(songs, "b", n_like=3, seed=4)
    learnt: list[Any] = []
    fit = game.fit_draw

    def spy(seen: Any) -> Any:
        learnt.append(seen)
        return fit(seen)

    monkeypatch.setattr(game, "fit_draw", spy)
    first = {}
    for way in game.WAYS:
        learnt.clear()
        course = game.play(draw, way, n_labels=N_LABELS, seed=4)
        first[way] = course.auc[0]
        assert len(course.auc) == len(course.n_like) == len(learnt) == N_LABELS + 1
        for n, seen in enumerate(learnt):
            assert len(seen.likes) + len(seen.dislikes) == 3 + n
            assert len(seen.unlabelled) == len(draw.unlabelled) - n
            assert (songs.tastes[seen.likes] == "b").all()
            assert not (songs.tastes[seen.dislikes] == "b").any()
            np.testing.assert_array_equal(seen.test, draw.test)
            assert not np.isin(seen.test, np.r_[seen.likes, seen.dislikes, seen.unlabelled]).any()
    assert len(set(first.values())) == 1


def test_a_game_comes_out_the_same_again() -> None:
    songs, game = collection(), bench("game")
    draw = game.opening(songs, "d", n_like=3, seed=0)
    for way in (game.RANDOM, game.IN_BATCHES):
        a, b = (game.play(draw, way, n_labels=2, seed=0) for _ in range(2))
        np.testing.assert_array_equal(a.auc, b.auc)


@pytest.mark.long
def test_suggest_finds_more_likes_than_random_and_all_songs_can_be_labelled() -> None:
    songs, game = collection(signal=1.0), bench("game")
    found = {game.RANDOM: 0, game.OURS: 0}
    for seed in range(3):
        draw = game.opening(songs, "d", n_like=3, seed=seed)
        for way in found:
            found[way] += int(game.play(draw, way, n_labels=8, seed=seed).n_like[-1])
    assert found[game.OURS] > found[game.RANDOM] + 3
    small = game.opening(collection(), "c", n_like=3, seed=0)
    n = len(small.unlabelled)
    assert len(game.play(small, game.RANDOM, n_labels=n + 5, seed=0).auc) == n + 1


def test_a_press_in_a_duel_tells_of_the_chosen_song_or_of_both() -> None:
    songs, game, duel = collection(), bench("game"), bench("duel")
    draw = game.opening(songs, "d", n_like=3, seed=0)
    duels, singly = duel.play_both(draw, n_presses=2, seed=0)
    assert (len(duels), len(singly)) == (3, 5)
    assert duels[0] == singly[0], "they start alike"
    liked, rng = np.array([True, True, False, False]), np.random.default_rng(0)
    for pair, likes, dislikes in (([0, 2], {0}, set()), ([2, 3], set(), {2, 3})):
        told = duel._answer(np.array(pair), liked, rng)
        assert [set(rows.tolist()) for rows in told] == [likes, dislikes]
    likes, dislikes = duel._answer(np.array([0, 1]), liked, rng)
    assert (len(likes), len(dislikes)) == (1, 0), "of the other nothing is known"


def test_duels_are_compared_at_equal_presses_and_at_equal_songs() -> None:
    duel = bench("duel")
    steps = np.arange(2 * max(duel.PRESSES) + 1)
    both = (0.7 + 0.02 * steps[: max(duel.PRESSES) + 1], 0.7 + 0.01 * steps)
    rows = list(duel.duel_rows([{"a": both, "b": both}] * 3, 3))
    by = {(row["equal"], row["presses"]): row for row in rows}
    for presses in duel.PRESSES:
        row = by["presses", presses]
        assert row["better"] == pytest.approx(0.01 * presses)
        assert row["better_ci95"] == pytest.approx([row["better"]] * 2)
        assert by["songs heard", presses]["better"] == pytest.approx(0)


def test_labels_are_counted_from_where_a_curve_stays_at_the_target() -> None:
    needed = bench("figures").labels_needed
    assert needed(np.array([0.5, 0.6, 0.7]), 0.5) == 0
    assert needed(np.array([0.5, 0.6, 0.7]), 0.65) == pytest.approx(1.5)
    assert needed(np.array([0.5, 0.9, 0.6, 0.7]), 0.65) == pytest.approx(2.5), (
        "not when it first gets there"
    )
    assert needed(np.array([0.5, 0.9, 0.6]), 0.65) == float("inf")


def test_rows_tell_what_a_way_needs_beside_random() -> None:
    game, figures, table = bench("game"), bench("figures"), bench("table")

    def course(slope: float) -> Any:
        steps = np.arange(31)
        return game.Course(auc=0.7 + slope * steps, n_like=3 + steps // 3)

    played = {game.RANDOM: course(0.004), game.OURS: course(0.008), "spread": course(0.002)}
    rows = list(figures.rows_of([{"a": played, "b": played}] * 3, 3))
    by = {(row["way"], row["as_good_as"]): row for row in rows if row["kind"] == "labels"}
    assert {way for way, _ in by} == {game.OURS, "spread"}
    for k in figures.AS_GOOD_AS:
        assert by[game.OURS, k]["needed"] == pytest.approx(k / 2)
        assert by[game.OURS, k]["share"] == pytest.approx(0.5)
    assert by["spread", 30]["needed"] is None
    assert by["spread", 10]["needed_ci90"] == [20, 20]
    text = table.suggest_table(rows)
    assert "| 3 | `suggest` | 2.5 (2 to 2) | 5.0 (5 to 5) |" in text
    assert "| more than 30 |" in text
    with pytest.raises(ValueError, match="no place for the table 'labels saved'"):
        table.replace_table("no marks", rows)
