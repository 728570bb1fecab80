"""XSPF and PLS are written so that they are read back as the same songs."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from classify.output.formats import PLAYLIST_FORMATS, render
from classify.output.own_lists import PLS_MARK, is_own_list
from embed import find_audio

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names can't hold these elsewhere")
_NAMES = ["a b.mp3", "ü & <b>.mp3", "100%20.mp3", " out .mp3", "two\nlines.mp3", "#41?.mp3"]
_NAMES += ["caf\udce9.mp3", "]]>.mp3", "\x1b[31m.mp3", "\\.mp3", "File2=x.mp3"]


@pytest.mark.parametrize("format_", sorted(PLAYLIST_FORMATS))
def test_what_is_written_is_read_back_as_the_same_paths(tmp_path: Path, format_: str) -> None:
    songs = [str(tmp_path / name) for name in _NAMES]
    for song in songs:
        Path(song).write_bytes(b"x")
    rows = [
        {"path": song, "title": "A\nFile9=/x.mp3 <&>\x1b\ufffe", "artist": "B", "duration_s": 1.6}
        for song in songs
    ]
    text = render([*rows, {"path": "gone.mp3", "error": "x"}], format_)
    (tmp_path / f"x.{format_}").write_bytes(text.encode("utf-8"))
    found = find_audio(tmp_path / f"x.{format_}")
    assert (found.files, found.failures) == (tuple(songs), ())


@pytest.mark.parametrize("format_", [*sorted(PLAYLIST_FORMATS), "csv"])
def test_what_is_written_is_known_for_ours_whatever_stands_in_it(
    tmp_path: Path, format_: str
) -> None:
    row = {"path": "/a.mp3", "title": "A", "score": 0.5, "verdict": "unsure"}
    ours, theirs = (tmp_path / f"{name}.{format_}" for name in ("ours", "theirs"))
    ours.write_text(render([row], format_), "utf-8")
    assert is_own_list(ours)
    # a title that says the same is no mark, nor is a list that another program made
    row["title"] = PLS_MARK
    marked = {line for line in render([], format_).splitlines() if is_own_mark(line)}
    lines = [line for line in render([row], format_).splitlines() if line not in marked]
    theirs.write_text("\n".join(lines).replace("verdict", "stars"), "utf-8")
    assert not is_own_list(theirs)


def is_own_mark(line: str) -> bool:
    return line.lstrip().startswith(("#EXTSEVENSONGS", "X-SevenSongs", "<meta "))


def test_an_xspf_is_xml_with_tags_and_milliseconds() -> None:
    row = {"path": "/a b.mp3", "title": "<T>", "artist": "A & B", "album": "", "duration_s": 1.6}
    root = ET.fromstring(render([row], "xspf"))
    space = "{http://xspf.org/ns/0/}"
    (track,) = root.iter(f"{space}track")
    assert [(element.tag.removeprefix(space), element.text) for element in track] == [
        ("location", "file:///a%20b.mp3"),
        ("title", "<T>"),
        ("creator", "A & B"),
        ("duration", "1600"),
    ]


def test_a_pls_counts_its_songs_and_tells_their_names() -> None:
    text = render([{"path": "/a.mp3", "title": "T", "artist": "A", "duration_s": 1.6}], "pls")
    assert text.splitlines() == [
        "[playlist]",
        PLS_MARK,
        "File1=/a.mp3",
        "Title1=A - T",
        "Length1=2",
        "NumberOfEntries=1",
        "Version=2",
    ]


@pytest.mark.parametrize("format_", sorted(PLAYLIST_FORMATS))
def test_playlists_are_written_for_the_computer_of_a_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    song = tmp_path / "a b.mp3"
    song.write_bytes(b"x")
    monkeypatch.setenv("SEVENSONGS_MAP", f"C:\\Music={tmp_path}")
    text = render([{"path": str(song)}], format_)
    assert ("file:///C:/Music/a%20b.mp3" if format_ == "xspf" else r"C:\Music\a b.mp3") in text
    (tmp_path / f"x.{format_}").write_text(text)
    assert find_audio(tmp_path / f"x.{format_}").files == (str(song),)
