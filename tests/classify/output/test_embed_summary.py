"""The summary of `embed`: what was found, what became of it, and what to do next."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from classify.cli.app import app
from classify.output.embed_summary import MOST_TOLD, embed_summary
from embed import Album, EmbedReport, Failure


def report_of(*, embedded: int = 0, cached: int = 0, n_failed: int = 0) -> EmbedReport:
    return EmbedReport(
        encoder="musicnn",
        fingerprint="0123456789abcdef",
        found=embedded + cached + n_failed,
        embedded=embedded,
        cached=cached,
        failed=tuple(Failure(path=f"/{n}.mp3", error="is empty") for n in range(n_failed)),
        warnings=(),
        audio_s=100.0 * embedded,
        wall_s=2.0,
    )


def test_the_summary_counts_what_was_found_and_what_became_of_it() -> None:
    report = report_of(embedded=3, cached=4, n_failed=2)
    lines = embed_summary(
        report, n_songs=7, has_taste=False, passed_over=["7 .mid were passed over"]
    )
    assert lines[0] == (
        "9 found: 3 embedded in 2.0 s (150 times real time), 4 in the cache already, 2 failed"
    )
    assert lines[1] == "7 .mid were passed over"
    assert len(lines) == 3


def test_the_summary_names_albums_that_count_as_one_song() -> None:
    albums = tuple(Album(path=f"/m/{n}.flac", n_songs=12) for n in ("a", "b", "c\x1b", "d"))

    def said(n: int) -> str:
        report = replace(report_of(cached=9), albums=albums[:n])
        return embed_summary(report, n_songs=9, has_taste=True)[1]

    assert said(1) == "a.flac is an album of 12 songs by its CUE sheet and counts as one song"
    assert said(4) == (
        "4 files are albums of 48 songs by their CUE sheets and count as one song each "
        "(a.flac, b.flac, c\ufffd.flac, ...)"
    )


def test_the_summary_says_that_tags_were_read_anew() -> None:
    lines = embed_summary(replace(report_of(cached=9), n_retagged=1), n_songs=9, has_taste=True)
    assert lines[1].startswith("The tags of 1 song in the cache were read anew")


@pytest.mark.parametrize(
    ("report", "n_songs", "has_taste", "words"),
    [
        (report_of(embedded=9), 9, False, "sevensongs train --like SONG"),
        (report_of(cached=9), 9, True, "sevensongs score --top 50"),
        (report_of(embedded=1), 1, False, "the cache has 1 song."),
        (report_of(embedded=1), 40, False, "sevensongs train --like SONG"),
        (report_of(n_failed=3), 0, False, "name files or folders that hold music"),
    ],
)
def test_the_summary_ends_with_what_to_do_next(
    report: EmbedReport, n_songs: int, has_taste: bool, words: str
) -> None:
    last = embed_summary(report, n_songs=n_songs, has_taste=has_taste)[-1]
    assert last.startswith("Next: ")
    assert words in last


def test_where_nothing_was_found_nothing_is_next() -> None:
    assert len(embed_summary(report_of(), n_songs=9, has_taste=True)) == 1


def test_the_first_ten_failures_are_named_and_json_has_all(heard: Path, tmp_path: Path) -> None:
    root = shutil.copytree(heard / "cache", tmp_path / "cache")
    bad = [tmp_path / "bad" / f"{n:02}.mp3" for n in range(MOST_TOLD + 3)]
    bad[0].parent.mkdir()
    for path in bad:
        path.write_bytes(b"no music")
    argv = ["--cache", str(root), "embed", str(heard / "music"), str(tmp_path / "bad")]
    done = CliRunner().invoke(app, argv)
    assert done.exit_code == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("sevensongs: failed: ")]
    assert [line.split(": ")[2] for line in told] == [str(path) for path in bad[:MOST_TOLD]]
    assert "3 others failed; --json lists all of them" in done.stderr
    counts, step = done.stdout.splitlines()
    assert counts == "41 found: 0 embedded, 28 in the cache already, 13 failed"
    assert "Next: 'sevensongs train" in step
    as_json = CliRunner().invoke(app, [*argv, "--json"])
    assert as_json.exit_code == 1
    failed = json.loads(as_json.stdout)["failed"]
    assert {one["path"] for one in failed} == {str(path) for path in bad}
