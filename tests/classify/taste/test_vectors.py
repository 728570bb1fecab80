import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classify import LabelledSongs, SongTransform, VectorError
from classify.taste.vectors import Vectors, check_vectors


def library(n: int = 50, dim: int = 7, seed: int = 0) -> Vectors:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, dim)) * 5 + 3).astype(np.float32)


def test_transform_standardises_the_library_it_was_fitted_on() -> None:
    songs = library(3000, 12)
    standard = SongTransform.fit(songs)(songs)
    assert standard.dtype == np.float32
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standard.std(axis=0), 1, atol=1e-5)


def test_constant_feature_gets_scale_one_and_stays_finite_on_a_new_song() -> None:
    songs = library()
    songs[:, 2] = 0.1  # not a float32: its mean in float64 is off by rounding
    songs[:, 3] = 0.0
    transform = SongTransform.fit(songs)
    assert transform.scale[2] == 1
    assert transform.scale[3] == 1
    assert np.abs(transform(songs)[:, 2]).max() < 1e-6
    new = songs[:1].copy()
    new[:, 2:4] = 5
    assert np.isfinite(transform(new)).all()


def test_one_song_is_a_library_of_which_every_feature_is_constant() -> None:
    transform = SongTransform.fit(library(1))
    assert (transform.scale == 1).all()


def test_rows_do_not_depend_on_their_neighbours() -> None:
    songs = library()
    transform = SongTransform.fit(songs)
    alone = np.concatenate([transform(song[None]) for song in songs])
    assert np.array_equal(alone, transform(songs))


def test_small_scales_are_kept_where_the_feature_is_small_too() -> None:
    songs = library() * np.float32(1e-9)
    standard = SongTransform.fit(songs)(songs)
    np.testing.assert_allclose(standard.std(axis=0), 1, rtol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_name_their_row(bad: float) -> None:
    songs = library()
    songs[4, 1] = bad
    with pytest.raises(VectorError, match=r"1 of 50 rows .* row 4"):
        SongTransform.fit(songs)
    with pytest.raises(VectorError, match="row 4"):
        SongTransform.fit(library())(songs)


def test_large_finite_values_are_not_mistaken_for_infinite_ones() -> None:
    songs = np.full((2, 4), 3e38, dtype=np.float32)  # their sum overflows
    assert check_vectors(songs) is songs
    assert np.isfinite(SongTransform.fit(library(dim=4))(songs)).all()


def test_wrong_shapes_are_refused() -> None:
    transform = SongTransform.fit(library())
    with pytest.raises(VectorError, match=r"vectors\[None, :\]"):
        transform(library()[0])
    with pytest.raises(VectorError, match="have 6 numbers, the transform was fitted on 7"):
        transform(library(dim=6))
    with pytest.raises(VectorError, match="0 songs"):
        SongTransform.fit(library(0))
    with pytest.raises(VectorError, match="matrix of numbers"):
        transform(np.array([["a"] * 7]))


def test_transform_refuses_a_scale_that_is_not_positive() -> None:
    ones = np.ones(3, dtype=np.float32)
    with pytest.raises(VectorError, match="above 0"):
        SongTransform(mean=ones, scale=np.array([1, 0, 1], dtype=np.float32))
    with pytest.raises(VectorError, match="shape"):
        SongTransform(mean=ones, scale=ones[:2])
    with pytest.raises(VectorError, match="float64"):
        SongTransform(mean=ones, scale=np.ones(3))  # type: ignore[arg-type]


def test_songs_need_one_vector_and_one_group_each() -> None:
    with pytest.raises(VectorError, match="2 digests, 3 vectors and 2 groups"):
        LabelledSongs(digests=("a", "b"), vectors=library(3), groups=("a", "b"))
    with pytest.raises(VectorError, match="shape"):
        LabelledSongs(digests=("a",), vectors=library(1)[0], groups=("a",))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_any_finite_library_gives_finite_standard_vectors(songs: Vectors) -> None:
    assert np.isfinite(SongTransform.fit(songs)(songs)).all()
