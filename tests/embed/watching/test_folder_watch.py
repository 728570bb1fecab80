"""What comes into a folder is given when it is whole, whichever way it comes."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchfiles  # noqa: F401  a test has no files left to import it

from cache import Catalog
from embed import EmbedError, FolderWatch, embed_library
from embed.watching import folder_changes, standstill

STILL_S, MOST_S = 0.2, 60.0


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture(params=[None, 0.2], ids=["told", "polled"])
def watch(music: Path, request: pytest.FixtureRequest) -> Iterator[FolderWatch]:
    """A watch of a folder that was empty."""
    with FolderWatch(music, poll_s=request.param, still_s=STILL_S) as watch:
        new = watch.wait(MOST_S)
        assert new is not None
        assert new.found.files == ()
        yield watch


def given(watch: FolderWatch, wanted: set[Path]) -> set[Path]:
    """Wait until files are given, and return all that are until then."""
    found: set[Path] = set()
    while not wanted <= found:
        new = watch.wait(MOST_S)
        assert new is not None, f"{wanted - found} did not come"
        found |= set(map(Path, new.found.files))
    return found


def test_a_file_is_given_when_its_copying_ends_and_hidden_and_temporary_ones_never(
    music: Path, watch: FolderWatch
) -> None:
    kept = [".song.mp3.Xy12Za", "~syncthing~b.mp3.tmp", ".syncthing.b.mp3.tmp", "c.mp3.part"]
    kept += ["d.mp3.crdownload", "#recycle/e.mp3", ".hidden/f.mp3", "cover.jpg"]
    for name in kept:
        (music / name).parent.mkdir(exist_ok=True)
        (music / name).write_bytes(b"half")
    slow = music / "slow.mp3"
    with slow.open("wb") as file:
        for _ in range(3):
            file.write(b"piece")
            file.flush()
            assert watch.wait(STILL_S) is None
    assert given(watch, {slow}) == {slow}
    renamed = {music / "c.mp3", music / "song.mp3"}
    (music / "c.mp3.part").rename(music / "c.mp3")
    (music / kept[0]).rename(music / "song.mp3")
    assert given(watch, renamed) <= renamed | {slow}


def test_a_folder_that_is_moved_in_or_renamed_gives_its_songs(
    tmp_path: Path, music: Path, watch: FolderWatch
) -> None:
    album = tmp_path / "album" / "cd 1"
    album.mkdir(parents=True)
    for n in range(3):
        (album / f"{n}.mp3").write_bytes(b"song")
    (tmp_path / "album").rename(music / "album")
    given(watch, {music / f"album/cd 1/{n}.mp3" for n in range(3)})
    (music / "album").rename(music / "other album")
    given(watch, {music / f"other album/cd 1/{n}.mp3" for n in range(3)})


def test_songs_that_go_are_told_and_those_that_only_move_come_with_that(
    tmp_path: Path, music: Path, watch: FolderWatch
) -> None:
    song, other = music / "a.mp3", music / "b" / "a.mp3"
    song.write_bytes(b"song")
    given(watch, {song})
    other.parent.mkdir()
    song.rename(other)
    moved = watch.wait(MOST_S)
    while moved and not moved.found.files:  # told of once more
        moved = watch.wait(MOST_S)
    assert moved is not None
    assert set(moved.found.files) == {str(other)}
    other.parent.rename(tmp_path / "away")
    gone = watch.wait(MOST_S)
    assert gone is not None
    assert (gone.found.files, gone.have_gone) == ((), True)


def test_a_drive_that_comes_back_is_watched_again(
    music: Path, watch: FolderWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_changes, "_SAME_FOLDER_S", 0.0)
    away = music.with_name("away")
    music.rename(away)
    gone = watch.wait(0.5)
    assert gone is None or gone.have_gone
    (away / "meanwhile.mp3").write_bytes(b"song")
    away.rename(music)
    given(watch, {music / "meanwhile.mp3"})
    (music / "then.mp3").write_bytes(b"song")
    given(watch, {music / "then.mp3"})


def test_songs_have_the_path_under_which_their_folder_was_named(
    tmp_path: Path, music: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(music)
    with FolderWatch(link, still_s=STILL_S) as watch:
        watch.wait(MOST_S)
        (music / "a.mp3").write_bytes(b"song")
        assert given(watch, {link / "a.mp3"}) == {link / "a.mp3"}


def test_what_nothing_could_be_done_with_comes_again(
    music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standstill, "_DOUBTED_S", STILL_S)
    with FolderWatch(music, still_s=STILL_S) as watch:
        watch.wait(MOST_S)
        (music / "a.mp3").write_bytes(b"song")
        new = watch.wait(MOST_S)
        assert new is not None
        watch.again(new)
        assert given(watch, {music / "a.mp3"}) == {music / "a.mp3"}


def test_a_wait_ends_when_it_is_told_to(music: Path) -> None:
    stop = threading.Event()
    with FolderWatch(music, stop=stop) as watch:
        next(iter(watch))
        threading.Timer(0.1, stop.set).start()
        assert list(watch) == []


def test_half_a_file_that_fails_is_not_remembered_and_is_given_again(
    music: Path, heard: Path, tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    shutil.copytree(heard / "cache", root)
    song = music / "half.m4a"
    with FolderWatch(music, still_s=STILL_S) as watch:
        watch.wait(MOST_S)
        song.write_bytes(b"\0\0\0\x20ftypM4A and no more")
        new = watch.wait(MOST_S)
        assert new is not None
        assert new.unsure == {str(song)}
        report = embed_library(new.found, unsure=new.unsure, root=root)
        assert [failure.path for failure in report.failed] == [str(song)]
        accepted = watch.accept(new, report)
        assert (accepted.found, accepted.failed) == (0, ())
        assert Catalog(root).lookup([str(song)]) == {}
        shutil.copy(next((heard / "music").iterdir()), song)
        assert given(watch, {song}) == {song}


@pytest.mark.parametrize(
    ("folders", "poll_s", "words"),
    [
        ([], None, "no folder is named"),
        (["/no such folder"], None, "is no folder; only folders can be watched"),
        (["s3://bucket/music/"], None, "tells nothing of what changes; a timer"),
        ([""], None, "'' is no folder"),
        (["."], 0.0, "more than 0 s are needed"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    folders: list[str], poll_s: float | None, words: str
) -> None:
    with pytest.raises(EmbedError, match=words):
        FolderWatch(folders, poll_s=poll_s)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
def test_where_the_system_watches_no_more_the_remedy_is_told(music: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    watch = FolderWatch(music)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(EmbedError, match="the system does not watch these folders") as told:
            watch.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "--poll 60" in str(told.value)
    assert "fs.inotify.max_user_watches" in str(told.value)
