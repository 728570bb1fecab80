"""Arguments that several commands share, and what checks them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

__all__ = [
    "AsJson",
    "EncoderOption",
    "MaxDuration",
    "MaxSeconds",
    "MaxSize",
    "MaxStall",
    "OptionsAnywhere",
    "Paths",
    "TasteOption",
    "WorkersOption",
    "known_coverage",
    "known_encoder",
    "known_maps",
    "known_playlist_name",
]

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Audio files, folders, playlists or CSVs with a path column."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


_GLOBAL_WITH_VALUE = ("--cache", "--map")
_GLOBAL = ("-v", "--verbose")


class OptionsAnywhere(TyperGroup):
    """Takes the options of all commands (`--cache`, `--map`, `-v`) behind a command's name too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put these options and their values first, where the group looks for them."""
        first: list[str] = []
        rest = iter(args)
        others: list[str] = []
        for word in rest:
            if word == "--":
                others += [word, *rest]
            elif word in _GLOBAL_WITH_VALUE:
                first += [word, *([value] if (value := next(rest, None)) is not None else [])]
            else:
                is_ours = word in _GLOBAL or word.startswith(("--cache=", "--map="))
                (first if is_ours else others).append(word)
        return super().parse_args(ctx, first + others)


def known_maps(maps: list[str] | None) -> list[str]:
    """Refuse what is no FROM=TO, as a wrong argument."""
    if not maps:
        return []
    from embed import EmbedError, parse_map

    try:
        return ["=".join(parse_map(one)) for one in maps]
    except EmbedError as error:
        raise typer.BadParameter(str(error)) from error


def known_encoder(name: str | None) -> str | None:
    """Refuse a name that is no encoder's, as a wrong argument."""
    if name is None:
        return None
    from embed import EncoderError, encoder_name

    try:
        return encoder_name(name)
    except EncoderError as error:
        raise typer.BadParameter(str(error)) from error


def known_coverage(coverage: str) -> str:
    """Refuse what is no coverage, as a wrong argument."""
    from embed import EmbedError, coverage_windows

    try:
        coverage_windows(coverage)
    except EmbedError as error:
        raise typer.BadParameter(str(error)) from error
    return coverage


def known_playlist_name(name: str) -> str:
    """Refuse what no server takes as a playlist's name, as a wrong argument."""
    from classify.errors import ServerError
    from classify.sources.servers.server_playlist import playlist_name

    try:
        return playlist_name(name)
    except ServerError as error:
        raise typer.BadParameter(str(error)) from error


EncoderOption = Annotated[
    str,
    typer.Option(
        "--encoder",
        callback=known_encoder,
        help="See `sevensongs encoders`; several go together as musicnn+yamnet; or best, fast.",
    ),
]
TasteOption = Annotated[str, typer.Option("--taste", help="A name, or a file.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; default: one for each core.")
]
MaxDuration = Annotated[
    float,
    typer.Option("--max-duration", metavar="HOURS", help="A longer file is refused."),
]
MaxSize = Annotated[
    float, typer.Option("--max-size", metavar="GB", help="A larger file is refused.")
]
MaxSeconds = Annotated[
    float,
    typer.Option(
        "--max-seconds",
        help="Processor time that a file may take beyond what its size and length explain.",
    ),
]
MaxStall = Annotated[
    float,
    typer.Option("--max-stall", metavar="SECONDS", help="How long a file's drive may be silent."),
]
