"""The command `sevensongs playlist`: lists that are kept up to date."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classify.cli.console import EXIT_FAILED, print_json, print_text, reports_errors, say
from classify.cli.options import AsJson, TasteOption

if TYPE_CHECKING:
    from classify.playlists.updating import UpdatedPlaylist

__all__ = ["playlist_app"]

_TOLD = 5

playlist_app = typer.Typer(
    no_args_is_help=True, help="Keep playlists up to date: a rule, its list, and what it was."
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the playlist.")]


@playlist_app.command("save")
@reports_errors
def save(
    name: Name,
    taste: TasteOption = "default",
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="The N best, whatever they score.")
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", min=0.0, max=1.0, help="Songs that score at least this."),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision", min=0.0, max=1.0, help="The longest list of which you would like this."
        ),
    ] = None,
    per_artist: Annotated[
        int | None, typer.Option("--per-artist", min=1, help="At most N songs of one artist.")
    ] = None,
    new_only: Annotated[
        bool,
        typer.Option(
            "--new-only", help="Only songs that the list has not had before today: others each day."
        ),
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="FILE|SERVER", help="A .m3u8, .pls or .xspf, or mpd:..., subsonic:..."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Keep a rule under a name and make its list; without options, what you are likely to like.

    Example: sevensongs playlist save discover --precision 0.9 --to ~/Music/discover.m3u8
    """
    from classify.playlists.kept_playlist import PlaylistRule
    from classify.playlists.updating import save_playlist

    rule = PlaylistRule(
        taste=taste,
        top=top,
        min_score=min_score,
        precision=precision,
        per_artist=per_artist,
        new_only=new_only,
    )
    _tell([save_playlist(name, rule, to)], as_json)


@playlist_app.command("update")
@reports_errors
def update(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which; default: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring playlists up to date; tell what came and what went.

    Example: sevensongs playlist update
    """
    from cache import CacheError
    from classify.errors import ClassifyError
    from classify.playlists.kept_playlist import list_playlists
    from classify.playlists.updating import update_playlist

    names = [name] if name else list_playlists()
    if not names:
        say("no playlist is kept; 'sevensongs playlist save NAME' keeps one")
        raise typer.Exit(EXIT_FAILED)
    done, failed = [], False
    for one in names:  # one that can't be updated does not keep the others from it
        try:
            done.append(update_playlist(one))
        except (CacheError, ClassifyError) as error:
            say(str(error))
            failed = True
    _tell(done, as_json)
    if failed:
        raise typer.Exit(EXIT_FAILED)


@playlist_app.command("restore")
@reports_errors
def restore(
    name: Name,
    back: Annotated[
        int, typer.Option("--back", min=1, max=10, help="1: the version before the newest.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Go back to a former version; the next update brings it up to date again.

    Example: sevensongs playlist restore discover --back 2
    """
    from classify.playlists.updating import restore_playlist

    _tell([restore_playlist(name, back)], as_json)


@playlist_app.command("list")
@reports_errors
def list_(as_json: AsJson = False) -> None:
    """List the playlists that are kept.

    Example: sevensongs playlist list
    """
    from classify.output.formats import render
    from classify.playlists.kept_playlist import list_playlists, read_playlist

    rows = []
    for name in list_playlists():
        kept = read_playlist(name)
        newest = kept.versions[0] if kept.versions else None
        row: dict[str, Any] = {"name": name, "n_songs": len(newest.songs) if newest else 0}
        row |= {"updated": newest.at if newest else None, "to": kept.to}
        rows.append(row | {"former": max(0, len(kept.versions) - 1), **asdict(kept.rule)})
    if as_json:
        print_json(rows)
    else:
        print_text(render(rows, "table"))


@playlist_app.command("remove")
@reports_errors
def remove(name: Name) -> None:
    """Forget a rule; the list that it has made stays where it is.

    Example: sevensongs playlist remove discover
    """
    from classify.playlists.kept_playlist import playlist_path, read_playlist

    to = read_playlist(name).to
    playlist_path(name).unlink()
    typer.echo(f"{name!r} is forgotten" + (f"; its list stays at {to}" if to else ""))


def _tell(updated: list[UpdatedPlaylist], as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in updated])
        return
    from pathlib import Path

    from classify.output.formats import counted, printable

    for one in updated:
        where = f" at {printable(one.to)}" if one.to else ""
        typer.echo(
            f"{one.name}: {counted(one.n_songs, 'song')}{where}; {len(one.came)} came, "
            f"{len(one.went)} went"
        )
        for sign, paths in (("+", one.came), ("-", one.went)):
            for path in paths[:_TOLD]:
                typer.echo(f"  {sign} {printable(Path(path).stem)}")
            if len(paths) > _TOLD:
                typer.echo(f"  {sign} and {counted(len(paths) - _TOLD, 'other')}")
        if one.missing:
            say(f"{counted(len(one.missing), 'song')} not surely on {one.to}")
