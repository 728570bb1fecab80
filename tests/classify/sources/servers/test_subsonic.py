"""Subsonic: stars become labels, and a ranked list becomes a playlist, on a real supysonic."""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

import embed
from cache import Catalog, EmbeddingStore, FileRecord
from classify.cli.app import app
from classify.errors import ServerError
from classify.labels.labelling import labels_now
from classify.sources.importing import LabelImport, import_labels
from classify.sources.servers import downloads, http_client, subsonic
from classify.sources.servers.http_client import HttpClient
from classify.sources.servers.subsonic import SubsonicServer
from classify.sources.servers.subsonic_answers import song_of
from classify.sources.song_matching import SongIndex
from classify.sources.source_song import SourceSong
from tests.classify.labels.made_library import digest_of, make_songs
from tests.support.music_servers import (
    PASSWORD,
    MadeLibrary,
    answering,
    http_answer,
    made_library,
    running_supysonic,
)


@dataclass(frozen=True, kw_only=True)
class Supysonic:
    library: MadeLibrary
    address: str

    @property
    def place(self) -> str:
        return self.address.replace("//", "//ann@")

    def ask(self, method: str, *form: tuple[str, str], user: str = "ann") -> dict[str, Any]:
        """Ask as any other client does."""
        password = PASSWORD if user == "ann" else "x"
        login = [("u", user), ("p", password), ("c", "t"), ("v", "1.12.0"), ("f", "json")]
        url = f"{self.address}/rest/{method}.view?{urlencode([*login, *form])}"
        with urlopen(url, timeout=60) as answer:
            document: dict[str, Any] = json.load(answer)["subsonic-response"]
        assert document["status"] == "ok", document
        return document


@pytest.fixture(scope="module")
def server(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supysonic]:
    folder = tmp_path_factory.mktemp("subsonic")
    library = made_library(compiled, folder)
    with running_supysonic(library.music, folder / "server") as address:
        yield Supysonic(library=library, address=address)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVENSONGS_PASSWORD", PASSWORD)
    monkeypatch.setattr(http_client, "_WAIT_S", 0.01)


def test_stars_are_labels_and_a_ranked_list_is_one_playlist(
    server: Supysonic, tmp_path: Path
) -> None:
    songs = server.ask("search3", ("query", "Song"), ("songCount", "99"))["searchResult3"]["song"]
    ids = {int(song["title"].rpartition(" ")[2]): song["id"] for song in songs}
    assert len(ids) == 28
    for number in (0, 4, 8, 12):
        server.ask("star", ("id", ids[number]))
    server.ask("setRating", ("id", ids[16]), ("rating", "5"))
    server.ask("setRating", ("id", ids[1]), ("rating", "1"))
    said = server.ask("search3", ("query", "Song"), ("songCount", "99"))
    root = server.library.root

    def command(*words: str) -> Any:
        return CliRunner().invoke(app, ["--cache", str(root), *words])

    source = f"subsonic:{server.place}"
    result = command("label", "import", source)
    assert result.exit_code == 0, result.output
    assert "4 likes and 0 dislikes in subsonic:http://127.0.0.1" in result.stdout
    assert PASSWORD not in result.output
    rated = ("--like", "starred", "--like", "rating>=4", "--dislike", "rating<=2")
    assert "2 added, 0 changed, 0 removed" in command("label", "import", source, *rated).stdout
    labels = {Path(one.path).name[:2]: one.label for one in labels_now(root=root)}
    assert labels == dict.fromkeys(("00", "04", "08", "12", "16"), "like") | {"01": "dislike"}

    server.ask("createPlaylist", ("name", "Seven Songs"), ("songId", ids[3]), user="bob")
    wanted = [row["path"] for row in json.loads(command("score", "--top", "9", "--json").stdout)]
    for words in ("9 songs in 'Seven Songs' on subsonic:http", "(replaced)"):
        result = command("score", "--top", "9", "--push", source)
        assert result.exit_code == 0, result.output
        assert words in result.stdout
        lists = server.ask("getPlaylists")["playlists"]["playlist"]
        (own,) = [one for one in lists if one["owner"] == "ann"]
        assert own["comment"].startswith("made by Seven Songs")
        entries = server.ask("getPlaylist", ("id", own["id"]))["playlist"]["entry"]
        assert [entry["path"] for entry in entries] == [
            Path(path).relative_to(server.library.music).as_posix() for path in wanted
        ]
    assert server.ask("search3", ("query", "Song"), ("songCount", "99")) == said, "stars, ratings"
    exported = tmp_path / "exported.m3u"
    exported.write_text("".join(f"/srv/{entry['path']}\n" for entry in entries))
    refused = command("label", "import", str(exported))
    assert refused.exit_code == 1
    assert "the very songs of a list that Seven Songs has put on a server" in refused.stderr
    exported = tmp_path / "Seven Songs.m3u"
    exported.write_text("".join(f"{server.library.music / entry['path']}\n" for entry in entries))
    for words_of in (("label", "like"), ("train", "--like")):
        refused = command(*words_of, str(exported))
        assert refused.exit_code == 1
        assert "the name and the very songs of a list that Seven Songs" in refused.stderr


@pytest.mark.parametrize("way", ["path", "size", "title"])
def test_all_songs_match_by_path_by_size_and_by_tags(
    server: Supysonic, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subsonic, "_PAGE", 5)
    client = SubsonicServer(server.place)
    searched = client.songs()
    albums = [song_of(one) for one in client._of_albums()]
    assert sorted(one.key for one in searched) == sorted(one.key for one in albums)
    left_out: dict[str, Any] = {} if way == "path" else {"path": None}
    left_out |= {"size_bytes": None} if way == "title" else {}
    index = SongIndex(Catalog(server.library.root).files().recordings())
    found = [index.match(dataclasses.replace(song, **left_out)) for song in searched]
    assert [one and one.by for one in found] == [way] * 28
    names = [(one.song.title, Path(one.path).stem[3:]) for one in found if one]
    assert all((title or "").replace(".", "") == stem for title, stem in names)


_CONFUSIONS: dict[str, dict[str, Any]] = {
    "live": {"title": "Song No. {n} (Live)"},
    "remix": {"title": "Song No. {n} (Somebody's Remix)"},
    "edition": {"title": "Song No. {n} (Single Version)", "album": "Greatest Hits"},
    "length": {"album": "Greatest Hits", "duration_s": 60.0},
    "artist": {"artist": "Somebody Else"},
    "title": {"title": "Song No. {n}b"},
}


def test_what_is_like_a_song_on_the_server_never_stands_in_for_it(server: Supysonic) -> None:
    """Alone in the library, also where a server's made-up path and a chance size name it."""
    there = SubsonicServer(server.place).songs()
    unplaced = [dataclasses.replace(song, path=None, size_bytes=None) for song in there]
    library = Catalog(server.library.root).lookup([str(one) for one in server.library.paths])
    files = [*library.values()]
    for kind, other in _CONFUSIONS.items():
        confused = []
        for file in files:
            number = (file.title or "").rpartition(" ")[2]
            fields: dict[str, Any] = {
                name: value.format(n=number) if isinstance(value, str) else value
                for name, value in other.items()
            }
            fields["digest"] = digest_of(100 + int(number))
            confused.append(dataclasses.replace(file, **fields))
        assert [SongIndex(confused).match(song) for song in there] == [None] * 28, kind
        assert [SongIndex(confused).match(song) for song in unplaced] == [None] * 28, kind
        moved = [
            dataclasses.replace(file, path=f"/other/{n}.flac") for n, file in enumerate(confused)
        ]
        found = [SongIndex([*moved, *files]).match(song) for song in unplaced]
        assert {one.path for one in found if one} == {*library}, kind


@pytest.fixture
def heard_root(server: Supysonic, compiled: Path, tmp_path: Path) -> Path:
    """A cache that knows the songs 24 and 27 by their audio alone: no tags, other paths."""
    make_songs(compiled, tmp_path, range(20))
    root = tmp_path / "cache"
    made = embed.prepare_encoder("musicnn", root=root)
    store = EmbeddingStore(root, encoder="musicnn", fingerprint=made.fingerprint, dim=made.dim)
    for number in (24, 27):
        info = embed.probe(str(server.library.paths[number]))
        entry = store.get(digest_of(number - 24))
        assert entry
        store.put([dataclasses.replace(entry, digest=info.digest)])
        row = FileRecord(
            path=f"/elsewhere/{number}.flac",
            size_bytes=number,
            mtime_ns=0,
            digest=info.digest,
            duration_s=info.duration_s,
        )
        Catalog(root).put([row])
    return root


def test_songs_that_nothing_else_tells_are_downloaded_and_known_by_their_audio(
    server: Supysonic, heard_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_PASSWORD", "x")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    songs = server.ask("search3", ("query", "Song"), ("songCount", "99"))["searchResult3"]["song"]
    for song in songs:
        if int(song["title"].rpartition(" ")[2]) >= 24:
            server.ask("star", ("id", song["id"]), user="bob")
    told: list[str] = []

    def run(*, download: bool = True) -> LabelImport:
        source = f"subsonic:{server.address.replace('//', '//bob@')}"
        return import_labels(source, root=heard_root, download=download, tell=told.append)

    before = sorted(tmp_path.iterdir())
    assert len(run(download=False).unmatched) == 4
    monkeypatch.setattr(downloads, "MAX_SONGS", 3)
    done = run()
    whys = {one.song.title: one.why for one in done.unmatched}
    assert whys.pop("Song No. 27").startswith("not downloaded: 3 songs are the limit; the next")
    assert set(whys.values()) == {"its audio is that of no song of the library"}
    assert [(one.path, one.by) for one in done.matched] == [("/elsewhere/24.flac", "audio")]
    sizes = [server.library.paths[n].stat().st_size for n in (24, 25, 26)]
    assert (done.n_downloaded, done.n_bytes) == (3, sum(sizes))
    assert len(told) == 3
    assert told[0].startswith("downloading Act 8 - Song No. 24, 0.0 MB")
    assert sorted(tmp_path.iterdir()) == before
    # what is known is not downloaded again
    monkeypatch.setattr(downloads, "MAX_BYTES", 99)
    (why,) = {one.why for one in run().unmatched if one.song.title == "Song No. 27"}
    assert why.startswith("not downloaded: it has 0.0 MB, and 0.0 MB of 0.0 MB are left")
    monkeypatch.undo()
    monkeypatch.setenv("SEVENSONGS_PASSWORD", "x")
    done = run()
    assert (done.n_downloaded, len(done.matched), len(done.changes.added)) == (1, 2, 1)
    assert {one.digest for one in labels_now(root=heard_root)} == {
        embed.probe(str(server.library.paths[n])).digest for n in (24, 27)
    }


def test_a_download_is_bounded_and_what_is_no_file_is_told(server: Supysonic) -> None:
    song = SourceSong(key="1")
    client = SubsonicServer(server.place)
    with pytest.raises(ServerError, match=r"no such thing any more|refuses download"):
        client.download(SourceSong(key="0" * 32), io.BytesIO(), 99)
    flac = "Content-Type: audio/flac"
    for said, words in {
        http_answer("200 OK", "x" * 999, flac): "answers with more than 0 MiB",
        http_answer("200 OK", "{}", "Content-Type: application/json"): "is no Subsonic server",
        http_answer("200 OK", "x" * 50, flac)[:-9]: r"middle of its answer \(9 bytes are missing\)",
    }.items():
        client._client = HttpClient(f"http://127.0.0.1:{answering(said)}", timeout_s=3)
        with pytest.raises(ServerError, match=words):
            client.download(song, io.BytesIO(), 99)
    whole = io.BytesIO()
    client._client = HttpClient(f"http://127.0.0.1:{answering(http_answer('200 OK', 'abc', flac))}")
    client.download(song, whole, 99)
    assert whole.getvalue() == b"abc"


def test_who_is_not_let_in_is_told_why(
    server: Supysonic, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    client = SubsonicServer(server.place)
    monkeypatch.setattr(subsonic, "_PAGE", 5)
    monkeypatch.setattr(subsonic, "_MAX_SONGS", 20)
    with pytest.raises(ServerError, match="has more than 20 songs"):
        client.songs()
    monkeypatch.setenv("SEVENSONGS_PASSWORD", "wrong word")
    with pytest.raises(ServerError, match="the user 'ann' or the password is wrong"):
        SubsonicServer(server.place)
    with pytest.raises(ServerError, match="is the part of the address after the host right"):
        SubsonicServer(f"{server.place}/elsewhere")
    with pytest.raises(ServerError, match=r"whose stars\? Name the user"):
        SubsonicServer(server.address)
    monkeypatch.delenv("SEVENSONGS_PASSWORD")
    with pytest.raises(ServerError, match=r"no password for ann at .*SEVENSONGS_PASSWORD"):
        SubsonicServer(server.place)
    assert "wrong word" not in "".join(capfd.readouterr())
