"""The command `sevensongs cache`: what is stored, where, and whether it is sound."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from classify.console import EXIT_FAILED, print_json, print_text, reports_errors, say

__all__ = ["cache_app"]

cache_app = typer.Typer(no_args_is_help=True, help="What is stored, where, and whether it is sound.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@cache_app.command("info")
@reports_errors
def cache_info(as_json: AsJson = False) -> None:
    """Tell what is stored.

    Example: sevensongs cache info
    """
    from cache import cache_info as read_info
    from classify.output import render

    info = asdict(read_info())
    if as_json:
        print_json(info)
        return
    typer.echo(
        f"{info['path']}: {info['bytes'] / 2**20:.1f} MiB, {info['songs']} songs, {info['failed']} failed"
    )
    if info["encoders"]:
        print_text(render(info["encoders"], "table"))


@cache_app.command("path")
@reports_errors
def cache_path() -> None:
    """Print where the cache is.

    Example: sevensongs cache path
    """
    from cache import default_root

    typer.echo(str(default_root()))


@cache_app.command("verify")
@reports_errors
def cache_verify(as_json: AsJson = False) -> None:
    """Compare everything that is stored with its checksum.

    Example: sevensongs cache verify
    """
    from cache import verify_cache

    found = verify_cache()
    damaged = sum(len(store.damaged) for store in found)
    if as_json:
        print_json([asdict(store) for store in found])
    else:
        n_songs = sum(store.n_songs for store in found)
        typer.echo(f"{n_songs} embeddings of {len(found)} encoders read: {damaged} damaged")
    if damaged:
        say("'sevensongs cache prune' drops what is damaged, and 'sevensongs embed' makes it anew")
        raise typer.Exit(EXIT_FAILED)


@cache_app.command("prune")
@reports_errors
def cache_prune() -> None:
    """Drop what is damaged or superseded, and old versions.

    Example: sevensongs cache prune
    """
    from cache import prune_cache

    damaged = sum(len(store.damaged) for store in prune_cache())
    typer.echo(f"Pruned; {damaged} damaged embeddings dropped.")
    if damaged:
        typer.echo("'sevensongs embed' makes them anew.")
