"""The table for a terminal: it fits, and names from strangers do no harm in it."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.output.terminal import TableSong, Terminal
from classify.output.terminal_table import cells, fitted, song_table

SONGS = [
    TableSong(
        name="Will Savino - Ocean", score=0.973, verdict="like", why=("jazz", "folk", "chillout")
    ),
    TableSong(
        name="久石譲 - となりのトトロ 風のとおり道", score=0.431, verdict="unsure", why=("ambient",)
    ),
    TableSong(
        name="/music/a folder of a name/other/song.mp3", is_path=True, score=0.02, verdict="dislike"
    ),
]
ANYTHING = st.text(max_size=80)
NAMES = st.builds(
    TableSong,
    name=ANYTHING
    | st.sampled_from(["\x1b[31mred", "a\nb", "\u202eevil", "👩\u200d👩\u200d👧", "e\u0301" * 50])
    | st.sampled_from(["a\u200db" * 50, "👩\u200d" * 50, "[red]x[/red] [link=x]y[/link]"]),
    is_path=st.booleans(),
    score=st.none() | st.floats(-1, 1),
    verdict=st.sampled_from(["", "like", "unsure", "dislike"]),
    why=st.lists(ANYTHING, max_size=3).map(tuple),
)


def shown(width: int, *, colour: bool = False, unicode: bool = True) -> list[str]:
    terminal = Terminal(width=width, colour=colour, unicode=unicode)
    return song_table(SONGS, terminal).splitlines()


@settings(max_examples=100, deadline=None)
@given(songs=st.lists(NAMES, max_size=4), width=st.integers(20, 130), unicode=st.booleans())
def test_no_line_is_wider_than_the_terminal_whatever_a_song_is_called(
    songs: list[TableSong], width: int, unicode: bool
) -> None:
    text = song_table(songs, Terminal(width=width, unicode=unicode))
    for line in text.splitlines():
        assert cells(line) <= width
        assert line == line.rstrip()
        assert not any(ord(character) < 32 or ord(character) == 127 for character in line)
    assert "\u202e" not in text
    numbers = re.findall(r"^ *(\d+) ", text + " ", re.MULTILINE)
    assert all(
        f"{rank}" in numbers or not songs[rank - 1].name.strip()
        for rank in range(1, len(songs) + 1)
    )


def test_a_wide_terminal_has_a_line_a_song_with_everything() -> None:
    first, second, third = shown(120)
    assert re.fullmatch(
        r"1  0\.97 ███████▊  like     Will Savino - Ocean +jazz, folk, chillout", first
    )
    assert "久石譲 - となりのトトロ 風のとおり道" in second
    assert cells(first[: first.index("jazz")]) == cells(second[: second.index("ambient")])
    assert third.endswith("/song.mp3")
    assert "0.02" in third


@pytest.mark.parametrize("width", [36, 42])
def test_a_narrow_one_has_two_lines_and_cuts_a_path_at_its_beginning(width: int) -> None:
    lines = shown(width)
    assert len(lines) == 6
    assert lines[0] == "1  Will Savino - Ocean"
    assert lines[1].startswith("   0.97 █")
    assert "like" in lines[1]
    assert lines[4].startswith("3  …")
    assert lines[4].endswith("other/song.mp3")


def test_a_sentence_is_told_whole() -> None:
    sentence = "a coin flip between one song of a long name and another"
    text = song_table([TableSong(name="x", score=0.5, why=(sentence,))], Terminal(width=40))
    assert " ".join(text.split()).endswith(sentence)
    assert len(text.splitlines()) > 2


def test_a_path_to_be_copied_is_never_cut() -> None:
    path = "/music/" + "a long name " * 20 + "\x1b[2J.mp3"
    text = song_table([TableSong(name="x", score=0.5, below=path)], Terminal(width=40))
    assert text.splitlines()[-1] == "   " + path.replace("\x1b", "\ufffd")


def test_bars_grow_with_the_score() -> None:
    lines = song_table(
        [TableSong(name="x", score=score) for score in (-0.5, 0.0, 0.25, 0.5, 0.999, 1.0)],
        Terminal(width=80),
    )
    lengths = [line.count("█") for line in lines.splitlines()]
    assert lengths == [0, 0, 2, 4, 8, 8]
    assert "-0.5 " in lines.splitlines()[0]


def test_markup_of_rich_in_a_title_is_only_text() -> None:
    title = "[bold red]loud[/bold red] [link=file:///etc]:bomb: [/]"
    for width in (120, 40):
        first = song_table([TableSong(name=title)], Terminal(width=width, colour=True))
        assert first.startswith(f"1  {title[:30]}")
        assert "\x1b" not in first


def test_joined_signs_stay_joined_and_are_counted_one_by_one() -> None:
    """Not all terminals join them, and a title of a hundred joiners must not wrap in any."""
    family = "👩\u200d👩\u200d👧"
    text = song_table([TableSong(name=family, verdict="like")], Terminal(width=80))
    assert text == f"1  like  {family}\n"
    assert cells(family) == 6
    (line,) = song_table([TableSong(name="a\u200db" * 99)], Terminal(width=40)).splitlines()
    assert len(line.replace("\u200d", "")) == 40


def test_a_row_that_lacks_a_score_is_aligned_with_the_others() -> None:
    first, second = song_table(
        [TableSong(name="x", score=0.5, verdict="like"), TableSong(name="y", verdict="like")],
        Terminal(width=80),
    ).splitlines()
    assert first.index("x") == second.index("y")


def test_long_tables_are_aligned_throughout_and_keep_every_song() -> None:
    songs = [TableSong(name=f"song {n}", score=0.5, verdict="like") for n in range(2500)]
    lines = song_table(songs, Terminal(width=80)).splitlines()
    assert [line.split("  ")[-1] for line in lines] == [song.name for song in songs]
    assert len({line.index("song") for line in lines}) == 1


def test_without_unicode_there_is_none_but_in_names() -> None:
    songs = [TableSong(name="a" * 200, score=0.5, verdict="like", why=("b" * 200,))]
    text = song_table(songs, Terminal(width=80, unicode=False))
    assert text.isascii()
    assert "####" in text
    assert "..." in text


def test_colour_is_only_paint() -> None:
    painted = shown(100, colour=True)
    assert "\x1b[" in painted[0]
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in painted] == shown(100)
    assert all(line.count("\x1b[0m") * 2 == line.count("\x1b[") for line in painted)


def test_cutting_counts_cells_and_not_letters() -> None:
    assert fitted("となりのトトロ", 7) == "となり…"
    assert cells(fitted("となりのトトロ", 6)) <= 6
    assert fitted("abcdef", 4, keep_end=True) == "…def"
    assert fitted("abc", 3) == "abc"
    assert fitted("abcdef", 0) == ""
    assert cells("e\u0301") == 1
    assert cells("🎵") == 2


def test_only_a_table_for_people_imports_rich() -> None:
    """It adds 30 ms to a start."""
    code = (
        "import sys\n"
        "from classify.cli.app import app\n"
        "from classify.cli.song_tables import labels_shown\n"
        "from classify.library.label_file import Label\n"
        "from classify.output.formats import render\n"
        "from classify.output.terminal import Terminal\n"
        "labels = [Label(digest='0' * 32, label='like', path='/x.mp3')]\n"
        "rows = [{'score': 0.5, 'path': '/x.mp3'}]\n"
        "[render(rows, name) for name in ('table', 'json', 'jsonl', 'csv', 'm3u8')]\n"
        "print(Terminal.of(sys.stdout), 'x.mp3' in labels_shown(labels, None))\n"
        "print('rich' in sys.modules)\n"
        "print('x.mp3' in labels_shown(labels, Terminal(width=80)), 'rich' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "True", "False", "True", "True"]


class _Stream(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "colour", "width"),
    [
        ({"TERM": "xterm", "COLUMNS": "77"}, True, 77),
        ({"TERM": "xterm", "COLUMNS": "3"}, True, 20),
        ({"TERM": "xterm", "COLUMNS": "9999"}, True, 160),
        ({"TERM": "dumb", "COLUMNS": "80"}, False, 80),
        ({"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "80"}, False, 80),
        # no-color.org: not when it is empty
        ({"TERM": "xterm", "NO_COLOR": "", "COLUMNS": "80"}, True, 80),
    ],
)
def test_a_terminal_is_what_the_environment_says(
    environment: Mapping[str, str], colour: bool, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = Terminal.of(_Stream())
    assert found == Terminal(width=width, colour=colour, unicode=True)
    assert Terminal.of(io.StringIO()) is None


def test_the_width_is_that_of_the_terminal_itself() -> None:
    """In a child on a pseudo-terminal of 61 columns."""
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 61, 0, 0))
    code = (
        "import sys; from classify.output.terminal import Terminal; print(Terminal.of(sys.stdout))"
    )
    environment = {
        key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")
    }
    subprocess.run(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=theirs,
        env=environment | {"TERM": "xterm"},
        check=True,
    )
    said = os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert b"width=61, colour=True" in said
