"""Kept decisions are of the program that is there: an edit of what decides changes their key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import classify
from classify.library.score_cache import _DECIDE, program_hash

HOME = Path(classify.__file__).parents[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for package in ("cache", "classify"):
        shutil.copytree(
            HOME / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def edit(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("# an edit\n")


@pytest.mark.parametrize(
    "module",
    [
        "cache/stored_vectors.py",
        "cache/vector_reader.py",
        "classify/library/song_vectors.py",
        "classify/taste/row_products.py",
        "classify/taste/song_space.py",
    ],
)
def test_an_edit_of_what_decides_changes_the_key(home: Path, module: str) -> None:
    before = program_hash(home).hexdigest()
    assert before == program_hash().hexdigest()
    edit(home / module)
    assert program_hash(home).hexdigest() != before


@pytest.mark.parametrize(
    "module", ["classify/cli/app.py", "classify/web/server.py", "classify/evaluation/sentences.py"]
)
def test_an_edit_of_what_only_shows_does_not(home: Path, module: str) -> None:
    before = program_hash(home).hexdigest()
    edit(home / module)
    assert program_hash(home).hexdigest() == before


@pytest.mark.parametrize("modules", _DECIDE)
def test_all_that_decides_is_where_the_key_looks(modules: str) -> None:
    assert list(HOME.glob(modules)), "a name that has gone matches nothing, in silence"


def test_modules_that_change_their_names_change_the_key(home: Path) -> None:
    before = program_hash(home).hexdigest()
    taste = home / "classify" / "taste"
    (taste / "sketch.py").rename(taste / "other.py")
    assert program_hash(home).hexdigest() != before
