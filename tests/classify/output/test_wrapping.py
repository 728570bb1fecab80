"""Sentences fit a terminal, and what is to be copied stays whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from classify.output.wrapping import wrapped


def test_no_command_is_broken() -> None:
    command = "'sevensongs label like \"music/a b.mp3\" --taste evening'"
    lines = wrapped(f"tell what you think of them: {command} or so, and go on", 40).split("\n")
    assert any(command in line for line in lines)
    assert all(len(line) <= 40 or command in line for line in lines)


def test_a_list_keeps_its_indentation() -> None:
    lines = wrapped("    0.42  a song with a name that is rather long", 30).split("\n")
    assert lines[0].startswith("    0.42")
    assert all(line.startswith("      ") for line in lines[1:])


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=("C", "Z")), min_size=1)))
def test_every_word_is_there_and_lines_fit(words: list[str]) -> None:
    lines = wrapped(" ".join(words), 40).split("\n")
    assert " ".join(line.strip() for line in lines).split() == words
    assert all(len(line) <= 40 or len(line.split()) == 1 or "'sevensongs" in line for line in lines)
