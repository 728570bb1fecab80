"""A job that runs each night must not leave a worse file than it found, whatever is unmounted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cache import Catalog
from classify.cli.app import app
from classify.library.song_library import SongLibrary
from classify.output.nothing_listed import gone_words
from classify.taste.taste import Taste
from embed import find_audio
from tests.classify.labels.made_library import make_songs

N_SONGS = 40
NONE_THERE = f"none of the {N_SONGS} songs of the library is there now; is the drive connected?"
SUFFIXES = ("m3u8", "pls", "xspf", "csv", "json", "jsonl", "txt")
LISTS = {"score": ("score", "--top", "5"), "suggest": ("suggest",)}
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory, compiled: Path) -> Path:
    """A folder with `music`, `cache` and `taste.npz`, learnt from ten songs of one style."""
    folder = tmp_path_factory.mktemp("nightly") / "made"
    songs = make_songs(compiled, folder, range(N_SONGS))
    likes = [option for song in songs[::4][:7] for option in ("--like", str(song))]
    for output in ([], ["-o", str(folder / "taste.npz")]):
        done = CliRunner().invoke(app, ["--cache", str(folder / "cache"), "train", *likes, *output])
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def home(_made: Path) -> Path:
    """Its songs are where they were for each test."""
    _bring_back(_made, "music")
    _bring_back(_made, "cache")
    return _made


def _bring_back(folder: Path, name: str) -> None:
    away = folder / f"{name} away"
    if away.exists():
        shutil.rmtree(folder / name, ignore_errors=True)
        away.rename(folder / name)


def _take_away(folder: Path, name: str) -> None:
    (folder / name).rename(folder / f"{name} away")


def _halve(home: Path) -> int:
    """Take every second song away, and say how many."""
    shutil.copytree(home / "music", home / "music away")
    songs = sorted((home / "music").iterdir())[1::2]
    for song in songs:
        song.unlink()
    return len(songs)


@pytest.fixture
def run(home: Path) -> Run:
    """Run `sevensongs` on that cache."""

    def run(*arguments: str | Path, code: int = 0) -> Result:
        argv = ["--cache", str(home / "cache"), *map(str, arguments)]
        done = CliRunner().invoke(app, argv)
        assert done.exit_code == code, done.output
        return done

    return run


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("command", LISTS)
def test_with_the_drive_unmounted_every_list_stays_as_it_was(
    home: Path, run: Run, tmp_path: Path, command: str, suffix: str
) -> None:
    output = tmp_path / f"night.{suffix}"
    arguments = [*LISTS[command], "-o", output]
    run(*arguments)
    before = output.read_bytes()
    assert before
    _take_away(home, "music")
    said = run(*arguments, code=1).stderr
    assert NONE_THERE in said
    assert output.read_bytes() == before
    assert list(tmp_path.iterdir()) == [output]


def test_an_unmounted_drive_makes_no_list_where_there_was_none(
    home: Path, run: Run, tmp_path: Path
) -> None:
    _take_away(home, "music")
    said = run("score", "-o", tmp_path / "night.csv", code=1).stderr
    assert f"{NONE_THERE}; {tmp_path / 'night.csv'} is not written" in said
    assert not list(tmp_path.iterdir())
    assert run("score", "--json", code=1).stdout == "[]\n"


@pytest.mark.parametrize("command", LISTS)
def test_with_half_of_the_library_the_list_has_what_is_there_and_the_rest_is_told(
    home: Path, run: Run, tmp_path: Path, command: str
) -> None:
    output = tmp_path / "night.m3u8"
    arguments = [*LISTS[command], "-o", output]
    run(*arguments)
    n_gone = _halve(home)
    said = run(*arguments).stderr
    assert f"warning: {n_gone} of {N_SONGS} songs are not there now" in said
    listed = [line for line in output.read_text().splitlines() if not line.startswith("#")]
    assert len(listed) == 5
    assert all(Path(path).exists() for path in listed)


@pytest.mark.parametrize("suffix", ["m3u8", "pls", "xspf"])
def test_a_playlist_of_all_likely_songs_is_not_replaced_by_a_shorter_one(
    home: Path, run: Run, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"night.{suffix}"
    run("score", "--labelled", "-o", output)
    before = find_audio(output)
    assert before.files
    assert not before.failures
    kept = output.read_bytes()
    n_gone = _halve(home)
    listed = next(path for path in map(Path, before.files) if path.exists())
    listed.unlink()
    n_gone += 1
    said = run("score", "--labelled", "-o", output, code=1).stderr
    assert f"warning: {n_gone} of {N_SONGS} songs are not there now" in said
    assert "is left as it was" in said
    assert output.read_bytes() == kept
    output.unlink()  # as that says, where they are gone for good
    run("score", "--labelled", "-o", output)
    after = find_audio(output)
    assert after.files
    assert not after.failures
    assert set(after.files) <= set(before.files)


def test_with_the_whole_library_nothing_is_said_of_songs_that_are_gone(
    run: Run, tmp_path: Path
) -> None:
    assert "not there now" not in run("score", "--top", "5", "-o", tmp_path / "a.m3u8").stderr
    assert "not there now" not in run("suggest", "-o", tmp_path / "b.m3u8").stderr


def test_an_empty_list_replaces_nothing_where_some_songs_are_gone(
    home: Path, run: Run, tmp_path: Path
) -> None:
    output = tmp_path / "best.csv"
    output.write_text("former")
    _halve(home)
    said = run("score", "--min-score", "1", "-o", output, code=1).stderr
    assert "left as it was" in said
    assert output.read_text() == "former"
    _bring_back(home, "music")
    run("score", "--min-score", "1", "-o", output)
    assert output.read_text() != "former", "it was asked to be empty"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_that_is_named_and_away_or_empty_replaces_no_list(
    home: Path, run: Run, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"night.{suffix}"
    run("score", home / "music", "-o", output)
    before = output.read_bytes()
    _take_away(home, "music")
    assert "left as it was" in run("score", home / "music", "-o", output, code=1).stderr
    (home / "music").mkdir()  # the mount point
    said = run("score", home / "music", "-o", output, code=1).stderr
    assert "no audio file is there" in said
    assert "left as it was" in said
    assert output.read_bytes() == before


def test_similar_songs_that_are_gone_replace_no_list(home: Path, run: Run, tmp_path: Path) -> None:
    music = home / "music"
    output = tmp_path / "near.m3u8"
    run("similar", music / "003.mp3", "-o", output)
    before = output.read_bytes()
    shutil.copytree(music, home / "music away")
    for song in music.iterdir():
        if song.name != "003.mp3":
            song.unlink()
    said = run("similar", music / "003.mp3", "-o", output, code=1).stderr
    assert f"none of the {N_SONGS - 1} songs of the library is there now" in said
    assert "left as it was" in said
    assert output.read_bytes() == before
    shutil.copy2(home / "music away" / "004.mp3", music)
    said = run("similar", music / "003.mp3", "-o", output).stderr
    assert f"{N_SONGS - 2} of {N_SONGS - 1} songs are not there now" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["score"],
        ["score", "--taste", "TASTE"],
        ["suggest", "--taste", "TASTE"],
        ["similar", "SONG"],
        ["explain", "SONG", "--taste", "TASTE"],
        ["evaluate", "--taste", "TASTE"],
    ],
    ids=" ".join,
)
def test_a_cache_that_is_gone_is_told_and_not_begun_anew(
    home: Path, run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    output = tmp_path / "night.html"
    output.write_text("former")
    option = {"explain": "--html", "evaluate": "--report"}.get(arguments[0], "-o")
    places = {"TASTE": home / "taste.npz", "SONG": home / "music" / "003.mp3"}
    _take_away(home, "cache")
    said = run(*(places.get(one, one) for one in arguments), option, output, code=1).stderr
    assert f"there is no cache at {home / 'cache'}: is the drive connected?" in said
    assert not (home / "cache").exists()
    assert output.read_text() == "former"


def test_a_taste_is_not_replaced_where_the_cache_or_the_songs_are_gone(
    home: Path, run: Run, tmp_path: Path
) -> None:
    likes = [option for n in range(0, 28, 4) for option in ("--like", home / f"music/{n:03}.mp3")]
    bad = tmp_path / "bad"
    bad.mkdir()
    shutil.copy2(home / "music" / "001.mp3", bad)
    output = tmp_path / "own.npz"
    run("train", *likes, "-o", output)
    before = output.read_bytes()

    def stays(*arguments: str | Path) -> str:
        said = run("train", *arguments, "-o", output, code=1).stderr
        assert output.read_bytes() == before
        return said

    assert "no disliked song is there now" in stays(*likes, "--dislike", tmp_path / "away")
    assert "no unlabelled song is there now" in stays(*likes, "--unlabelled", tmp_path / "away")
    _take_away(home, "music")
    assert f"{output} stays as it was" in stays(*likes)
    _bring_back(home, "music")
    _take_away(home, "cache")
    assert "there is no cache at" in stays(*likes, "--dislike", bad)
    assert not (home / "cache").exists()


@pytest.mark.long
def test_a_report_on_a_taste_needs_no_drive_and_stays_where_the_taste_is_gone(
    home: Path, run: Run, tmp_path: Path
) -> None:
    page = tmp_path / "taste.html"
    run("evaluate", "--report", page)
    before = page.read_bytes()
    _take_away(home, "music")
    run("evaluate", "--report", page)
    assert page.read_bytes() == before
    run("evaluate", "--taste", "nobody", "--report", page, code=1)
    assert page.read_bytes() == before


def test_a_song_that_is_gone_leaves_its_picture_and_page(
    home: Path, run: Run, tmp_path: Path
) -> None:
    png, page = tmp_path / "why.png", tmp_path / "why.html"
    for file in (png, page):
        file.write_text("former")
    song = home / "music" / "003.mp3"
    _take_away(home, "music")
    said = run("explain", song, "--png", png, "--html", page, code=1).stderr
    assert "there is no file" in said
    assert [file.read_text() for file in (png, page)] == ["former", "former"]


@pytest.fixture
def counts(home: Path) -> Callable[[], tuple[int, int]]:
    """Count the songs of the library, and those that have gone."""

    def counts() -> tuple[int, int]:
        taste = Taste.load(home / "taste.npz")
        return SongLibrary.of_taste(taste, home / "cache").files().n_gone()

    return counts


def test_a_song_that_was_moved_is_not_gone(
    home: Path, counts: Callable[[], tuple[int, int]], tmp_path: Path
) -> None:
    moved = tmp_path / "moved.mp3"
    known = Catalog(home / "cache").load()[str(home / "music" / "005.mp3")]
    shutil.copytree(home / "music", home / "music away")
    (home / "music" / "005.mp3").rename(moved)
    assert counts() == (N_SONGS, 1)
    Catalog(home / "cache").put([replace(known, path=str(moved))])
    assert counts() == (N_SONGS, 0)


def test_of_a_large_library_a_part_tells_whether_to_look_at_all(
    home: Path, counts: Callable[[], tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.library.library_files.LOOK_AT", 4)
    looked: list[bytes] = []

    def exists(path: bytes) -> bool:
        looked.append(path)
        return Path(os.fsdecode(path)).is_file()

    monkeypatch.setattr("classify.library.library_files.os.path.exists", exists)
    assert counts() == (N_SONGS, 0)
    assert len(set(looked)) in (4, 5)  # one song may have two files
    _take_away(home, "music")
    assert counts()[0] == N_SONGS
    assert counts()[1] >= N_SONGS - 1
    assert len(set(looked)) >= N_SONGS


@pytest.mark.parametrize(
    ("n_songs", "n_gone", "words"),
    [
        (7, 0, ""),
        (7, 7, "none of the 7 songs of the library is there now; is the drive connected?"),
        (10, 3, "3 of 10 songs are not there now"),
        (10, 1, "1 of 10 songs is not there now"),
        (1, 1, "the one song of the library is not there now; is the drive connected?"),
    ],
)
def test_what_is_gone_is_told_in_words(n_songs: int, n_gone: int, words: str) -> None:
    assert gone_words(n_songs, n_gone) == words
