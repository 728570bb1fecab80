"""Kept decisions are of the program that is there: an edit of what decides changes their key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import classify
from classify.library.score_cache import program_hash

PACKAGE = Path(classify.__file__).parent


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(
            PACKAGE, tmp_path / "classify", ignore=shutil.ignore_patterns("__pycache__")
        )
    )


def edit(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("# an edit\n")


@pytest.mark.parametrize(
    "module", ["taste/row_products.py", "taste/song_space.py", "library/song_vectors.py"]
)
def test_an_edit_of_what_decides_changes_the_key(package: Path, module: str) -> None:
    before = program_hash(package).hexdigest()
    assert before == program_hash().hexdigest()
    edit(package / module)
    assert program_hash(package).hexdigest() != before


@pytest.mark.parametrize("module", ["cli/app.py", "web/server.py", "evaluation/sentences.py"])
def test_an_edit_of_what_only_shows_does_not(package: Path, module: str) -> None:
    before = program_hash(package).hexdigest()
    edit(package / module)
    assert program_hash(package).hexdigest() == before


def test_modules_that_change_their_names_change_the_key(package: Path) -> None:
    before = program_hash(package).hexdigest()
    (package / "taste" / "sketch.py").rename(package / "taste" / "other.py")
    assert program_hash(package).hexdigest() != before
