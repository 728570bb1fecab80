"""`import sevensongs`, as who has installed the package does it."""

from __future__ import annotations

import doctest
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import classify
from classify import sevensongs

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))


def run(code: str, where: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=where
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed() -> Path:
    """The installed package; it is a copy, made by the build."""
    found = find_spec("sevensongs")
    assert found is not None, "run `uv sync`: this environment was made before there was one"
    assert found.origin is not None
    return Path(found.origin).parent


def test_import_sevensongs_gives_embed_and_classify(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sevensongs\n"
        "from sevensongs import classify, embed\n"
        "assert sevensongs.classify.score is classify.score\n"
        "assert sevensongs.embed.embed_library is embed.embed_library\n"
        "print(sevensongs.__version__)"
    )
    assert run(code, tmp_path).strip() == version("sevensongs")


def test_import_sevensongs_imports_nothing_else(installed: Path, tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import sevensongs\nprint(*sys.modules)"
    modules = set(run(code, tmp_path).split())
    assert modules & {"numpy", "lance", "pyarrow", "cache", "importlib.metadata"} == set()
    assert {name for name in modules if name.startswith(("embed.", "classify."))} == set()


def test_the_build_makes_the_package_of_the_files_here(installed: Path) -> None:
    made = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert made == {
        "classify/sevensongs.py": "sevensongs/__init__.py",
        "classify/sevensongs.typed": "sevensongs/py.typed",
        "classify/sources/beets_plugin.py": "beetsplug/sevensongs.py",
    }
    for source, target in made.items():
        copied = installed.parent / target
        assert copied.read_text("utf-8") == (REPOSITORY / source).read_text("utf-8"), "`uv sync`"


def test_its_example_runs(heard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(heard / "cache", tmp_path / "cache")
    monkeypatch.setenv("SEVENSONGS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(heard)
    monkeypatch.setitem(sys.modules, "sevensongs", sevensongs)
    classify.train((heard / "music").glob("*acoustic*"))
    (example,) = doctest.DocTestFinder().find(sevensongs, "sevensongs", globs={})
    told: list[str] = []
    doctest.DocTestRunner().run(example, out=told.append)
    assert told == []
