"""What is chosen of a library: at random, and yet most of it stays where a few songs come or go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest

from classify.learning.examples import UNLABELLED, LabelledSongs, prepare_examples
from classify.learning.fit import thin_out
from classify.learning.heads import Kernel
from classify.learning.held_out import cross_fit, deal_folds
from classify.learning.sampling import digest_ranks, sample_unlabelled
from classify.taste.familiarity import Familiarity
from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray

N, N_LIKE, DIM = 3000, 7, 12


def digest(number: int) -> str:
    return hashlib.blake2b(f"song {number}".encode(), digest_size=16).hexdigest()


def songs(names: Collection[str]) -> LabelledSongs:
    """Make songs whose first number tells which they are."""
    rows = np.array([_vector(name) for name in names], np.float32).reshape(len(names), DIM)
    return LabelledSongs(digests=tuple(names), vectors=rows, groups=tuple(names))


def _vector(name: str) -> FloatArray:
    return np.random.default_rng(int(name, 16)).normal(size=DIM)


def library(kept: range) -> Any:
    likes = [digest(number) for number in range(N_LIKE)]
    return prepare_examples(likes=songs(likes), unlabelled=songs([digest(i) for i in kept]))


def _chosen(kept: range) -> set[str]:
    return set(library(kept).digests)


def _held_out(kept: range) -> set[str]:
    examples = library(kept)
    return {examples.digests[row] for row in thin_out(examples, 300)}


def _known(kept: range) -> set[bytes]:
    examples = library(kept)
    keep = np.flatnonzero(examples.labels != UNLABELLED)
    return {row.tobytes() for row in Familiarity.fit(examples.vectors, keep=keep).known}


def _landmarks(kept: range) -> set[bytes]:
    examples = library(kept)
    rows = examples.vectors.astype(np.float64)
    head = Kernel().fit(rows, examples.is_like, np.where(examples.is_like, 1.0, 0.01))
    return {column.tobytes() for column in np.ascontiguousarray(head.layers[0][0].T)}


def _folds(kept: range) -> set[tuple[str, int]]:
    examples = library(kept)
    some = examples.take(thin_out(examples, 300))
    held = cross_fit(some, lambda rows: np.zeros(len(some)), max_like_folds=10)
    assert held is not None
    folds = np.concatenate([held.like_folds, held.other_folds])
    return {(some.digests[row], fold) for row, fold in zip(held.rows, folds, strict=True)}


CHOICES: tuple[Callable[[range], set[Any]], ...] = (
    _chosen,
    _held_out,
    _known,
    _landmarks,
    _folds,
)


@pytest.mark.parametrize("choose", CHOICES)
@pytest.mark.parametrize("kept", [range(N_LIKE, N - N // 20), range(N_LIKE, N + N // 20)])
def test_a_twentieth_of_the_songs_changes_about_a_twentieth_of_a_choice(
    choose: Callable[[range], set[Any]], kept: range
) -> None:
    before, after = choose(range(N_LIKE, N)), choose(kept)
    # 0.95, the luck of 300 songs, and those that the end of a fold has passed.
    assert len(before & after) >= (0.88 if choose is _folds else 0.92) * len(before)
    assert before != after or choose is _chosen


def test_axes_of_song_space_are_found_from_the_first_songs() -> None:
    rows = songs([digest(number) for number in range(1200)]).vectors
    swapped = rows.copy()
    swapped[600:] = rows[600:][::-1]  # the mean and the scale are of all songs, and stay
    one, other = SongSpace.fit(rows), SongSpace.fit(swapped)
    np.testing.assert_allclose(np.abs(one.basis), np.abs(other.basis), atol=1e-5)


def test_the_choice_of_a_million_needs_no_hash_of_each() -> None:
    names = [digest(number) for number in range(500)]
    alone = [int(digest_ranks([name], 3)[0]) for name in names]
    assert digest_ranks(names, 3).tolist() == alone
    assert digest_ranks([*names, "song.mp3"], 3).tolist()[:-1] == alone  # one by one
    assert len(set(alone)) == len(names)
    assert digest_ranks(names, 4).tolist() != alone
    low = np.mean(digest_ranks(names, 3) < np.uint64(2**62))
    assert low == pytest.approx(0.25, abs=0.06)


def test_equal_ranks_are_told_apart_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "classify.learning.sampling.digest_ranks",
        lambda names, seed: np.zeros(len(names), np.uint64),
    )
    names = [digest(number) for number in range(9)]
    assert sample_unlabelled(names, limit=4) == tuple(sorted(names)[:4])
    assert sample_unlabelled(names, limit=0) == ()


def test_many_likes_leave_room_for_other_landmarks() -> None:
    rows = songs([digest(number) for number in range(900)]).vectors.astype(np.float64)
    is_like = np.arange(900) < 450
    columns = Kernel().fit(rows, is_like, np.ones(900)).layers[0][0].T / 2
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    among = [(np.abs(unit - column).max(axis=1) < 1e-12).argmax() for column in columns]
    assert np.mean(is_like[among]) == pytest.approx(0.5, abs=0.01)


def test_folds_hold_whole_groups_and_are_about_as_large() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 300)
    folds = deal_folds(groups, 2, digest_ranks([digest(one) for one in range(300)], 0))
    assert all(len(set(folds[groups == one])) == 1 for one in set(groups))
    assert np.bincount(folds).min() > 110
    large = deal_folds(np.array([0] * 98 + [1, 2]), 2, np.arange(100, dtype=np.uint64))
    assert set(large) == {0, 1}  # however large a group is, something is left to learn from
    assert set(deal_folds(np.arange(5), 10, np.arange(5, dtype=np.uint64))) == set(range(5))
