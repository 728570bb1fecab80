"""Rows as text: nothing in a song's name may break out of its cell, its line or the terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from classify.errors import ClassifyError
from classify.output.formats import FORMATS, counted, printable, render, write_text
from classify.output.own_lists import M3U_MARK

ROWS: list[dict[str, Any]] = [
    {
        "path": "/m/a.mp3",
        "score": 0.9,
        "artist": "=cmd()",
        "title": 'Say "no", twice',
        "duration_s": 61.4,
    },
    {
        "path": "/m/b\x1b[31m.mp3",
        "score": 0.5,
        "artist": None,
        "title": "two\nlines",
        "duration_s": None,
    },
    {"path": "/m/c.mp3", "error": "holds no audio"},
]


def test_json_and_jsonl_round_trip() -> None:
    assert json.loads(render(ROWS, "json")) == ROWS
    assert [json.loads(line) for line in render(ROWS, "jsonl").splitlines()] == ROWS


def test_json_is_valid_utf8_for_names_that_are_not() -> None:
    text = render([{"path": "/m/caf\udce9.mp3"}], "json")
    assert json.loads(text.encode("utf-8")) == [{"path": "/m/caf\udce9.mp3"}]


def test_csv_quotes_and_defuses_formulas() -> None:
    read = list(csv.DictReader(io.StringIO(render(ROWS, "csv"), newline="")))
    assert read[0]["artist"] == "'=cmd()"
    assert read[0]["title"] == 'Say "no", twice'
    assert read[1]["title"] == "two lines"
    assert read[2] == dict.fromkeys(("score", "artist", "title", "duration_s"), "") | {
        "path": "/m/c.mp3",
        "error": "holds no audio",
    }


def test_a_playlist_has_one_line_for_each_song_whatever_its_title() -> None:
    lines = render(ROWS, "m3u8").splitlines()
    assert lines[:2] == ["#EXTM3U", M3U_MARK]
    assert lines[2] == '#EXTINF:61,=cmd() - Say "no", twice'
    assert lines[4] == "#EXTINF:-1,two lines"
    assert [line for line in lines if not line.startswith("#")] == [
        "/m/a.mp3",
        "file:///m/b%1B%5B31m.mp3",
    ]


def test_a_table_lines_up_and_keeps_escapes_from_the_terminal() -> None:
    text = render(
        [{"rank": 1, "score": 0.5, "song": "a\x1b[31m"}, {"rank": 10, "score": 1.0, "song": "bb"}],
        "table",
    )
    assert text.splitlines() == ["rank  score  song", "   1  0.500  a�[31m", "  10  1.000  bb"]


def test_no_rows_are_no_error() -> None:
    for format_ in FORMATS:
        assert isinstance(render([], format_), str)
    assert render([], "table") == "", "not even an empty line"


@pytest.mark.parametrize(("n", "words"), [(0, "0 dislikes"), (1, "1 dislike"), (2, "2 dislikes")])
def test_one_is_singular(n: int, words: str) -> None:
    assert counted(n, "dislike") == words


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ClassifyError, match="'xml'; there are table, json"):
        render([], "xml")


def test_writing_replaces_all_or_nothing(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    write_text(file, "one\n")
    write_text(file, "two \udce9\n")
    assert file.read_bytes() == b"two \xe9\n"
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(ClassifyError, match="can't be written"):
        write_text(tmp_path / "missing" / "out.csv", "x")


def test_a_link_stays_and_a_device_is_written_into(tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600
    write_text("/dev/null", "nothing")
    assert Path("/dev/null").is_char_device()


def test_names_cannot_command_the_terminal() -> None:
    assert printable("a\x1b[31m\nb") == "a�[31m�b"
