"""Templates escape all that they show, are all used, and keep to 100 columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("cache", "embed", "classify")
COLUMNS = 100
FILES = sorted(
    path
    for package in PACKAGES
    for path in (REPOSITORY / package).rglob("templates/*")
    if path.is_file()
)
TEMPLATES = [path for path in FILES if path.suffix == ".html"]
# Its style sheet and script, which the page's policy allows by their hashes.
SAFE = {"page.html": 2}


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_there_are_templates_style_sheets_and_scripts() -> None:
    assert {path.suffix for path in FILES} == {".html", ".css", ".js"}


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_lines_are_short(path: Path) -> None:
    assert max(map(len, path.read_text("utf-8").splitlines())) <= COLUMNS


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_no_template_goes_round_the_escaping(path: Path) -> None:
    tree = Environment(autoescape=True).parse(path.read_text("utf-8"))
    filters = [node.name for node in tree.find_all(nodes.Filter)]
    assert filters.count("safe") == SAFE.get(path.name, 0)
    assert not {"xmlattr", "urlize", "tojson"} & set(filters)
    assert not list(tree.find_all(nodes.ScopedEvalContextModifier))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_every_file_is_used(path: Path) -> None:
    modules = [one for package in PACKAGES for one in (REPOSITORY / package).rglob("*.py")]
    users = [one.read_text("utf-8") for one in [*modules, *TEMPLATES] if one != path]
    assert any(f'"{path.name}"' in text for text in users)


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_attributes_are_quoted(path: Path) -> None:
    assert not re.search(r"[\w-]=\{\{", path.read_text("utf-8")), "a space would end it"


def test_no_two_files_of_one_search_path_have_the_same_name() -> None:
    names = [path.name for path in FILES]
    assert len(names) == len(set(names)), "the one would hide the other"
