"""What to label next in a large library: among the best, and some of all the others."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import classify
from classify.labels import suggesting
from classify.labels.suggesting import Suggestions
from tests.classify.scoring.test_large_library import as_large, untidy_library
from tests.classify.scoring.test_ranking import name_of, taste_of


def _all_of(found: Suggestions) -> dict[str, Any]:
    names = [one.name for one in dataclasses.fields(found) if one.name != "taste"]
    return {name: getattr(found, name) for name in names}


def test_songs_are_suggested_as_in_a_small_library_where_all_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = untidy_library(tmp_path)
    expected = _all_of(classify.suggest(taste=taste_of(), root=root, top=8))
    assert len(expected["songs"]) == 8
    assert expected["n_lacking"] == 6
    as_large(monkeypatch, 20)
    assert _all_of(classify.suggest(taste=taste_of(), root=root, top=8)) == expected


def test_of_a_large_library_some_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = untidy_library(tmp_path)
    taste = taste_of()
    ranked = [song.digest for song in classify.score(taste=taste, root=root, once=False)]
    places = {digest: place for place, digest in enumerate(dict.fromkeys(ranked), 1)}
    n_songs = len(places)
    as_large(monkeypatch, 20)
    monkeypatch.setattr(suggesting, "_LOOK_AT_BEST", 10)
    monkeypatch.setattr(suggesting, "_LOOK_AT_OTHERS", 20)
    looked_at = []
    reason_of = suggesting._reason

    def reason(score: float, verdict: str, place: int, unknown: float) -> str:
        looked_at.append(place)
        return reason_of(score, verdict, place, unknown)

    monkeypatch.setattr(suggesting, "_reason", reason)
    found = classify.suggest(taste=taste, root=root, top=15)
    assert found.n_unlabelled == n_songs
    digests = [song.digest for song in found]
    assert len(set(digests)) == len(digests) == 15
    assert not {name_of(0), name_of(1)} & set(digests)
    for digest, place in zip(digests, looked_at, strict=True):
        error = abs(place - places[digest])
        assert error <= (0 if places[digest] <= 10 else n_songs / 5)
    assert max(looked_at) > n_songs / 2


def test_where_all_is_labelled_a_large_library_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = untidy_library(tmp_path)
    taste = dataclasses.replace(taste_of(), dislikes=tuple(map(name_of, range(2, 120))))
    as_large(monkeypatch, 20)
    with pytest.raises(classify.ClassifyError, match="is labelled already"):
        classify.suggest(taste=taste, root=root)
