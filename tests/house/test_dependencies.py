"""What is imported is declared.

It is so within ranges that are tested at both ends (see .github/CONTRIBUTING.md).
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("cache", "embed", "classify")
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
DECLARED = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
OF_TENSORFLOW = [
    Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["tensorflow"]
]
GROUPS = [Requirement(text) for group in PROJECT["dependency-groups"].values() for text in group]
# Imported by obstore, starlette or uvicorn rather than by us; pyproject.toml says so beside each.
NEVER_IMPORTED = {"arro3-core", "httptools", "uvloop"}
# Imported where a caller asks for it, and the extra of the package that brings it.
OPTIONAL = {
    "beets": "beets",
    "keyring": "keyring",
    "mutagen": "tags",
    "onnxruntime": "onnx",
    "pandas": "pandas",
    "ray": "cluster",
    "tensorflow": "tensorflow",
    "tensorflow-hub": "tensorflow",
}
# Their interfaces are leaned on so hard that a new major version has broken us, or could.
LEANED_ON = {
    "ai-edge-litert",
    "av",
    "fastapi",
    "jinja2",
    "lazy-loader",
    "librosa",
    "numpy",
    "pillow",
    "pydantic",
    "pylance",
    "rich",
    "safetensors",
    "starlette",
    "tensorflow",
    "typer",
    "uvicorn",
}


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
    modules = imported(
        [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    )
    assert distributions(modules) == (names(DECLARED) - NEVER_IMPORTED) | OPTIONAL.keys()
    for name, extra in OPTIONAL.items():
        brings = PROJECT["project"]["optional-dependencies"][extra]
        assert name in names([Requirement(text) for text in brings])


def test_the_tests_import_what_is_declared() -> None:
    paths = list((REPOSITORY / "tests").rglob("*.py"))
    own = {"tests", *(path.stem for path in paths), *(path.parent.name for path in paths)}
    asked = distributions(imported(paths) - own)
    assert asked <= names(DECLARED) | names(GROUPS) | {"packaging", "pluggy"}, (
        "pytest brings the last two"
    )


@pytest.mark.parametrize("requirement", [*DECLARED, *GROUPS], ids=str)
def test_every_range_has_a_lower_end_and_holds_what_is_installed(requirement: Requirement) -> None:
    assert any(one.operator in (">=", "==") for one in requirement.specifier), (
        "what is its lowest version?"
    )
    assert requirement.url is None
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        pytest.skip(f"{requirement.name} is not installed")
    assert requirement.specifier.contains(installed, prereleases=True)


@pytest.mark.parametrize("name", sorted(LEANED_ON))
def test_a_new_major_version_of_what_we_lean_on_waits_until_it_is_tried(name: str) -> None:
    (requirement,) = (
        one for one in [*DECLARED, *OF_TENSORFLOW] if canonicalize_name(one.name) == name
    )
    installed = Version(version(name))
    assert not requirement.specifier.contains(f"{installed.major + 2}.0")
    assert requirement.specifier.contains(installed, prereleases=True)


def test_uv_brings_tensorflow_and_pip_does_not() -> None:
    group = [Requirement(text) for text in PROJECT["dependency-groups"]["tensorflow"]]
    assert group == OF_TENSORFLOW
    assert "tensorflow" in PROJECT["tool"]["uv"]["default-groups"]
    assert not names(OF_TENSORFLOW) & names(DECLARED)


def test_python_has_both_ends_and_each_version_between_is_named() -> None:
    supported = SpecifierSet(PROJECT["project"]["requires-python"])
    assert {one.operator for one in supported} == {">=", "<"}
    named = {
        text.rpartition(" ")[2] for text in PROJECT["project"]["classifiers"] if ":: 3." in text
    }
    assert named == {f"3.{minor}" for minor in range(30) if supported.contains(f"3.{minor}.0")}


def highest() -> dict[str, Version]:
    """Return the highest versions that the ranges allow together, for this Python."""
    uv = [sys.executable, "-m", "uv"] if shutil.which("uv") is None else ["uv"]
    options = ("--quiet", "--no-header", "--no-annotate", "--python", sys.executable)
    groups = [word for group in PROJECT["dependency-groups"] for word in ("--group", group)]
    try:
        found = subprocess.run(
            [*uv, "pip", "compile", *options, *groups, str(REPOSITORY / "pyproject.toml")],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
        )
    except FileNotFoundError:
        pytest.skip("uv is not installed, which looks versions up: pip install uv")
    if found.returncode and "error sending request" in found.stderr:
        pytest.skip(
            "no package registry can be reached, so nobody knows what the highest versions are"
        )
    assert found.returncode == 0, found.stderr
    pins = (Requirement(line) for line in found.stdout.splitlines() if "==" in line)
    return {canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version) for pin in pins}


@pytest.mark.skipif(
    "SEVENSONGS_LOWEST" in os.environ, reason=".ci/lowest installs the lowest versions"
)
def test_what_is_installed_is_the_highest_that_the_ranges_allow() -> None:
    looked_up = highest()
    assert len(looked_up) > len(DECLARED)
    old = {
        name: f"{version(name)} is installed, {looked_up[name]} is allowed"
        for name in sorted(names([*DECLARED, *OF_TENSORFLOW]) & set(looked_up))
        if Version(version(name)) < looked_up[name]
    }
    assert not old, f"run 'uv sync --upgrade', then these tests again: {old}"


def test_contributing_names_the_commands_that_try_both_ends() -> None:
    text = (REPOSITORY / ".github" / "CONTRIBUTING.md").read_text("utf-8")
    script = REPOSITORY / ".ci" / "lowest"
    assert script.stat().st_mode & 0o111
    assert "--resolution lowest-direct" in script.read_text("utf-8")
    for command in (".ci/lowest", "uv sync --upgrade", "pip-audit"):
        assert command in text
    assert not (REPOSITORY / ".gitignore").read_text("utf-8").count("!uv.lock")


def test_no_file_names_a_registry_or_a_place_on_a_machine() -> None:
    for path in [REPOSITORY / "pyproject.toml", *(REPOSITORY / ".ci").iterdir()]:
        assert not re.search(
            r"(index-url|find-links|extra-index|/home/|/root/)", path.read_text("utf-8")
        )
