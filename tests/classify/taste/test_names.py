"""Where tastes live."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify import TasteError
from classify.taste.names import is_taste_name, named_taste, taste_path


def test_a_name_is_a_file_in_the_cache(tmp_path: Path) -> None:
    assert taste_path("default", root=tmp_path) == tmp_path / "tastes" / "default.npz"
    assert taste_path("late 90s rap", root=tmp_path).name == "late 90s rap.npz"


def test_a_name_may_have_the_letters_of_any_language(tmp_path: Path) -> None:
    path = taste_path("Müde & Nacht", root=tmp_path)
    assert path == tmp_path / "tastes" / "M%C3%BCde %26 Nacht.npz"
    assert taste_path(unicodedata.normalize("NFD", "Müde & Nacht"), root=tmp_path) == path
    assert named_taste(path.stem) == "Müde & Nacht"
    assert named_taste("a%2fb") is None
    assert named_taste("a%20b") is None, "not as we write it"


@given(st.text(max_size=90))
def test_a_name_comes_back_from_its_file(name: str) -> None:
    if not is_taste_name(name):
        return
    path = taste_path(name, root="/cache")
    assert path.parent == Path("/cache/tastes")
    assert path.name.isascii()
    assert len(path.name) < 220
    assert named_taste(path.stem) == unicodedata.normalize("NFC", name)


def test_a_path_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert taste_path("my.npz") == tmp_path / "my.npz"
    assert taste_path("sub/my") == tmp_path / "sub" / "my"
    assert taste_path(str(tmp_path / "x")) == tmp_path / "x"
    assert taste_path(Path("my")) == tmp_path / "my", "a Path is never a name"


@pytest.mark.parametrize(
    "name", ["", "a*b", ".hidden", "x" * 81, "a\nb", "~", "\u202eabc", "a\\b", "a\ud800", "語" * 70]
)
def test_what_is_neither_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(TasteError, match="no name for a taste"):
        taste_path(name, root=tmp_path)
