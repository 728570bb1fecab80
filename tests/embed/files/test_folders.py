"""What a search of folders takes, and what it passes over and tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from classify.output.passed_over import passed_over_words
from embed import PassedOver, embed_library, find_audio

_OF_SYSTEMS = ["#recycle", "$RECYCLE.BIN", "@Recycle", "lost+found", "System Volume Information"]
_OF_SYSTEMS += ["#snapshot", ".zfs", "@eaDir", "@EADIR"]


def _touch(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return str(path)


@pytest.mark.parametrize("name", _OF_SYSTEMS)
@pytest.mark.parametrize("under", ["", "Artist/Album"])
def test_bins_and_snapshots_are_passed_over_and_counted_unless_named(
    tmp_path: Path, name: str, under: str
) -> None:
    song = _touch(tmp_path / "a.mp3")
    deleted = _touch(tmp_path / under / name / "old" / "b.mp3")
    found = find_audio(tmp_path)
    assert found.files == (song,)
    assert found.passed_over.folders == [str(tmp_path / under / name)]
    assert find_audio(tmp_path / under / name).files == (deleted,)
    assert find_audio(tmp_path / under / name).passed_over == PassedOver()


def test_a_file_of_the_name_of_such_a_folder_is_a_file(tmp_path: Path) -> None:
    _touch(tmp_path / "#recycle")
    assert find_audio(tmp_path).passed_over.folders == []


def test_the_words_say_how_many_folders_of_systems_there_are() -> None:
    folders = ["/m/#recycle", "/m/a/@eaDir", "/m/b/@eaDir"]
    (words,) = passed_over_words(PassedOver(folders=folders))
    assert words == (
        "3 folders of the system were passed over (2 @eaDir, 1 #recycle); name one to have it "
        "searched"
    )
    assert passed_over_words(PassedOver()) == []


def test_the_report_of_embed_has_what_was_passed_over(tmp_path: Path, root: Path) -> None:
    (tmp_path / "music").mkdir()
    _touch(tmp_path / "music" / "@Recycle" / "b.mp3")
    report = embed_library(tmp_path / "music", root=root, encoder="musicnn")
    assert report.found == 0
    assert report.passed_over.folders == [str(tmp_path / "music" / "@Recycle")]


def test_all_kinds_that_are_read_are_found_in_folders(tmp_path: Path) -> None:
    read = [".mp2", ".mkv", ".m4p", ".m4r", ".m4v", ".mov", ".ec3", ".asf", ".3gp", ".spx", ".tak"]
    read += [".MP3", ".opus", ".wave", ".dts", ".dff", ".amr", ".flv", ".rm", ".avi"]
    songs = [_touch(tmp_path / f"a{suffix}") for suffix in read]
    found = find_audio(tmp_path)
    assert (sorted(found.files), found.passed_over) == (sorted(songs), PassedOver())


def test_files_of_other_kinds_are_counted_but_not_pictures_and_texts(tmp_path: Path) -> None:
    names = ["a.mid", "b.MID", "c.sid", "d", "e.a name, not a suffix"]
    names += ["cover.jpg", "notes.txt", ".hidden.mid", "rip.log"]
    for name in names:
        _touch(tmp_path / "Artist" / name)
    found = find_audio(tmp_path)
    assert (found.files, found.failures) == ((), ())
    assert found.passed_over.kinds == {".mid": 2, ".sid": 1, "": 2}


def test_a_transport_stream_is_found_and_typescript_is_passed_over(tmp_path: Path) -> None:
    stream = tmp_path / "concert.ts"
    stream.write_bytes((b"G" + bytes(187)) * 10)
    for name, content in {
        "app.ts": b"import x from 'y';\n" * 40,
        "gone.ts": b"",
        "G.ts": b"G",
    }.items():
        (tmp_path / name).write_bytes(content)
    found = find_audio(tmp_path)
    assert (found.files, found.passed_over.kinds) == ((str(stream),), {".ts": 3})


def test_the_words_say_how_many_files_of_which_kinds_there_are() -> None:
    few = PassedOver(kinds={".dts": 5, ".mid": 7})
    assert passed_over_words(few) == ["12 files of other kinds were passed over (7 .mid, 5 .dts)"]
    many = PassedOver(kinds={f".{n}": 1 for n in range(100)} | {"": 3})
    (words,) = passed_over_words(many)
    assert words.startswith("103 files of other kinds were passed over (3 of none, 1 .0, ")
    assert words.endswith(", 95 others)")
    one = PassedOver(kinds={".mid": 1})
    assert passed_over_words(one) == ["1 file of another kind was passed over (1 .mid)"]


def test_strange_suffixes_take_no_more_room_than_a_limit() -> None:
    passed_over = PassedOver()
    for n in range(5000):
        passed_over.add_file(f".{n}")
    assert len(passed_over.kinds) <= 1002
    assert sum(passed_over.kinds.values()) == 5000
