"""Which song to label next: pure choice on points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from classify.learning.active_learning import most_informative


def points(n: int, *, seed: int = 0, dim: int = 6) -> NDArray[np.float64]:
    rows = np.random.default_rng(seed).standard_normal((n, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def chosen(
    songs: NDArray[np.float64], decisions: NDArray[np.float64], known: NDArray[np.float64], top: int
) -> list[int]:
    return [pick.row for pick in most_informative(songs, decisions, known, top=top)]


def test_of_equally_unknown_songs_the_likelier_one() -> None:
    songs, known = np.eye(4)[:3], np.eye(4)[3:]
    assert chosen(songs, np.array([-1.0, 2.0, 0.5]), known, 3) == [1, 2, 0]


def test_of_equally_likely_songs_the_one_that_is_least_like_a_labelled_one() -> None:
    known = np.array([[1.0, 0.0]])
    angles = np.radians([10, 170, 60])
    songs = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    picks = most_informative(songs, np.zeros(3), known, top=3)
    assert picks[0].row == 1
    unknown = {pick.row: pick.unknown for pick in picks}
    assert 0 < unknown[0] < unknown[2] < unknown[1] <= 1


def test_dislikes_are_known_too() -> None:
    songs = np.eye(3)[:2]
    assert chosen(songs, np.zeros(2), np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), 1) == [1]


def test_a_batch_is_diverse_in_itself() -> None:
    """Ten songs of one kind that all score best, and two of others.

    One of each comes before a second.
    """
    rng = np.random.default_rng(3)
    crowd = np.array([1.0, 0, 0, 0]) + 0.02 * rng.standard_normal((10, 4))
    songs = np.concatenate([crowd, np.eye(4)[1:3]])
    songs /= np.linalg.norm(songs, axis=1, keepdims=True)
    decisions = np.r_[np.full(10, 1.0), 0.5, 0.4]
    first = chosen(songs, decisions, np.eye(4)[3:], 3)
    assert sum(row < 10 for row in first) == 1
    assert {10, 11} <= set(first)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), top=st.integers(1, 8))
def test_a_batch_is_what_one_at_a_time_would_be_if_no_answer_changed_the_scores(
    seed: int, top: int
) -> None:
    songs, known = points(20, seed=seed), points(3, seed=seed + 1)
    decisions = np.random.default_rng(seed).standard_normal(20)
    at_once = chosen(songs, decisions, known, top)
    one_by_one: list[int] = []
    for _ in range(top):
        free = np.setdiff1d(np.arange(20), one_by_one)
        (row,) = chosen(songs[free], decisions[free], np.concatenate([known, songs[one_by_one]]), 1)
        one_by_one.append(int(free[row]))
    assert at_once == one_by_one
    assert len(set(at_once)) == top


def test_never_a_copy_of_what_was_chosen_and_no_more_than_there_is() -> None:
    songs = points(6)
    twins = {0: [3], 3: [0], 1: [4], 4: [1]}
    picks = most_informative(
        songs,
        np.zeros(6),
        points(1, seed=9),
        top=50,
        copies=lambda row: np.array(twins.get(row, []), np.intp),
    )
    rows = [pick.row for pick in picks]
    assert len(rows) == 4
    assert not {0, 3} <= set(rows)
    assert not {1, 4} <= set(rows)


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_certain_scores_and_equal_points_stay_finite(scale: float) -> None:
    songs = np.repeat(np.eye(3)[:1], 5, axis=0)
    picks = most_informative(songs, np.linspace(-scale, scale, 5), songs[:2], top=5)
    assert sorted(pick.row for pick in picks) == [0, 1, 2, 3, 4]
    assert picks[0].row >= 3, "beyond a certain score all are as likely"
    assert all(0 < pick.unknown <= 1 for pick in picks)
