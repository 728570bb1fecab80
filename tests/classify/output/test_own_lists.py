"""Lists that we made are known as such, also after another program has saved them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from classify.output.formats import render
from classify.output.own_lists import is_own_list

_ROWS = [{"path": "/m/ä.mp3", "score": 0.9, "verdict": "like", "title": "Ä", "artist": "Ann"}]
_SAVED: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "with a mark of the encoding": lambda text: text.encode("utf-8-sig"),
    "in UTF-16": lambda text: text.encode("utf-16"),
    "with other line ends": lambda text: text.replace("\r", "").replace("\n", "\r").encode(),
    "with empty lines first": lambda text: f"\n\r\n{text}".encode(),
}
_TABLES: dict[str, Callable[[str], bytes]] = {
    "with Excel's first line": lambda text: f"sep=,\r\n{text}".encode(),
    "with Excel's first line in quotes": lambda text: f'"sep=;"\n{text.replace(",", ";")}'.encode(),
    "with tabs": lambda text: text.replace(",", "\t").encode(),
    "with capitals": lambda text: text.replace("path", "Path").replace("score", "SCORE").encode(),
    "with an empty row first": lambda text: f",,,\n{text}".encode(),
}


@pytest.mark.parametrize("kind", ["csv", "m3u8", "pls", "xspf"])
@pytest.mark.parametrize("how", _SAVED)
def test_a_list_of_ours_is_known_however_it_was_saved(tmp_path: Path, kind: str, how: str) -> None:
    """In UTF-16, and a table with a mark of the encoding, they counted as likes."""
    path = tmp_path / f"a.{kind}"
    path.write_bytes(_SAVED[how](render(_ROWS, kind)))
    assert is_own_list(path)


@pytest.mark.parametrize("how", _TABLES)
def test_a_table_of_scores_is_known_however_a_spreadsheet_saved_it(
    tmp_path: Path, how: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(_TABLES[how](render(_ROWS, "csv")))
    assert is_own_list(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"path,score\n/a.mp3,5\n"),
        ("a.csv", b"sep=,\n"),
        ("a.csv", b"artist,title\npath,score,verdict\n"),
        ("a.m3u8", b"/path/score/verdict.mp3\n"),
        ("a.m3u8", b"# a word on #EXTSEVENSONGS:\n/a.mp3\n"),
        ("a.m3u8", b"\xff\xfe\x00\xd8"),
        ("a.m3u8", b""),
    ],
)
def test_any_other_list_is_the_listeners_own(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert not is_own_list(path)
