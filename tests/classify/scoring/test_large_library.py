"""A large library, scored in parts on disk, is scored as a small one is in memory."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cache.join.joined_songs
import cache.join.song_join
import classify
import classify.scoring.ranking
import classify.scoring.scoring
from cache import CacheError, Catalog, FileRecord, RowFiles
from classify.library.library_files import DEMO_PACKAGE
from classify.scoring.scores import Scores
from classify.taste.taste import Taste
from tests.classify.scoring.test_ranking import entry, name_of, recording, store_at, taste_of

N_SONGS = 120
ONE, BOTH = ("e", "0" * 16), ("e+f", f"{'0' * 16}+{'1' * 16}")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return untidy_library(tmp_path)


def untidy_library(tmp_path: Path) -> Path:
    """Make songs of two encoders in two orders, with all that makes a library untidy."""
    root = tmp_path / "cache"
    first, second = store_at(root), store_at(root, "f", "1" * 16)
    third = store_at(root, "g", "2" * 16)
    rng = np.random.default_rng(0)
    for some in np.array_split(np.arange(N_SONGS), 7):
        first.put([entry(int(n)) for n in some])
    for some in np.array_split(rng.permutation(N_SONGS)[5:], 4):
        second.put([entry(int(n), shift=0.5) for n in some])
    # covered better by a later row, and worse
    first.put([dataclasses.replace(entry(n, shift=0.1), n_windows=0) for n in range(0, 30, 3)])
    first.put([dataclasses.replace(entry(n, shift=0.2), n_windows=2) for n in range(40, 50)])
    third.put([entry(n) for n in range(200, 206)])
    Catalog(root).put([_file(tmp_path, n) for n in rng.permutation(N_SONGS).tolist()])
    Catalog(root).put(_odd_files(tmp_path))
    return root


def _file(folder: Path, n: int, name: str | None = None, **other: Any) -> FileRecord:
    path = folder / (name or f"{n:03d}.mp3")
    path.parent.mkdir(parents=True, exist_ok=True)
    return dataclasses.replace(recording(path, n), artist=f"artist {n % 9}", **other)


def _odd_files(folder: Path) -> list[FileRecord]:
    demo = f"{DEMO_PACKAGE}/tracks"
    failed = _file(folder, 11, "011.mp3", digest=None, duration_s=None, error="not audio")
    return [
        _file(folder, 7, "copy of 7.mp3"),
        _file(folder, 7, "another copy of 7.mp3"),
        _file(folder, 21, "020.mp3"),  # another song now
        failed,  # no song any more
        *(_file(folder, n, f"{demo}/{n}.mp3") for n in range(3)),
        *(_file(folder, n, f"{n}.mp3") for n in range(200, 206)),  # of another encoder
    ]


def as_large(monkeypatch: pytest.MonkeyPatch, part_songs: int) -> None:
    monkeypatch.setattr(cache.join.joined_songs, "_LARGE", 10)
    monkeypatch.setattr(cache.join.joined_songs, "_LEFT_AT_ONCE", 2)
    monkeypatch.setattr(cache.join.song_join, "PART_SONGS", part_songs)
    monkeypatch.setattr(classify.scoring.scoring, "_BEST", 3)
    monkeypatch.setattr(classify.scoring.scoring, "_BEST_A_SONG", 1)
    monkeypatch.setattr(classify.scoring.scoring, "_MORE", 2)


def _all_of(found: Scores) -> dict[str, Any]:
    return {
        one.name: getattr(found, one.name)
        for one in dataclasses.fields(found)
        if one.name != "taste"
    }


def _songs(taste: Taste, root: str | Path, **wanted: Any) -> dict[str, Any]:
    return _all_of(classify.score(taste=taste, root=root, **wanted))


WANTED: tuple[dict[str, Any], ...] = (
    {},
    {"top": 4},
    {"top": 40},
    {"top": 4, "labelled": True},
    {"top": 30, "once": False},
    {"labelled": True, "once": False},
    {"min_score": 0.8},
    {"min_score": 1.0, "top": 2},
    {"precision": 0.9},
    {"precision": 1.0},
    {"likely": True},
    {"per_artist": 1},
    {"per_artist": 2, "top": 15},
    {"without": [name_of(n) for n in range(60, 90)], "top": 20},
)


@pytest.mark.parametrize("part_songs", [7, 50])
@pytest.mark.parametrize("encoder", [ONE, BOTH], ids=["one encoder", "two encoders"])
def test_a_large_library_is_scored_as_a_small_one(
    library: Path, encoder: tuple[str, str], part_songs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taste = taste_of(*encoder, dim=4 if encoder == ONE else 8)
    expected = [_songs(taste, library, **wanted) for wanted in WANTED]
    assert min(one["n_lacking"] for one in expected) >= 6
    assert expected[0]["n_gone"] == 0
    assert len({len(one["songs"]) for one in expected}) > 5
    as_large(monkeypatch, part_songs)
    assert [_songs(taste, library, **wanted) for wanted in WANTED] == expected


def test_a_large_library_in_a_bucket_is_scored_as_a_small_one(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = f"{bucket}/cache"
    store_at(root).put([entry(n) for n in range(60)])
    store_at(root).put([dataclasses.replace(entry(3, shift=0.1), n_windows=0)])
    Catalog(root).put([_file(tmp_path, n) for n in range(60)])
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: str(tmp_path / "own"))
    expected = [_songs(taste_of(), root, **wanted) for wanted in WANTED[:4]]
    as_large(monkeypatch, 25)
    assert [_songs(taste_of(), root, **wanted) for wanted in WANTED[:4]] == expected


def test_gone_files_are_counted_and_passed_over_in_a_large_library(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taste = taste_of()
    best = [song.path for song in classify.score(taste=taste, root=library, top=60)]
    for path in best:
        os.unlink(path)
    expected = _songs(taste, library, top=9)
    assert expected["n_gone"] > 30
    assert len(expected["songs"]) == 9
    as_large(monkeypatch, 20)
    assert _songs(taste, library, top=9) == expected
    monkeypatch.setattr("classify.library.library_parts.LOOK_AT", 5)
    assert _songs(taste, library, top=9) == expected


def test_decisions_of_each_part_are_kept(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taste = taste_of()
    as_large(monkeypatch, 50)
    monkeypatch.setattr(classify.scoring.ranking, "_KEEP_FROM", 1)
    expected = _songs(taste, library, top=9)
    assert len(list((library / "scores").glob("*+*.npz"))) == 3

    def refused(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(Taste, "decisions", lambda _, rows: refused() if len(rows) else rows[:, 0])
    assert _songs(taste, library, top=9) == expected


def test_nothing_is_left_beside_the_kept_decisions(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_large(monkeypatch, 50)
    left = library / "scores" / ".rows.of a killed process.tmp"
    left.mkdir(parents=True)
    (left / "songs-0").touch()
    classify.score(taste=taste_of(), root=library, top=2)
    assert list((library / "scores").iterdir()) == [left]
    os.utime(left, (0, 0))
    classify.score(taste=taste_of(), root=library, top=2)
    assert not list((library / "scores").iterdir())


def test_where_the_cache_cannot_be_written_temporary_files_are_elsewhere(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _songs(taste_of(), library, top=9)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    as_large(monkeypatch, 50)
    (library / "scores").touch()  # no folder can be made there
    assert _songs(taste_of(), library, top=9) == expected
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_told(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_large(monkeypatch, 50)
    monkeypatch.setattr(RowFiles, "_path", lambda *_: Path("/dev/full"))
    with pytest.raises(CacheError, match=r"No space left on device.*150 bytes a song: free some"):
        classify.score(taste=taste_of(), root=library, top=2)


def test_a_library_of_nothing_but_the_demo_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cache"
    store_at(root).put([entry(n) for n in range(20)])
    demo = f"{DEMO_PACKAGE}/tracks"
    Catalog(root).put([_file(tmp_path, n, f"{demo}/{n}.mp3") for n in range(20)])
    expected = _songs(taste_of(), root)
    assert len(expected["songs"]) > 10
    as_large(monkeypatch, 50)
    assert _songs(taste_of(), root) == expected
