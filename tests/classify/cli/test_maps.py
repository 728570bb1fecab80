"""`--map` of the command: before and behind the command's name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from classify.cli.app import app


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize("joined", [True, False])
def test_maps_are_taken_before_and_behind_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: bool, joined: bool
) -> None:
    monkeypatch.setenv("SEVENSONGS_MAP", "")
    monkeypatch.setenv("SEVENSONGS_CACHE", "")
    maps = ["C:\\a b=/x", "D:\\=/y"]
    options = [f"--map={one}" for one in maps] if joined else ["--map", maps[0], "--map", maps[1]]
    command = ["--cache", str(tmp_path), "cache", "path"]
    done = CliRunner().invoke(app, command + options if behind else options + command)
    assert (done.exit_code, done.stdout.strip()) == (0, str(tmp_path))
    assert os.environ["SEVENSONGS_MAP"].splitlines() == maps


def test_what_is_no_map_is_a_usage_error() -> None:
    done = CliRunner().invoke(app, ["cache", "path", "--map", "C:\\Music"])
    assert done.exit_code == 2
    assert "FROM=TO" in done.stderr
