"""A taste is learnt from a large library as from a small one, without all of it in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classify.labels.recipe import Recipe
from classify.labels.relearning import relabel
from classify.learning.sampling import sample_unlabelled
from classify.library.label_file import Label
from classify.library.large_library import LargeLibrary, opened
from classify.library.open_library import OpenLibrary
from classify.library.song_library import SongLibrary
from classify.taste.taste import Taste
from tests.classify.scoring.test_large_library import as_large, untidy_library
from tests.classify.scoring.test_ranking import name_of, taste_of

LIKES = (4, 9, 30, 44)


def _learnt(root: Path, path: Path, kind: type[SongLibrary]) -> tuple[Taste, int]:
    labels = [Label(label="like", path=f"/{n}", digest=name_of(n), source="") for n in LIKES]
    with opened(SongLibrary.of_taste(taste_of(), root)) as library:
        assert type(library) is kind
        done = relabel(library, labels, path=path, recipe=Recipe(head="logistic"))
        assert done.taste is not None
        return done.taste, library.n_lacking()


def test_a_taste_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = untidy_library(tmp_path)
    assert sample_unlabelled.__kwdefaults__ is not None
    monkeypatch.setitem(sample_unlabelled.__kwdefaults__, "limit", 60)
    expected, n_lacking = _learnt(root, tmp_path / "small.taste", OpenLibrary)
    assert n_lacking == 6
    as_large(monkeypatch, 20)
    taste, n_lacking = _learnt(root, tmp_path / "large.taste", LargeLibrary)
    assert n_lacking == 6
    assert taste.unlabelled == expected.unlabelled
    assert 10 < len(taste.unlabelled) < 60  # of an artist one, and copies once
    assert taste.n_library == expected.n_library > 100
    assert taste.likes == expected.likes
    for one, other in zip(taste.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert not list((root / "scores").iterdir())
