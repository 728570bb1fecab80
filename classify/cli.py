"""The command `sevensongs`: parse, call, print, exit code; nothing else.

Whatever is slow to import is imported inside the command that needs it, so that `--help` is quick.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from classify.cli_cache import cache_app
from classify.console import EXIT_FAILED, end, print_json, print_text, reports_errors, say, say_failures
from classify.words import auc_sentence, demo_story, table_rows

if TYPE_CHECKING:
    from classify.library import Trained

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Learns what you like from about seven songs, and scores the rest of your music.",
)
app.add_typer(cache_app, name="cache")

_FEW_LIKES = 7

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Audio files, folders, playlists or CSVs with a path column."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _known_encoder(name: str | None) -> str | None:
    """Refuse a name that is no encoder's, as a wrong argument."""
    from embed import EncoderError, encoder_spec

    try:
        return None if name is None else encoder_spec(name).name
    except EncoderError as error:
        raise typer.BadParameter(str(error)) from error


def _known_coverage(coverage: str) -> str:
    """Refuse what is no coverage, as a wrong argument."""
    from embed import EmbedError, coverage_windows

    try:
        coverage_windows(coverage)
    except EmbedError as error:
        raise typer.BadParameter(str(error)) from error
    return coverage


EncoderOption = Annotated[
    str, typer.Option("--encoder", callback=_known_encoder, help="See `sevensongs encoders`.")
]
TasteOption = Annotated[str, typer.Option("--taste", help="A name, or a file.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; default: one for each core.")
]


def main() -> None:
    """Run the command."""
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  for the whole run
    app()


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"sevensongs {version('sevensongs')}")
        raise typer.Exit


@app.callback()
def _options(
    cache: Annotated[
        str | None,
        typer.Option(
            "--cache", metavar="DIR|URI", help="Where embeddings and tastes are kept. [env: SEVENSONGS_CACHE]"
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more on stderr.")] = False,
    version: Annotated[  # noqa: ARG001  typer calls _version
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # For what we start: nothing is imported from the folder in which the command happens to run.
    os.environ["PYTHONSAFEPATH"] = "1"
    root = cache or os.environ.get("SEVENSONGS_CACHE")
    if root and "://" not in root:
        root = os.path.abspath(os.path.expanduser(root))
        if os.path.exists(root) and not os.path.isdir(root):
            raise typer.BadParameter(f"the cache {root} is a file; name a folder", param_hint="--cache")
    if root:
        os.environ["SEVENSONGS_CACHE"] = root
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("sevensongs: %(message)s"))
    log = logging.getLogger("sevensongs")
    log.handlers[:] = [handler]
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


@app.command()
@reports_errors
def embed(
    paths: Paths,
    encoder: EncoderOption = "musicnn",
    coverage: Annotated[
        str,
        typer.Option(
            "--coverage",
            metavar="scan|full|N",
            callback=_known_coverage,
            help="Twelve windows a song, all of it, or N windows.",
        ),
    ] = "scan",
    workers: WorkersOption = None,
    device: Annotated[
        Literal["auto", "cpu", "gpu"], typer.Option("--device", help="Where the network runs.")
    ] = "auto",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try files again that failed before and have not changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put every song into the cache; skip what is there.

    Example: sevensongs embed ~/Music
    """
    from classify.progress import progress_bar
    from embed import embed_library

    with progress_bar() as progress:
        report = embed_library(
            paths,
            encoder=encoder,
            coverage=coverage,
            workers=workers,
            device=device,
            retry_failed=retry_failed,
            progress=progress,
        )
    if as_json:
        fields = asdict(report) | {"x_realtime": report.x_realtime}
        print_json(fields)
    else:
        say_failures(report.warnings, "warning")
        speed = (
            f" in {report.wall_s:.1f} s ({report.x_realtime:.0f} times real time)" if report.embedded else ""
        )
        typer.echo(
            f"{report.found} found: {report.embedded} embedded{speed}, {report.cached} in the cache already, "
            f"{len(report.failed)} failed"
        )
    _require_songs(report.found)
    end(report.failed)


@app.command()
@reports_errors
def train(
    like: Annotated[
        list[str],
        typer.Option(
            "--like",
            metavar="PATH",
            help="A song that you like, or a folder or playlist of them; repeatable.",
        ),
    ],
    dislike: Annotated[
        list[str] | None,
        typer.Option("--dislike", metavar="PATH", help="The same for songs that you don't like."),
    ] = None,
    unlabelled: Annotated[
        list[str] | None,
        typer.Option(
            "--unlabelled", metavar="PATH", help="The rest of your music; default: all that is cached."
        ),
    ] = None,
    no_unlabelled: Annotated[
        bool, typer.Option("--no-unlabelled", help="Learn from likes and dislikes alone.")
    ] = False,
    head: Annotated[
        Literal["logistic", "dense"], typer.Option("--head", help="What is trained.")
    ] = "logistic",
    encoder: EncoderOption = "musicnn",
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
    from classify.library import train as train_taste
    from classify.progress import progress_bar

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
        typer.echo(
            f"Learnt from {learnt.n_like} likes, {learnt.n_dislike} dislikes and {learnt.n_unlabelled} "
            f"unlabelled songs in {trained.fit_s:.1f} s: {trained.path}"
        )
        typer.echo(auc_sentence(learnt.auc, learnt.auc_ci90, learnt.note))
    if trained.taste.n_like < _FEW_LIKES:
        few = f"{trained.taste.n_like} likes are few; about {_FEW_LIKES} give a taste to rely on"
        say(few)
    end(trained.failed)


def _describe(trained: Trained) -> dict[str, Any]:
    taste = trained.taste
    names = ("encoder", "head", "n_like", "n_dislike", "n_unlabelled", "auc", "auc_ci90", "threshold", "note")
    fields = {name: getattr(taste, name) for name in names}
    failed = [asdict(failure) for failure in trained.failed]
    return fields | {"failed": failed, "fit_s": trained.fit_s, "wall_s": trained.wall_s}


@app.command()
@reports_errors
def score(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH...]", help="What to score; default: the whole cached library."),
    ] = None,
    taste: TasteOption = "default",
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", callback=_known_encoder, help="Refuse a taste of any other encoder."),
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Only the N best.")] = None,
    min_score: Annotated[
        float, typer.Option("--min-score", min=0.0, max=1.0, help="Only songs that score at least this.")
    ] = 0.0,
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv", "m3u8"] | None,
        typer.Option("--format", help="How to print the songs; default: by the suffix of -o, else a table."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout."),
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Score songs, best first.

    Example: sevensongs score --top 50 --format m3u8 -o discover.m3u8
    """
    from classify.library import score as score_songs
    from classify.output import FORMATS, render, write_text
    from classify.progress import progress_bar

    suffix = output.suffix.lstrip(".").lower() if output else ""
    chosen = "json" if as_json else format_ or (suffix if suffix in FORMATS else "table")
    with progress_bar() as progress:
        scores = score_songs(
            paths or (),
            taste=taste,
            encoder=encoder,
            top=top,
            min_score=min_score,
            workers=workers,
            progress=progress,
        )
    if chosen == "table":
        rows = table_rows(scores.songs)
    else:
        rows = [asdict(song) for song in scores.songs] + [asdict(failure) for failure in scores.failed]
    text = render(rows, chosen)
    if output:
        write_text(output, text)
    else:
        print_text(text)
    _require_songs(len(scores.failed) or len(scores.songs) or min_score > 0)
    end(scores.failed)


@app.command()
@reports_errors
def evaluate(taste: TasteOption = "default", as_json: AsJson = False) -> None:
    """Tell how good a taste is on songs that it has not seen.

    Example: sevensongs evaluate
    """
    from classify.library import evaluate as evaluate_library

    found = evaluate_library(taste=taste)
    if as_json:
        print_json(found.as_dict())
        return
    typer.echo(auc_sentence(found.auc, found.auc_ci90, found.note))
    beside = ", ".join(f"{name} {auc:.3f}" for name, auc in found.baselines.items())
    typer.echo(
        f"Average precision {found.average_precision:.3f}, precision at 10 {found.precision_at_10:.2f}, "
        f"Brier score {found.brier:.3f}. AUC of simpler ways: {beside}."
    )
    for point in found.learning_curve:
        low, high = point.ci90
        typer.echo(f"With {point.n_like} likes: AUC {point.auc:.3f} ({low:.3f} to {high:.3f})")


@app.command()
@reports_errors
def encoders(as_json: AsJson = False) -> None:
    """List the encoders: which are ready, how to get the others.

    Example: sevensongs encoders
    """
    from classify.output import render
    from embed import encoder_status

    rows = [asdict(status) for status in encoder_status()]
    if as_json:
        print_json(rows)
        return
    short = [
        {key: row[key] for key in ("name", "ready", "dim", "frame_s", "hop_s", "fingerprint")} for row in rows
    ]
    print_text(render(short, "table"))
    for row in rows:
        if not row["ready"]:
            typer.echo(f"{row['name']}: {row['how_to_get']}")


@app.command()
@reports_errors
def demo(as_json: AsJson = False) -> None:
    """Show the main job on real input: embed 28 tracks, like 7, score the 21 unseen.

    Example: sevensongs demo
    """
    from classify.demo import run_demo
    from classify.progress import progress_bar

    with progress_bar() as progress:
        result = run_demo(progress=progress)
    if as_json:
        print_json(
            {
                "embedded": result.embedded,
                "auc_unseen": result.auc_unseen,
                "accuracy_unseen": result.n_right / len(result.songs),
                "wall_s": result.wall_s,
                "rows": [asdict(song) for song in result.songs],
            }
        )
    else:
        print_text(demo_story(result))


def _require_songs(n_found: int) -> None:
    """Say so where there is nothing to do, rather than succeed in silence."""
    if not n_found:
        say("no audio file is there; see README for what is read")
        raise typer.Exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
