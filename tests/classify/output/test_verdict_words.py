"""People read likely, unsure and unlikely; programs read values that stay."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import classify
from classify.output.terminal import TableSong, Terminal
from classify.output.terminal_table import song_table
from classify.output.verdict_words import VERDICT_WORDS, group_heading, verdict_word
from classify.taste.taste import Verdict

PACKAGE = Path(classify.__file__).parent


def test_every_verdict_has_a_word_and_none_of_them_is_a_label() -> None:
    assert tuple(VERDICT_WORDS) == get_args(Verdict)
    assert not {"like", "dislike"} & set(VERDICT_WORDS.values())


def test_the_page_and_the_document_have_the_same_table() -> None:
    script = (PACKAGE / "web" / "page" / "base" / "words.js").read_text("utf-8")
    table = re.search(r"const VERDICTS = \{(.*?)\}", script)
    assert table is not None
    pairs = dict(re.findall(r'(\w+): "(\w+)"', table[1]))
    assert pairs == {value: word.capitalize() for value, word in VERDICT_WORDS.items()}
    document = (PACKAGE / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", document, re.MULTILINE))
    assert {value: rows[value] for value in VERDICT_WORDS} == VERDICT_WORDS


def test_likely_unsure_and_unlikely_songs_stand_apart_in_a_terminal() -> None:
    verdicts = ["like"] * 2 + ["unsure"] + ["dislike"] * 3
    songs = [
        TableSong(
            name=f"song {i}",
            score=0.5,
            verdict=verdict_word(one),
            group=group_heading(one, verdicts.count(one)),
        )
        for i, one in enumerate(verdicts)
    ]
    for width in (120, 30):
        lines = song_table(songs, Terminal(width=width)).splitlines()
        headings = [line for line in lines if line and not line[0].isspace() and ":" in line]
        assert headings == ["Likely: 2 songs", "Unsure: 1 song", "Unlikely: 3 songs"]
        assert lines.count("") == 2
        assert any(line.startswith("6") for line in lines), "ranks go on over the groups"
    assert "song" not in song_table(songs[:0], Terminal(width=80))
