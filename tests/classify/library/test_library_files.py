"""Files in columns: a filter returns others, and leaves those that it was asked of as they are."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

import cache.catalog_files
from cache import Catalog
from classify.library.library_files import DEMO_PACKAGE, LibraryFiles
from classify.scoring.file_scores import score_files
from tests.classify.scoring.test_ranking import entry, name_of, recording, store_at, taste_of


@pytest.fixture(params=["paths in memory", "paths on disk"])
def files(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LibraryFiles:
    """Four songs with a vector, of which the first has two files and the last is the demo's."""
    if request.param == "paths on disk":
        monkeypatch.setattr(cache.catalog_files, "_MANY", 0)
    store = store_at(tmp_path / "cache")
    store.put([entry(n) for n in range(4)])
    demo = tmp_path / DEMO_PACKAGE / "tracks"
    demo.mkdir(parents=True)
    catalog = Catalog(tmp_path / "cache")
    catalog.put([recording(tmp_path / f"{n}.mp3", n) for n in (0, 1, 2, 9)])
    catalog.put([recording(tmp_path / "copy.mp3", 0), recording(demo / "demo.opus", 3)])
    return LibraryFiles.of(catalog.files(), store.reader())


def names(files: LibraryFiles) -> list[str]:
    return [os.path.basename(os.fsdecode(path)) for path in files.paths.to_pylist()]


def test_filters_return_others_and_change_nothing(files: LibraryFiles) -> None:
    before = ["0.mp3", "1.mp3", "2.mp3", "copy.mp3", "demo.opus"]
    assert names(files) == before, "those with a vector"
    assert names(files.without([name_of(0), name_of(77)])) == ["1.mp3", "2.mp3", "demo.opus"]
    assert names(files.without_demo()) == before[:4]
    assert names(files.only_demo()) == before[4:]
    assert names(files.only_demo().without_demo()) == before[4:], "there is nothing else"
    assert names(files.without([name_of(n) for n in range(4)])) == []
    assert names(files) == before
    assert files.digests == [name_of(n) for n in range(4)]


def test_nothing_of_it_can_be_written_to(files: LibraryFiles) -> None:
    for array in (files.at, files.in_catalog, files.without_demo().at):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
    with pytest.raises(FrozenInstanceError):
        files.at = np.zeros(0, np.int64)  # type: ignore[misc]


def test_scoring_with_a_precision_leaves_its_files_as_they_are(
    files: LibraryFiles, tmp_path: Path
) -> None:
    before = names(files)
    found = score_files(files, taste_of(), tmp_path / "cache", precision=0.0)
    assert found.n_scored == 2, "the liked ones are passed over"
    assert names(files) == before
