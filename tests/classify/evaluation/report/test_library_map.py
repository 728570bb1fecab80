"""A map of the library: what sounds alike lies together, and every drawing of it is the same."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import LabelledSongs, Taste, fit_taste
from classify.evaluation.report.library_map import LibrarySample, draw_map
from tests.classify.evaluation.test_evaluation import songs

LIKES, DISLIKES, OTHERS = songs(7, 2, "a"), songs(3, 0, "d"), songs(60, 0, "b")


@pytest.fixture(scope="module")
def taste() -> Taste:
    return fit_taste(
        likes=LIKES, dislikes=DISLIKES, unlabelled=OTHERS, encoder="musicnn", fingerprint="f" * 16
    )


def sample_of(*parts: LabelledSongs, n_songs: int = 70) -> LibrarySample:
    sizes = [len(part.digests) for part in parts]
    labels = np.repeat([1, -1, 0][: len(parts)], sizes)
    return LibrarySample(
        vectors=np.concatenate([p.vectors for p in parts]),
        labels=labels,
        digests=tuple(digest for part in parts for digest in part.digests),
        n_songs=n_songs,
    )


def test_likes_lie_together_and_score_high(taste: Taste) -> None:
    drawn = draw_map(taste, sample_of(LIKES, DISLIKES, OTHERS), method="PCA")
    assert drawn is not None
    assert drawn.places.shape == (70, 2)
    assert drawn.shown is not None
    assert 0 < drawn.shown < 1
    assert (drawn.method, drawn.n_songs) == ("PCA", 70)
    np.testing.assert_array_equal(
        drawn.scores, taste.score(sample_of(LIKES, DISLIKES, OTHERS).vectors)
    )
    likes, others = drawn.places[:7], drawn.places[10:]
    assert (likes.mean(axis=0) >= others.mean(axis=0)).all(), "to the right and to the top"
    apart = np.linalg.norm(likes.mean(axis=0) - others.mean(axis=0))
    assert apart > np.linalg.norm(likes - likes.mean(axis=0), axis=1).mean()


def test_the_two_axes_are_those_that_hold_most(taste: Taste) -> None:
    sample = sample_of(LIKES, DISLIKES, OTHERS)
    drawn = draw_map(taste, sample, method="PCA")
    assert drawn is not None
    points = taste.space(sample.vectors)
    centred = points - points.mean(axis=0)
    spread = np.square(np.linalg.svd(centred, compute_uv=False))
    assert drawn.shown == pytest.approx(spread[:2].sum() / spread.sum())
    np.testing.assert_allclose(np.square(drawn.places).sum(axis=0), spread[:2], rtol=1e-6)


def test_the_order_of_songs_moves_none(taste: Taste) -> None:
    sample = sample_of(LIKES, DISLIKES, OTHERS)
    turned = replace(sample, vectors=sample.vectors[::-1], labels=sample.labels[::-1])
    one, other = draw_map(taste, sample, method="PCA"), draw_map(taste, turned, method="PCA")
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(other.places[::-1], one.places, atol=1e-6)


def test_three_songs_are_no_map_and_equal_songs_do_no_harm(taste: Taste) -> None:
    assert draw_map(taste, sample_of(songs(3, 0, "c"), n_songs=3)) is None
    one = songs(1, 0, "e")
    same = LibrarySample(
        vectors=np.repeat(one.vectors, 5, axis=0),
        labels=np.zeros(5, dtype=np.int_),
        digests=one.digests * 5,
        n_songs=5,
    )
    drawn = draw_map(taste, same, method="PCA")
    assert drawn is not None
    assert np.isfinite(drawn.places).all()
    assert drawn.shown is not None


def test_umap_is_used_where_it_is_installed(taste: Taste, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in, as the real one is no dependency; what it is asked for is what counts here."""
    asked: dict[str, Any] = {}

    class Mapper:
        def __init__(self, **settings: Any) -> None:
            asked.update(settings)

        def fit_transform(self, points: NDArray[np.float64]) -> NDArray[np.float32]:
            return points[:, :2].astype(np.float32)

    module = ModuleType("umap")
    module.UMAP = Mapper  # type: ignore[attr-defined]
    module.__spec__ = sys.__spec__
    monkeypatch.setitem(sys.modules, "umap", module)
    drawn = draw_map(taste, sample_of(LIKES, DISLIKES, OTHERS))
    assert drawn is not None
    assert (drawn.method, drawn.shown) == ("UMAP", None)
    assert asked["n_components"] == 2
    assert asked["random_state"] == taste.seed
    few = draw_map(taste, sample_of(LIKES, DISLIKES))
    assert few is not None
    assert few.method == "PCA", "UMAP needs more songs than neighbours"
