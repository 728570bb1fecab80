"""The command `sevensongs label`: likes and dislikes one by one, and what they change."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classify.cli.console import (
    EXIT_FAILED,
    end,
    print_json,
    print_story,
    print_text,
    reports_errors,
    require_songs,
    say,
)
from classify.cli.named import paths_of_songs
from classify.cli.options import AsJson, TasteOption, WorkersOption, known_encoder
from classify.evaluation.sentences import learnt_sentences

if TYPE_CHECKING:
    from classify.labels.labelling import Changed, Labelled
    from classify.sources.importing import LabelImport

__all__ = ["label_app"]

_TOLD = 5
_NOW = {"like": "likely", "unsure": "unsure", "dislike": "unlikely"}

label_app = typer.Typer(
    no_args_is_help=True, help="Say what you like song by song; the taste learns at once."
)

Songs = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Songs, by file or title, or folders, playlists or CSVs of them."
    ),
]
OwnEncoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        callback=known_encoder,
        help="Default: the taste's own; of a new one as of `train`.",
    ),
]


@label_app.command("like")
@reports_errors
def like(
    paths: Songs,
    taste: TasteOption = "default",
    encoder: OwnEncoder = None,
    workers: WorkersOption = None,
    as_json: AsJson = False,
) -> None:
    """Like songs.

    Example: sevensongs label like song.mp3
    """
    _label(paths, "like", taste, encoder, workers, as_json)


@label_app.command("dislike")
@reports_errors
def dislike(
    paths: Songs,
    taste: TasteOption = "default",
    encoder: OwnEncoder = None,
    workers: WorkersOption = None,
    as_json: AsJson = False,
) -> None:
    """Dislike songs.

    Example: sevensongs label dislike song.mp3
    """
    _label(paths, "dislike", taste, encoder, workers, as_json)


@label_app.command("clear")
@reports_errors
def clear(
    paths: Songs,
    taste: TasteOption = "default",
    encoder: OwnEncoder = None,
    workers: WorkersOption = None,
    as_json: AsJson = False,
) -> None:
    """Take labels away.

    Example: sevensongs label clear song.mp3
    """
    _label(paths, None, taste, encoder, workers, as_json)


@label_app.command("list")
@reports_errors
def list_labels(taste: TasteOption = "default", as_json: AsJson = False) -> None:
    """List the songs that are labelled; a moved one under its present path.

    Example: sevensongs label list
    """
    from classify.cli.song_tables import labels_shown, terminal
    from classify.labels.labelling import labels_now

    labels = labels_now(taste)
    if as_json:
        print_json([asdict(one) for one in labels])
        return
    if labels:
        print_text(labels_shown(labels, terminal()))
    else:
        say("nothing is labelled yet: 'sevensongs label like SONG' begins")


@label_app.command("import")
@reports_errors
def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A CSV with artist and title, iTunes' Library.xml, ListenBrainz' export, a "
            "playlist, beets:LIBRARY.db, subsonic:https://user@host/base or mpd:HOST:PORT.",
        ),
    ],
    like: Annotated[
        list[str] | None,
        typer.Option(
            "--like",
            metavar="CONDITION",
            help="What counts as a like, such as 'rating>=4', 'loved', 'mood:good' or 'all'; "
            "repeatable. Default: what the source calls so.",
        ),
    ] = None,
    dislike: Annotated[
        list[str] | None,
        typer.Option("--dislike", metavar="CONDITION", help="The same for dislikes."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be labelled.")
    ] = False,
    unmatched: Annotated[
        Path | None,
        typer.Option(
            "--unmatched",
            metavar="FILE.csv",
            help="Write the songs that are not surely in your library, with what comes nearest.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Bring back labels that you have taken away here.")
    ] = False,
    download: Annotated[
        bool,
        typer.Option(
            "--download",
            help="Of a Subsonic server: download songs that are not surely known (30, or 1 GiB, "
            "at most) to know them by their audio.",
        ),
    ] = False,
    taste: TasteOption = "default",
    encoder: OwnEncoder = None,
    as_json: AsJson = False,
) -> None:
    """Take likes and dislikes over from another program; the taste learns at once.

    Only songs that are surely the same are labelled. Labels that you gave here stay, and importing
    again changes only what changed there.

    Example: sevensongs label import Library.xml --like 'rating>=80' --dry-run
    """
    from classify.cli.malloc import keep_freed_memory

    keep_freed_memory()
    from classify.cli.written import put
    from classify.output.formats import render
    from classify.sources.import_words import import_fields, import_story
    from classify.sources.importing import import_labels
    from classify.sources.unmatched import unmatched_rows

    if unmatched is not None:
        _refuse_unmatched(source, unmatched)
    done = import_labels(
        source,
        like=like or (),
        dislike=dislike or (),
        taste=taste,
        encoder=encoder,
        dry_run=dry_run,
        again=again,
        download=download,
        tell=say,
    )
    if unmatched is not None:
        put(render(unmatched_rows(done.unmatched, done.nearest), "csv"), unmatched)
    if as_json:
        labelled = _fields(done.labelled) if done.labelled else None
        print_json(import_fields(done) | {"labelled": labelled})
    else:
        learnt = _taste_story(done.labelled) if done.labelled else []
        print_text("\n".join([*import_story(done), *learnt]) + "\n")
    _say_unmatched(done, unmatched)
    if done.labelled and done.labelled.note:
        say(done.labelled.note)
    if not done.matched:
        raise typer.Exit(EXIT_FAILED)


def _refuse_unmatched(source: str, unmatched: Path) -> None:
    """Refuse what can't be written, before labels change, and what is read: a file, or beets."""
    if unmatched.is_dir() or not unmatched.parent.is_dir():
        raise typer.BadParameter(f"--unmatched is {unmatched}, which is no file in a folder")
    if not os.path.exists(unmatched):
        return
    for one in map(os.path.expanduser, (source, source.partition(":")[2])):
        if os.path.exists(one) and os.path.samefile(one, unmatched):
            raise typer.BadParameter(f"--unmatched would be written over {one}; name another file")


def _say_unmatched(done: LabelImport, written: Path | None) -> None:
    from classify.output.formats import counted

    for one in done.unmatched[:_TOLD]:
        near = next(iter(done.nearest.of(one.song)), None)
        words = f"; nearest: {near.name} ({near.differs or 'one of several'})" if near else ""
        say(f"not matched: {one.song.name}: {one.why}{words}")
    n_others = len(done.unmatched) - _TOLD
    if n_others > 0 and written is None:
        say(f"and {counted(n_others, 'other')}; --unmatched FILE.csv writes all of them")
    if written is not None:
        say(f"{counted(len(done.unmatched), 'song')} that did not match: {written}")


def _label(
    paths: list[str],
    value: str | None,
    taste: str,
    encoder: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    from classify.cli.malloc import keep_freed_memory
    from classify.cli.progress import progress_bar
    from classify.labels.labelling import label

    keep_freed_memory()
    paths = paths_of_songs(paths)
    with progress_bar() as progress:
        done = label(value, paths, taste=taste, encoder=encoder, workers=workers, progress=progress)
    if as_json:
        print_json(_fields(done))
    else:
        print_story(_story(done, value))
    if done.note:
        say(done.note)
    require_songs(done.n_labelled or len(done.failed))
    end(done.failed)


def _fields(done: Labelled) -> dict[str, Any]:
    fields = {
        name: getattr(done, name)
        for name in ("n_labelled", "n_like", "n_dislike", "note", "n_changed", "fit_s", "wall_s")
    }
    moved = {
        name: [asdict(song) for song in getattr(done, name)]
        for name in ("changed", "entered", "left")
    }
    failed = [asdict(failure) for failure in done.failed]
    taste = done.taste
    learnt = (
        {"auc": taste.auc, "auc_ci90": taste.auc_ci90} if taste else {"auc": None, "auc_ci90": None}
    )
    return {"path": str(done.path)} | fields | learnt | moved | {"failed": failed}


def _story(done: Labelled, value: str | None) -> str:
    from classify.output.formats import counted

    what = f"{value}d" if value else "without a label"
    likes, dislikes = counted(done.n_like, "like"), counted(done.n_dislike, "dislike")
    first = f"{counted(done.n_labelled, 'song')} {what} now; {likes} and {dislikes} in {done.path}"
    return "\n".join([first, *_taste_story(done)]) + "\n"


def _taste_story(done: Labelled) -> list[str]:
    from classify.output.formats import counted

    lines = []
    if done.taste is not None and done.relearnt:
        lines.append(
            f"Learnt again in {done.fit_s:.1f} s. "
            + learnt_sentences(done.taste.auc, done.taste.auc_ci90, done.taste.note)
        )
        if done.compared and not any(done.n_changed.values()):
            lines.append("No song that you have not labelled has another verdict than before.")
    for verdict, n_songs in done.n_changed.items():
        named = [song for song in done.changed if song.verdict == verdict][:_TOLD]
        if named:
            lines.append(f"{counted(n_songs, 'song')} {_NOW[verdict]} now:")
            lines += [
                f"  {song.score_before:.2f} -> {song.score:.2f}  {_name(song)}" for song in named
            ]
        if n_songs > len(named):
            lines.append(f"  and {counted(n_songs - len(named), 'other')}")
    return lines


def _name(song: Changed) -> str:
    from classify.output.formats import printable

    return printable(" - ".join(part for part in (song.artist, song.title) if part) or song.path)
