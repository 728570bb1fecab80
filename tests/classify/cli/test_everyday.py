"""What a listener types: titles, options in any place, answers to questions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner
from waiting import LONG_S

import classify
from classify.cli.app import app
from classify.labels.relearning import labels_now
from tests.support.terminals import TerminalCommand


@pytest.fixture
def root(heard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own that has heard the demo's tracks; the working folder is empty."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(heard / "cache", tmp_path / "cache"))


def test_songs_go_by_their_names_and_options_stand_anywhere(root: Path, heard: Path) -> None:
    runner = CliRunner()
    names = sorted(path.stem for path in (heard / "music").glob("*acoustic*"))
    for name in names[:2]:
        done = runner.invoke(app, ["label", "like", name.upper(), "--cache", str(root)])
        assert done.exit_code == 0, done.stderr
    assert [Path(one.path).stem for one in labels_now(root=root)] == names[:2]
    several = runner.invoke(app, ["similar", "acoustic", "--cache", str(root), "-v"])
    assert several.exit_code == 1
    assert f"{len(names)} songs are called 'acoustic'" in several.stderr
    assert f"{names[0]}.opus" in several.stderr
    nobody = runner.invoke(app, [f"--cache={root}", "explain", "Nebula"])
    assert (nobody.exit_code, "no file 'Nebula'" in nobody.stderr) == (1, True)
    for asked in ("explain", "similar"):
        gone = runner.invoke(app, [asked, "nebula.mp3", f"--cache={root}"])
        assert gone.stderr == "sevensongs: there is no file nebula.mp3\n"


def test_the_demo_takes_the_cache_after_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["demo", "--cache", str(tmp_path / "file")])
    assert done.exit_code == 2, done.stderr
    assert str(tmp_path / "file") in done.stderr, "it was taken for the cache"


def test_no_label_leaves_no_empty_line(root: Path) -> None:
    done = CliRunner().invoke(app, ["label", "list", "--cache", str(root)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing is labelled yet" in done.stderr


def test_suggest_asks_in_a_terminal_and_learns_each_answer(root: Path, heard: Path) -> None:
    music = sorted(str(path) for path in (heard / "music").glob("*acoustic*"))
    classify.label("like", music[:3], root=root)
    piped = CliRunner().invoke(app, ["suggest", "--ask", "--cache", str(root)])
    assert (piped.exit_code, "--ask needs a terminal" in piped.stderr) == (1, True)
    with TerminalCommand("suggest", "--ask", "--cache", str(root)) as terminal:
        for answer in ("x", "l", "s", "d", "q"):
            terminal.until("[q]uit? ")
            terminal.answer(answer)
        shown = terminal.until("finds")
        assert terminal.process.wait(LONG_S) == 0
    assert "1 of 5:" in shown
    assert "2 songs labelled" in shown
    labels = [one.label for one in labels_now(root=root)]
    assert (labels.count("like"), labels.count("dislike")) == (4, 1)
