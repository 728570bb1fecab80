"""The units in the README are ones that systemd takes without a word."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.tools import tool

README = Path(__file__).resolve().parents[3] / "classify" / "cli" / "upkeep" / "README.md"
_UNIT = re.compile(r"`(sevensongs-\w+\.\w+)`:\n\n```ini\n(.*?)^```", re.MULTILINE | re.DOTALL)
UNITS = dict(_UNIT.findall(README.read_text("utf-8")))


def verified(folder: Path, names: list[str]) -> subprocess.CompletedProcess[str]:
    """Have systemd read units, with a command `sevensongs` where they say that it is."""
    command = folder / ".local" / "bin" / "sevensongs"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    for name, text in UNITS.items():
        (folder / name).write_text(text)
    return subprocess.run(
        [tool("systemd-analyze"), "--user", "verify", *(str(folder / name) for name in names)],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
    )


@pytest.mark.parametrize("name", sorted(UNITS))
def test_systemd_takes_a_unit_without_a_word(tmp_path: Path, name: str) -> None:
    done = verified(tmp_path, [name])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_readme_has_three_units_and_a_wrong_one_would_be_told(tmp_path: Path) -> None:
    assert set(UNITS) == {
        "sevensongs-watch.service",
        "sevensongs-daily.service",
        "sevensongs-daily.timer",
    }
    UNITS_WRONG = UNITS["sevensongs-watch.service"].replace("Restart=", "Restrat=")
    (tmp_path / "wrong.service").write_text(UNITS_WRONG)
    assert "Restrat" in verified(tmp_path, ["wrong.service"]).stderr
