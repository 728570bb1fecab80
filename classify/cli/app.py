"""The command `sevensongs`: parse, call, print, exit code; nothing else.

Whatever is slow to import is imported inside the command that needs it, so that `--help` is quick.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from classify.cli.cache import cache_app
from classify.cli.console import (
    EXIT_FAILED,
    print_json,
    print_story,
    print_text,
    reports_errors,
    require_songs,
)
from classify.cli.labels import label_app
from classify.cli.options import (
    AsJson,
    EncoderOption,
    MaxDuration,
    MaxSeconds,
    MaxSize,
    MaxStall,
    OptionsAnywhere,
    WorkersOption,
    known_coverage,
    known_maps,
)
from classify.cli.playlists import playlist_app
from classify.cli.serve import run_service, serve
from classify.cli.songs import explain, similar, suggest
from classify.cli.tastes import evaluate, score, train
from classify.cli.upkeep.follow_up import ThenOption, following
from classify.cli.upkeep.tags import tags_app
from classify.cli.upkeep.telling import say_failed, tell_report
from classify.cli.upkeep.watching import PollOption, WatchOption, require_watch, watch_folders

if TYPE_CHECKING:
    from classify.labels.hearing_order import HearingOrder
    from embed import EmbedReport, Limits, RayCluster

__all__ = ["app", "main"]

app = typer.Typer(
    cls=OptionsAnywhere,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Learns what you like from about seven songs, and scores the rest of your music.",
)
app.add_typer(cache_app, name="cache")
app.add_typer(label_app, name="label")
app.add_typer(playlist_app, name="playlist")
app.add_typer(tags_app, name="tags")


class _WithoutPandas:
    """Has an import of pandas fail.

    pyarrow imports it wherever it is installed: 0.1 s of the 0.4 s that a score of a cached song
    takes, and no command needs it.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:  # noqa: ARG004
        if name == "pandas":
            raise ModuleNotFoundError("the command works without pandas", name=name)


def main() -> None:
    """Run the command."""
    sys.meta_path.insert(0, _WithoutPandas())
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
            "--cache",
            metavar="DIR|URI",
            help="Where embeddings and tastes are kept. [env: SEVENSONGS_CACHE]",
        ),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FROM=TO",
            callback=known_maps,
            help="Playlists name folder FROM of another computer; here it is TO. "
            "[env: SEVENSONGS_MAP]",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="More messages on stderr.")
    ] = False,
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
            raise typer.BadParameter(
                f"the cache {root} is a file; name a folder", param_hint="--cache"
            )
    if root:
        os.environ["SEVENSONGS_CACHE"] = root
    if maps:
        os.environ["SEVENSONGS_MAP"] = "\n".join(maps)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("sevensongs: %(message)s"))
    log = logging.getLogger("sevensongs")
    log.handlers[:] = [handler]
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


@app.command()
@reports_errors
def embed(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Audio files, folders, playlists, CSVs, or s3://bucket/folder/.",
        ),
    ] = None,
    encoder: EncoderOption = "default",
    coverage: Annotated[
        str,
        typer.Option(
            "--coverage",
            metavar="scan|full|N",
            callback=known_coverage,
            help="Twelve windows a song (YAMNet, aisfx: eight), all of it, or N windows.",
        ),
    ] = "scan",
    workers: WorkersOption = None,
    device: Annotated[
        Literal["auto", "cpu", "gpu"], typer.Option("--device", help="Where the network runs.")
    ] = "auto",
    listed: Annotated[
        Path | None,
        typer.Option(
            "--list",
            metavar="FILE",
            help="A .parquet, .csv or .txt of files and s3:// addresses, of any length.",
        ),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Try files again that failed before and have not changed."
        ),
    ] = False,
    first_look: Annotated[
        bool | None,
        typer.Option(
            "--first-look/--no-first-look",
            help="Hear a few windows of every new song first, for an early ranking, then the rest, "
            "likes and likely ones first. Default: from 500 new songs on.",
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="ray|ray://HOST:PORT",
            help="Work on a Ray cluster: one on this machine, or another. Needs the extra cluster.",
        ),
    ] = None,
    max_duration: MaxDuration = 24.0,
    max_size: MaxSize = 64.0,
    max_seconds: MaxSeconds = 60.0,
    max_stall: MaxStall = 180.0,
    watches: WatchOption = False,
    poll_s: PollOption = None,
    then: ThenOption = None,
    as_json: AsJson = False,
) -> None:
    """Put every song into the cache; skip songs already there.

    Example: sevensongs embed ~/Music --watch
    """
    from classify.cli.progress import progress_bar
    from embed import NewAudio, embed_library

    require_watch(watches, poll_s, then)
    _require_names(paths, listed, watches=watches)
    options: dict[str, Any] = {
        "encoder": encoder,
        "coverage": coverage,
        "workers": workers,
        "device": device,
        "retry_failed": retry_failed,
        "first_look": first_look,
        "wanted_first": _wanted_first(encoder),
        "limits": _limits(max_duration, max_size, max_seconds, max_stall),
        "on": _cluster(on),
    }
    if watches:

        def embed_new(new: NewAudio) -> EmbedReport:
            with progress_bar() as progress:
                return embed_library(new.found, unsure=new.unsure, progress=progress, **options)

        follow = following(context, then) if then else None
        watch_folders(paths or [], embed_new, poll_s=poll_s, then=follow, as_json=as_json)
        return
    with progress_bar() as progress:
        report = embed_library(paths or [], listed=listed, progress=progress, **options)
    tell_report(report, as_json=as_json)
    require_songs(report.found)
    say_failed(report)
    if report.failed:
        raise typer.Exit(EXIT_FAILED)


def _require_names(paths: list[str] | None, listed: Path | None, *, watches: bool) -> None:
    if not paths and listed is None:
        raise typer.BadParameter("name a PATH, or a --list", param_hint="PATH")
    if watches and listed is not None:
        raise typer.BadParameter("names songs once; --watch takes folders", param_hint="--list")


def _wanted_first(encoder: str) -> Callable[[], Sequence[str]]:
    """Return what tells which songs go first; where none is new it imports nothing."""
    made: list[HearingOrder] = []

    def tell() -> Sequence[str]:
        if not made:
            from cache import default_root
            from classify.labels.hearing_order import HearingOrder

            made.append(HearingOrder(default_root(), encoder))
        return made[0]()

    return tell


def _cluster(address: str | None) -> RayCluster | None:
    if address is None:
        return None
    from embed import RayCluster

    return RayCluster(address)


def _limits(hours: float, gigabytes: float, cpu_s: float, stall_s: float) -> Limits:
    from embed import Limits

    return Limits(
        max_duration_s=3600 * hours,
        max_bytes=1e9 * gigabytes,
        max_cpu_s=cpu_s,
        max_stall_s=stall_s,
    )


for _command in (train, score, suggest, explain, evaluate, similar, serve):
    app.command()(_command)


@app.command()
@reports_errors
def encoders(as_json: AsJson = False) -> None:
    """List the encoders: which are ready, how to get the others.

    Several go together where --encoder names them joined by +, such as musicnn+yamnet: each keeps
    its own embeddings, and a taste learns from all of them. `--encoder best` is the most accurate
    choice, `--encoder fast` the quickest. A network in a file is `--encoder onnx:FILE` or
    `tflite:FILE`, with a card FILE.toml beside it; those that were used here are listed.

    Example: sevensongs encoders
    """
    from classify.output.formats import render
    from embed import encoder_status

    rows = [asdict(status) for status in encoder_status()]
    if as_json:
        print_json(rows)
        return
    short = [
        {key: row[key] for key in ("name", "ready", "dim", "frame_s", "hop_s", "fingerprint")}
        for row in rows
    ]
    print_text(render(short, "table"))
    for row in rows:
        if not row["ready"]:
            print_story(f"{row['name']}: {row['how_to_get']}\n")
    for row in rows:
        if row["credit"]:
            print_story(f"{row['name']}: by {row['credit']}\n")


@app.command()
@reports_errors
def demo(
    as_json: AsJson = False,
    serves: Annotated[
        bool,
        typer.Option("--serve", help="Then show all of it as a page, at http://127.0.0.1:8765."),
    ] = False,
    opens: Annotated[
        bool, typer.Option("--open", help="With --serve: open it in a browser.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="With --serve: 0 for any.")
    ] = 8765,
) -> None:
    """Try it on 28 bundled tracks: embed them, like 7, score the 21 unseen.

    Example: sevensongs demo --serve
    """
    from classify.cli.progress import progress_bar
    from classify.demo import demo_story, run_demo

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
        print_story(demo_story(result))
    if serves:
        _serve_demo(result.folder, port=port, opens=opens)


def _serve_demo(folder: Path, *, port: int, opens: bool) -> None:
    from cache import default_root
    from classify.demo import DEMO_TASTE
    from classify.web.settings import ServiceSettings

    settings = ServiceSettings(
        root=default_root(), taste=DEMO_TASTE, folders=(folder,), port=port, only_demo=True
    )
    run_service(settings, opens=opens)


if __name__ == "__main__":
    main()
