"""The benchmark of folders that are watched works, for `embed` and for `serve`."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

import pytest


@pytest.mark.long
def test_moved_songs_are_not_embedded_and_copied_ones_are_found(
    compiled: Path, tracks: list[str], tmp_path: Path
) -> None:
    shutil.copytree(compiled / "encoders", tmp_path / "encoders")
    rows = [*import_module("reliability.watching").rows(8, tmp_path)]
    assert [row["n"] for row in rows] == [8, 1, 8, 1]
    assert [(row["lost"], row["wrong"]) for row in rows] == [(0, 0)] * 4
    assert [row["survived"] for row in rows[::2]] == [8, 8]
    assert all(row["longest_wait_s"] > 0 for row in rows[1::2])
    assert [row["fault"].rpartition(" ")[2] for row in rows] == ["watched"] * 2 + ["served"] * 2
