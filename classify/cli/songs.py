"""The command `similar`: the cached songs nearest to one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from classify.cli_options import AsJson, EncoderOption, WorkersOption
from classify.console import end, print_text, reports_errors, say

__all__ = ["similar"]


@reports_errors
def similar(
    path: Annotated[str, typer.Argument(metavar="FILE", help="The song to start from.")],
    top: Annotated[int, typer.Option("--top", min=1, help="At most so many songs.")] = 10,
    per_album: Annotated[
        int, typer.Option("--per-album", min=0, help="At most so many of one album; 0 for any number.")
    ] = 2,
    encoder: EncoderOption = "musicnn",
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv", "m3u8"] | None,
        typer.Option("--format", help="How to print the songs; default: by the suffix of -o, else a table."),
    ] = None,
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout."),
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """List the songs of the cached library that are nearest to one song.

    Example: sevensongs similar song.mp3
    """
    from classify.memory import keep_freed_memory

    keep_freed_memory()
    from classify.neighbours import similar as find_similar
    from classify.output import FORMATS, render, write_text
    from classify.progress import progress_bar
    from classify.song_tables import similar_shown, terminal

    suffix = output.suffix.lstrip(".").lower() if output else ""
    chosen = "json" if as_json else format_ or (suffix if suffix in FORMATS else "table")
    with progress_bar() as progress:
        found = find_similar(
            path,
            top=top,
            per_album=per_album or None,
            encoder=encoder,
            workers=workers,
            progress=progress,
        )
    if chosen == "table":
        text = similar_shown(found.songs, None if output else terminal())
    else:
        rows: list[dict[str, Any]] = [asdict(song) for song in found.songs]
        if chosen == "csv":  # copies are a list, which it has no way to hold
            rows = [row | {"copies": len(row["copies"])} for row in rows]
        text = render(rows, chosen)
    if output:
        write_text(output, text)
    else:
        print_text(text)
    if found.copies:
        n = len(found.copies)
        say(f"{n} other file{'' if n == 1 else 's'} of this song left out, the first: {found.copies[0]}")
    end(found.failed)
