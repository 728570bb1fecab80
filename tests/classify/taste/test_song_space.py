"""Song space.

Where a song lands depends on itself and the library, never on labels or neighbours.
"""

from __future__ import annotations

import dataclasses
import inspect
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classify import SongSpace, VectorError
from classify.taste.vectors import FloatArray, Vectors

PAIR = (3012, 2048)  # musicnn+yamnet


def library(n: int = 120, dim: int = 40, seed: int = 0) -> Vectors:
    """Songs that differ mostly along few directions, as embeddings do."""
    rng = np.random.default_rng(seed)
    strength = np.geomspace(4, 0.2, 12)
    latent = rng.normal(size=(n, 12)) * strength
    mixed = latent @ np.random.default_rng(99).normal(size=(12, dim)) + 0.1 * rng.normal(
        size=(n, dim)
    )
    return np.exp(mixed / 8).astype(np.float32)


def lengths(points: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(points, axis=1))


@pytest.mark.exact
@pytest.mark.parametrize(("dim", "blocks"), [(7, ()), (3012, ()), (5060, PAIR), (9000, ())])
def test_a_song_lands_at_the_same_place_alone_and_among_others(
    dim: int, blocks: tuple[int, ...]
) -> None:
    songs = library(110, dim) * np.where(np.arange(dim) % 3, 1, -1).astype(np.float32)
    space = SongSpace.fit(songs, blocks=blocks)
    for place in (space, space.standardise):
        together = place(songs)
        for size in (1, 2, 7, 33, 48, 49):
            parts = [place(songs[i : i + size]) for i in range(0, 110, size)]
            assert np.array_equal(np.concatenate(parts), together), size
        assert np.array_equal(place(songs[::-1]), together[::-1])
        assert np.array_equal(place(np.asfortranarray(songs)), together)
        assert np.array_equal(place(np.hstack([songs, songs])[::2, dim:]), together[::2])
        assert np.array_equal(place(songs.astype(">f4")), together)
        assert place(songs[:0]).shape == (0, together.shape[1])


def test_a_song_of_absurd_size_changes_nothing_for_its_neighbours() -> None:
    songs = library(60, 3012)
    space = SongSpace.fit(songs)
    huge = songs.copy()
    huge[::7] = np.where(np.arange(3012) % 2, 3e38, -3e38)
    huge[3::7] *= 1e-44
    for place in (space, space.standardise):
        assert np.array_equal(place(huge)[1::7], place(songs)[1::7])
        assert np.isfinite(place(huge)).all()
    np.testing.assert_allclose(lengths(space(huge)), 1)
    np.testing.assert_array_equal(space(huge)[0], space(huge[:1])[0])


def test_the_place_is_what_float64_says() -> None:
    songs = library(60, 300)
    for blocks in ((), (100, 200)):
        space = SongSpace.fit(songs, blocks=blocks)
        standard = (np.sqrt(songs.astype(np.float64)) - space.standard.mean) / space.standard.scale
        np.testing.assert_allclose(space.standardise(songs), standard, rtol=1e-4, atol=1e-5)
        cuts = np.cumsum(blocks)[:-1]
        parts = [
            part / np.linalg.norm(part, axis=1)[:, None]
            for part in np.split(standard, cuts, axis=1)
        ]
        placed = (
            np.hstack(parts) / np.sqrt(len(parts)) @ space.basis.astype(np.float64) - space.offset
        )
        placed /= np.linalg.norm(placed, axis=1)[:, None]
        np.testing.assert_allclose(space(songs), placed, atol=1e-5)


def test_a_number_that_never_changes_counts_where_a_song_differs() -> None:
    songs = library(60, 300)
    songs[:, 7] = -0.3
    space = SongSpace.fit(songs)
    others = songs.copy()
    others[::3, 7] = -500.0
    places, usual = space(others), space(songs)
    assert (np.abs(places[::3] - usual[::3]).max(axis=1) > 1e-3).all()
    assert np.array_equal(places[1::3], usual[1::3])


def test_the_row_that_is_not_finite_is_named_wherever_it_is() -> None:
    songs = library(200, 300)
    space = SongSpace.fit(songs)
    for value in (np.nan, np.inf, -np.inf):
        broken = songs.copy()
        broken[[137, 151], 5] = value
        for place in (space, space.standardise):
            with pytest.raises(VectorError, match=r"2 of 200 rows .* row 137"):
                place(broken)


def test_whitening_spreads_songs_alike_along_strong_axes() -> None:
    songs = library(2000, 60)
    space = SongSpace.fit(songs)
    placed = np.square(space(songs)).mean(axis=0)
    assert placed[0] < 3 * placed[8], "the loudest direction rules no more"
    assert placed[0] >= placed[-1], "directions of mere noise are not blown up beyond it"
    standard = space.standardise(songs).astype(np.float64)
    energy = np.linalg.svd(standard - standard.mean(axis=0), compute_uv=False) ** 2
    assert energy[0] > 15 * energy[8], "or there was nothing to whiten"


def test_places_are_of_unit_length_and_axes_as_many_as_songs_can_tell() -> None:
    for n, n_axes in ((1, 1), (3, 2), (30, 29), (50, 32), (100, 50), (400, 64)):
        songs = np.random.default_rng(n).normal(size=(n, 300)).astype(np.float32)
        space = SongSpace.fit(songs)
        assert (space.dim, space.n_axes) == (300, n_axes)
        if n > 1:
            np.testing.assert_allclose(lengths(space(songs)), 1)


def test_no_label_reaches_the_space() -> None:
    assert set(inspect.signature(SongSpace.fit).parameters) == {"library", "blocks"}
    songs = library()
    one, other = SongSpace.fit(songs), SongSpace.fit(songs[::-1])
    np.testing.assert_allclose(one(songs) @ one(songs).T, other(songs) @ other(songs).T, atol=1e-4)


def test_the_same_library_gives_the_same_space_bit_for_bit() -> None:
    one, other = SongSpace.fit(library()), SongSpace.fit(library())
    assert one.basis.tobytes() == other.basis.tobytes()
    assert one.offset.tobytes() == other.offset.tobytes()


@pytest.mark.parametrize("loud", [1e-4, 1.0, 1e4])
def test_parts_of_a_composite_count_the_same_whatever_their_size_and_scale(loud: float) -> None:
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(size=(90, 200)), rng.normal(size=(90, 20))
    songs = np.hstack([wide, loud * narrow]).astype(np.float32)
    changed = songs.copy()
    changed[:, 200:] = changed[::-1, 200:]  # another narrow part
    wider = songs.copy()
    wider[:, :200] = wider[::-1, :200]  # another wide part

    def moved(space: SongSpace, to: Vectors) -> float:
        return float(np.square(space(to) - space(songs)).sum(axis=1).mean())

    blocked, plain = SongSpace.fit(songs, blocks=(200, 20)), SongSpace.fit(songs)
    assert 0.5 < moved(blocked, changed) / moved(blocked, wider) < 2
    assert moved(plain, changed) / moved(plain, wider) < 0.5, "or blocks would be for nothing"


def test_size_of_numbers_matters_as_their_root_and_sign() -> None:
    songs = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    np.testing.assert_allclose(SongSpace.fit(songs).standardise(songs).mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(
        SongSpace.fit(songs)(songs), SongSpace.fit(songs * 16)(songs * 16), atol=1e-5
    )
    assert np.array_equal(
        SongSpace.fit(-songs).standardise(-songs), -SongSpace.fit(songs).standardise(songs)
    )


def test_songs_that_say_nothing_stay_numbers() -> None:
    songs = library(20, 6)
    songs[:, 2] = 0.1  # a constant channel
    songs[3] = 0  # silence
    songs[5] = songs[4]  # twice
    space = SongSpace.fit(songs)
    assert np.array_equal(space(songs)[5], space(songs)[4])
    edge = np.array([[3.4e38] * 6, [-3.4e38] * 6, [1e-45] * 6, [0] * 6], dtype=np.float32)
    assert np.isfinite(space(edge)).all()
    equal = SongSpace.fit(np.ones((9, 6), dtype=np.float32))
    assert (equal(np.ones((2, 6))) == 0).all()
    assert np.isfinite(equal(edge)).all()


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_any_finite_library_places_its_songs_on_the_sphere(songs: Vectors) -> None:
    found = lengths(SongSpace.fit(songs)(songs))
    assert ((found == 0) | (np.abs(found - 1) < 1e-6)).all()


def test_what_does_not_fit_is_refused() -> None:
    songs = library(30, 10)
    with pytest.raises(VectorError, match="0 songs"):
        SongSpace.fit(songs[:0])
    for blocks in ((4, 5), (0, 10), (11, -1), (10**30, 10 - 10**30)):
        with pytest.raises(VectorError, match="do not make song vectors of 10"):
            SongSpace.fit(songs, blocks=blocks)
    space = SongSpace.fit(songs)
    with pytest.raises(VectorError, match="9 numbers"):
        space(songs[:, :9])
    for changes in (
        {"blocks": ()},
        {"blocks": (5, 6)},
        {"basis": space.basis[:-1]},
        {"basis": space.basis[:, :-1]},
        {"basis": space.basis[:, 0]},
        {"basis": space.basis.astype(np.float64)},
        {"basis": space.basis * np.float32(np.nan)},
        {"basis": np.full_like(space.basis, 3e38)},  # its sums would be infinite
        {"offset": np.full_like(space.offset, np.inf)},
        {"offset": space.offset[:0], "basis": space.basis[:, :0]},
    ):
        with pytest.raises(VectorError):
            dataclasses.replace(space, **changes)


def test_equal_spaces_share_what_is_prepared_for_them_as_long_as_one_is_there() -> None:
    songs = library(60)
    one, other, third = SongSpace.fit(songs), SongSpace.fit(songs), SongSpace.fit(songs[1:])
    assert np.array_equal(one(songs), other(songs))
    third(songs)
    assert other._placer is one._placer is not third._placer
    placer = weakref.ref(one._placer)
    del one
    assert placer() is not None
    del other
    assert placer() is None
