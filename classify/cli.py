"""The command `sevensongs`: parse, call, print, exit code; nothing else.

Whatever is slow to import is imported inside the command that needs it, so that `--help` is quick.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from classify.demo import DemoResult
    from classify.library import ScoredSong, Trained
    from embed import Failure

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Learns what you like from about seven songs, and scores the rest of your music.",
)
cache_app = typer.Typer(no_args_is_help=True, help="What is stored, and where.")
app.add_typer(cache_app, name="cache")

_EXIT_FAILED, _EXIT_INTERRUPTED = 1, 130
_FEW_LIKES = 7
_Command = TypeVar("_Command", bound=Callable[..., Any])

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Audio files, folders, playlists or CSVs with a path column."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
EncoderOption = Annotated[str, typer.Option("--encoder", help="See `sevensongs encoders`.")]
TasteOption = Annotated[str, typer.Option("--taste", help="A name, or a file.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; default: one for each core.")
]


def main() -> None:
    """Run the command."""
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
    if cache:
        os.environ["SEVENSONGS_CACHE"] = cache
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("sevensongs: %(message)s"))
    log = logging.getLogger("sevensongs")
    log.handlers[:] = [handler]
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


def _reports_errors(command: _Command) -> _Command:
    """Turn errors into a line on stderr and an exit code."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from cache import CacheError
        from classify.errors import ClassifyError
        from embed import EmbedError

        try:
            return command(*args, **kwargs)
        except (CacheError, ClassifyError, EmbedError) as error:
            typer.echo(f"sevensongs: {error}", err=True)
            raise typer.Exit(_EXIT_FAILED) from error
        except KeyboardInterrupt as error:
            typer.echo("sevensongs: interrupted; what was done is kept", err=True)
            raise typer.Exit(_EXIT_INTERRUPTED) from error
        except BrokenPipeError as error:  # such as `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_EXIT_FAILED) from error

    return wrapper  # type: ignore[return-value]


@app.command()
@_reports_errors
def embed(
    paths: Paths,
    encoder: EncoderOption = "musicnn",
    coverage: Annotated[
        str,
        typer.Option(
            "--coverage", metavar="scan|full|N", help="Twelve windows a song, all of it, or N windows."
        ),
    ] = "scan",
    workers: WorkersOption = None,
    device: Annotated[
        str, typer.Option("--device", metavar="auto|cpu|gpu", help="Where the network runs.")
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
        _print_json(fields)
    else:
        _say_failures(report.warnings, "warning")
        speed = (
            f" in {report.wall_s:.1f} s ({report.x_realtime:.0f} times real time)" if report.embedded else ""
        )
        typer.echo(
            f"{report.found} found: {report.embedded} embedded{speed}, {report.cached} in the cache already, "
            f"{len(report.failed)} failed"
        )
    _end(report.failed)


@app.command()
@_reports_errors
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
        str, typer.Option("--head", metavar="logistic|dense", help="What is trained.")
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
            taste=str(output.absolute()) if output else taste,
            workers=workers,
            progress=progress,
        )
    if as_json:
        name = trained.path.stem if output else taste
        _print_json({"taste": name, "path": str(trained.path)} | _describe(trained))
    else:
        learnt = trained.taste
        typer.echo(
            f"Learnt from {learnt.n_like} likes, {learnt.n_dislike} dislikes and {learnt.n_unlabelled} "
            f"unlabelled songs in {trained.fit_s:.1f} s: {trained.path}"
        )
        typer.echo(_auc_sentence(learnt.auc, learnt.auc_ci90, learnt.note))
    if trained.taste.n_like < _FEW_LIKES:
        few = f"{trained.taste.n_like} likes are few; about {_FEW_LIKES} give a taste to rely on"
        typer.echo(f"sevensongs: {few}", err=True)
    _end(trained.failed)


def _describe(trained: Trained) -> dict[str, Any]:
    taste = trained.taste
    names = ("encoder", "head", "n_like", "n_dislike", "n_unlabelled", "auc", "auc_ci90", "threshold", "note")
    fields = {name: getattr(taste, name) for name in names}
    failed = [asdict(failure) for failure in trained.failed]
    return fields | {"failed": failed, "fit_s": trained.fit_s, "wall_s": trained.wall_s}


@app.command()
@_reports_errors
def score(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH...]", help="What to score; default: the whole cached library."),
    ] = None,
    taste: TasteOption = "default",
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="Refuse a taste of any other encoder.")
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Only the N best.")] = None,
    min_score: Annotated[
        float, typer.Option("--min-score", min=0.0, max=1.0, help="Only songs that score at least this.")
    ] = 0.0,
    format_: Annotated[
        str, typer.Option("--format", metavar="table|json|jsonl|csv|m3u8", help="How to print the songs.")
    ] = "table",
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

    format_ = "json" if as_json else format_
    if format_ not in FORMATS:
        raise typer.BadParameter(f"{format_!r} is not one of {', '.join(FORMATS)}", param_hint="--format")
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
    if format_ == "table":
        rows = _table_rows(scores.songs)
    else:
        rows = [asdict(song) for song in scores.songs] + [asdict(failure) for failure in scores.failed]
    text = render(rows, format_)
    if output:
        write_text(output, text)
    else:
        _print(text)
    _end(scores.failed)


@app.command()
@_reports_errors
def evaluate(taste: TasteOption = "default", as_json: AsJson = False) -> None:
    """Tell how good a taste is on songs that it has not seen.

    Example: sevensongs evaluate
    """
    from classify.library import evaluate as evaluate_library

    found = evaluate_library(taste=taste)
    if as_json:
        _print_json(found.as_dict())
        return
    typer.echo(_auc_sentence(found.auc, found.auc_ci90, found.note))
    beside = ", ".join(f"{name} {auc:.3f}" for name, auc in found.baselines.items())
    typer.echo(
        f"Average precision {found.average_precision:.3f}, precision at 10 {found.precision_at_10:.2f}, "
        f"Brier score {found.brier:.3f}. AUC of simpler ways: {beside}."
    )
    for point in found.learning_curve:
        low, high = point.ci90
        typer.echo(f"With {point.n_like} likes: AUC {point.auc:.3f} ({low:.3f} to {high:.3f})")


@app.command()
@_reports_errors
def encoders(as_json: AsJson = False) -> None:
    """List the encoders: which are ready, how to get the others.

    Example: sevensongs encoders
    """
    from classify.output import render
    from embed import encoder_status

    rows = [asdict(status) for status in encoder_status()]
    if as_json:
        _print_json(rows)
        return
    short = [
        {key: row[key] for key in ("name", "ready", "dim", "frame_s", "hop_s", "fingerprint")} for row in rows
    ]
    _print(render(short, "table"))
    for row in rows:
        if not row["ready"]:
            typer.echo(f"{row['name']}: {row['how_to_get']}")


@app.command()
@_reports_errors
def demo(as_json: AsJson = False) -> None:
    """Show the main job on real input: embed 28 tracks, like 7, score the 21 unseen.

    Example: sevensongs demo
    """
    from classify.demo import run_demo
    from classify.progress import progress_bar

    with progress_bar() as progress:
        result = run_demo(progress=progress)
    if as_json:
        _print_json(
            {
                "embedded": result.embedded,
                "auc_unseen": result.auc_unseen,
                "accuracy_unseen": result.n_right / len(result.songs),
                "wall_s": result.wall_s,
                "rows": [asdict(song) for song in result.songs],
            }
        )
    else:
        _show_demo(result)


def _show_demo(result: DemoResult) -> None:
    from classify.demo import DEMO_TASTE, is_liked
    from classify.output import render

    typer.echo(
        "The music: 28 generated tracks of the package immich-memories-music, 15 acoustic, 13 electronic."
    )
    typer.echo(f"The listener likes {len(result.likes)} acoustic ones:")
    for path in result.likes:
        typer.echo(f"  {Path(path).stem}")
    typer.echo(f"What Seven Songs makes of the {len(result.songs)} others, whose kind it was not told:\n")
    rows = [
        {
            "score": song.score,
            "verdict": song.verdict,
            "track": Path(song.path).stem,
            "in truth": "liked" if is_liked(song.path) else "not liked",
        }
        for song in result.songs
    ]
    _print(render(rows, "table"))
    typer.echo(
        f"\n{result.n_right} of {len(result.songs)} on the right side; AUC {result.auc_unseen:.3f} "
        f"({result.wall_s:.0f} s, {result.embedded} embedded now). It is kept as the taste {DEMO_TASTE!r}.\n"
        "Now with your own music:\n"
        "  sevensongs embed ~/Music\n"
        "  sevensongs train --like SONG --like SONG ...   (about seven songs that you like)\n"
        "  sevensongs score --top 50"
    )


@cache_app.command("info")
@_reports_errors
def cache_info(as_json: AsJson = False) -> None:
    """Tell what is stored.

    Example: sevensongs cache info
    """
    from cache import cache_info as read_info
    from classify.output import render

    info = asdict(read_info())
    if as_json:
        _print_json(info)
        return
    typer.echo(
        f"{info['path']}: {info['bytes'] / 2**20:.1f} MiB, {info['songs']} songs, {info['failed']} failed"
    )
    if info["encoders"]:
        _print(render(info["encoders"], "table"))


@cache_app.command("path")
@_reports_errors
def cache_path() -> None:
    """Print where the cache is.

    Example: sevensongs cache path
    """
    from cache import default_root

    typer.echo(str(default_root()))


def _table_rows(songs: tuple[ScoredSong, ...]) -> list[dict[str, Any]]:
    """Choose what a person wants to see of each song."""
    rows = []
    for rank, song in enumerate(songs, start=1):
        name = " - ".join(part for part in (song.artist, song.title) if part)
        rows.append({"rank": rank, "score": song.score, "verdict": song.verdict, "song": name or song.path})
    return rows


def _auc_sentence(auc: float | None, ci90: tuple[float, float] | None, note: str) -> str:
    if auc is None or ci90 is None:
        return f"How good it is can't be told: {note}."
    low, high = ci90
    sentence = (
        f"On songs held out, a like ranks above another song in {auc:.0%} of pairs "
        f"(90% interval {low:.0%} to {high:.0%})"
    )
    return f"{sentence}; {note}." if note else f"{sentence}."


def _end(failed: tuple[Failure, ...]) -> None:
    """List failures on stderr; exit with 1 if there are any."""
    _say_failures(failed, "failed")
    if failed:
        raise typer.Exit(_EXIT_FAILED)


def _say_failures(failures: tuple[Failure, ...], word: str) -> None:
    for failure in failures:
        path = failure.path.encode("utf-8", "replace").decode("utf-8")
        typer.echo(f"sevensongs: {word}: {path}: {failure.error}", err=True)


def _print_json(document: Any) -> None:
    from classify.output import to_json

    _print(to_json(document) + "\n")


def _print(text: str) -> None:
    """Write to stdout; names that are not UTF-8 come out as the bytes that they are on disk."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
