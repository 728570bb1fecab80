r"""Lists of other computers: told as such, and read with a map of where their folders are here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embed import EmbedError, find_audio, mapped_there, parse_map

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these are paths of this computer there")
_LINES = [
    r"C:\Users\me\Music\Artist\a b.mp3",
    "c:/users/ME/music/Artist/a b.mp3",
    "file://localhost/C:/Users/me/Music/Artist/a%20b.mp3",
    "file:///C:/Users/me/Music/Artist/a%20b.mp3",
    r"C:\Users\me\Music\ARTIST\A B.MP3",
]


@pytest.fixture
def song(tmp_path: Path) -> str:
    path = tmp_path / "music" / "Artist" / "a b.mp3"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    return str(path)


def _list(folder: Path, line: str) -> Path:
    (folder / "list.m3u8").write_text(line + "\n", "utf-8")
    return folder / "list.m3u8"


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        (r"C:\Users\me\Music\Artist\a.mp3", r"C:\Users\me\Music"),
        (r"\\NAS\music\a\b.mp3", r"\\NAS\music"),
        ("file://localhost/D:/Tracks/a.mp3", "D:/Tracks"),
        ("/Volumes/Disk No. 7/a/b.mp3", "/Volumes/Disk No. 7/a"),
    ],
)
def test_a_path_of_another_computer_is_told_as_such(tmp_path: Path, line: str, folder: str) -> None:
    (failure,) = find_audio(_list(tmp_path, line)).failures
    assert failure.error == (
        f"is a path of another computer: --map '{folder}=/mnt/music' tells where it is here"
    )
    assert str(tmp_path) not in failure.path


@pytest.mark.parametrize("line", _LINES)
def test_a_map_tells_where_another_computers_folder_is(
    tmp_path: Path, song: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_MAP", f"C:\\Users\\me\\Music\\={tmp_path}/music")
    found = find_audio(_list(tmp_path, line))
    assert (found.files, found.failures) == ((song,), ())


@pytest.mark.parametrize("line", [r"\\nas\Music\Artist\a b.mp3", "file://NAS/music/Artist/a b.mp3"])
def test_a_map_tells_where_a_server_is(
    tmp_path: Path, song: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_MAP", f"X:\\=/x\n\\\\NAS\\music={tmp_path}/music")
    assert find_audio(_list(tmp_path, line)).files == (song,)


def test_a_map_is_of_whole_folders(
    tmp_path: Path, song: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_MAP", f"C:\\Mus={tmp_path}/mus")
    assert find_audio(_list(tmp_path, r"C:\Music\Artist\a b.mp3")).files == ()


def test_a_path_that_is_written_for_the_other_computer_is_read_back(
    tmp_path: Path, song: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from classify.output.formats import render

    monkeypatch.setenv("SEVENSONGS_MAP", f"C:\\Music={tmp_path}/music")
    text = render([{"path": song}, {"path": "/elsewhere/b.mp3"}], "m3u8")
    assert [line for line in text.splitlines() if line[0] != "#"] == [
        r"C:\Music\Artist\a b.mp3",
        "/elsewhere/b.mp3",
    ]
    (tmp_path / "out.m3u8").write_text(text, "utf-8")
    assert find_audio(tmp_path / "out.m3u8").files == (song,)
    assert mapped_there("/m/a.mp3", [("/Volumes/x/", "/m")]) == "/Volumes/x/a.mp3"


@pytest.mark.parametrize("text", ["", "C:\\Music", "=/mnt", "C:\\Music=mnt", "C:\\Music="])
def test_what_is_no_map_is_refused_in_words(text: str) -> None:
    with pytest.raises(EmbedError, match="is no FROM=TO: a folder of another computer"):
        parse_map(text)
