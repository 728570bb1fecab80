"""The plugin in a real beets: scores as attributes that queries find, labels from a query."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import pytest
from waiting import run

import classify
from cache import Catalog
from classify.errors import LabelError
from classify.labels.labelling import labels_now
from classify.output.own_lists import M3U_MARK, mark_as_own
from classify.sources.known_sources import read_source
from classify.sources.opinions import opinions_of
from classify.sources.song_matching import SongIndex
from tests.support.music_servers import made_library

pytest.importorskip("beets", reason="beets is not installed: pip install beets")

# All commands in one process, as beets takes a second to start.
_BEET = """
import contextlib, io, json, sys
from beets import ui
for words in json.loads(sys.argv[1]):
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            ui._raw_main(words)
    except ui.UserError as error:
        said.write(f"refused: {error}")
    print(json.dumps(said.getvalue()))
"""


def test_scores_are_attributes_and_labels_come_from_queries(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = made_library(compiled, tmp_path)
    home = tmp_path / "beets"
    home.mkdir()
    monkeypatch.setenv("BEETSDIR", str(home))
    (home / "config.yaml").write_text(
        f"directory: {library.music}\nlibrary: {home}/library.db\nplugins: sevensongs\n"
        "import: {copy: no, write: no, autotag: no}\n"
        f"sevensongs: {{cache: {library.root}}}\n"
    )
    commands = [
        ["import", "--quiet", str(library.music)],
        ["modify", "--yes", "--nowrite", "--nomove", r"title::No\. [048]$", "mood=good"],
        ["sevensongs", "--like", "mood:good"],
        ["sevensongs", "--like", "mood:bad"],
        ["sevensongs", "--like", "taste:0.8.."],
        ["sevensongs", "--pretend"],
        ["ls", "taste:0..1"],
        ["sevensongs"],
        ["ls", "-f", "$taste $taste_verdict $title", "taste:0..", "taste-"],
        ["ls", "taste:0.5.."],
    ]
    done = run([sys.executable, "-c", _BEET, json.dumps(commands)])
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert "3 songs liked now; 3 likes, 0 dislikes" in said[2], done.stderr
    assert {Path(one.path).name[:2] for one in labels_now(root=library.root)} == {"00", "04", "08"}
    assert "no song is found by 'mood:bad'; nothing is labelled" in said[3]
    assert "a taste must not learn its own guesses" in said[4]
    assert len(said[5].splitlines()) == 28
    assert said[6] == "", "to pretend stores nothing"
    rows = [line.split(maxsplit=2) for line in said[8].splitlines()]
    scores = [float(score) for score, _, _ in rows]
    assert len(scores) == 28
    assert scores == sorted(scores, reverse=True)
    assert {verdict for _, verdict, _ in rows} <= {"like", "unsure", "dislike"}
    assert len(said[9].splitlines()) == sum(score >= 0.5 for score in scores)

    # the database as a source: what is said there, but never what we have written into it
    reading = read_source(f"beets:{home / 'library.db'}")
    index = SongIndex(Catalog(library.root).files().recordings())  # beets keeps relative paths
    found = [index.match(song) for song in reading.songs]
    assert [one and one.by for one in found] == ["path"] * 28
    by_tags = [index.match(dataclasses.replace(song, path=None)) for song in reading.songs]
    assert [one and one.by for one in by_tags] == ["title"] * 28
    assert [one and one.path for one in by_tags] == [one and one.path for one in found]
    assert len(opinions_of(reading, ["mood:good"]).likes) == 3
    with pytest.raises(LabelError, match="there is no 'taste_verdict' here"):
        opinions_of(reading, ["taste_verdict=like"])
    for asked in (" Taste >= 0.8", "taste_verdict=like", "taste"):
        with pytest.raises(LabelError, match="a taste must not learn its own guesses"):
            read_source(f"beets:{home / 'library.db'}", ["mood:good", asked])


def test_songs_are_scored_as_they_come_and_smart_playlists_have_them(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = made_library(compiled, tmp_path)
    classify.label("like", [str(one) for one in library.paths[:16:4]], root=library.root)
    home = tmp_path / "beets"
    home.mkdir()
    monkeypatch.setenv("BEETSDIR", str(home))
    (home / "config.yaml").write_text(
        f"directory: {library.music}\nlibrary: {home}/library.db\n"
        "plugins: sevensongs smartplaylist\nimport: {copy: no, write: no, autotag: no}\n"
        f"sevensongs: {{cache: {library.root}, auto: yes}}\n"
        f"smartplaylist: {{playlist_dir: {home}, playlists: ["
        "{name: best.m3u, query: 'taste:0.01.. taste-'},"
        "{name: '$album/best.m3u', query: ['title:No', 'taste_verdict:like']},"
        "{name: wrong.m3u, query: 'taste:x year:b..a'},"
        "{name: mine.m3u, query: 'title:No'}]}\n"
    )
    commands = [
        ["import", "--quiet", str(library.music)],
        ["ls", "-f", "$taste", "taste:0.."],
        ["ls", "-p", "taste:0.01..", "taste-"],
        ["splupdate"],
        ["splupdate", "best.m3u"],
    ]
    done = run([sys.executable, "-c", _BEET, json.dumps(commands)])
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said[1].splitlines()) == 28, done.stderr
    mark, *best = (home / "best.m3u").read_text().splitlines()
    assert mark == M3U_MARK
    assert [Path(line).name for line in best] == [Path(line).name for line in said[2].splitlines()]
    assert len(best) > 3
    # what is made of scores is none of the listener's, wherever it lies; what is not, is
    copy = Path(shutil.copy(home / "best.m3u", tmp_path / "loved.m3u"))
    for made in (home / "best.m3u", copy, *home.glob("Record */best.m3u")):
        with pytest.raises(LabelError, match="was made by Seven Songs from scores"):
            read_source(str(made))
    assert len([*home.glob("Record */best.m3u")]) == 5
    assert len(read_source(str(home / "mine.m3u")).songs) == 28
    mark_as_own(copy)
    extended = tmp_path / "extended.m3u"
    extended.write_text("#EXTM3U\r\na.mp3\n")
    mark_as_own(extended)
    assert copy.read_text().count(M3U_MARK) == 1
    assert extended.read_text().splitlines() == ["#EXTM3U", M3U_MARK, "a.mp3"]
