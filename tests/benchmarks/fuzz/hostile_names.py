"""Songs whose names and tags mean harm, in every format of output: made, and judged.

See README.md here.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
from pathlib import Path
from random import Random
from typing import Any

from classify.output.formats import FORMATS, render
from embed import find_audio

__all__ = ["judge_rows", "make_rows", "make_songs", "round_trip"]

Row = dict[str, Any]
_PIECES = (
    "=", "+", "-", "@", "\t", "\r", "\n", "\r\n", "\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\x7f",
    "\x85", "\u2028", "\0", "\u202e", "\ufeff", "\u200d", '"', "'", ",", ";", "|", "\\", "%0A",
    "#EXTM3U", "#EXTINF:1,x", "/etc/passwd", "http://example.invalid", "file:///etc/passwd",
    "=cmd|' /C calc'!A1", '=HYPERLINK("http://x")', ";=1+1", '";=1+1', "\uff1d1", "a", "é",
    "日本\u3000語", "🎵", "\udcff", "\udce9", " ", "  ", "-1", "x" * 300,
)  # fmt: skip
_FORMULA = re.compile(r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_SPOOFS = set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def _text(r: Random, n: int = 5) -> str:
    return "".join(r.choice(_PIECES) for _ in range(r.randint(0, n)))


def _name(r: Random) -> str:
    """Return what a file may be called: no slash, no NUL, 255 bytes at most."""
    plain = _text(r).replace("/", "_").replace("\0", "_")
    return os.fsdecode(os.fsencode(plain)[:200]) + r.choice([".mp3", ".mp3 ", ".ogg"])


def make_songs(r: Random, folder: Path) -> list[str]:
    """Make files of odd names; return their paths."""
    # Names are any bytes, so they are made as bytes: half a letter's may be cut off.
    paths = list(dict.fromkeys(os.path.join(folder, _name(r)) for _ in range(r.randint(1, 6))))
    for path in paths:
        with open(path, "wb") as file:
            file.write(b"x")
    return paths


def make_rows(r: Random, paths: list[str]) -> list[Row]:
    """Make rows as `score` has them."""
    return [
        {
            "path": path,
            "score": r.random(),
            "verdict": "like",
            "duration_s": r.choice([None, 61.4]),
            "artist": r.choice([None, _text(r)]),
            "title": r.choice([None, _text(r)]),
        }
        for path in paths
    ]


def round_trip(rows: list[Row], folder: Path) -> bool:
    """Whether the CSV and the playlist of rows agree.

    Read back, they must name the same files in the same order.
    """
    found = []
    for name in ("csv", "m3u8"):
        file = folder / f"songs.{name}"
        file.write_bytes(render(rows, name).encode("utf-8", "surrogateescape"))
        found.append(find_audio([file]))
    paths = tuple(row["path"] for row in rows)
    return all(one.files == paths and not one.failures for one in found)


def judge_rows(rows: list[Row]) -> None:
    """Look for what has broken out of its place.

    Raises
    ------
    AssertionError
        If a line, a directive, a control sequence or a formula has.
    """
    texts = {name: render(rows, name) for name in FORMATS}
    for name, text in texts.items():
        controls = {
            c for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or c in _SPOOFS
        }
        assert not controls, (name, controls)
        text.encode("utf-8")  # is text
    assert len(texts["table"].splitlines()) == len(rows) + 1
    assert json.loads(texts["json"]) == rows
    assert [json.loads(line) for line in texts["jsonl"].splitlines()] == rows
    _judge_playlist(texts["m3u8"], rows)
    _judge_csv(texts["csv"], rows)


def _judge_playlist(text: str, rows: list[Row]) -> None:
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U"
    assert len(lines) == 2 + 2 * len(rows)
    assert all(line.startswith("#EXTINF:") for line in lines[2::2])
    assert all(line.startswith(("/", "file:///")) for line in lines[3::2])


def _judge_csv(text: str, rows: list[Row]) -> None:
    assert len(text.splitlines()) == len(rows) + 1
    cells = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in cells} == {6}
    for separator in ",;\t":  # a spreadsheet may be set to another one than ours
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            formulas = [cell for cell in row if _FORMULA.match(cell)]
            assert not formulas, (separator, formulas)
