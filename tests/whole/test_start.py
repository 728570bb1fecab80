"""What starts slowly is not imported by commands that don't need it.

The tests go by the modules, not by the clock.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import embed
from classify.labels.training import train
from classify.learning.fit import DEFAULT_HEAD

DECODERS = {"av", "soxr", "ai_edge_litert", "tensorflow", "tensorflow_hub", "librosa", "joblib"}
LEARNERS = {"sklearn", "scipy", "threadpoolctl", "matplotlib"}
PAGES = {"jinja2", "PIL"}
ARRAYS = {"numpy", "lance", "pyarrow", "safetensors"}
BARS = {"rich.progress", "rich.live"}


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory, compiled: Path, tracks: list[str]) -> Path:
    """A cache with ten tracks and a taste."""
    root = tmp_path_factory.mktemp("start") / "cache"
    root.mkdir()
    (root / "encoders").symlink_to(compiled / "encoders")
    embed.embed_library(tracks[:10], root=root, coverage=1)
    train(tracks[:3], root=root)
    return root


def modules_after(*arguments: str, setup: str = "", root: Path | None = None) -> set[str]:
    """Run the command in a fresh process; return the modules it has imported, whole names."""
    cache = ["--cache", str(root)] if root else []
    script = (
        f"import sys\nfrom classify.cli.app import main\n{setup}\n"
        f"sys.argv = {['sevensongs', *cache, *arguments]!r}\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('\\nmodules', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    modules = set(done.stderr.rpartition("\nmodules ")[2].split())
    assert "pandas" not in modules, "pyarrow imports it wherever it is installed"
    return modules


def test_help_imports_no_array_and_no_decoder() -> None:
    for arguments in (["--help"], ["score", "--help"], ["cache", "--help"]):
        modules = modules_after(*arguments)
        assert modules & (DECODERS | LEARNERS | ARRAYS | BARS | {"embed", "cache"}) == set()


def test_scoring_cached_songs_imports_no_decoder_and_no_learner(
    cached: Path, tracks: list[str]
) -> None:
    for arguments in (
        ["score", tracks[5]],
        ["score", "--top", "3"],
        ["score", "--json"],
        ["suggest"],
    ):
        modules = modules_after(*arguments, root=cached)
        assert modules & (DECODERS | LEARNERS | PAGES | BARS | {"rich"}) == set()
        assert (
            modules
            & {
                "classify.learning.fit",
                "classify.evaluation.evaluation",
                "classify.demo",
                "embed.pipeline.worker_tasks",
            }
            == set()
        )
        assert modules & {"urllib.request", "http.client"} == set()


def test_embedding_what_is_cached_imports_no_decoder_and_no_learner(
    cached: Path, tracks: list[str]
) -> None:
    modules = modules_after("embed", "--coverage", "1", *tracks[:10], root=cached)
    assert modules & (DECODERS | LEARNERS | BARS) == set()
    assert not any(
        name.startswith("classify.") and name.endswith((".taste.taste", ".fit")) for name in modules
    )


def test_training_on_cached_songs_imports_no_decoder(cached: Path, tracks: list[str]) -> None:
    likes = [word for track in tracks[:3] for word in ("--like", track)]
    modules = modules_after("train", *likes, "--taste", "again", root=cached)
    assert modules & (DECODERS - {"joblib"}) == set()  # scikit-learn brings joblib
    assert (
        modules & {"classify.evaluation.evaluation", "classify.demo", "embed.worker_pool"} == set()
    )


def test_a_terminal_gets_no_bar_where_nothing_is_embedded(cached: Path, tracks: list[str]) -> None:
    terminal = "sys.stderr.isatty = lambda: True"
    modules = modules_after("embed", "--coverage", "1", tracks[0], setup=terminal, root=cached)
    assert modules & BARS == set()


def test_a_terminal_gets_a_bar_where_a_song_is_embedded(
    cached: Path, tracks: list[str], tmp_path: Path
) -> None:
    (tmp_path / "encoders").symlink_to(cached / "encoders")
    terminal = "sys.stderr.isatty = lambda: True"
    arguments = ("embed", "--coverage", "1", "--workers", "1", tracks[0])
    modules = modules_after(*arguments, setup=terminal, root=tmp_path)
    assert modules >= BARS


@pytest.mark.skipif(
    tuple(map(int, version("typer").split(".")[:2])) >= (0, 29),
    reason="this typer needs it",
)
def test_no_command_imports_pydantic(cached: Path, tracks: list[str]) -> None:
    for arguments in (
        ["score", tracks[5]],
        ["embed", "--coverage", "1", tracks[0]],
        ["score", "--help"],
    ):
        assert "pydantic" not in modules_after(*arguments, root=cached)


def test_the_default_head_is_the_same_without_importing_it() -> None:
    assert inspect.signature(train).parameters["head"].default == DEFAULT_HEAD
