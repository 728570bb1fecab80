"""What is imported is declared, within ranges that are tested at both ends (see README, "Security")."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("cache", "embed", "classify")
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
DECLARED = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
GROUPS = [Requirement(text) for group in PROJECT["dependency-groups"].values() for text in group]
# Imported by tensorflow-hub or uvicorn rather than by us; pyproject.toml says so beside each.
NEVER_IMPORTED = {"httptools", "setuptools", "tf-keras", "uvloop"}


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


def imported(paths: list[Path]) -> set[str]:
    """Return the first names of all imports that are neither ours nor Python's."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(PACKAGES) - sys.stdlib_module_names


def distributions(modules: set[str]) -> set[str]:
    known = packages_distributions()
    return {canonicalize_name(name) for module in modules for name in known.get(module, (module,))}


def test_the_packages_import_what_is_declared_and_nothing_else() -> None:
    modules = imported([path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")])
    assert distributions(modules) == names(DECLARED) - NEVER_IMPORTED


def test_the_tests_import_what_is_declared() -> None:
    paths = list((REPOSITORY / "tests").rglob("*.py"))
    own = {path.stem for path in paths}
    asked = distributions(imported(paths) - own)
    assert asked <= names(DECLARED) | names(GROUPS) | {"packaging", "pluggy"}, "pytest brings the last two"


@pytest.mark.parametrize("requirement", [*DECLARED, *GROUPS], ids=str)
def test_every_range_has_a_lower_end_and_holds_what_is_installed(requirement: Requirement) -> None:
    assert any(one.operator in (">=", "==") for one in requirement.specifier), "what is its lowest version?"
    assert requirement.url is None
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        pytest.skip(f"{requirement.name} is not installed")
    assert requirement.specifier.contains(installed, prereleases=True)


def test_readme_names_the_commands_that_try_both_ends() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    script = REPOSITORY / ".ci" / "lowest"
    assert script.stat().st_mode & 0o111
    assert "--resolution lowest-direct" in script.read_text("utf-8")
    for command in (".ci/lowest", "uv sync --upgrade", "pip-audit"):
        assert command in readme
    assert not (REPOSITORY / ".gitignore").read_text("utf-8").count("!uv.lock")


def test_no_file_names_a_registry_or_a_place_on_a_machine() -> None:
    for path in [REPOSITORY / "pyproject.toml", *(REPOSITORY / ".ci").iterdir()]:
        assert not re.search(r"(index-url|find-links|extra-index|/home/|/root/)", path.read_text("utf-8"))
