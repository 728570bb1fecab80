"""The command `explain`: why a song has its score."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from classify.cli_options import AsJson, TasteOption, WorkersOption
from classify.console import print_json, print_text, reports_errors, say

__all__ = ["explain"]


@reports_errors
def explain(
    path: Annotated[str, typer.Argument(metavar="FILE", help="The song.")],
    taste: TasteOption = "default",
    as_json: AsJson = False,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="FILE", help="Draw it: the sound, and the score over time beneath."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Make a page of it, with a player; it needs no network."),
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Tell why a song has its score: its moments, its tags, and the liked song that it resembles.

    Example: sevensongs explain song.mp3 --html why.html
    """
    from classify.explain_words import explanation_story
    from classify.explaining import explain as find_reasons
    from classify.progress import progress_bar

    with progress_bar() as progress:
        found = find_reasons(path, taste=taste, workers=workers, progress=progress)
    if png or html:
        from classify.explain_page import write_page, write_png
        from embed import sound_picture

        sound = sound_picture(found.path)
        if png:
            write_png(found, sound, png)
        if html:
            note = write_page(found, sound, html)
            if note:
                say(note)
    if as_json:
        print_json(asdict(found))
    else:
        print_text(explanation_story(found))
