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


def test_the_report_of_embed_has_what_was_passed_over(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    _touch(tmp_path / "music" / "@Recycle" / "b.mp3")
    report = embed_library(tmp_path / "music", root=tmp_path / "cache", encoder="musicnn")
    assert report.found == 0
    assert report.passed_over.folders == [str(tmp_path / "music" / "@Recycle")]
