"""Results in words and rows for people, where the command prints them rather than JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classify.demo import DemoResult
    from classify.library import ScoredSong

__all__ = ["auc_sentence", "demo_story", "table_rows"]


def demo_story(result: DemoResult) -> str:
    """Tell what the demo did, and what to do next."""
    from classify.demo import DEMO_TASTE, is_liked
    from classify.output import render

    rows = [
        {
            "score": song.score,
            "verdict": song.verdict,
            "track": Path(song.path).stem,
            "in truth": "liked" if is_liked(song.path) else "not liked",
        }
        for song in result.songs
    ]
    likes = "".join(f"  {Path(path).stem}\n" for path in result.likes)
    return (
        "The music: 28 generated tracks of the package immich-memories-music, 15 acoustic, 13 electronic.\n"
        f"The listener likes {len(result.likes)} acoustic ones:\n{likes}"
        f"What Seven Songs makes of the {len(rows)} others, whose kind it was not told:\n\n"
        f"{render(rows, 'table')}\n"
        f"{result.n_right} of {len(rows)} on the right side; AUC {result.auc_unseen:.3f} "
        f"({result.wall_s:.0f} s, {result.embedded} embedded now). It is kept as the taste {DEMO_TASTE!r}.\n"
        "Now with your own music:\n"
        "  sevensongs embed ~/Music\n"
        "  sevensongs train --like SONG --like SONG ...   (about seven songs that you like)\n"
        "  sevensongs score --top 50\n"
    )


def table_rows(songs: tuple[ScoredSong, ...]) -> list[dict[str, Any]]:
    """Choose what a person wants to see of each song."""
    rows = []
    for rank, song in enumerate(songs, start=1):
        name = " - ".join(part for part in (song.artist, song.title) if part)
        rows.append({"rank": rank, "score": song.score, "verdict": song.verdict, "song": name or song.path})
    return rows


def auc_sentence(auc: float | None, ci90: tuple[float, float] | None, note: str) -> str:
    """Say how good a taste is, and what that figure means."""
    if auc is None or ci90 is None:
        return f"How good it is can't be told: {note}."
    low, high = ci90
    sentence = (
        f"On songs held out, a like ranks above another song in {auc:.0%} of pairs "
        f"(90% interval {low:.0%} to {high:.0%})"
    )
    return f"{sentence}; {note}." if note else f"{sentence}."
