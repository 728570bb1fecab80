"""The command `suggest`: which songs to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from classify.cli_options import AsJson, TasteOption
from classify.console import print_text, reports_errors, say

__all__ = ["suggest"]


@reports_errors
def suggest(
    top: Annotated[int, typer.Option("--top", min=1, help="At most so many songs.")] = 5,
    taste: TasteOption = "default",
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv", "m3u8"] | None,
        typer.Option("--format", help="How to print the songs; default: by the suffix of -o, else a table."),
    ] = None,
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout."),
    ] = None,
) -> None:
    """Name the songs from whose labels the taste would learn most, and say why.

    Example: sevensongs suggest --top 5
    """
    from classify.memory import keep_freed_memory

    keep_freed_memory()
    from classify.output import FORMATS, fields_of, render, write_text
    from classify.song_tables import suggestions_shown, terminal
    from classify.suggesting import suggest as suggest_songs

    suffix = output.suffix.lstrip(".").lower() if output else ""
    chosen = "json" if as_json else format_ or (suffix if suffix in FORMATS else "table")
    found = suggest_songs(taste=taste, top=top)
    if chosen == "table":
        text = suggestions_shown(found.songs, None if output else terminal())
    else:
        text = render(fields_of(found.songs), chosen)
    if output:
        write_text(output, text)
    else:
        print_text(text)
    if chosen == "table":
        say("tell what you think of them: 'sevensongs label like PATH' or 'sevensongs label dislike PATH'")
