"""Where tastes live."""

from __future__ import annotations

from pathlib import Path

import pytest

from classify import TasteError
from classify.taste.names import taste_path


def test_a_name_is_a_file_in_the_cache(tmp_path: Path) -> None:
    assert taste_path("default", root=tmp_path) == tmp_path / "tastes" / "default.npz"
    assert taste_path("late 90s rap", root=tmp_path).name == "late 90s rap.npz"


def test_a_path_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert taste_path("my.npz") == tmp_path / "my.npz"
    assert taste_path("sub/my") == tmp_path / "sub" / "my"
    assert taste_path(str(tmp_path / "x")) == tmp_path / "x"
    assert taste_path(Path("my")) == tmp_path / "my", "a Path is never a name"


@pytest.mark.parametrize("name", ["", "a*b", ".hidden", "x" * 81, "a\nb", "~"])
def test_what_is_neither_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(TasteError, match="no name for a taste"):
        taste_path(name, root=tmp_path)
