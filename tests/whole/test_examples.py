"""The examples in docstrings and READMEs run, in a folder with music and a taste."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import classify

REPOSITORY = Path(__file__).resolve().parents[2]
FLAGS = re.MULTILINE | re.DOTALL


def examples_of(package: str) -> list[doctest.DocTest]:
    """Return the examples of a package's public functions and classes, and of their methods."""
    public = [getattr(import_module(package), name) for name in import_module(package).__all__]
    finder = doctest.DocTestFinder(exclude_empty=True)
    documented: dict[Any, None] = dict.fromkeys(filter(inspect.isfunction, public))
    for one in filter(inspect.isclass, public):
        documented |= dict.fromkeys(
            base for base in inspect.getmro(one) if base.__module__.startswith(f"{package}.")
        )
    return [
        test
        for one in documented
        for test in finder.find(one, f"{package}.{one.__qualname__}", globs={})
        if test.examples
    ]


def examples_in_readmes() -> list[doctest.DocTest]:
    """Return the examples with >>> in each README, as one for each README."""
    found = []
    for path in [*sorted(REPOSITORY.glob("[a-z]*/**/README.md")), REPOSITORY / "README.md"]:
        blocks = re.findall(r"^```pycon\n(>>>.*?)^```", path.read_text("utf-8"), FLAGS)
        name = path.relative_to(REPOSITORY).as_posix()
        if blocks:
            found.append(doctest.DocTestParser().get_doctest("\n".join(blocks), {}, name, name, 0))
    return found


EXAMPLES = [test for package in ("cache", "embed", "classify") for test in examples_of(package)]
EXAMPLES += examples_in_readmes()


@pytest.fixture(scope="module")
def cache(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that has heard `music`, where the examples run, with a taste `default`."""
    copy = tmp_path_factory.mktemp("examples") / "cache"
    shutil.copytree(heard / "cache", copy)
    classify.train((heard / "music").glob("*acoustic*"), root=copy)
    return copy


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_the_example_runs(
    example: doctest.DocTest, cache: Path, heard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("to_pandas", "polars", "duckdb"):
        if package in (example.docstring or ""):
            pytest.importorskip(package.removeprefix("to_"))
    if "sevensongs" in (example.docstring or ""):  # which the build makes of this file
        monkeypatch.setitem(sys.modules, "sevensongs", import_module("classify.sevensongs"))
    monkeypatch.setenv("SEVENSONGS_CACHE", str(cache))
    monkeypatch.chdir(heard)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=flags)
    told: list[str] = []
    runner.run(example, out=told.append)
    assert runner.failures == 0, "".join(told)
