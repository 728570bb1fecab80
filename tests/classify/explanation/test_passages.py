"""Where a song changes, which passages carried it, and which moments sound alike."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cache import Entry
from classify.explanation.passages import (
    local_means,
    merge_sections,
    pick_passages,
    place_windows,
    sections,
)
from classify.explanation.resemblance import SongMoments, hear, nearest_moment
from classify.explanation.tag_account import TagModel, tag_amounts
from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray

DIM = 16


def _walk(levels: list[float], lengths: list[int], noise: float = 0.3) -> FloatArray:
    """Windows in a space of 8 axes, around one centre for each section."""
    rng = np.random.default_rng(0)
    centres = [level * np.sign(rng.normal(size=8)) for level in levels]
    return np.concatenate(
        [
            centre + noise * rng.normal(size=(n, 8))
            for centre, n in zip(centres, lengths, strict=True)
        ]
    )


def test_a_song_is_cut_where_its_sound_changes() -> None:
    assert sections(_walk([1, -1, 2], [12, 7, 30])) == [0, 12, 19, 49]


def test_a_song_that_stays_the_same_is_one_section() -> None:
    assert sections(_walk([1], [60])) == [0, 60]
    assert sections(np.zeros((40, 3))) == [0, 40]
    assert sections(np.ones((1, 3))) == [0, 1]


def test_much_silence_does_not_make_each_sound_a_section_of_its_own() -> None:
    song = np.concatenate([np.zeros((40, 8)), _walk([1], [20])])
    assert sections(song) == [0, 40, 60]


def test_a_long_song_is_cut_in_coarser_steps() -> None:
    edges = sections(_walk([1, -1], [2000, 1100]))
    assert len(edges) == 3
    assert abs(edges[1] - 2000) <= 6


def test_sections_that_add_as_much_are_one_passage() -> None:
    points = np.repeat([0.01, 0.0101, -0.02], [10, 10, 10])
    assert merge_sections([0, 10, 20, 30], points) == [0, 20, 30]
    assert merge_sections([0, 30], points) == [0, 30]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8).flatmap(
        lambda lengths: st.tuples(
            st.just(lengths),
            st.lists(st.floats(-1, 1), min_size=sum(lengths), max_size=sum(lengths)),
        )
    )
)
def test_passages_are_few_in_order_apart_and_the_weightiest(
    case: tuple[list[int], list[float]],
) -> None:
    lengths, values = case
    edges, points = [0, *np.cumsum(lengths).tolist()], np.array(values)
    told = pick_passages(edges, points)
    assert len(told) <= 3
    assert all(a[1] <= b[0] for a, b in pairwise(told))
    sums = {(a, b): abs(points[a:b].sum()) for a, b in pairwise(edges)}
    left = [size for span, size in sums.items() if span not in told]
    assert all(sums[span] >= max(left) for span in told) if left and told else True


def test_a_neighbourhood_never_reaches_across_an_edge() -> None:
    frames = np.repeat([[1.0, 5.0], [3.0, -5.0]], [7, 4], axis=0)
    assert np.array_equal(local_means(frames, [0, 7, 11], 5), frames)
    smooth = local_means(np.arange(10.0)[:, np.newaxis], [0, 10], 3)[:, 0]
    assert smooth.tolist() == [1, 1, 2, 3, 4, 5, 6, 7, 8, 8]


def _space() -> SongSpace:
    rng = np.random.default_rng(5)
    return SongSpace.fit(rng.normal(size=(80, 2 * DIM)).astype(np.float32))


def _entry(frames: NDArray[np.float64], digest: str, n_windows: int = 0) -> Entry:
    stored = frames.astype(np.float16)
    vector = np.concatenate([stored.mean(axis=0), stored.std(axis=0)]).astype(np.float32)
    return Entry(
        digest=digest * 32,
        n_windows=n_windows,
        duration_s=3.0 * len(frames),
        coverage=1.0,
        starts_s=(3 * np.arange(len(frames))).astype(np.float32),
        frames=stored,
        vector=vector,
    )


def test_the_same_moment_is_found_in_another_song() -> None:
    space, rng = _space(), np.random.default_rng(2)
    song, other, third = rng.normal(size=(3, 20, DIM))
    other[12] = song[4]
    heard = [
        hear(space, [_entry(frames, name, 20)]) for frames, name in ((other, "b"), (third, "c"))
    ]
    moment = nearest_moment(hear(space, [_entry(song, "a", 20)]), heard)
    assert moment is not None
    assert (moment.at_s, moment.digest, moment.other_at_s) == (12.0, "b" * 32, 36.0)
    assert moment.similarity == pytest.approx(1, abs=1e-6)


def test_silence_is_not_what_songs_have_in_common() -> None:
    space, rng = _space(), np.random.default_rng(4)
    silence = rng.normal(size=(1, DIM))
    song, other = rng.normal(size=(2, 10, DIM))
    song[9] = other[0] = silence[0]
    loud = nearest_moment(
        hear(space, [_entry(song, "a", 10)]), [hear(space, [_entry(other, "b", 10)])]
    )
    assert loud is not None
    assert (loud.at_s, loud.other_at_s) == (27.0, 0.0)
    heard = [
        hear(space, [_entry(frames, name, 10)], silence)
        for frames, name in ((song, "a"), (other, "b"))
    ]
    found = nearest_moment(heard[0], heard[1:])
    assert found is not None
    assert found.at_s != 27.0
    assert found.other_at_s != 0.0


def test_nothing_resembles_nothing() -> None:
    empty = SongMoments(digest="a", starts_s=np.zeros(0), directions=np.zeros((0, 3)))
    assert nearest_moment(empty, [empty]) is None
    assert nearest_moment(empty, []) is None


def test_windows_lie_where_songs_of_usual_variety_lie() -> None:
    space, rng = _space(), np.random.default_rng(6)
    means = rng.normal(size=(5, DIM))
    usual = np.square(space.standard.mean[DIM:]) * np.sign(space.standard.mean[DIM:])
    songs = np.concatenate([means, np.tile(usual, (5, 1))], axis=1).astype(np.float32)
    places = place_windows(space, means)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    assert places == pytest.approx(space(songs), abs=1e-4)


def test_tags_that_decide_are_found_and_those_that_go_along_get_no_opposite_sign() -> None:
    rng = np.random.default_rng(0)
    amounts = tag_amounts(rng.uniform(size=(200, 6)).astype(np.float32))
    amounts[:, 1] = amounts[:, 0] + 0.05 * rng.normal(size=200)  # a twin
    decisions = 2 * amounts[:, 0] - amounts[:, 3] + 0.1 * rng.normal(size=200)
    model = TagModel.fit(amounts, decisions)
    assert model is not None
    assert model.r2 > 0.9
    assert model.weights[0] + model.weights[1] == pytest.approx(2, abs=0.2)
    assert min(model.weights[:2]) >= 0
    assert model.weights[3] == pytest.approx(-1, abs=0.2)


def test_a_tag_that_goes_with_the_likes_is_never_told_as_one_against_a_song() -> None:
    rng = np.random.default_rng(0)
    first = rng.uniform(size=300)
    second = first + 0.3 * rng.uniform(size=300)
    decisions = 2 * first - second  # yet whatever has more of the second is liked more
    assert np.corrcoef(second, decisions)[0, 1] > 0.5
    model = TagModel.fit(np.stack([first, second], axis=1), decisions)
    assert model is not None
    assert model.weights[0] > 0.5
    assert 0 <= model.weights[1] < 0.2


def test_tags_that_tell_nothing_are_said_to_tell_nothing() -> None:
    rng = np.random.default_rng(1)
    amounts, decisions = rng.uniform(size=(100, 30)), rng.normal(size=100)
    model = TagModel.fit(amounts, decisions)
    assert model is not None
    assert model.r2 < 0.1


def test_too_few_songs_have_no_account_in_tags() -> None:
    rng = np.random.default_rng(1)
    assert TagModel.fit(rng.uniform(size=(19, 3)), rng.normal(size=19)) is None
    assert TagModel.fit(rng.uniform(size=(50, 3)), np.ones(50)) is None
    still = TagModel.fit(np.full((50, 2), 0.3), rng.normal(size=50))  # tags that never change
    assert still is not None
    assert not still.weights.any()
