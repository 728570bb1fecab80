"""The examples in the documentation of what is public run, in a folder with music and a taste."""

from __future__ import annotations

import doctest
import shutil
from importlib import import_module
from pathlib import Path

import pytest

import classify

EXAMPLES = [
    (package, name)
    for package in ("embed", "classify")
    for name in import_module(package).__all__
    if ">>>" in (getattr(import_module(package), name).__doc__ or "")
]


@pytest.fixture(scope="module")
def cache(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that has heard `music`, where the examples run, with a taste `default`."""
    copy = tmp_path_factory.mktemp("examples") / "cache"
    shutil.copytree(heard / "cache", copy)
    classify.train((heard / "music").glob("*acoustic*"), root=copy)
    return copy


@pytest.mark.parametrize(("package", "name"), EXAMPLES, ids=lambda one: one)
def test_the_example_runs(
    package: str, name: str, cache: Path, heard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_CACHE", str(cache))
    monkeypatch.chdir(heard)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=flags)
    thing = getattr(import_module(package), name)
    found = doctest.DocTestFinder(exclude_empty=True).find(thing, name, globs={})
    told: list[str] = []
    for test in found:
        runner.run(test, out=told.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(told)
