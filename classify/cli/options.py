"""Arguments that several commands share, and what checks them."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = [
    "AsJson",
    "EncoderOption",
    "MaxDuration",
    "MaxSeconds",
    "MaxSize",
    "MaxStall",
    "Paths",
    "TasteOption",
    "WorkersOption",
    "known_coverage",
    "known_encoder",
]

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Audio files, folders, playlists or CSVs with a path column."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


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
