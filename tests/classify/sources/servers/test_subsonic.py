"""Subsonic: stars become labels, and a ranked list becomes a playlist, on a real supysonic."""

from __future__ import annotations

import dataclasses
import io
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner
from waiting import run

import embed
from cache import Catalog, EmbeddingStore, FileRecord
from classify.cli.app import app
from classify.errors import ServerError
from classify.labels.labelling import labels_now
from classify.sources.importing import LabelImport, import_labels
from classify.sources.servers import downloads, http_client, subsonic
from classify.sources.servers.address import split_address
from classify.sources.servers.http_client import HttpClient
from classify.sources.servers.subsonic import SubsonicServer
from classify.sources.song_matching import SongIndex
from classify.sources.source_song import SourceSong
from tests.classify.labels.made_library import digest_of, make_songs
from tests.support.music_servers import (
    PASSWORD,
    MadeLibrary,
    free_port,
    made_library,
    running_supysonic,
)
from tests.support.tools import tool


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


def test_stars_are_labels_and_a_ranked_list_is_one_playlist(server: Supysonic) -> None:
    songs = server.ask("search3", ("query", "Song"), ("songCount", "99"))["searchResult3"]["song"]
    ids = {int(song["title"].rpartition(" ")[2]): song["id"] for song in songs}
    assert len(ids) == 28
    for number in (0, 4, 8, 12):
        server.ask("star", ("id", ids[number]))
    server.ask("setRating", ("id", ids[16]), ("rating", "5"))
    server.ask("setRating", ("id", ids[1]), ("rating", "1"))
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
    assert server.ask("getStarred2")["starred2"]["song"].__len__() == 4


@pytest.mark.parametrize("way", ["path", "size", "title"])
def test_all_songs_match_by_path_by_size_and_by_tags(
    server: Supysonic, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subsonic, "_PAGE", 5)
    client = SubsonicServer(server.place)
    searched = client.songs()
    albums = [subsonic._song(one) for one in client._of_albums()]
    assert sorted(one.key for one in searched) == sorted(one.key for one in albums)
    left_out: dict[str, Any] = {} if way == "path" else {"path": None}
    left_out |= {"size_bytes": None} if way == "title" else {}
    index = SongIndex(Catalog(server.library.root).files().recordings())
    found = [index.match(dataclasses.replace(song, **left_out)) for song in searched]
    assert [one and one.by for one in found] == [way] * 28
    names = [(one.song.title, Path(one.path).stem[3:]) for one in found if one]
    assert all((title or "").replace(".", "") == stem for title, stem in names)


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
        _http("200 OK", "x" * 999, flac): "answers with more than 0 MiB",
        _http("200 OK", "{}", "Content-Type: application/json"): "is no Subsonic server",
        _http("200 OK", "x" * 50, flac)[:-9]: r"middle of its answer \(9 bytes are missing\)",
    }.items():
        client._client = HttpClient(f"http://127.0.0.1:{_answering(said)}", timeout_s=3)
        with pytest.raises(ServerError, match=words):
            client.download(song, io.BytesIO(), 99)
    whole = io.BytesIO()
    client._client = HttpClient(f"http://127.0.0.1:{_answering(_http('200 OK', 'abc', flac))}")
    client.download(song, whole, 99)
    assert whole.getvalue() == b"abc"


def test_who_is_not_let_in_is_told_why(
    server: Supysonic, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
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


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ServerError, match="every process of this computer") as told:
        split_address("https://ann:sesame@host/base")
    assert "sesame" not in str(told.value)
    for text in ("ftp://host", "https://", "host", "https://h/?x", "http://[::1"):
        with pytest.raises(ServerError, match="address"):
            split_address(text)
    assert split_address("http://[::1]:4533/a/") == ("http://[::1]:4533/a", "")


def _answering(said: bytes, *, every_s: float = 0.0, context: Any = None) -> int:
    """Answer all who connect with some bytes, or with nothing at all; gives the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def answer() -> None:
        while True:
            peer, _ = listening.accept()
            try:
                if context:
                    peer = context.wrap_socket(peer, server_side=True)
                peer.recv(65536)
                for n in range(len(said)) if every_s else ():
                    peer.sendall(said[n : n + 1])
                    stop.wait(every_s)
                peer.sendall(b"" if every_s else said)
                if not said:
                    stop.wait(30)
                peer.close()
            except OSError:
                peer.close()

    threading.Thread(target=answer, daemon=True).start()
    port: int = listening.getsockname()[1]
    return port


def _http(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers, f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "says nothing for 0.3 s"),
        (_http("200 OK", "<html>"), "does not answer in JSON"),
        (_http("200 OK", "{}"), "is no Subsonic server"),
        (_http("503 Busy"), "answers 503 Busy; try again later"),
        (_http("500 Oh"), "answers 500 Oh"),
        (_http("302 There", "", "Location: https://evil.example/x"), "leads to https://evil.ex"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "ends in the middle|in JSON"),
        (b"\x00" * 99, "ends in the middle of its answer"),
    ],
)
def test_servers_that_are_none_are_told_in_words(said: bytes, words: str) -> None:
    address = f"http://127.0.0.1:{_answering(said)}"
    with pytest.raises(ServerError, match=words) as told:
        SubsonicServer(address.replace("//", "//ann@"), HttpClient(address, timeout_s=0.3))
    assert PASSWORD not in str(told.value)


def test_an_answer_that_never_ends_and_a_place_where_nobody_is_are_given_up() -> None:
    drip = _http("200 OK", " " * 200)
    address = f"http://127.0.0.1:{_answering(drip, every_s=0.02)}"
    with pytest.raises(ServerError, match=r"has not come to an end in 0\.5 s"):
        SubsonicServer("http://ann@x", HttpClient(address, timeout_s=3, answer_s=0.5))
    with pytest.raises(ServerError, match=r"can't be reached \(.*is it running"):
        SubsonicServer(f"http://ann@127.0.0.1:{free_port()}")


def test_a_certificate_that_is_not_valid_keeps_the_password_here(tmp_path: Path) -> None:
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    request += ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    assert run([tool("openssl"), *request, *files]).returncode == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    port = _answering(_http("200 OK", "{}"), context=context)
    with pytest.raises(ServerError, match=r"certificate of .* is not valid \(self.signed"):
        SubsonicServer(f"https://ann@localhost:{port}")
    with pytest.raises(ServerError, match=r"speaks no TLS|can't be reached"):
        SubsonicServer(f"https://ann@127.0.0.1:{_answering(b'no TLS at all' * 9)}")


def test_the_password_itself_goes_over_https_or_to_this_computer_alone() -> None:
    """A server that knows no tokens, elsewhere: the second login is not tried."""
    refusal = json.dumps(
        {"subsonic-response": {"status": "failed", "error": {"code": 41, "message": "no tokens"}}}
    )
    client = HttpClient(f"http://127.0.0.1:{_answering(_http('200 OK', refusal))}", timeout_s=3)
    with pytest.raises(ServerError, match="over https alone"):
        SubsonicServer("http://ann@music.example", client)
    with pytest.raises(ServerError, match="refuses ping: no tokens"):
        SubsonicServer("https://ann@music.example", client)
