"""What a notebook sees of songs."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, fields
from html import unescape
from pathlib import Path
from typing import ClassVar

import pytest

import classify
from classify.output.song_results import SongResults


@dataclass(frozen=True, kw_only=True)
class Row:
    path: str
    score: float
    artist: str | None
    title: str | None
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, repr=False)
class Rows(SongResults[Row]):
    song_type: ClassVar[type] = Row
    songs: tuple[Row, ...]


def rows(n: int, artist: str | None = "Nina", title: str | None = "Sinner") -> Rows:
    songs = (Row(path=f"/music/{i}.mp3", score=i / 8, artist=artist, title=title) for i in range(n))
    return Rows(songs=tuple(songs))


def test_songs_are_counted_iterated_and_picked() -> None:
    found = rows(3)
    assert len(found) == 3
    assert list(found) == list(found.songs)
    assert found[0] is found.songs[0]
    assert found[-2:] == found.songs[-2:]
    assert bool(found)
    assert not rows(0)


def test_the_repr_is_one_short_line() -> None:
    assert repr(rows(3)) == "<Rows: 3 songs, the first Nina - Sinner>"
    assert repr(rows(1, artist=None, title=None)) == "<Rows: 1 song, the first 0.mp3>"
    assert repr(rows(0)) == "<Rows: 0 songs>"
    assert "\x1b" not in repr(rows(1, title="\x1b[2J\nforged"))
    assert "\n" not in repr(rows(1, title="\x1b[2J\nforged"))


def test_a_notebook_shows_an_escaped_table() -> None:
    html = rows(1, title="<script>alert(1)</script>", artist='"&')._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert '"&' in unescape(html)
    assert '"' not in re.sub("<[^>]*>", "", html)
    for name in ("path", "score", "artist", "title", "copies"):
        assert f">{name}</th>" in html


def test_a_notebook_shows_the_first_twenty() -> None:
    html = rows(25)._repr_html_()
    assert html.count("<tr>") == 21
    assert "and 5 more" in html
    assert "more" not in rows(20)._repr_html_()


def test_to_pandas_is_a_table_of_the_fields() -> None:
    pytest.importorskip("pandas")
    table = rows(3).to_pandas()
    assert list(table.columns) == [field.name for field in fields(Row)]
    assert table["score"].tolist() == [0, 1 / 8, 2 / 8]
    empty = rows(0).to_pandas()
    assert (list(empty.columns), len(empty)) == (list(table.columns), 0)


def test_to_pandas_without_pandas_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="'pip install pandas' adds it"):
        rows(1).to_pandas()


def test_the_rows_of_every_result_tell_album_label_and_digest(heard: Path, tmp_path: Path) -> None:
    root, music = tmp_path / "cache", heard / "music"
    shutil.copytree(heard / "cache", root)
    likes = sorted(music.glob("*acoustic*"))
    taste = classify.train(likes, root=root).taste
    labels = dict.fromkeys(taste.likes, "like")
    scores = classify.score(root=root, labelled=True)
    near = classify.similar(likes[0], root=root)
    next_songs = classify.suggest(root=root)
    for found in (scores, near, next_songs):
        assert len(found) > 0
        assert type(found).__name__ in repr(found)
        for song in found:
            assert song.label == labels.get(song.digest)
            assert len(song.digest) == 32
            assert song.album == scores[0].album
    assert {song.digest for song in scores} >= set(labels)
    assert {song.label for song in scores} == {"like", None}
    assert "like" in {song.label for song in near}
    without = classify.similar(likes[0], taste="nobody", root=root)
    assert {song.label for song in without} == {None}
