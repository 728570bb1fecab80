"""Music in an object store: fetched, embedded as if it lay here, and named by its address."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import cache
import embed
from cache import Bucket, Catalog, EmbeddingStore, StoredObject, open_stores
from classify.cli.app import app
from embed.errors import EmbedError
from embed.pipeline.fetching import FileQueue
from embed.sifting.files_left import File
from tests.support.object_stores import ask, speaking_to

N = 9  # songs that train and score can do with
EMPTY, NOISE = "s3://songs/music/empty.mp3", "s3://songs/music/noise.mp3"
ROOT = "s3://songs/cache"


@dataclass(frozen=True)
class Library:
    """Songs in a bucket, and what the first run made of them."""

    names: dict[str, str]  # of each source, the track that it is a copy of
    report: embed.EmbedReport
    told: list[embed.Progress]


@pytest.fixture(scope="module")
def library(
    s3_url: str, heard: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    """Nine songs, a copy, and what no folder of music is without; embedded from the bucket."""
    ask(f"{s3_url}/songs")
    own = tmp_path_factory.mktemp("own")
    shutil.copytree(heard / "cache" / "encoders", own / "sevensongs" / "encoders")
    with speaking_to(s3_url), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(own))
        bucket = Bucket("s3://songs/music")
        tracks = sorted((heard / "music").iterdir())[:N]
        names = {f"s3://songs/music/Ünï ort/{n:02} #1?.opus": str(t) for n, t in enumerate(tracks)}
        names["s3://songs/music/a copy.opus"] = str(tracks[0])
        for source, track in names.items():
            name = source.removeprefix("s3://songs/music/")
            bucket.write(name, Path(track).read_bytes())
        for name in ("empty.mp3", "cover.jpg", "notes.mid", ".hidden/song.mp3"):
            bucket.write(name, b"")
        bucket.write("noise.mp3", os.urandom(9000))
        told: list[embed.Progress] = []
        report = embed.embed_library("s3://songs/music/", root=ROOT, progress=told.append)
        yield Library(names, report, told)


def one_store(root: str | Path) -> EmbeddingStore:
    (store,) = open_stores(root)
    return store


def test_every_object_is_accounted_for_once(library: Library) -> None:
    report = library.report
    assert (report.found, report.embedded, report.cached) == (N + 3, N, 1)
    assert {one.path: one.error.partition(" (")[0] for one in report.failed} == {
        EMPTY: "is empty",
        NOISE: "is not audio that FFmpeg can read",
    }
    assert report.passed_over.kinds == {".mid": 1}
    assert library.told[-1].n_done == library.told[-1].n_total == N + 3
    files = Catalog(ROOT).load()
    assert files.keys() == {*library.names, EMPTY, NOISE}
    assert not [name for name in os.listdir(tempfile.gettempdir()) if _is_left_over(name)]


def _is_left_over(name: str) -> bool:
    """Whether a folder of copies was left behind by this process."""
    folder = Path(tempfile.gettempdir(), name)
    return name.startswith("sevensongs-") and bool(list(folder.glob("[0-9]*.opus")))


def test_the_rows_are_those_of_a_local_run_bit_for_bit(library: Library, heard: Path) -> None:
    here, there = one_store(heard / "cache"), one_store(ROOT)
    local = Catalog(heard / "cache").load()
    for source, row in Catalog(ROOT).load().items():
        if row.digest is None:
            continue
        other = local[library.names[source]]
        assert (row.digest, row.duration_s, row.title) == (
            other.digest,
            other.duration_s,
            other.title,
        )
        mine, theirs = there.get(row.digest), here.get(row.digest)
        assert mine is not None
        assert theirs is not None
        for name in ("starts_s", "frames", "vector"):
            assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes()


def test_a_second_run_fetches_nothing(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bucket, "fetch", None)
    report = embed.embed_library("s3://songs/music", root=ROOT)
    assert (report.embedded, report.cached, len(report.failed)) == (0, N + 1, 2)


def test_a_changed_object_is_looked_at_again(library: Library) -> None:
    bucket = Bucket("s3://songs/other")
    first, second = list(library.names.values())[:2]
    digests = {one.path: one.digest for one in Catalog(ROOT).load().values()}
    for track in (first, second):
        bucket.write("song.opus", Path(track).read_bytes())
        embed.embed_library("s3://songs/other/song.opus", root=ROOT)
        source = next(source for source, name in library.names.items() if name == track)
        assert Catalog(ROOT).load()["s3://songs/other/song.opus"].digest == digests[source]


# loky's own thread may come upon a task of which its killed worker had not told yet
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_ctrl_c_keeps_what_is_committed(library: Library) -> None:
    def interrupt(progress: embed.Progress) -> None:
        if progress.n_done - progress.n_failed >= 2:
            raise KeyboardInterrupt

    root = "s3://songs/interrupted"
    with pytest.raises(KeyboardInterrupt):
        embed.embed_library("s3://songs/music/", root=root, batch_songs=1, progress=interrupt)
    assert one_store(root).verify() == []
    embedded = {row.digest for row in Catalog(root).load().values() if row.digest}
    assert 1 <= len(embedded) < N  # of the two files that were done, one may be the copy
    assert embedded <= one_store(root).held().keys()


@pytest.mark.parametrize("kind", ["parquet", "csv", "txt"])
def test_a_list_stands_for_a_search(library: Library, kind: str, tmp_path: Path) -> None:
    bucket = Bucket("s3://songs")
    found = {f"s3://songs/{one.name}": one for one in bucket.objects("music/Ünï ort")}
    path = tmp_path / f"list.{kind}"
    sources = [*found, "s3://songs/music/no.mp3"][: None if kind == "txt" else -1]
    columns: dict[str, list[Any]] = {"path": sources}
    if kind != "txt":
        columns["size_bytes"] = [found[source].size_bytes for source in sources]
        columns["etag"] = [found[source].version.strip('"') for source in sources]
    if kind == "parquet":
        parquet.write_table(pa.table(columns), path)
    elif kind == "csv":
        rows = [
            ",".join(columns),
            *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
        ]
        path.write_text("\n".join(rows))
    else:
        path.write_text("\n".join(sources))
    listed = embed.find_listed(path)
    assert listed.paths == tuple(found)
    assert dict(listed.objects) == found
    assert [one.path for one in listed.failures] == (sources[-1:] if kind == "txt" else [])
    done = CliRunner().invoke(app, ["--cache", ROOT, "embed", "--list", str(path), "--json"])
    assert json.loads(done.stdout)["cached"] == N


def test_a_list_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("song,artist\n1,2\n")
    with pytest.raises(EmbedError, match="has no column path, source, uri, but song, artist"):
        embed.find_listed(tmp_path / "list.csv")
    with pytest.raises(EmbedError, match="does not exist; name a list"):
        embed.find_listed(tmp_path / "no.parquet")
    with pytest.raises(EmbedError, match=r"\.parquet, \.csv, \.txt are read"):
        embed.find_listed(tmp_path / "list.m3u")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("s3://songs/nowhere/", "does not exist: no object has such a key"),
        ("s3://songs/list.m3u", "is a list in an object store; name a copy of it here"),
    ],
)
def test_what_is_not_there_is_told(library: Library, source: str, error: str) -> None:
    Bucket("s3://songs").write("list.m3u", b"a.mp3")
    (failure,) = embed.find_audio(source).failures
    assert (failure.path, failure.error) == (source, error)


def test_the_commands_of_the_readme_do_what_they_say(library: Library) -> None:
    readme = Path(cache.__file__).parent / "object_store" / "README.md"
    commands = re.findall(r"^sevensongs (.*)$", readme.read_text("utf-8"), re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        done = CliRunner().invoke(app, shlex.split(command, comments=True))
        assert done.exit_code == ("embed" in command), done.stderr  # two of the songs are none


def test_a_bucket_that_is_not_there_ends_the_command_in_words(library: Library) -> None:
    done = CliRunner().invoke(app, ["--cache", ROOT, "embed", "s3://songs-of-nobody/music/"])
    assert done.exit_code == 1
    assert "there is no such bucket" in done.stderr
    assert "<" not in done.stderr


def test_a_taste_is_learnt_and_songs_are_found_by_their_addresses(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`train`, `score`, `similar` and `suggest`, on music and a cache in a bucket."""
    sources = sorted(library.names)[1:]
    taste = str(tmp_path / "taste.npz")

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["--cache", ROOT, *words])

    likes = [word for source in sources[:4] for word in ("--like", source)]
    trained = run("train", *likes, "--taste", taste)
    assert trained.exit_code == 0, trained.stderr
    playlist = tmp_path / "best.m3u8"
    scored = run("score", "--taste", taste, "--top", "9", "-o", str(playlist))
    assert scored.exit_code == 0, scored.stderr
    listed = [line for line in playlist.read_text().splitlines() if not line.startswith("#")]
    assert set(listed) <= set(library.names)
    assert len(listed) == N - 4  # of which nobody has said anything
    asked = run("score", *sources[4:6], "--taste", taste, "--format", "json")
    assert {row["path"] for row in json.loads(asked.stdout)} == set(sources[4:6])
    run("score", "--taste", taste, "--top", "9", "-o", str(playlist), "--map", "/nas=s3://songs")
    mapped = [line for line in playlist.read_text().splitlines() if not line.startswith("#")]
    assert mapped == [name.replace("s3://songs", "/nas") for name in listed]
    monkeypatch.setenv("SEVENSONGS_MAP", "")  # which `--map` has set
    close = run("similar", sources[0], "--format", "json")
    assert close.exit_code == 0, close.stderr
    assert {row["path"] for row in json.loads(close.stdout)} <= set(library.names)
    suggested = run("suggest", "--taste", taste, "--format", "json")
    assert suggested.exit_code == 0, suggested.stderr
    for kind in ("m3u8", "pls", "xspf", "csv"):
        run("score", "--taste", taste, "--top", "9", "-o", str(tmp_path / f"again.{kind}"))
        again = embed.find_audio(tmp_path / f"again.{kind}")
        assert (list(again.paths), again.failures) == (listed, ())


def refusals(queue: FileQueue) -> list[tuple[int, str]]:
    """Take all files; return of each that could not be fetched its size, and why."""
    refused = []
    while queue:
        taken = queue.take()
        queue.wait(1.0)
        if isinstance(taken, tuple):
            refused.append((taken[0].size_bytes, str(taken[1]).partition(";")[0]))
    return refused


def test_a_store_that_refuses_song_after_song_ends_the_run(library: Library) -> None:
    gone = StoredObject(name="song.mp3", size_bytes=9, version='"x"')
    files = [
        File(path=f"s3://songs-of-nobody/{n}.mp3", size_bytes=9, mtime_ns=0, stored=gone)
        for n in range(60)
    ]
    queue = FileQueue(files, embed.Limits(), 1)
    with pytest.raises(EmbedError, match=r"no such bucket.* \(so it was with 50 songs in a row\)"):
        refusals(queue)
    queue.close()


def test_a_song_that_is_too_large_or_has_gone_is_not_fetched(library: Library) -> None:
    one = StoredObject(name="music/no.mp3", size_bytes=9, version='"x"')
    files = [
        File(
            path=f"s3://songs/music/{n}.mp3",
            size_bytes=n,
            mtime_ns=0,
            stored=replace(one, size_bytes=n),
        )
        for n in (9, 10**9)
    ]
    queue = FileQueue(files, embed.Limits(max_bytes=1e6), 1)
    refused = refusals(queue)
    queue.close()
    assert sorted(refused) == [
        (9, "has gone, or has changed since it was listed"),
        (10**9, "has 1.00 GB"),
    ]
