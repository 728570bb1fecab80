"""Finds: songs of the library without a label, each once, best first, on real music."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import classify
import embed
from classify.cli.app import app
from classify.scoring.file_scores import likely_from
from tests.support.audio_files import KINDS, decode_whole

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def library(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """The demo's songs, seven acoustic ones of which are liked, and two of them as MP3, too."""
    folder = tmp_path_factory.mktemp("finds")
    root = Path(shutil.copytree(heard / "cache", folder / "cache"))
    music = sorted((heard / "music").glob("*acoustic*"))
    classify.train(music[::2][:7], root=root)
    rips = []
    for path in (music[0], music[9]):  # a liked one, and one without a label
        samples, rate_hz = decode_whole(path)
        stereo = np.stack([samples, samples])
        rips.append(KINDS["mp3-cbr"].write(folder / f"{path.stem}.mp3", stereo, rate_hz))
    assert embed.embed_library(rips, root=root).embedded == 2
    return root, [music[0], rips[0], music[9], rips[1]]


@pytest.fixture
def run(library: tuple[Path, list[Path]]) -> Run:
    """Run `sevensongs score`."""

    def run(*arguments: str | Path, code: int = 0) -> Result:
        argv = ["--cache", str(library[0]), "score", *map(str, arguments)]
        done = CliRunner().invoke(app, argv)
        assert done.exit_code == code, done.output
        return done

    return run


def songs_in(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


@pytest.mark.long
def test_the_first_screen_after_some_likes_is_not_the_likes_themselves(
    library: tuple[Path, list[Path]],
) -> None:
    root, _ = library
    finds = classify.score(root=root)
    assert {song.label for song in finds} == {None}
    assert finds.n_labelled == 7
    every = classify.score(root=root, labelled=True)
    assert {song.label for song in every} == {"like", None}
    assert [song.score for song in finds] == sorted((s.score for s in finds), reverse=True)


def test_songs_that_are_named_are_all_listed(library: tuple[Path, list[Path]]) -> None:
    root, named = library
    found = classify.score(named, root=root)
    assert {song.path for song in found} == set(map(str, named))
    once = classify.score(named, once=True, root=root)
    assert len(once) == 2


def test_a_song_in_two_formats_is_listed_once_and_a_copy_of_a_like_is_no_find(
    library: tuple[Path, list[Path]],
) -> None:
    root, (liked, rip_of_liked, find, rip_of_find) = library
    finds = {song.path for song in classify.score(root=root)}
    assert not finds & {str(liked), str(rip_of_liked)}
    assert len(finds & {str(find), str(rip_of_find)}) == 1
    assert len(finds) == 21
    files = {song.path for song in classify.score(root=root, once=False)}
    assert files >= {str(rip_of_liked), str(find), str(rip_of_find)}


def test_a_playlist_holds_what_is_likely_liked_unless_told_otherwise(
    library: tuple[Path, list[Path]], run: Run
) -> None:
    root, _ = library
    likely = [song.path for song in classify.score(root=root) if song.verdict == "like"]
    assert songs_in(run("--format", "m3u8").stdout) == likely
    assert 0 < len(likely) < 12
    assert len(songs_in(run("--format", "m3u8", "--top", "12").stdout)) == 12
    assert len(songs_in(run("--format", "m3u8", "--min-score", "0").stdout)) == 21
    taste = classify.Taste.load("default", root=root)
    assert songs_in(run("--format", "m3u8", "--min-score", likely_from(taste)).stdout) == likely


def test_an_empty_playlist_says_so_and_leaves_the_former_one(run: Run, tmp_path: Path) -> None:
    playlist = tmp_path / "discover.m3u8"
    said = run("--min-score", "1", "-o", playlist, code=1).stderr
    assert "none of 23 songs scores as much" in said
    assert "not written" in said
    assert not playlist.exists()
    run("-o", playlist)
    before = playlist.read_bytes()
    said = run("--precision", "1", "-o", playlist, code=1).stderr
    assert "left as it was" in said
    assert playlist.read_bytes() == before


def test_files_that_failed_are_told_where_a_playlist_stays_empty(
    library: tuple[Path, list[Path]], run: Run, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no sound")
    playlist = tmp_path / "discover.m3u8"
    asked = (library[1][2], broken, "--min-score", "1", "-o", playlist)
    said = run(*asked, code=1).stderr
    assert "not written" in said
    assert said.count(f"failed: {broken}") == 1


def test_labels_and_precision_can_t_both_have_their_way(
    library: tuple[Path, list[Path]], run: Run
) -> None:
    assert "name one" in run("--labelled", "--precision", "0.5", code=2).stderr
    assert "--labelled" not in run("--precision", "0.5").stderr
    with pytest.raises(ValueError, match="name one of them"):
        classify.score(root=library[0], labelled=True, precision=0.5)


def test_where_all_is_labelled_that_is_said(heard: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    music = heard / "music"
    likes, dislikes = sorted(music.glob("*acoustic*")), sorted(music.glob("*electronic*"))
    classify.train(likes, dislikes=dislikes, root=root)
    done = CliRunner().invoke(app, ["--cache", str(root), "score"])
    assert done.exit_code == 1
    assert "all 28 songs are labelled; --labelled lists them" in done.stderr
    done = CliRunner().invoke(app, ["--cache", str(root), "score", "--precision", "0.9"])
    assert "all 28 songs are labelled\n" in done.stderr


@pytest.mark.long
def test_much_new_music_beside_a_small_taste_is_told(heard: Path, tmp_path: Path) -> None:
    """Twenty of sixty new songs were called likely, and one after training again."""
    music = sorted((heard / "music").glob("*.opus"))
    root = tmp_path / "cache"
    shutil.copytree(heard / "cache" / "encoders", root / "encoders")
    embed.embed_library(music[:9], root=root)
    classify.train(music[:3], root=root)
    argv = ["--cache", str(root), "score", "--top", "3"]
    assert "the library had" not in CliRunner().invoke(app, argv).stderr, "nothing is new"
    found = classify.score(music[9:], root=root)
    assert found.n_new == len(music) - 9
    said = CliRunner().invoke(app, argv).stderr
    assert f"the library had 9 songs when the taste was learnt and has {len(music)} now" in said
    assert "sevensongs train" in said
    classify.train(music[:3], root=root)
    assert "the library had" not in CliRunner().invoke(app, argv).stderr


def test_a_label_that_is_not_learnt_yet_is_no_find_and_that_is_told(
    heard: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    music = sorted((heard / "music").glob("*acoustic*"))
    path = classify.train(music[:3], root=root).path
    find = classify.score(root=root)[0]
    labels = path.with_name("default.labels.csv")
    with labels.open("a", encoding="utf-8", newline="") as file:
        file.write(f"dislike,{find.path},\r\n")  # as a person adds it

    def said(*argv: str) -> str:
        return CliRunner().invoke(app, ["--cache", str(root), *argv]).stderr

    finds = classify.score(root=root)
    assert not finds.is_learnt
    assert find.path not in {song.path for song in finds}
    assert find.path not in {song.path for song in classify.score(root=root, once=False)}
    assert finds.n_labelled == 4
    every = {song.path: song.label for song in classify.score(root=root, labelled=True)}
    assert every[find.path] == "dislike"
    near = classify.similar(music[0], top=27, per_album=None, root=root)
    assert {song.path: song.label for song in near}[find.path] == "dislike"
    assert "'sevensongs train' learns from the labels as they are now" in said("score")
    assert "labels have changed" not in said("train") + said("score")
    # Too few likes: the taste stays as it was.
    assert classify.label(None, music[:2], root=root).taste is None
    assert "1 like can be learnt from, a taste needs 2" in said("score")
    assert classify.label("dislike", music[2], root=root).taste is None
    finds = classify.score(root=root)
    assert not {song.path for song in finds} & {str(music[2]), find.path}
    assert (finds.n_like, finds.is_learnt) == (0, False)


def test_labelled_copies_that_count_once_are_no_finds(heard: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    music = sorted((heard / "music").glob("*acoustic*"))[:3]
    samples, rate_hz = decode_whole(music[0])
    flac = KINDS["flac"].write(tmp_path / "copy.flac", np.stack([samples, samples]), rate_hz)
    trained = classify.train([*music, flac], root=root)
    assert (trained.taste.n_like, trained.n_copies) == (3, 1)
    finds = classify.score(root=root, once=False)
    assert finds.is_learnt
    assert not {song.path for song in finds} & {str(flac), *map(str, music)}
    assert finds.n_labelled == 4
