"""The house rules that a reader relies on: who imports whom, what is public, what is slow to import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("cache", "embed", "classify")  # imports go only to the left
MODULES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
HEAVY = {
    "tensorflow",
    "tensorflow_hub",
    "tf_keras",
    "sklearn",
    "scipy",
    "librosa",
    "matplotlib",
    "ray",
    "fastapi",
    "starlette",
    "uvicorn",
    "prometheus_client",
}
_MAX_BODY_LINES = 40


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_go_only_to_the_left(path: Path) -> None:
    here = PACKAGES.index(_name(path).partition(".")[0])
    imported = {name.partition(".")[0] for name in _imported(ast.parse(path.read_text("utf-8")))}
    assert not imported & set(PACKAGES[here + 1 :])
    assert "click" not in imported, "typer vendors its own"
    assert "musicnn" not in imported, "only its data files are wanted"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_all_names_exactly_what_is_public(path: Path) -> None:
    if path.name == "__main__.py":
        return
    tree = ast.parse(path.read_text("utf-8"))
    module = import_module(_name(path))
    exported = module.__all__
    assert len(exported) == len(set(exported))
    for name in exported:
        assert getattr(module, name) is not None
    if path.name != "__init__.py":
        defined = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        }
        commands = {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.decorator_list}
        public = defined - commands if _name(path).startswith("classify.cli") else defined
        assert public <= set(exported)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_function_is_long(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1
            assert lines <= _MAX_BODY_LINES, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_only_the_service_knows_the_service(path: Path) -> None:
    name = _name(path)
    if name == "classify.service" or name.startswith("classify.web"):
        return
    at_import = [node for node in ast.parse(path.read_text("utf-8")).body if not isinstance(node, ast.If)]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    imported = set().union(*(_imported(node) for node in at_import if not isinstance(node, functions)))
    assert not {one for one in imported if one == "classify.service" or one.startswith("classify.web")}


def test_the_service_starts_without_what_only_other_commands_need() -> None:
    assert not _modules_after("import classify.service") & (
        HEAVY - {"fastapi", "starlette", "uvicorn", "prometheus_client"}
    )


def _modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {line.partition(".")[0] for line in done.stderr.splitlines()}


def test_help_imports_nothing_heavy() -> None:
    code = "from classify.cli import app\ntry: app(['--help'])\nexcept SystemExit as e: assert e.code == 0"
    modules = _modules_after(code)
    assert not modules & (HEAVY | {"numpy", "lance", "pyarrow", "av", "joblib", "rich.progress"})


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_imports_nothing_heavy(package: str) -> None:
    assert not _modules_after(f"import {package}") & HEAVY


def _commands() -> dict[str, set[str]]:
    """Return the commands that there are, and of a group those in it."""
    from classify.cli import app

    commands: dict[str, set[str]] = {
        info.name or info.callback.__name__: set() for info in app.registered_commands if info.callback
    }
    for group in app.registered_groups:
        assert group.name
        assert group.typer_instance
        commands[group.name] = {info.name or "" for info in group.typer_instance.registered_commands}
    return commands


def test_readme_lists_the_commands_that_there_are() -> None:
    commands = _commands()
    whole = {f"{name} {sub}".strip() for name, subs in commands.items() for sub in subs or {""}}
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `sevensongs ([a-z]+)(?: ([a-z]+))?", readme, re.MULTILINE)
    assert {f"{name} {sub if commands.get(name) else ''}".strip() for name, sub in rows} == whole


def test_readme_draws_the_house_as_it_is() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    drawing = readme[readme.index("```text\ncache/") :]
    drawing = drawing[: drawing.index("```", 3)]
    drawn = set(re.findall(r"\b([a-z_]+\.py)\b", drawing))
    assert drawn == {path.name for path in MODULES if path.name != "__init__.py"}


def test_packages_are_typed_and_readme_is_finished() -> None:
    assert all((REPOSITORY / package / "py.typed").is_file() for package in PACKAGES)
    assert "@@" not in (REPOSITORY / "README.md").read_text("utf-8")


def test_every_command_that_a_message_recommends_exists() -> None:
    commands = _commands()
    for path in MODULES:
        text = path.read_text("utf-8")
        for name, sub in re.findall(r"['`]sevensongs ([a-z]+)(?: ([a-z]+))?", text):
            assert name in commands, f"{path}: sevensongs {name}"
            assert not commands[name] or not sub or sub in commands[name], f"{path}: sevensongs {name} {sub}"
