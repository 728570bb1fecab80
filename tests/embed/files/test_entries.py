"""Names in lists as other programs write them: the file that they mean is found."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from embed import find_audio
from embed.files import entries

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names differ in case there only")


def _touch(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return [str(folder / name) for name in names]


def _listed(folder: Path, *lines: str) -> list[str]:
    (folder / "list.m3u8").write_text("\n".join(lines) + "\n", "utf-8")
    found = find_audio(folder / "list.m3u8")
    assert [failure.error for failure in found.failures] == ["does not exist"] * (
        len(lines) - len(found.files)
    )
    return list(found.files)


def test_vlc_writes_relative_paths_percent_encoded(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "Artist One/01 Fürst.opus")
    (tmp_path / "lists").mkdir()
    assert _listed(tmp_path / "lists", "../Artist%20One/01%20F%C3%BCrst.opus") == [song]


def test_a_name_with_percent_signs_that_is_there_is_meant_as_written(tmp_path: Path) -> None:
    written, _ = _touch(tmp_path, "a%20b.mp3", "a b.mp3")
    assert _listed(tmp_path, "a%20b.mp3") == [written]


def test_a_file_url_with_one_slash_is_a_path(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "a b.mp3")
    assert _listed(tmp_path, "file:" + Path(song).as_uri()[7:]) == [song]
    assert _listed(tmp_path, f"FILE:{song}") == [song]


@pytest.mark.parametrize(("written", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_another_unicode_form_are_the_same_names(
    tmp_path: Path, written: str, there: str
) -> None:
    name = "Björk/Jóga für Elise é.mp3"
    form = {form: unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    (song,) = _touch(tmp_path, form[there])
    assert _listed(tmp_path, form[written]) == [song]
    assert _listed(tmp_path, Path(tmp_path / form[written]).as_uri()) == [song]


def test_another_case_of_letters_is_found_in_folders_and_names(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "Artist/ALBUM/Straße Ä.MP3")
    assert _listed(tmp_path, "artist/Album/strasse ä.mp3") == [song]
    assert _listed(tmp_path, "..\\" + tmp_path.name + "\\ARTIST\\album\\STRASSE%20Ä.mp3") == [song]


def test_of_two_files_that_differ_in_case_the_one_as_written_or_none_is_taken(
    tmp_path: Path,
) -> None:
    upper, _ = _touch(tmp_path, "SONG.mp3", "song.mp3")
    assert _listed(tmp_path, "SONG.mp3") == [upper]
    assert _listed(tmp_path, "Song.mp3") == []


def test_a_line_with_the_name_of_a_file_is_no_comment(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "#41.opus")
    _touch(tmp_path, "#EXTINF:1,a")
    assert _listed(tmp_path, "#41.opus") == [song]
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,a\n#41.mp3\n#41.opus\n")
    found = find_audio(tmp_path / "list.m3u8")
    assert (found.files, found.failures) == ((song,), ())


def test_a_spelling_is_not_found_where_the_file_is_a_folder_a_list_or_a_fifo(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "Fifo.mp3")
    (tmp_path / "Folder.mp3").mkdir()
    _touch(tmp_path, "Inner.m3u")
    (tmp_path / "x.m3u").write_text("fifo.mp3\nfolder.mp3\ninner.m3u\n")
    found = find_audio(tmp_path / "x.m3u")
    assert found.files == ()
    assert [failure.error.split(";")[0] for failure in found.failures] == [
        "is not a regular file (a FIFO, a device or a socket)",
        "is a folder",
        "is a list",
    ]


def test_a_list_has_us_search_no_more_names_than_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, *(f"{n}.MP3" for n in range(20)))
    monkeypatch.setattr(entries, "_MAX_NAMES", 10_000)
    assert len(_listed(tmp_path, "1.mp3", "2.mp3")) == 2
    monkeypatch.setattr(entries, "_MAX_NAMES", 10)
    assert _listed(tmp_path, "1.mp3", "2.mp3") == []


def test_a_file_url_with_bytes_that_are_no_text_is_a_path(tmp_path: Path) -> None:
    song = os.fsencode(tmp_path) + b"/caf\xe9.mp3"
    with open(song, "wb") as file:
        file.write(b"x")
    (tmp_path / "x.m3u").write_bytes(b"file://" + song + b"\n")
    assert find_audio(tmp_path / "x.m3u").files == (os.fsdecode(song),)
