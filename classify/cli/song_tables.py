"""What `score`, `similar`, `suggest` and `label list` show.

It is a terminal's table, or a plain one elsewhere.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache import CacheError
from classify.output.formats import render
from classify.output.terminal import TableSong, Terminal
from classify.output.verdict_words import group_heading, verdict_word
from embed import EmbedError

if TYPE_CHECKING:
    from classify.labels.suggesting import SuggestedSong
    from classify.library.label_file import Label
    from classify.library.similar_songs import SimilarSong
    from classify.scoring.scores import Scores

__all__ = ["labels_shown", "scores_shown", "similar_shown", "suggestions_shown", "terminal"]


def terminal() -> Terminal | None:
    """Describe what stdout leads to; None where it is no terminal."""
    return Terminal.of(sys.stdout)


def scores_shown(scores: Scores, to: Terminal | None) -> str:
    """Show songs with a bar, a verdict and three words why; likely, unsure and unlikely ones apart.

    Where it is no terminal, each is a plain row with its verdict.
    """
    if to is None:
        columns = (
            {"score": song.score, "verdict": verdict_word(song.verdict), "song": _name(song)}
            for song in scores.songs
        )
        return render(_ranked(columns), "table")
    words = _words(scores)
    listed = Counter(song.verdict for song in scores.songs)
    return _table(
        [
            TableSong(
                name=_name(song),
                is_path=_is_path(song),
                score=song.score,
                verdict=verdict_word(song.verdict),
                group=group_heading(song.verdict, listed[song.verdict]),
                why=why,
            )
            for song, why in zip(scores.songs, words, strict=True)
        ],
        to,
    )


def _words(scores: Scores) -> list[tuple[str, ...]]:
    from classify.explanation.tag_words import (
        words_for,  # costs what a table that is not for people need not pay
    )

    try:
        return words_for(
            [song.path for song in scores.songs],
            [song.verdict for song in scores.songs],
            scores.taste,
        )
    except (CacheError, EmbedError):  # a table without reasons is better than none
        return [()] * len(scores.songs)


def similar_shown(songs: Iterable[SimilarSong], to: Terminal | None) -> str:
    """Show songs with how near they are."""
    if to is None:
        columns = (
            {"similarity": song.similarity, "song": _name(song), "copies": len(song.copies)}
            for song in songs
        )
        return render(_ranked(columns), "table")
    return _table(
        [
            TableSong(
                name=_name(song),
                is_path=_is_path(song),
                score=song.similarity,
                why=_n_copies(len(song.copies)),
            )
            for song in songs
        ],
        to,
    )


def _n_copies(n: int) -> tuple[str, ...]:
    return (f"{n} cop{'y' if n == 1 else 'ies'}",) if n else ()


def suggestions_shown(songs: Iterable[SuggestedSong], to: Terminal | None) -> str:
    """Show songs with why their labels would teach."""
    if to is None:
        columns = ({"score": song.score, "why": song.why, "path": song.path} for song in songs)
        return render(_ranked(columns), "table")
    return _table(
        [
            TableSong(
                name=Path(song.path).name if _is_path(song) else _name(song),
                score=song.score,
                why=(song.why,),
                below=song.path,  # for `sevensongs label like PATH`
            )
            for song in songs
        ],
        to,
    )


def labels_shown(labels: Iterable[Label], to: Terminal | None) -> str:
    """Show labelled songs."""
    if to is None:
        return render(
            [{"label": one.label, "song": one.path or one.digest} for one in labels], "table"
        )
    songs = [
        TableSong(name=one.path or one.digest, is_path=True, verdict=one.label) for one in labels
    ]
    return _table(songs, to)


def _table(songs: list[TableSong], to: Terminal) -> str:
    from classify.output.terminal_table import song_table  # rich, which only this needs

    return song_table(songs, to)


def _ranked(columns: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"rank": rank} | row for rank, row in enumerate(columns, start=1)]


def _name(song: Any) -> str:
    return " - ".join(part for part in (song.artist, song.title) if part) or str(song.path)


def _is_path(song: Any) -> bool:
    return not (song.artist or song.title)
