"""What is like nothing in the library is told from music that is only new."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import TasteError
from classify.taste.familiarity import MAX_KNOWN, Familiarity
from classify.taste.sketch import N_BUCKETS, _hashes, sketch
from classify.taste.vectors import FloatArray, Vectors

DIM = 3012


def songs(n: int, seed: int = 0, dim: int = DIM) -> Vectors:
    """Standardised songs, most of whose variance lies along ten directions."""
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(99).normal(size=(10, dim))
    rows = rng.normal(size=(n, 10)) @ axes / np.sqrt(10) * 0.9 + 0.4 * rng.normal(size=(n, dim))
    return np.asarray(rows, dtype=np.float32)


def far(known: Familiarity, standardised: Vectors) -> NDArray[np.bool_]:
    return known.is_far_sketch(sketch(standardised), standardised.shape[1])


def distances(known: Familiarity, standardised: Vectors) -> FloatArray:
    """Mean squared distances to the nearest known song, which `is_far_sketch` compares."""
    sketches = sketch(standardised).astype(np.float64)
    return np.asarray(known._nearest(sketches, known._all) / standardised.shape[1])


def test_new_music_is_familiar_and_what_is_far_off_is_not() -> None:
    known = Familiarity.fit(songs(100))
    assert far(known, songs(200, seed=1)).mean() < 0.15
    noise = np.random.default_rng(2).normal(size=(50, DIM)).astype(np.float32) * 2
    assert far(known, noise).all()
    assert far(known, songs(50, seed=3) + np.float32(2)).all()
    assert not far(known, songs(100)).any(), "a song of the library itself"


def test_the_hash_is_for_ever() -> None:
    """A saved taste holds sketches: with another hash, all music would be unfamiliar to it."""
    assert [hex(value) for value in _hashes(3).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]
    one = np.zeros((3, DIM), dtype=np.float32)
    one[[0, 1, 2], [0, 1, DIM - 1]] = 1, 2, 3
    found = sketch(one)
    assert found.shape == (3, N_BUCKETS)
    assert [(int(row.nonzero()[0][0]), float(row.sum())) for row in found] == [
        (226, 1.0),
        (110, -2.0),
        (75, -3.0),
    ]
    assert (np.count_nonzero(found, axis=1) == 1).all()


def test_sketches_keep_distances() -> None:
    rows = songs(30).astype(np.float64)
    true = np.square(rows[:1] - rows[1:]).mean(axis=1)
    found = [
        distances(Familiarity(known=sketch(songs(30)[[i]]), limit=1.0), songs(1))[0]
        for i in range(1, 30)
    ]
    np.testing.assert_allclose(found, true, rtol=0.5)
    assert abs(np.mean(found / true) - 1) < 0.1


@pytest.mark.parametrize("dim", [1, 3, 300, 5060])
def test_a_song_is_as_far_alone_as_among_others(dim: int) -> None:
    known = Familiarity.fit(songs(40, dim=dim))
    new = songs(300, seed=1, dim=dim)
    together = distances(known, new)
    for size in (1, 2, 7, 100):
        parts = [distances(known, new[i : i + size]) for i in range(0, 300, size)]
        assert np.array_equal(np.concatenate(parts), together), size
    assert np.array_equal(distances(known, np.asfortranarray(new)), together)
    assert distances(known, new[:0]).shape == (0,)


def test_likes_are_always_among_the_known() -> None:
    rows = songs(MAX_KNOWN * 2, dim=20)
    keep = [1, 77, 1023]
    known = Familiarity.fit(rows, keep=keep)
    assert known.known.shape == (MAX_KNOWN, N_BUCKETS)
    np.testing.assert_allclose(distances(known, rows[keep]), 0, atol=1e-6)
    many = Familiarity.fit(rows, keep=range(MAX_KNOWN + 5))
    assert len(many.known) == MAX_KNOWN + 5


def test_a_few_odd_songs_do_not_move_the_limit() -> None:
    plain = Familiarity.fit(songs(100))
    odd = songs(100)
    odd[::20] *= 30
    assert Familiarity.fit(odd).limit == pytest.approx(plain.limit, rel=0.2)


def test_a_library_in_which_every_song_is_twice_still_knows_new_music() -> None:
    once = songs(60)
    rips = once + 0.03 * np.random.default_rng(5).normal(size=once.shape).astype(np.float32)
    for copies in (once, rips):
        known = Familiarity.fit(np.concatenate([once, copies]))
        assert known.limit == pytest.approx(Familiarity.fit(once).limit, rel=0.05)


def test_too_few_songs_know_nothing_and_find_nothing_strange() -> None:
    for rows in (
        songs(0),
        songs(1),
        songs(3),
        songs(9),
        np.tile(songs(1), (50, 1)),
        np.zeros((50, 9), "f4"),
    ):
        known = Familiarity.fit(rows)
        assert not far(known, songs(5, seed=1, dim=rows.shape[1]) * 100).any()
        assert far(known, rows[:0]).shape == (0,)


@pytest.mark.parametrize("dim", [1, DIM, 5060])
def test_songs_of_absurd_size_are_far_and_not_nan(dim: int) -> None:
    known = Familiarity.fit(songs(40, dim=dim))
    largest = np.finfo(np.float32).max
    signs = np.sign(np.random.default_rng(0).normal(size=(4, dim))).astype(np.float32)
    assert far(known, signs * largest).all()
    assert np.isfinite(distances(known, signs * largest)).all()
    assert np.isfinite(Familiarity.fit(np.concatenate([songs(20, dim=dim), signs * largest])).limit)


def test_music_is_far_from_known_songs_of_absurd_size() -> None:
    largest = np.finfo(np.float32).max
    signs = np.sign(np.random.default_rng(0).normal(size=(4, N_BUCKETS))).astype(np.float32)
    known = Familiarity(known=signs * largest, limit=1.0)
    assert known.is_far_sketch(sketch(songs(3)), DIM).all()
    assert known.is_far_sketch(signs * largest, DIM).shape == (4,)


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": 0.0},
        {"limit": -1.0},
        {"limit": np.inf},
        {"limit": np.nan},
        {"known": np.zeros((3, N_BUCKETS - 1), dtype=np.float32)},
        {"known": np.zeros(N_BUCKETS, dtype=np.float32)},
        {"known": np.zeros((3, N_BUCKETS))},
        {"known": np.full((3, N_BUCKETS), np.nan, dtype=np.float32)},
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    sound: dict[str, Any] = {"known": np.zeros((3, N_BUCKETS), dtype=np.float32), "limit": 1.0}
    with pytest.raises(TasteError, match="train the taste again"):
        Familiarity(**{**sound, **changes})
