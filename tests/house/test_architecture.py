"""The house rules that a reader relies on.

They say who imports whom, what is public, and what is slow to import.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("cache", "embed", "classify")
MODULES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
# Bottom to top. A module imports from its own room and from rooms further up in this list, which
# never import it; rooms on one line know nothing of each other. Another package is imported by its
# own name.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("cache",),
    ("embed.errors",),
    ("embed.files",),
    ("embed.limits", "embed.native_chatter"),
    ("embed.graphs",),
    ("embed.networks",),
    ("embed.model_files",),
    ("embed.decoding",),
    ("embed.worker_process",),
    ("embed.worker_pool",),
    ("embed.encoders",),
    ("embed.cover_art", "embed.loudness", "embed.spectrogram_picture", "embed.stored_embeddings"),
    ("embed.sifting",),
    ("embed.pipeline",),
    ("embed.cluster", "embed.watching"),
    ("embed",),
    ("classify.errors",),
    ("classify.output",),
    ("classify.taste",),
    ("classify.learning",),
    ("classify.library",),
    ("classify.scoring",),
    ("classify.labels", "classify.explanation", "classify.evaluation"),
    ("classify.evaluation.report", "classify.sources"),
    ("classify.demo", "classify.playlists", "classify.tagging"),
    (
        "classify.web.settings",
        "classify.web.disconnects",
        "classify.web.memory",
        "classify.web.models",
        "classify.web.song_copies",
        "classify.web.song_sketches",
    ),
    (
        "classify.web.problems",
        "classify.web.counters",
        "classify.web.taste_models",
        "classify.web.placed_songs",
    ),
    ("classify.web.kept_process", "classify.web.openapi"),
    ("classify.web.access", "classify.web.live", "classify.web.uploads", "classify.web.sound"),
    ("classify.web.answers", "classify.web.tastes", "classify.web.watching"),
    ("classify.web.app_state",),
    ("classify.web.routes",),
    ("classify.web.app",),
    ("classify.web.server",),
    ("classify.cli",),
    ("classify",),
    ("classify.sevensongs",),
)
HEAVY = {
    "tensorflow",
    "tensorflow_hub",
    "tf_keras",
    "sklearn",
    "scipy",
    "librosa",
    "matplotlib",
    "jinja2",
    "PIL",
    "ray",
    "fastapi",
    "starlette",
    "uvicorn",
    "prometheus_client",
    "onnxruntime",
}
_MAX_BODY_LINES = 40
_MAX_MODULES = 15
_MAX_CACHE_MODULES = 19
# What is written by hand although libraries do something like it; each says why.
BY_HAND = (
    "cache/durable.py",
    "cache/locks.py",
    "cache/upkeep/repair.py",
    "cache/seals/sealed_files.py",
    "embed/decoding/ape_tags.py",
    "embed/decoding/id3_tags.py",
    "embed/decoding/packet_timing.py",
    "embed/decoding/packets.py",
    "embed/decoding/spans.py",
    "embed/limits.py",
    "embed/model_files/onnx_file.py",
    "embed/model_files/tflite_file.py",
    "embed/networks/tensor_bundle.py",
    "embed/networks/torch_zip.py",
    "embed/networks/winograd.py",
    "embed/spectrogram_picture.py",
    "embed/worker_pool.py",
    "classify/learning/logistic.py",
    "classify/sources/servers/mpd_client.py",
    "classify/taste/placement.py",
    "classify/taste/row_products.py",
    "classify/web/access/admission.py",
    "classify/web/access/guard.py",
    "classify/web/access/head_limits.py",
    "classify/web/page/base/dom.js",
    "classify/web/page/main.js",
    "classify/web/page/songs/list.js",
    "classify/web/routes/fast_score.py",
)
# Beside what they describe: the shapes of answers have the names of what is answered.
_SHARED_NAMES = {"__init__", "__main__", "errors", "models", "taste_models"}
_NAMED_AFTER_WHAT_THEY_SERVE = ("classify.cli", "classify.web.routes")


def _name(path: Path) -> str:
    return (
        path.relative_to(REPOSITORY)
        .with_suffix("")
        .as_posix()
        .replace("/", ".")
        .removesuffix(".__init__")
    )


NAMES = {_name(path) for path in MODULES}


@cache  # eight tests ask of each module
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def _imports(path: Path) -> tuple[tuple[str, str], ...]:
    """Return what a module imports, wherever in it: a module's name, and the name asked of it.

    The latter is "" where none is asked of it.
    That includes imports in functions, and what only type checkers import.
    """
    found: list[tuple[str, str]] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found += ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.append((inner, "") if inner in NAMES else (node.module, alias.name))
    return tuple(found)


def _room(module: str) -> tuple[int, str]:
    """Return the layer and the room of a module of ours: those of its longest name in `LAYERS`."""
    rooms = [(len(room), layer, room) for layer, rooms in enumerate(LAYERS) for room in rooms]
    fitting = [one for one in rooms if module == one[2] or module.startswith(f"{one[2]}.")]
    _, layer, room = max(fitting)
    return layer, room


def _is_facade(path: Path) -> bool:
    return path.parent.parent == REPOSITORY and path.name == "__init__.py"


def test_every_module_has_a_room() -> None:
    for path in MODULES:
        if path.name != "__init__.py":
            assert _room(_name(path))[1] not in ("embed", "classify"), f"name the room of {path}"


def test_imports_go_only_to_the_left() -> None:
    for path in MODULES:
        if _is_facade(path):
            continue
        layer, room = _room(_name(path))
        for module, _ in _imports(path):
            if module.partition(".")[0] not in PACKAGES:
                continue
            other_layer, other_room = _room(module)
            assert other_layer < layer or other_room == room, f"{_name(path)} imports {module}"


def test_another_package_is_imported_by_its_own_name() -> None:
    for path in MODULES:
        own = _name(path).partition(".")[0]
        for module, name in _imports(path):
            package = module.partition(".")[0]
            if package in PACKAGES and package != own:
                assert module == package, (
                    f"{_name(path)} imports {module}: have {package}/__init__.py export it"
                )
                assert not name or name in import_module(package).__all__, path


def test_no_module_imports_itself_in_a_circle() -> None:
    wanted = {
        _name(path): {module for module, _ in _imports(path) if module in NAMES} - set(PACKAGES)
        for path in MODULES
        if not _is_facade(path)
    }
    # Whatever no module that is left imports can be in no circle.
    while True:
        imported = set().union(*wanted.values())
        done = {name for name, others in wanted.items() if name not in imported or not others}
        if not done:
            break
        wanted = {name: others - done for name, others in wanted.items() if name not in done}
    assert not wanted, f"these import each other: {wanted}"


def test_what_is_never_imported() -> None:
    for path in MODULES:
        imported = {module.partition(".")[0] for module, _ in _imports(path)}
        assert "click" not in imported, f"typer vendors its own: {path}"
        assert not imported & {"aisfx", "musicnn"}, f"only their data are wanted: {path}"


def test_no_module_name_is_there_twice() -> None:
    places = defaultdict(list)
    for name in NAMES:
        if path_of(name).name != "__init__.py" and not name.startswith(
            _NAMED_AFTER_WHAT_THEY_SERVE
        ):
            places[name.rpartition(".")[2]].append(name)
    assert not {
        name: some for name, some in places.items() if len(some) > 1 and name not in _SHARED_NAMES
    }


def path_of(name: str) -> Path:
    path = REPOSITORY / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_no_public_class_name_is_there_twice() -> None:
    places = defaultdict(list)
    for path in MODULES:
        if path.stem in _SHARED_NAMES or _name(path).startswith(_NAMED_AFTER_WHAT_THEY_SERVE):
            continue
        for node in _tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(_name(path))
    assert not {name: some for name, some in places.items() if len(some) > 1}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_bears_the_name_of_what_its_package_exports(package: str) -> None:
    exported = set(import_module(package).__all__)
    parts = {
        part for name in NAMES if name.startswith(f"{package}.") for part in name.split(".")[1:]
    }
    assert not parts & exported, "the one would hide the other"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_public_function_has_an_example(package: str) -> None:
    """And `tests/whole/test_examples.py` runs it."""
    public = {
        name: getattr(import_module(package), name) for name in import_module(package).__all__
    }
    functions = {name: one for name, one in public.items() if inspect.isfunction(one)}
    assert functions
    assert not [name for name, one in functions.items() if ">>> " not in (one.__doc__ or "")]


def _modules_of(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.py")} - {"__init__.py", "__main__.py"}


@pytest.mark.parametrize(
    "folder", FOLDERS, ids=lambda folder: folder.relative_to(REPOSITORY).as_posix()
)
def test_a_folder_is_small_and_its_readme_lists_what_is_in_it(folder: Path) -> None:
    modules = _modules_of(folder)
    assert len(modules) <= (_MAX_CACHE_MODULES if folder.name == "cache" else _MAX_MODULES)
    readme = (folder / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+\.py)`", readme, re.MULTILINE)
    assert sorted(listed) == sorted(modules)
    rooms = {path.name for path in folder.iterdir() if (path / "__init__.py").is_file()}
    assert set(re.findall(r"^\| \[`(\w+)/`\]\(\1/README\.md\)", readme, re.MULTILINE)) == rooms


def test_all_names_exactly_what_is_public() -> None:
    for path in MODULES:
        if path.name == "__main__.py":
            continue
        tree = _tree(path)
        module = import_module(_name(path))
        exported = module.__all__
        assert len(exported) == len(set(exported)), path
        for name in exported:
            assert getattr(module, name) is not None, path
        if path.name != "__init__.py":
            defined = {
                node.name
                for node in tree.body
                if isinstance(node, ast.FunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
            }
            commands = {
                n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.decorator_list
            }
            public = defined - commands if _name(path).startswith("classify.cli") else defined
            assert public <= set(exported), path


def test_no_function_is_long() -> None:
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef):
                body = (
                    node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
                )
                lines = (node.end_lineno or 0) - body[0].lineno + 1
                assert lines <= _MAX_BODY_LINES, f"{path}: {node.name} has {lines} lines"


@pytest.mark.parametrize("name", BY_HAND)
def test_what_is_written_by_hand_says_which_number_or_test_pays_for_it(name: str) -> None:
    text = (REPOSITORY / name).read_text("utf-8")
    head = (
        text.partition("\n\nimport ")[0]
        if name.endswith(".js")
        else ast.get_docstring(ast.parse(text))
    )
    (reason,) = re.findall(
        r"^(?:// )?By hand: (.*?)^(?://)?$", f"{head}\n\n", re.MULTILINE | re.DOTALL
    )
    named = re.findall(r"[\w/]+\.(?:jsonl|py)\b", reason)
    assert re.search(r"\d", reason) or any("test_" in one for one in named)
    for one in named:
        folder = REPOSITORY / "tests" / "benchmarks" if one.endswith("jsonl") else REPOSITORY
        assert (folder / one).is_file(), one


def _names_in(node: ast.AST) -> set[str]:
    names: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            names |= {alias.name for alias in one.names}
        elif isinstance(one, ast.ImportFrom) and one.module:
            names.add(one.module)
    return names


def test_only_the_service_knows_the_service() -> None:
    for path in MODULES:
        if _name(path).startswith("classify.web"):
            continue
        at_import = [node for node in _tree(path).body if not isinstance(node, ast.If)]
        functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        imported = set().union(
            *(_names_in(node) for node in at_import if not isinstance(node, functions))
        )
        assert not {one for one in imported if one.startswith("classify.web")}, path


def test_the_service_starts_without_what_only_other_commands_need() -> None:
    assert not _modules_after("import classify.web.server") & (
        HEAVY - {"fastapi", "starlette", "uvicorn", "prometheus_client"}
    )


def _modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {line.partition(".")[0] for line in done.stderr.splitlines()}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "from classify.cli.app import app\ntry: app(['--help'])\n"
        "except SystemExit as e: assert e.code == 0"
    )
    modules = _modules_after(code)
    assert not modules & (
        HEAVY | {"numpy", "lance", "pyarrow", "safetensors", "av", "joblib", "rich.progress"}
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_imports_nothing_heavy(package: str) -> None:
    assert not _modules_after(f"import {package}") & HEAVY


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_tells_its_names_before_it_imports_them(package: str) -> None:
    code = (
        f"import {package}\n"
        f"assert {{*{package}.__all__}} < {{*dir({package})}}\n"
        f"assert not [name for name in sys.modules if name.startswith('{package}.')]\n"
        f"from {package} import *\n"
        f"assert {{*{package}.__all__}} <= {{*globals()}}\n"
    )
    _modules_after(code)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_stub_says_what_a_package_exports(package: str) -> None:
    stub = ast.parse((REPOSITORY / package / "__init__.pyi").read_text("utf-8"))
    imported = [
        alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    listed = next(node.value for node in stub.body if isinstance(node, ast.Assign))
    assert len(imported) == len(set(imported))
    assert set(ast.literal_eval(listed)) == set(imported) == set(import_module(package).__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_refused_in_pythons_words(package: str) -> None:
    with pytest.raises(AttributeError, match=f"^module '{package}' has no attribute 'nothing'$"):
        import_module(package).nothing  # noqa: B018
    with pytest.raises(ImportError, match=f"cannot import name 'nothing' from '{package}'"):
        exec(f"from {package} import nothing")


def _commands() -> dict[str, set[str]]:
    """Return the commands that there are, and of a group those in it."""
    from classify.cli.app import app

    commands: dict[str, set[str]] = {
        info.name or info.callback.__name__: set()
        for info in app.registered_commands
        if info.callback
    }
    for group in app.registered_groups:
        assert group.name
        assert group.typer_instance
        commands[group.name] = {
            info.name or "" for info in group.typer_instance.registered_commands
        }
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
    drawn = set(re.findall(r"^((?:cache|embed|classify)[\w/]*)/ ", drawing, re.MULTILINE))
    rooms = {folder.relative_to(REPOSITORY).as_posix() for folder in FOLDERS}
    assert drawn == {"cache", "embed"} | {
        room for room in rooms if re.fullmatch(r"classify/\w+", room)
    }


def test_packages_are_typed_and_readme_is_finished() -> None:
    assert all((REPOSITORY / package / "py.typed").is_file() for package in PACKAGES)
    assert "@@" not in (REPOSITORY / "README.md").read_text("utf-8")


def test_every_command_that_a_message_recommends_exists() -> None:
    commands = _commands()
    for path in MODULES:
        text = path.read_text("utf-8")
        for name, sub in re.findall(r"['`]sevensongs ([a-z]+)(?: ([a-z]+))?", text):
            assert name in commands, f"{path}: sevensongs {name}"
            assert not commands[name] or not sub or sub in commands[name], (
                f"{path}: sevensongs {name} {sub}"
            )
