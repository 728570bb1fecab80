"""The commands about tastes: learn one, score by it, tell how good it is.

Whatever is slow to import is imported inside the command that needs it, so that `--help` is quick.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from classify.cli.console import (
    end,
    print_json,
    print_story,
    reports_errors,
    require_songs,
    say,
)
from classify.cli.options import (
    AsJson,
    EncoderOption,
    TasteOption,
    WorkersOption,
    known_encoder,
    known_playlist_name,
)
from classify.cli.written import push_scores, put_scores, warn_lacking, warn_new, warn_older
from classify.evaluation.sentences import evaluation_story, learnt_sentences

if TYPE_CHECKING:
    from classify.labels.training import Trained
    from classify.scoring.scores import Scores

__all__ = ["evaluate", "score", "train"]

_FEW_LIKES = 7


@reports_errors
def train(
    like: Annotated[
        list[str] | None,
        typer.Option(
            "--like",
            metavar="PATH",
            help="A song that you like, or a folder or playlist of them; repeatable. "
            "Default: the songs that are labelled already.",
        ),
    ] = None,
    dislike: Annotated[
        list[str] | None,
        typer.Option("--dislike", metavar="PATH", help="The same for songs that you don't like."),
    ] = None,
    unlabelled: Annotated[
        list[str] | None,
        typer.Option(
            "--unlabelled",
            metavar="PATH",
            help="The rest of your music; default: all that is cached.",
        ),
    ] = None,
    no_unlabelled: Annotated[
        bool, typer.Option("--no-unlabelled", help="Learn from likes and dislikes alone.")
    ] = False,
    head: Annotated[
        Literal["auto", "kernel", "logistic", "dense"],
        typer.Option("--head", help="What is trained; auto is the best one measured, the kernel."),
    ] = "auto",
    encoder: EncoderOption = "default",
    taste: TasteOption = "default",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Save the taste to this file instead."),
    ] = None,
    workers: WorkersOption = None,
    as_json: AsJson = False,
) -> None:
    """Learn a taste from the songs that you like.

    Example: sevensongs train --like ~/Music/favourites.m3u8
    """
    if no_unlabelled and unlabelled:
        raise typer.BadParameter("--unlabelled and --no-unlabelled exclude each other")
    from classify.cli.malloc import keep_freed_memory

    keep_freed_memory()
    from classify.cli.progress import progress_bar
    from classify.labels.training import train as train_taste
    from classify.output.formats import counted

    with progress_bar() as progress:
        trained = train_taste(
            like,
            dislikes=dislike or (),
            unlabelled=() if no_unlabelled else unlabelled,
            encoder=encoder,
            head=head,
            # Always with a suffix, so that --taste knows it for a file.
            taste=str(output.absolute().with_suffix(output.suffix or ".npz")) if output else taste,
            workers=workers,
            progress=progress,
        )
    if as_json:
        name = trained.path.stem if output else taste
        print_json({"taste": name, "path": str(trained.path)} | _describe(trained))
    else:
        learnt = trained.taste
        print_story(
            f"Learnt from {counted(learnt.n_like, 'like')}, "
            f"{counted(learnt.n_dislike, 'dislike')} and "
            f"{counted(learnt.n_unlabelled, 'unlabelled song')} "
            f"in {trained.fit_s:.1f} s: {trained.path}\n"
        )
        print_story(f"{learnt_sentences(learnt.auc, learnt.auc_ci90, learnt.note)}\n")
    _say_besides(trained, str(trained.path) if output else taste)
    end(trained.failed)


def _say_besides(trained: Trained, named: str) -> None:
    """Say what should be known of the songs that a taste was learnt from."""
    if trained.note:
        say(trained.note)
    if trained.n_copies:
        say(f"{trained.n_copies} of the labelled songs are copies of others and count once")
    if trained.dropped:
        _say_dropped(trained, "" if named == "default" else f" --taste {quote(named)}")
    warn_lacking(trained.taste.n_library, trained.n_lacking, trained.taste.encoder)
    if trained.taste.n_like < _FEW_LIKES:
        few = f"{trained.taste.n_like} likes are few; about {_FEW_LIKES} give a taste to rely on"
        say(few)


def _say_dropped(trained: Trained, of: str) -> None:
    """Say which labels a taste had that others have replaced, and what keeps them."""
    from classify.output.formats import counted

    n_like = sum(one.label == "like" for one in trained.dropped)
    sides = ((n_like, "like"), (len(trained.dropped) - n_like, "dislike"))
    told = " and ".join(counted(n, side) for n, side in sides if n)
    first = trained.dropped[0]
    say(
        f"{told} of before {'is' if len(trained.dropped) == 1 else 'are'} dropped, such as the "
        f"{first.label} of {first.path or first.digest}: train --like names all that you like; "
        f"'sevensongs label like{of} PATH' (or dislike) adds to the labels and keeps the others"
    )


def _describe(trained: Trained) -> dict[str, Any]:
    taste = trained.taste
    names = (
        "encoder",
        "head",
        "n_like",
        "n_dislike",
        "n_unlabelled",
        "auc",
        "auc_ci90",
        "threshold",
        "note",
    )
    fields = {name: getattr(taste, name) for name in names}
    failed = [asdict(failure) for failure in trained.failed]
    more = {
        "n_left_out": trained.n_left_out,
        "n_lacking": trained.n_lacking,
        "dropped": [asdict(one) for one in trained.dropped],
        "failed": failed,
    }
    return fields | more | {"fit_s": trained.fit_s, "wall_s": trained.wall_s}


@reports_errors
def score(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH...]",
            help="What to score, all of it; default: what you have not labelled of the library.",
        ),
    ] = None,
    taste: TasteOption = "default",
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder", callback=known_encoder, help="Fail unless the taste uses this encoder."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Only the N best, whatever they score.")
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", min=0.0, max=1.0, help="Only songs that score at least this."),
    ] = None,
    labelled: Annotated[
        bool, typer.Option("--labelled", help="List the songs that you have labelled, too.")
    ] = False,
    copies: Annotated[
        bool, typer.Option("--copies", help="List each file, also copies in other formats.")
    ] = False,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            min=0.0,
            max=1.0,
            help="The longest list of which you would like this share (0.9: nine in ten), by the "
            "taste's own estimate; without labelled songs.",
        ),
    ] = None,
    per_artist: Annotated[
        int | None, typer.Option("--per-artist", min=1, help="At most N songs of one artist.")
    ] = None,
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv", "m3u8", "pls", "xspf"] | None,
        typer.Option(
            "--format", help="How to print the songs; default: by the suffix of -o, else a table."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write to this file instead of stdout."
        ),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            "--push",
            metavar="SERVER",
            help="Make it a playlist on mpd:HOST:PORT or subsonic:https://user@host/base.",
        ),
    ] = None,
    playlist: Annotated[
        str,
        typer.Option(
            "--playlist",
            metavar="NAME",
            callback=known_playlist_name,
            help="With --push: its name.",
        ),
    ] = "Seven Songs",
    workers: WorkersOption = None,
) -> None:
    """Score songs, best first.

    Without PATH it lists finds: songs of your library that you have not labelled, each once. A
    playlist (m3u8, pls, xspf) holds what you are likely to like, each song once, unless --top,
    --min-score or --precision says which.

    Example: sevensongs score -o discover.m3u8
    """
    if labelled and precision is not None:
        raise typer.BadParameter("--precision leaves out what --labelled brings in: name one")
    from classify.cli.malloc import keep_freed_memory

    keep_freed_memory()
    from classify.cli.progress import progress_bar
    from classify.output.formats import FORMATS, PLAYLIST_FORMATS
    from classify.scoring.file_scores import likely_from
    from classify.scoring.scoring import score as score_songs

    suffix = output.suffix.lstrip(".").lower() if output else ""
    chosen = "json" if as_json else format_ or (suffix if suffix in FORMATS else "table")
    is_playlist = chosen in PLAYLIST_FORMATS or push is not None
    likely = is_playlist and top is None and min_score is None and precision is None
    with progress_bar() as progress:
        scores = score_songs(
            paths or (),
            taste=taste,
            encoder=encoder,
            per_artist=per_artist,
            top=top,
            min_score=min_score or 0.0,
            precision=precision,
            labelled=labelled,
            likely=likely,
            once=False if copies else True if is_playlist else None,
            workers=workers,
            progress=progress,
        )
    least = likely_from(scores.taste) if likely else min_score or 0.0
    if push:
        push_scores(scores, push, playlist, as_json=chosen == "json", top=top)
        end(scores.failed)
        return
    kept = put_scores(
        scores, chosen, output, least=least, likely=likely, precision=precision, top=top
    )
    _say_of(scores, taste, is_finds=chosen == "table" and precision is None)
    require_songs(len(scores.failed) or scores.n_scored + scores.n_labelled, kept)
    end(scores.failed)


def _say_of(scores: Scores, taste: str, *, is_finds: bool) -> None:
    """Say what is not listed, and what the taste does not know of yet."""
    from classify.output.formats import counted

    if is_finds and scores.songs and scores.n_labelled:
        say(f"{counted(scores.n_labelled, 'labelled song')} left out; --labelled lists them too")
    warn_lacking(scores.n_library, scores.n_lacking, scores.taste.encoder)
    warn_new(scores)
    warn_older(scores, taste)


@reports_errors
def evaluate(
    taste: TasteOption = "default",
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Also write a page with pictures: curves, a map, what to relabel.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how good a taste is on songs that it has not seen.

    Example: sevensongs evaluate --report taste.html
    """
    if report is None:
        from classify.evaluation.evaluating import evaluate as evaluate_library

        found = evaluate_library(taste=taste)
    else:
        from classify.evaluation.report.report import write_report

        found = write_report(report, taste=taste)
        say(f"the report is at {report.absolute()}")
    if as_json:
        print_json(found.as_dict())
    else:
        from classify.demo import demo_truth

        truth = demo_truth(taste)
        print_story(evaluation_story(found) + (f"\n{truth}\n" if truth else ""))
