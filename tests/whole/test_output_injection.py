"""Titles and file names come from strangers: in no output may one be more than a name."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classify.output.formats import printable, render, to_json

_FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names of files can't hold these there")


def hostile() -> ModuleType:
    return import_module("fuzz.hostile_names")


@_FUZZ
@given(r=st.randoms(use_true_random=False))
def test_no_name_breaks_out_and_every_path_is_read_back(tmp_path: Path, r: Random) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        rows = hostile().make_rows(r, hostile().make_songs(r, Path(folder)))
        hostile().judge_rows(rows)
        assert hostile().round_trip(rows, tmp_path)


@_FUZZ
@given(
    title=st.text(),
    # as a disk can hold them; names that are no UTF-8 have tests of their own
    name=st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1),
)
def test_any_text_stays_in_its_place(title: str, name: str) -> None:
    song = {"score": 0.5, "verdict": "like", "duration_s": 3.0, "artist": None, "title": title}
    hostile().judge_rows([{"path": f"/m/{name}"} | song])


def test_a_path_that_a_line_can_not_hold_is_a_url(tmp_path: Path) -> None:
    rows = [{"path": "/m/two\nlines.mp3", "score": 0.5}, {"path": "/m/caf\udce9.mp3", "score": 0.5}]
    playlist = render(rows, "m3u8").splitlines()
    assert playlist[3::2] == ["file:///m/two%0Alines.mp3", "file:///m/caf%E9.mp3"]
    assert render(rows, "csv").splitlines()[1] == '"file:///m/two%0Alines.mp3",0.5'


def test_titles_of_other_scripts_stay_as_they_are() -> None:
    for title in ("日本語", "می‌خواهم", "👩‍👩‍👧", "naïve"):
        assert printable(title) == title
        assert json.loads(to_json(title)) == title
    assert printable("日本\u3000語\u00a0!") == "日本 語 !"
    rows = [{"path": "/m/日本\u3000語.mp3", "title": "日本"}]
    assert "/m/日本\u3000語.mp3" in render(rows, "m3u8")


@pytest.mark.parametrize(
    "title",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r\n=1",
        " =1",
        "\uff1d1+1",
        'x";=1+1;"',
        "x; =1",
        "x;\t@a",
    ],
)
def test_no_spreadsheet_calculates_a_title(title: str) -> None:
    text = render([{"path": "/m/a.mp3", "title": title}], "csv")
    for separator in ",;":
        cells = list(csv.reader(io.StringIO(text), delimiter=separator))[1]
        assert not any(
            cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")) for cell in cells
        ), cells


def test_a_quote_behind_a_semicolon_does_not_swallow_the_next_row() -> None:
    rows = [{"path": "/m/a.mp3", "title": 'x";'}, {"path": '/m/";=1+1.mp3', "title": "y"}]
    cells = [
        cell for row in csv.reader(io.StringIO(render(rows, "csv")), delimiter=";") for cell in row
    ]
    assert not any(cell.startswith("=") for cell in cells), cells


def test_a_number_below_zero_stays_a_number() -> None:
    assert (
        render([{"path": "/m/a.mp3", "similarity": -0.25}], "csv").splitlines()[1]
        == '"/m/a.mp3",-0.25'
    )


def test_json_writes_what_terminals_obey_as_escapes() -> None:
    text = to_json({"title": "a\x1b[2J\x9b31m\x7f\u202eb\u2028c"})
    assert text.isascii()
    assert json.loads(text) == {"title": "a\x1b[2J\x9b31m\x7f\u202eb\u2028c"}
