"""The commands about songs: `similar`, `explain`, `suggest`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from classify.cli.asking import ask_for_labels, require_terminal
from classify.cli.console import EXIT_FAILED, end, print_json, print_story, reports_errors, say
from classify.cli.named import paths_of_songs
from classify.cli.options import AsJson, EncoderOption, TasteOption, WorkersOption
from classify.cli.written import kept, put, warn_gone, warn_lacking

if TYPE_CHECKING:
    from classify.library.similar_songs import Similars

__all__ = ["explain", "similar", "suggest"]


@reports_errors
def similar(
    path: Annotated[
        str, typer.Argument(metavar="SONG", help="The song to start from: a file, or a title.")
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="At most so many songs.")] = 10,
    per_album: Annotated[
        int,
        typer.Option("--per-album", min=0, help="At most so many of one album; 0 for any number."),
    ] = 2,
    encoder: EncoderOption = "default",
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv", "m3u8", "pls", "xspf"] | None,
        typer.Option(
            "--format", help="How to print the songs; default: by the suffix of -o, else a table."
        ),
    ] = None,
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write to this file instead of stdout."
        ),
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """List the songs of the cached library that are nearest to one song.

    Example: sevensongs similar song.mp3
    """
    from classify.cli.malloc import keep_freed_memory

    keep_freed_memory()
    from classify.cli.progress import progress_bar
    from classify.cli.song_tables import similar_shown, terminal
    from classify.library.similar_songs import similar as find_similar
    from classify.output.formats import FORMATS, render

    suffix = output.suffix.lstrip(".").lower() if output else ""
    chosen = "json" if as_json else format_ or (suffix if suffix in FORMATS else "table")
    with progress_bar() as progress:
        found = find_similar(
            paths_of_songs([path]),
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
    _put_similar(found, text, output)
    warn_lacking(found.n_library + 1, found.n_lacking, encoder)
    if found.copies:
        n = len(found.copies)
        say(
            f"{n} other file{'' if n == 1 else 's'} of this song left out, the first: "
            f"{found.copies[0]}"
        )
    end(found.failed)


def _put_similar(found: Similars, text: str, output: Path | None) -> None:
    """Print or write what was found; an empty list replaces no file."""
    if found.songs or not output:
        put(text, output)
    if found.songs:
        warn_gone(found.n_library, found.n_gone)
        return
    from classify.output.nothing_listed import gone_words

    gone = gone_words(found.n_library, found.n_gone)
    say((gone or "no other song of the library is unlike this one") + kept(output))
    raise typer.Exit(EXIT_FAILED)


@reports_errors
def explain(
    path: Annotated[
        str, typer.Argument(metavar="SONG", help="A file, or the title of a song of the library.")
    ],
    taste: TasteOption = "default",
    as_json: AsJson = False,
    png: Annotated[
        Path | None,
        typer.Option(
            "--png", metavar="FILE", help="Draw it: the sound, and the score over time beneath."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Make a page of it, with a player; it needs no network."
        ),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Hear all of the song first, and not only the moments of its scan."
        ),
    ] = False,
    workers: WorkersOption = None,
) -> None:
    """Explain why a song has its score: its moments, its tags, the liked song that it resembles.

    Example: sevensongs explain song.mp3 --html why.html
    """
    from classify.cli.progress import progress_bar
    from classify.explanation.explaining import explain as find_reasons
    from classify.explanation.words import explanation_story

    with progress_bar() as progress:
        found = find_reasons(
            paths_of_songs([path]), taste=taste, whole=whole, workers=workers, progress=progress
        )
    if png or html:
        from classify.explanation.page import write_page, write_png
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
        print_story(explanation_story(found))


@reports_errors
def suggest(
    top: Annotated[int, typer.Option("--top", min=1, help="At most so many songs.")] = 5,
    taste: TasteOption = "default",
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv", "m3u8", "pls", "xspf"] | None,
        typer.Option(
            "--format", help="How to print the songs; default: by the suffix of -o, else a table."
        ),
    ] = None,
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Ask of each song in this terminal, and learn each answer."),
    ] = False,
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write to this file instead of stdout."
        ),
    ] = None,
) -> None:
    """Suggest which songs to label next, and why.

    Example: sevensongs suggest --ask
    """
    from classify.cli.malloc import keep_freed_memory

    keep_freed_memory()
    from classify.cli.song_tables import suggestions_shown, terminal
    from classify.labels.suggesting import suggest as suggest_songs
    from classify.output.formats import FORMATS, fields_of, render

    suffix = output.suffix.lstrip(".").lower() if output else ""
    chosen = "json" if as_json else format_ or (suffix if suffix in FORMATS else "table")
    if ask:
        require_terminal()
    found = suggest_songs(taste=taste, top=top)
    if ask:
        ask_for_labels(found.songs, taste)
        return
    if chosen == "table":
        text = suggestions_shown(found.songs, None if output else terminal())
    else:
        text = render(fields_of(found.songs), chosen)
    put(text, output)
    warn_gone(found.n_library, found.n_gone)
    warn_lacking(found.n_library, found.n_lacking, found.taste.encoder)
    if chosen == "table":
        say(
            "tell what you think of them: 'sevensongs label like PATH' or 'sevensongs label "
            "dislike PATH'"
        )
