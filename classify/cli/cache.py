"""The command `sevensongs cache`: what is stored, where, and whether it is sound."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from classify.cli.console import EXIT_FAILED, end, print_json, print_text, reports_errors, say
from classify.cli.options import WorkersOption

if TYPE_CHECKING:
    from classify.library.cache_repair import Health

__all__ = ["cache_app"]

cache_app = typer.Typer(
    no_args_is_help=True, help="What is stored, where, and whether it is sound."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@cache_app.command("info")
@reports_errors
def cache_info(as_json: AsJson = False) -> None:
    """Tell what is stored.

    Example: sevensongs cache info
    """
    from cache import cache_info as read_info
    from classify.output.formats import render

    info = asdict(read_info())
    if as_json:
        print_json(info)
        return
    typer.echo(
        f"{info['path']}: {info['bytes'] / 2**20:.1f} MiB, {info['songs']} songs, {info['failed']} "
        "failed"
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
def cache_verify(
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Drop what is damaged and make it anew; other commands may fail meanwhile.",
        ),
    ] = False,
    workers: WorkersOption = None,
    as_json: AsJson = False,
) -> None:
    """Compare everything that is stored with its checksum.

    Example: sevensongs cache verify --repair
    """
    from classify.library.cache_repair import look_over

    health = look_over()
    damaged = sum(len(store.damaged) for store in health.stores)
    if repair and not health.is_sound:
        _repair(health, workers, as_json=as_json)
        return
    if as_json:
        print_json([asdict(store) for store in health.stores])
    else:
        n_songs = sum(store.n_songs for store in health.stores)
        typer.echo(f"{n_songs} embeddings of {len(health.stores)} encoders read: {damaged} damaged")
    if not health.is_sound:
        for line in health.words:
            say(line)
        say("'sevensongs cache verify --repair' drops what is damaged and makes it anew")
        raise typer.Exit(EXIT_FAILED)


def _repair(health: Health, workers: int | None, *, as_json: bool) -> None:
    from classify.cli.progress import progress_bar
    from classify.library.cache_repair import look_over, repair_cache

    for line in health.words:
        say(f"damaged: {line}")
    with progress_bar() as progress:
        done = repair_cache(health, workers=workers, progress=progress)
    after = look_over()
    if as_json:
        print_json({**asdict(done), "sound": after.is_sound})
    else:
        typer.echo(
            f"Repaired: {done.saved} embeddings were sound, {done.embedded} are made anew, "
            f"{done.lost} are lost"
        )
    for line in done.words:
        say(line)
    for path in done.kept:
        say(f"what could not be read is kept in {path}; nothing uses it")
    for line in after.words:
        say(f"still damaged: {line}")
    end(done.failed)
    if done.lost or done.words or not after.is_sound:
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
