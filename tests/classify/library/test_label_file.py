"""A file of labels as spreadsheets and people save it."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from classify.errors import LabelError
from classify.library.label_file import read_labels

_SONG = "Ä, b; c.mp3"


def _read(folder: Path, content: bytes) -> list[tuple[str, str]]:
    (folder / "x.labels.csv").write_bytes(content)
    labels = read_labels(folder / "x.labels.csv")
    assert labels is not None
    return [(one.label, one.path) for one in labels]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_labels_that_a_spreadsheet_saved_are_read(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    marks = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
    rows = [["Label", " Path", "DIGEST"], ["Like", f'"{_SONG}"', ""], ["", "", ""]]
    rows += [["dislike ", "b.mp3", ""], [" ", "", " "]]
    text = "".join(delimiter.join(row) + "\r\n" for row in rows)
    content = marks.get(encoding, b"") + text.encode(encoding)
    expected = [("like", str(tmp_path / _SONG)), ("dislike", str(tmp_path / "b.mp3"))]
    assert _read(tmp_path, content) == expected


def test_a_row_that_says_something_else_than_a_label_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="line 2: the label is ''"):
        _read(tmp_path, b"label;path\n;a.mp3\n")
    with pytest.raises(LabelError, match="line 3: neither a path nor a digest"):
        _read(tmp_path, b"label;path\n;\nlike;\n")
    with pytest.raises(LabelError, match="begins with 'name', 'path'"):
        _read(tmp_path, b"Name;path\nlike;a.mp3\n")


def test_bytes_that_are_no_utf_16_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="is no UTF-16, as its first bytes say; save it as CSV"):
        _read(tmp_path, codecs.BOM_UTF16_LE + b"\x00\xd8a\x00")


def test_a_path_that_a_person_writes_is_the_one_that_the_cache_knows(tmp_path: Path) -> None:
    """`../music/a.mp3` was kept so, and no song of the cache has that path; nothing was said."""
    path = tmp_path / "tastes" / "default.labels.csv"
    path.parent.mkdir()
    path.write_text("label,path,digest\nlike,../music//a.mp3,\nlike,s3://bucket/b.mp3,\n")
    songs = [one.path for one in read_labels(path) or ()]
    assert songs == [str(tmp_path / "music" / "a.mp3"), "s3://bucket/b.mp3"]
