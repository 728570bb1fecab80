"""The documents keep to 100 columns, their links lead somewhere, and their examples run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from classify.cli.app import app
from classify.demo import is_liked
from classify.labels.training import train

REPOSITORY = Path(__file__).resolve().parents[2]
COLUMNS, README_LINES = 100, 180
_TRACKED = subprocess.run(
    ["git", "ls-files", "-z", "*.md"], cwd=REPOSITORY, capture_output=True, text=True
).stdout.split("\0")
DOCUMENTS = [name for name in _TRACKED if name and (REPOSITORY / name).is_file()]
_LINK = r"\[[^\]]*\]\([^)]*\)|\[[^\]]*\]:\s*\S+|<?https?://\S+>?"
_OWN_LINE = re.compile(rf"\s*(?:[-*]\s+)?(?:{_LINK})[.,]?\s*")
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FIRST = "```sh\npip install uv && uv run sevensongs demo\nuv run pytest\n```"


def _text(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def _examples(language: str) -> list[tuple[str, str]]:
    return [
        (name, code)
        for name in DOCUMENTS
        for found, code in _FENCED.findall(_text(name))
        if found == language
    ]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_line_has_at_most_100_columns(name: str) -> None:
    long = [
        number
        for number, line in enumerate(_text(name).splitlines(), start=1)
        if len(line) > COLUMNS and not line.startswith("|") and not _OWN_LINE.fullmatch(line)
    ]
    assert not long, f"lines of {name} with more than {COLUMNS} columns"


def test_the_root_readme_is_short_and_begins_with_two_commands() -> None:
    readme = _text("README.md")
    assert len(readme.splitlines()) <= README_LINES
    assert readme[readme.index("```") :].startswith(FIRST)


def _anchors(name: str) -> set[str]:
    text = _FENCED.sub("", _text(name))
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", _text(name))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = ((REPOSITORY / name).parent / path).resolve() if path else REPOSITORY / name
        assert there.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in _anchors(there.relative_to(REPOSITORY).as_posix()), f"{name}: {target}"


def test_every_command_in_an_example_exists() -> None:
    named = (info for info in app.registered_commands if info.callback)
    commands = {info.name or info.callback.__name__ for info in named if info.callback}
    commands |= {group.name or "" for group in app.registered_groups}
    for name, code in _examples("sh"):
        for command in re.findall(r"\bsevensongs ([a-z]+)", re.sub(r"#.*", "", code)):
            assert command in commands, f"{name}: sevensongs {command}"


def test_each_folder_has_one_example() -> None:
    for name in DOCUMENTS:
        if name.split("/")[0] in ("embed", "classify"):
            assert _text(name).count("\n## Example\n") == 1, name


@pytest.fixture(scope="module")
def place(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `music`, `favourites`, `song.opus`, and a cache with these and a taste."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(heard / "cache", folder / "cache")
    (folder / "music").symlink_to(heard / "music")
    (folder / "favourites").mkdir()
    tracks = sorted((heard / "music").iterdir())
    for track in [track for track in tracks if is_liked(str(track))][:7]:
        shutil.copy(track, folder / "favourites")
    shutil.copy(tracks[-1], folder / "song.opus")
    train([str(folder / "favourites")], root=folder / "cache", workers=1)
    return folder


PYTHON = [(name, code) for name, code in _examples("python") if not name.startswith("cache/")]


@pytest.mark.parametrize(("name", "code"), PYTHON, ids=[name for name, _ in PYTHON])
def test_an_example_in_python_runs(
    name: str,
    code: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setitem(sys.modules, "sevensongs", import_module("classify.sevensongs"))
    monkeypatch.setenv("SEVENSONGS_CACHE", str(place / "cache"))
    exec(compile(code, name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out
