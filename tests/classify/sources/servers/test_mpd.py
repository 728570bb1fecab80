"""MPD: stickers become labels, and a ranked list becomes a stored playlist, in Debian's mpd."""

from __future__ import annotations

import dataclasses
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from waiting import run

import classify
from cache import Catalog
from classify.cli.app import app
from classify.errors import LabelError, ServerError
from classify.labels.labelling import labels_now
from classify.playlists.kept_playlist import PlaylistRule
from classify.playlists.updating import save_playlist, update_playlist
from classify.sources.importing import import_labels
from classify.sources.servers import mpd as mpd_module
from classify.sources.servers import mpd_client
from classify.sources.servers.mpd import MpdServer
from classify.sources.servers.mpd_client import MpdClient
from classify.sources.song_matching import SongIndex
from tests.support.music_servers import (
    MadeLibrary,
    answering,
    free_port,
    made_library,
    running_mpd,
    update_mpd,
)
from tests.support.terminals import TerminalCommand
from tests.support.tools import tool


@dataclass(frozen=True, kw_only=True)
class Mpd:
    library: MadeLibrary
    folder: Path
    port: int

    @property
    def server(self) -> str:
        return f"mpd:127.0.0.1:{self.port}"

    def uri(self, number: int) -> str:
        return self.library.paths[number].relative_to(self.library.music).as_posix()

    def mpc(self, *words: str) -> list[str]:
        done = run([tool("mpc"), "-h", "127.0.0.1", "-p", str(self.port), *words])
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def mpd(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mpd]:
    tool("mpd")
    folder = tmp_path_factory.mktemp("mpd")
    library = made_library(compiled, folder)
    with running_mpd(library.music, folder / "server") as port:
        yield Mpd(library=library, folder=folder / "server", port=port)


def test_stickers_are_labels_and_a_ranked_list_is_a_playlist(mpd: Mpd) -> None:
    likes, dislikes = [0, 4, 8, 12], [1, 5]
    for number in (*likes, *dislikes):
        mpd.mpc("sticker", mpd.uri(number), "set", "like", "2" if number in likes else "0")
    mpd.mpc("sticker", mpd.uri(16), "set", "rating", "9")
    said = [mpd.mpc("sticker", mpd.uri(n), "list") for n in range(28)]
    done = import_labels(mpd.server, root=mpd.library.root)
    assert (done.n_like, done.n_dislike, len(done.matched), done.unmatched) == (4, 2, 6, ())
    rated = import_labels(
        mpd.server, like=["like=2", "rating>=8"], dislike=["like=0"], root=mpd.library.root
    )
    assert len(rated.changes.added) == 1
    assert {one.source for one in labels_now(root=mpd.library.root)} == {mpd.server}

    def command(*words: str) -> Any:
        return CliRunner().invoke(app, ["--cache", str(mpd.library.root), "score", *words])

    wanted = [
        Path(line).relative_to(mpd.library.music).as_posix()
        for line in command("--top", "9", "--format", "m3u8").stdout.splitlines()
        if not line.startswith("#")
    ]
    push = ("--top", "9", "--push", mpd.server, "--playlist", 'My "finds"')
    for words in ("9 songs in 'My \"finds\"' on", "(replaced)"):
        result = command(*push)
        assert result.exit_code == 0, result.output
        assert words in result.stdout
        assert mpd.mpc("-f", "%file%", "playlist", 'My "finds"') == wanted
    assert mpd.mpc("lsplaylists") == ['My "finds"']
    assert command(*push[:-1], "a/b").exit_code == 1
    assert [mpd.mpc("sticker", mpd.uri(n), "list") for n in range(28)] == said
    assert len(labels_now(root=mpd.library.root)) == 7

    # the file that mpd itself writes of it has no word of who made it
    theirs = mpd.folder / "playlists" / 'My "finds".m3u'
    assert len(theirs.read_text().splitlines()) == 9
    with pytest.raises(LabelError, match="the very songs of a list that Seven Songs has put on a"):
        import_labels(str(theirs), root=mpd.library.root)
    assert import_labels(str(theirs), like=["all"], root=mpd.library.root, dry_run=True).matched
    chosen = theirs.with_name("chosen.m3u")
    chosen.write_text("".join(theirs.read_text().splitlines(keepends=True)[:7]))
    assert len(import_labels(str(chosen), root=mpd.library.root, dry_run=True).matched) == 7


def test_all_songs_match_by_path_and_by_tags(mpd: Mpd, monkeypatch: pytest.MonkeyPatch) -> None:
    (server,) = [MpdServer(mpd.server.removeprefix("mpd:"))]
    songs = server.songs()
    with monkeypatch.context() as patch:
        patch.setattr(mpd_module, "_MAX_SONGS", 20)
        with pytest.raises(ServerError, match="has more than 20 songs"):
            server.songs()
    server.close()
    assert len(songs) == 28
    index = SongIndex(Catalog(mpd.library.root).files().recordings())
    by_path = [index.match(song) for song in songs]
    by_tags = [index.match(dataclasses.replace(song, path=None)) for song in songs]
    assert [one and one.by for one in by_path] == ["path"] * 28
    assert [one and one.by for one in by_tags] == ["title"] * 28
    assert [one and one.digest for one in by_path] == [one and one.digest for one in by_tags]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a/b", "leave out '/'"),
        ("../../etc", "leave out '/'"),
        (".hidden", "it begins with a dot"),
        ("é" * 140, "it has 280 bytes, and 230 are the limit"),
    ],
)
def test_a_name_of_which_mpd_can_make_no_file_is_told(mpd: Mpd, name: str, words: str) -> None:
    with (
        closing(MpdServer(mpd.server.removeprefix("mpd:"))) as server,
        pytest.raises(ServerError, match=words),
    ):
        server.put_playlist(name, [mpd.uri(0)])


@pytest.mark.parametrize("name", ['it\'s "q" \\', "🎵 שלום", "#x", "é" * 115])
def test_any_other_name_is_a_list_of_mpd(mpd: Mpd, name: str) -> None:
    with closing(MpdServer(mpd.server.removeprefix("mpd:"))) as server:
        for keys in ([mpd.uri(0)], [mpd.uri(2), mpd.uri(1)]):
            server.put_playlist(name, keys)
            assert server.playlist(name) == keys


def test_what_is_no_mpd_or_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match=r"can't be reached at 127\.0\.0\.1.*is it running"):
        MpdServer(f"127.0.0.1:{free_port()}")
    for place in ("", "a:b", "pass@host:1", "host:99999"):
        with pytest.raises(ServerError, match="MPD's address is mpd:HOST"):
            MpdServer(place)
    answers = {b"": "says nothing", b"HTTP/1.1 200\n": "is no MPD", b"OK MPD 0.23\n": "no end"}
    for said, words in answers.items():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]

            def answer(said: bytes = said, listening: socket.socket = listening) -> None:
                peer, _ = listening.accept()
                with peer:
                    peer.sendall(said)
                    peer.recv(1 if said.startswith(b"HTTP") else 9)
                    if not said:
                        peer.recv(9)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            with (
                pytest.raises(ServerError, match=words),
                MpdClient("127.0.0.1", port, timeout_s=1.0) as client,
            ):
                client.ask("status")
            thread.join(timeout=60)


def test_an_mpd_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpd_client, "_ANSWER_S", 0.3)
    for said in (b"file: x\n" * 200, b"file: " + 200 * b"x"):  # in lines, and in none
        port = answering(said, every_s=0.01, greeting=b"OK MPD 0.23\n")
        with (
            pytest.raises(ServerError, match=r"has not come to an end in 0\.3 s"),
            MpdClient("127.0.0.1", port) as client,
        ):
            client.ask("lsinfo")


@pytest.fixture(scope="module")
def guarded(mpd: Mpd) -> Iterator[int]:
    """The port of an mpd that permits nothing without the password `sesame`."""
    with running_mpd(mpd.library.music, mpd.folder / "guarded", password="sesame") as port:
        yield port


def test_a_password_goes_only_to_an_mpd_that_asks_for_one(
    mpd: Mpd, guarded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An mpd without a password refuses every password."""
    with pytest.raises(ServerError, match=r"no password for mpd:127\.0\.0\.1:.*keyring set seven"):
        MpdServer(f"127.0.0.1:{guarded}")
    monkeypatch.setenv("SEVENSONGS_PASSWORD", "sesame")
    with closing(MpdServer(f"127.0.0.1:{mpd.port}")) as server:
        assert len(server.songs()) == 28
    with closing(MpdServer(f"127.0.0.1:{guarded}")) as server:
        assert len(server.songs()) == 28
        assert server.put_playlist("finds", [mpd.uri(0)]) is False
        monkeypatch.delenv("SEVENSONGS_PASSWORD")
        with closing(server.again()) as again:  # without asking again
            assert again.playlist("finds") == [mpd.uri(0)]


def test_whoever_sits_at_the_terminal_is_asked_for_the_password_of_mpd(
    guarded: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEVENSONGS_PASSWORD", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    words = ("--cache", str(tmp_path), "label", "import", f"mpd:127.0.0.1:{guarded}")
    with TerminalCommand(*words) as command:
        command.until(f"Password of mpd:127.0.0.1:{guarded}: ")
        command.answer("sesame")
        assert "sesame" not in command.until("--like")


def test_a_password_that_is_wrong_is_told_and_never_shown(
    guarded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_PASSWORD", "secret word")
    with pytest.raises(ServerError, match="the password is wrong") as told:
        MpdServer(f"127.0.0.1:{guarded}")
    assert "secret" not in str(told.value)


def test_a_password_goes_in_clear_to_another_computer_only_where_the_address_says_so(
    guarded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.1 is this computer, but no name by which it is known to be this one."""
    monkeypatch.setenv("SEVENSONGS_PASSWORD", "sesame")
    with pytest.raises(ServerError, match=r"if it may, write mpd:127\.1:\d+/send-password"):
        MpdServer(f"127.1:{guarded}")
    with closing(MpdServer(f"127.1:{guarded}/send-password")) as server:
        assert server.name == f"mpd:127.1:{guarded}"
        assert len(server.songs()) == 28


def test_a_list_never_shrinks_because_songs_are_not_there(compiled: Path, tmp_path: Path) -> None:
    """Neither on the server, nor here."""
    library = made_library(compiled, tmp_path)
    there = Path(shutil.copytree(library.music, tmp_path / "there"))
    classify.label("like", [str(one) for one in library.paths[:16:4]], root=library.root)

    def push(*words: str) -> Any:
        rest = ("--push", server, "--playlist", "all", *words)
        return CliRunner().invoke(app, ["--cache", str(library.root), "score", *rest])

    with running_mpd(there, tmp_path / "server") as port:
        server = f"mpd:127.0.0.1:{port}"
        rule = PlaylistRule(taste="default", top=6)
        saved = save_playlist("finds", rule, server, root=library.root)
        assert (saved.n_songs, saved.missing) == (6, ())
        assert "24 songs in 'all'" in push("--min-score", "0").stdout
        for path in saved.came[1:]:
            away = there / Path(path).relative_to(library.music)
            away.rename(tmp_path / away.name)
        update_mpd(port)
        has = r"the playlist '{}' on mpd:.* has {} songs and would have {}; it is left as it was"
        with pytest.raises(ServerError, match=has.format("finds", 6, 1)):
            update_playlist("finds", root=library.root)
        refused = push("--min-score", "0")
        assert refused.exit_code == 1
        assert re.search(has.format("all", 24, 19), refused.stderr)
        with closing(MpdServer(server.removeprefix("mpd:"))) as client:
            lists = [client.playlist(name) for name in ("finds", "all")]
            assert [len(one or ()) for one in lists] == [6, 24]
            client._client.ask("rm", "finds")
        fresh = update_playlist("finds", root=library.root)
        assert (fresh.n_songs, fresh.went) == (1, saved.came[1:])
        assert set(fresh.missing) == {*saved.came[1:]}
        for path in saved.came[1:]:
            (tmp_path / Path(path).name).rename(there / Path(path).relative_to(library.music))
        update_mpd(port)
        assert "24 songs in 'all'" in push("--min-score", "0").stdout
        for path in saved.came[:3]:
            Path(path).unlink()
        refused = push("--min-score", "0")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "3 of 28 songs" in refused.stderr
        assert re.search(has.format("all", 24, 21), refused.stderr)
