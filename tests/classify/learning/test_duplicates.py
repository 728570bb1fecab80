"""Copies of a song count once, and different songs are never taken for copies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from classify import LabelError, SameSongError, fit_taste
from classify.learning.duplicates import fit_space, merge_duplicates
from classify.learning.examples import Examples, LabelledSongs, prepare_examples
from classify.taste.sketch import MAX_APART
from classify.taste.song_space import SongSpace
from classify.taste.vectors import Vectors

DIM = 120


def vectors(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).normal(size=(n, DIM)).astype(np.float32)


def copy_of(rows: Vectors, noise: float = 0.1, seed: int = 9) -> Vectors:
    return (rows + noise * np.random.default_rng(seed).normal(size=rows.shape)).astype(np.float32)


def songs(rows: Vectors, tag: str) -> LabelledSongs:
    names = tuple(f"{tag}{i:02}" for i in range(len(rows)))
    return LabelledSongs(digests=names, vectors=rows, groups=names)


def merge(likes: Vectors, others: Vectors, dislikes: Vectors | None = None) -> Examples:
    examples = prepare_examples(
        likes=songs(likes, "a"),
        dislikes=None if dislikes is None else songs(dislikes, "d"),
        unlabelled=songs(others, "u"),
    )
    # The yardstick is relative, so raw blobs of unit variance serve as standardised ones.
    return merge_duplicates(examples, examples.vectors)


LIKES, OTHERS = vectors(5), vectors(30, seed=1)


def test_different_songs_are_left_as_they_are() -> None:
    examples = prepare_examples(likes=songs(LIKES, "a"), unlabelled=songs(OTHERS, "u"))
    assert merge_duplicates(examples, examples.vectors) is examples


def test_copies_among_likes_and_among_dislikes_count_once() -> None:
    merged = merge(
        np.concatenate([LIKES, copy_of(LIKES[:2])]),
        OTHERS,
        np.concatenate([vectors(2, 3), vectors(1, 3)]),
    )
    assert merged.digests[:7] == ("a00", "a01", "a02", "a03", "a04", "d00", "d01")
    assert len(merged) == 7 + 30


def test_a_copy_of_a_like_in_the_library_is_never_negative() -> None:
    merged = merge(LIKES, np.concatenate([OTHERS, copy_of(LIKES)]))
    negative = merged.digests_where(merged.is_negative)
    assert negative == tuple(f"u{i:02}" for i in range(30))


def test_a_copy_of_a_like_that_goes_itself_goes_too() -> None:
    """Near is not transitive.

    The like in the middle is merged, and its other neighbour was a negative.
    """
    step = np.zeros((1, DIM), dtype=np.float32)
    step[0, 0] = np.sqrt(0.8 * MAX_APART * DIM)
    merged = merge(
        np.concatenate([LIKES, LIKES[:1] + step]), np.concatenate([OTHERS, LIKES[:1] + 2 * step])
    )
    assert "a05" not in merged.digests
    assert "u30" not in merged.digests


def test_copies_within_the_library_count_once() -> None:
    """A held-out song's twin would stay behind as a negative, and any taste would look right."""
    assert (
        merge(LIKES, np.concatenate([OTHERS, copy_of(OTHERS)])).digests
        == merge(LIKES, OTHERS).digests
    )


def test_one_silent_track_makes_no_copies_of_other_songs() -> None:
    likes, others = vectors(4), vectors(14, seed=1)
    others[0] = 40
    examples = prepare_examples(likes=songs(likes + 4, "a"), unlabelled=songs(others + 4, "u"))
    standardised = SongSpace.fit(examples.vectors).standardise(examples.vectors)
    assert merge_duplicates(examples, standardised) is examples


def test_a_song_liked_and_disliked_under_two_digests_is_named() -> None:
    with pytest.raises(
        SameSongError, match="a03 is liked and d01 disliked, and they sound the same"
    ) as caught:
        merge(LIKES, OTHERS, np.concatenate([vectors(1, 3), copy_of(LIKES[3:4])]))
    assert caught.value.digests == ("a03", "d01")
    assert isinstance(caught.value, LabelError)


def test_two_copies_of_one_like_are_too_few() -> None:
    with pytest.raises(
        LabelError, match=r"the 2 likes are 1 song, in several copies; at least 2 .* --like"
    ):
        merge(np.concatenate([LIKES[:1], copy_of(LIKES[:1])]), OTHERS)
    with pytest.raises(LabelError, match="3 likes are 1 song"):
        merge(np.ones((3, DIM), dtype=np.float32), OTHERS)


def test_a_library_of_nothing_but_copies_of_the_likes_is_refused() -> None:
    with pytest.raises(LabelError, match=r"copies of the 5 likes.*sevensongs embed"):
        merge(LIKES, copy_of(LIKES))


def test_training_counts_copies_once() -> None:
    def fit(likes: Vectors, others: Vectors) -> tuple[int, int]:
        taste = fit_taste(
            likes=songs(likes, "a"),
            unlabelled=songs(others, "u"),
            encoder="e",
            fingerprint="0" * 16,
        )
        return taste.n_like, taste.n_unlabelled

    doubled = np.concatenate([LIKES, copy_of(LIKES)])
    assert fit(doubled, np.concatenate([OTHERS, copy_of(LIKES, seed=4)])) == (5, 30)


def test_no_label_moves_the_space_whatever_is_labelled_and_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A service places its songs once, and a label makes none of that void."""
    rows = np.concatenate([vectors(2100, 5), copy_of(vectors(40, 5))])
    everything = songs(rows, "s")

    def space_with(liked: list[int]) -> SongSpace:
        rest = [row for row in range(len(rows)) if row not in liked]
        some = [
            LabelledSongs(
                digests=tuple(everything.digests[row] for row in part),
                vectors=rows[part],
                groups=tuple(everything.groups[row] for row in part),
            )
            for part in (liked, rest)
        ]
        examples = prepare_examples(likes=some[0], unlabelled=some[1])
        return fit_space(examples)[0]

    fitted: list[int] = []
    real = SongSpace.fit

    def counted(vectors: Vectors, blocks: Sequence[int] = ()) -> SongSpace:
        fitted.append(len(vectors))
        return real(vectors, blocks=blocks)

    monkeypatch.setattr(SongSpace, "fit", counted)
    first = space_with([3, 50, 2010])
    n_fits = len(fitted)
    assert first.is_same(space_with([3, 50, 2010, 2120, 700]))
    assert first.is_same(space_with([2135, 90]))
    assert len(fitted) == n_fits, "nor is it fitted again"
    assert not first.is_same(real(rows))
    rows[7] *= np.float32(1.5)  # heard whole, a song has another vector
    assert not first.is_same(space_with([3, 50, 2010]))
    assert len(fitted) == 2 * n_fits
