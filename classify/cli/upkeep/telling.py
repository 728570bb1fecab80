"""What `embed` tells of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from classify.cli.console import print_json, print_story, print_text, say, say_failures

if TYPE_CHECKING:
    from embed import EmbedReport, Failure

__all__ = ["say_failed", "tell_batch", "tell_report"]


def tell_report(report: EmbedReport, *, as_json: bool) -> None:
    """Tell of a whole run; with `as_json` files that failed are in the document."""
    if as_json:
        print_json(asdict(report) | {"x_realtime": report.x_realtime})
        return
    _say_first(report.warnings, "warning", "with a warning")
    for line in _summary(report):
        print_story(f"{line}\n")


def tell_batch(report: EmbedReport, *, as_json: bool) -> None:
    """Tell of what was new in a folder that is watched, in one line."""
    from classify.output.embed_summary import counts_line
    from classify.output.formats import to_json

    if as_json:
        document = asdict(report) | {"x_realtime": report.x_realtime}
        print_text(to_json(document, indent=None) + "\n")
        return
    _say_first(report.warnings, "warning", "with a warning")
    print_text(f"{counts_line(report)}\n")


def say_failed(report: EmbedReport) -> None:
    """List the first files that failed."""
    _say_first(report.failed, "failed", "failed")


def _summary(report: EmbedReport) -> list[str]:
    from cache import default_root, list_stores
    from classify.output.embed_summary import FEW_SONGS, embed_summary
    from classify.output.passed_over import passed_over_words
    from classify.taste.names import DEFAULT_TASTE, taste_path

    n_songs = report.embedded + report.cached
    if n_songs < FEW_SONGS:  # so that a large cache need not be counted
        held = {store.fingerprint: store.n_songs for store in list_stores(default_root())}
        n_songs = min(held.get(part, 0) for part in report.fingerprint.split("+"))
    return embed_summary(
        report,
        n_songs=n_songs,
        has_taste=taste_path(DEFAULT_TASTE).exists(),
        passed_over=list(passed_over_words(report.passed_over)),
    )


def _say_first(failures: Sequence[Failure], word: str, what: str) -> None:
    from classify.output.embed_summary import apart_from_streams, first_of

    files, streams = apart_from_streams(failures)
    told, others = first_of(files, what)
    say_failures(told, word)
    if others:
        say(others)
    if streams:
        say(f"{word}: {streams}")
