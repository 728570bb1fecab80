"""`suggest --ask`: one song after the other, and what the listener says of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from classify.cli.console import EXIT_FAILED, say

if TYPE_CHECKING:
    from classify.labels.suggesting import SuggestedSong

__all__ = ["ask_for_labels", "require_terminal"]

_LABELS = {"l": "like", "d": "dislike"}


def require_terminal() -> None:
    """Refuse to ask where nobody can answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        say("--ask needs a terminal; without it, suggest lists songs for 'sevensongs label'")
        raise typer.Exit(EXIT_FAILED)


def ask_for_labels(songs: Sequence[SuggestedSong], taste: str) -> None:
    """Ask of each song; each answer is learnt before the next question.

    `l` likes, `d` dislikes, `s` skips, `q` ends; so does the end of the input.
    """
    from classify.output.formats import counted, printable

    n_given = 0
    for place, song in enumerate(songs, start=1):
        name = " - ".join(part for part in (song.artist, song.title) if part)
        say(f"{place} of {len(songs)}: {name or song.path}")
        say(f"  {song.score:.2f}: {song.why}")
        if name:
            say(f"  {printable(song.path)}")
        answer = _answer()
        if answer == "q":
            break
        if answer in _LABELS:
            _learn(_LABELS[answer], song, taste)
            n_given += 1
    say(f"{counted(n_given, 'song')} labelled; 'sevensongs score' lists your finds")


def _answer() -> str:
    while True:
        typer.echo("[l]ike, [d]islike, [s]kip, [q]uit? ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            return "q"
        answer = line.strip().lower()[:1]
        if answer in ("l", "d", "s", "q"):
            return answer


def _learn(value: str, song: SuggestedSong, taste: str) -> None:
    from classify.labels.labelling import label
    from classify.output.formats import counted

    done = label(value, [song.path], taste=taste)
    likely = done.n_changed.get("like", 0)
    if done.note:
        say(done.note)
    elif likely:
        say(f"{counted(likely, 'song')} became likely")
