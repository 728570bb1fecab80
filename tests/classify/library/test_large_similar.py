"""The songs nearest to one in a large library, looked at in parts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from classify.library.large_library import LargeLibrary, opened
from classify.library.open_library import OpenLibrary
from classify.library.similar_songs import Similars, similar_to
from classify.library.song_library import SongLibrary
from tests.classify.scoring.test_large_library import BOTH, ONE, as_large, untidy_library
from tests.classify.scoring.test_ranking import name_of, taste_of

ASKED = (5, 7, 40, 77)


def _found(
    root: Path, encoder: tuple[str, str], kind: type[SongLibrary]
) -> tuple[list[Similars], tuple[int, int], int]:
    taste = taste_of(*encoder, dim=4 if encoder == ONE else 8)
    with opened(SongLibrary.of_taste(taste, root)) as library:
        assert type(library) is kind
        found = [similar_to(name_of(n), library=library, top=9) for n in ASKED]
        return found, library.n_gone(without=[name_of(5)]), library.n_lacking()


@pytest.mark.parametrize("encoder", [ONE, BOTH], ids=["one encoder", "two encoders"])
def test_the_nearest_songs_are_those_of_a_small_library(
    tmp_path: Path, encoder: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = untidy_library(tmp_path)
    monkeypatch.setattr("classify.library.nearest_songs.INDEX_FROM", 1)
    expected = _found(root, encoder, OpenLibrary)
    best = expected[0][0].songs[0].path
    os.unlink(best)
    expected = _found(root, encoder, OpenLibrary)
    assert all(len(one.songs) == 9 for one in expected[0])
    assert expected[1][1] == 1
    as_large(monkeypatch, 20)
    for _ in range(2):  # the second time by what is kept
        assert _found(root, encoder, LargeLibrary) == expected
    n_kept = len(list((root / "scores").glob("*+*.npz")))
    assert n_kept >= 7


def test_pictures_along_other_axes_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = untidy_library(tmp_path)
    as_large(monkeypatch, 50)
    expected = _found(root, ONE, LargeLibrary)
    first, *others = sorted((root / "scores").glob("*+*.npz"))
    assert first.stem.endswith("+0")
    first.unlink()
    monkeypatch.setattr("classify.library.similar_index._FITTED", 30)
    changed = _found(root, ONE, LargeLibrary)
    kept = {path.name: path.read_bytes() for path in others}
    assert [len(one.songs) for one in changed[0]] == [len(one.songs) for one in expected[0]]
    for path in others:
        path.unlink()
    assert _found(root, ONE, LargeLibrary) == changed
    assert {path.name: path.read_bytes() for path in others} == kept
