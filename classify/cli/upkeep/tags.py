"""The command `sevensongs tags`: scores in the tags of songs, for players that show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from classify.cli.console import EXIT_FAILED, print_json, reports_errors, say
from classify.cli.options import AsJson, Paths, TasteOption, WorkersOption

if TYPE_CHECKING:
    from classify.tagging.writing import TagOutcome

__all__ = ["tags_app"]

_TOLD = 10

tags_app = typer.Typer(
    no_args_is_help=True, help="Write scores into the tags of songs, and take them back."
)


@tags_app.command("write")
@reports_errors
def write(
    paths: Paths,
    taste: TasteOption = "default",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be written.")
    ] = False,
    workers: WorkersOption = None,
    as_json: AsJson = False,
) -> None:
    """Write scores into one field of the tags, SEVENSONGS_SCORE; stars and ratings stay yours.

    Example: sevensongs tags write ~/Music --dry-run
    """
    from classify.cli.progress import progress_bar
    from classify.tagging.writing import write_tags

    with progress_bar() as progress:
        done = write_tags(paths, taste=taste, dry_run=dry_run, workers=workers, progress=progress)
    _tell(done, as_json)


@tags_app.command("undo")
@reports_errors
def undo(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH...]", help="Of these files and folders; default: of all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take back what was written: byte for byte, or of files that were changed since, the field.

    Example: sevensongs tags undo
    """
    from classify.tagging.undoing import undo_tags

    _tell(undo_tags(paths or ()), as_json)


def _tell(outcomes: Sequence[TagOutcome], as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in outcomes])
    else:
        _print(outcomes)
    failed = [one for one in outcomes if one.status == "failed"]
    if not as_json:
        for one in failed[:_TOLD]:
            say(f"failed: {one.path}: {one.error}")
        if len(failed) > _TOLD:
            say(f"{len(failed) - _TOLD} others failed; --json lists all of them")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _print(outcomes: Sequence[TagOutcome]) -> None:
    from classify.output.formats import counted, printable

    planned = [one for one in outcomes if one.status == "planned"]
    for one in planned:
        instead = f" in place of {one.former}" if one.former else ""
        typer.echo(f"{one.score}{instead}  {printable(one.path)}")
    words = {
        "planned": "would be written",
        "written": "written",
        "restored": "restored byte for byte",
        "removed": "changed since: restored tag for tag",
        "unchanged": "as it was",
        "failed": "failed",
    }
    counts = {status: sum(one.status == status for one in outcomes) for status in words}
    told = [f"{n} {words[status]}" for status, n in counts.items() if n]
    typer.echo(f"{counted(len(outcomes), 'song')}: {', '.join(told) or 'nothing was written'}")
    inexact = sum(one.status == "written" and not one.exact for one in outcomes)
    if inexact:
        say(f"{counted(inexact, 'song')} of these can be undone tag for tag, not byte for byte")
