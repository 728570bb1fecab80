"""Slips of those who begin: each has words that lead on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import classify
from classify.cli.app import app

Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command on the demo's library, and return what it says on stderr."""
    root = shutil.copytree(heard / "cache", tmp_path_factory.mktemp("newcomers") / "cache")

    def run(*arguments: str | Path, code: int = 1) -> str:
        done = CliRunner().invoke(app, ["--cache", str(root), *map(str, arguments)])
        assert done.exit_code == code, done.output
        return done.stderr

    return run


@pytest.fixture
def music(heard: Path) -> list[Path]:
    return sorted((heard / "music").glob("*acoustic*"))


def test_a_dislike_alone_asks_for_likes(run: Run, music: list[Path]) -> None:
    said = run("train", "--dislike", music[0])
    assert "only songs that you don't like are named" in said
    assert "add --like PATH" in said


def test_a_folder_of_one_song_asks_for_more(run: Run, music: list[Path], tmp_path: Path) -> None:
    shutil.copy(music[0], tmp_path)
    said = run("train", "--like", tmp_path)
    assert "1 liked song can be used, at least 2 are needed and about 7 work well" in said


def test_a_song_that_is_named_twice_counts_once_and_is_on_one_side(
    run: Run, music: list[Path]
) -> None:
    said = run("train", "--like", music[0], "--like", music[0])
    assert "1 liked song can be used (the same file is named twice)" in said
    said = run("train", "--like", music[0], "--like", music[1], "--dislike", music[0])
    assert f"1 song liked and disliked at once: {music[0]}; name it on one side only" in said


@pytest.mark.parametrize("name", ["radio.m3u", "radio.pls"])
def test_radio_stations_are_told_to_be_no_files(run: Run, tmp_path: Path, name: str) -> None:
    playlist = tmp_path / name
    urls = [f"http://radio.invalid/{number}" for number in range(1, 13)]
    lines = [f"File{number}={url}" for number, url in enumerate(urls, start=1)]
    playlist.write_text("\n".join(["[playlist]", *lines] if name.endswith(".pls") else urls))
    words = "12 URLs, such as radio streams, the first http://radio.invalid/1: only files are read"
    said = run("embed", playlist)
    assert f"failed: {words}" in said
    assert said.count("radio.invalid") == 1
    assert words in run("train", "--like", playlist)
    assert "http://radio.invalid/1: is a URL" in run("embed", urls[0]), "not a path under this one"


def test_more_likes_than_can_be_learnt_from_keep_their_labels(
    heard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four thousand took four minutes and half a gigabyte."""
    monkeypatch.setattr("classify.labels.relearning.MAX_LABELLED", 4)
    monkeypatch.setattr("classify.labels.training.MAX_LABELLED", 4)
    root = shutil.copytree(heard / "cache", tmp_path / "cache")
    likes = sorted((heard / "music").glob("*acoustic*"))[:9]
    trained = classify.train(likes, root=root)
    assert (trained.taste.n_like, trained.n_left_out, trained.n_copies) == (4, 5, 0)
    assert "learnt from 4 of 9 likes" in trained.note
    again = classify.train(likes[::-1], taste="again", root=root)
    assert again.taste.likes == trained.taste.likes, "whatever the order"
    finds = classify.score(root=root)
    assert (finds.n_labelled, finds.is_learnt) == (9, True)
    assert not {song.path for song in finds} & set(map(str, likes))
    changed = classify.label("like", sorted((heard / "music").glob("*electronic*"))[0], root=root)
    assert "learnt from 4 of 10 likes" in changed.note
    assert not {song.path for song in changed.changed} & set(map(str, likes))
