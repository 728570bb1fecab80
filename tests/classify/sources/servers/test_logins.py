"""Tokens, keys and passwords, wherever they come from; and what a server may do to a playlist."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import run

from classify.errors import ServerError
from classify.sources.servers import http_client, subsonic
from classify.sources.servers.http_client import HttpClient
from classify.sources.servers.subsonic import SubsonicServer
from tests.support.music_servers import PASSWORD, REPOSITORY
from tests.support.small_subsonic import SmallSubsonic
from tests.support.terminals import TerminalCommand


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallSubsonic]:
    monkeypatch.setenv("SEVENSONGS_PASSWORD", PASSWORD)
    monkeypatch.setattr(http_client, "_WAIT_S", 0.05)
    with SmallSubsonic(password=PASSWORD) as server:
        yield server


@pytest.fixture
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEVENSONGS_PASSWORD", raising=False)
    monkeypatch.setenv("SEVENSONGS_API_KEY", "a key")


def test_a_token_is_the_md5_of_password_and_salt_and_the_password_stays_here(
    small: SmallSubsonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server computes it again."""
    assert len(SubsonicServer(small.place).songs()) == 30
    assert len({form["s"][0] for _, form, _ in small.asked}) == 1
    SubsonicServer(small.place)
    assert len({form["s"][0] for _, form, _ in small.asked}) == 2, "a salt is used once"
    assert PASSWORD not in str(small.asked)
    assert PASSWORD.encode().hex() not in str(small.asked)
    monkeypatch.setenv("SEVENSONGS_PASSWORD", f"{PASSWORD}!")
    with pytest.raises(ServerError, match="the user 'ann' or the password is wrong"):
        SubsonicServer(small.place)


def test_albums_are_asked_for_page_by_page_where_the_search_finds_nothing(
    small: SmallSubsonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subsonic, "_PAGE", 3)
    server = SubsonicServer(small.place)
    searched = [one.key for one in server.songs()]
    assert (small.n_asked("search3"), small.n_asked("getAlbumList2")) == (11, 0)
    small.searches = False
    assert [one.key for one in server.songs()] == searched == [str(n) for n in range(30)]
    offsets = [form["offset"][0] for method, form, _ in small.asked if method == "getAlbumList2"]
    assert offsets == ["0", "3", "6", "8"]
    assert small.n_asked("getAlbum") == 8


def test_a_server_may_take_its_time_for_many_songs_but_not_for_ever(
    small: SmallSubsonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = SubsonicServer(small.place, HttpClient(small.address, timeout_s=0.5))
    many = ("getPlaylists", "createPlaylist", "getPlaylist", "updatePlaylist", "getStarred2")
    small.slow_s = dict.fromkeys(("search3", *many), 0.8)
    assert len(server.songs()) == 30
    assert server.starred_songs() == []
    assert not server.put_playlist("finds", ["1"] * 300)
    monkeypatch.setattr(http_client, "_A_SONG_S", 0.0001)
    n_before = small.n_asked("search3")
    with pytest.raises(ServerError, match=r"says nothing for 0\.5125 s"):
        server.songs()
    counts = [form["songCount"][0] for method, form, _ in small.asked if method == "search3"]
    assert counts[n_before:] == ["500", "125"], "it is asked for less, and not again for as much"
    small.slow_s["getStarred2"] = 2.0
    with pytest.raises(ServerError, match=r"says nothing for 1\.5 s"):
        server.starred_songs()
    assert small.n_asked("getStarred2") == 2, "nor where it can't be asked for less"
    small.slow_s = {"ping": 0.8}
    with pytest.raises(ServerError, match=r"says nothing for 0\.5 s"):
        SubsonicServer(small.place, HttpClient(small.address, timeout_s=0.5))


@pytest.mark.usefixtures("_key")
@pytest.mark.parametrize("named", [True, False])
def test_a_list_stays_one_list_with_a_key(small: SmallSubsonic, named: bool) -> None:
    small.playlists["of bob"] = {"name": "finds", "owner": "bob", "entry": ["9"]}
    server = SubsonicServer(small.place if named else small.address)
    assert server.user == "ann"
    assert [server.put_playlist("finds", keys) for keys in (["1", "2"], ["3"])] == [False, True]
    assert small.playlists["of bob"]["entry"] == ["9"]
    assert [one["entry"] for one in small.playlists.values()] == [["9"], ["3"]]


@pytest.mark.usefixtures("_key")
def test_a_key_needs_a_user_where_the_server_does_not_say_whose_it_is(
    small: SmallSubsonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServerError, match="the key of SEVENSONGS_API_KEY is one of 'ann' on"):
        SubsonicServer(small.address.replace("//", "//bob@"))
    small.tells_owner = False
    with pytest.raises(ServerError, match=r"does not say whose key it is .*SEVENSONGS_USER"):
        SubsonicServer(small.address)
    server = SubsonicServer(small.place)
    assert [server.put_playlist("finds", ["1"]) for _ in range(2)] == [False, True]
    monkeypatch.setenv("SEVENSONGS_API_KEY", "another")
    with pytest.raises(ServerError, match="the key of SEVENSONGS_API_KEY is wrong"):
        SubsonicServer(small.place)


@pytest.mark.usefixtures("_key")
def test_a_key_goes_over_https_or_to_this_computer_alone(small: SmallSubsonic) -> None:
    client = HttpClient(small.address)
    with pytest.raises(ServerError, match=r"over https alone, and not to http://music\.example"):
        SubsonicServer("http://ann@music.example", client)
    assert small.asked == []
    assert SubsonicServer("https://ann@music.example", client).user == "ann"


def test_a_server_that_is_busy_is_asked_again_after_longer_and_longer_waits(
    small: SmallSubsonic,
) -> None:
    server = SubsonicServer(small.place)
    small.busy["getStarred2"] = 2
    assert server.starred_songs() == []
    times = [at for method, _, at in small.asked if method == "getStarred2"]
    assert len(times) == 3
    assert times[1] - times[0] >= 0.05
    assert times[2] - times[1] >= 0.1
    small.busy["getStarred2"] = 3
    with pytest.raises(ServerError, match=r"answers 503 .*; try again later"):
        server.starred_songs()
    assert small.n_asked("getStarred2") == 6


def test_a_playlist_is_never_made_twice(small: SmallSubsonic) -> None:
    """The answer may have got lost, and not the question."""
    server = SubsonicServer(small.place)
    small.busy["createPlaylist"] = 1
    with pytest.raises(ServerError, match="answers 503"):
        server.put_playlist("finds", ["1"])
    assert small.n_asked("createPlaylist") == 1
    assert server.put_playlist("finds", ["1"]) is False
    small.busy["createPlaylist"] = 1
    assert server.put_playlist("finds", ["2"]) is True  # by its id, as often as one likes
    assert small.n_asked("createPlaylist") == 4
    assert [one["entry"] for one in small.playlists.values()] == [["2"]]


def test_songs_that_a_server_drops_are_told(small: SmallSubsonic) -> None:
    server = SubsonicServer(small.place)
    small.most_entries = 3
    with pytest.raises(ServerError, match="holds 3 songs in 'finds' in place of 5"):
        server.put_playlist("finds", list("12345"))
    small.lists_playlists = False
    with pytest.raises(ServerError, match="has taken the playlist 'other', but does not list it"):
        server.put_playlist("other", ["1"])


def test_whoever_sits_at_the_terminal_is_asked_for_the_password(
    small: SmallSubsonic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEVENSONGS_PASSWORD")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    words = ("--cache", str(tmp_path), "label", "import", f"subsonic:{small.place}")
    with TerminalCommand(*words) as command:
        command.until(f"Password of ann at {small.address}: ")
        command.answer(PASSWORD)
        shown = command.until("--like")
    assert PASSWORD not in shown
    assert small.n_asked("getStarred2") == 1


_ASK = """
import sys
from classify.sources.servers.address import password_of
print(password_of(*sys.argv[1:]))
"""


def test_the_variable_comes_first_then_a_keyring(tmp_path: Path) -> None:
    env = os.environ | {
        "PYTHON_KEYRING_BACKEND": "tests.support.keyring_file.KeyringFile",
        "KEYRING_FILE": str(tmp_path / "keys.json"),
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    env.pop("SEVENSONGS_PASSWORD", None)
    keep = [sys.executable, "-m", "keyring", "set", "sevensongs"]
    for account in ("ann@https://music.example/base", "mpd:nas:6600"):
        secret = f"of {account}"
        subprocess.run([*keep, account], input=secret, env=env, check=True, text=True)

    def ask(*who: str, **more: str) -> tuple[str, str]:
        done = run([sys.executable, "-c", _ASK, *who], env=env | more, stdin=subprocess.DEVNULL)
        return done.stdout.strip(), done.stderr

    ann = ("https://music.example/base", "ann")
    assert ask(*ann)[0] == "of ann@https://music.example/base"
    assert ask("mpd:nas:6600")[0] == "of mpd:nas:6600"
    assert ask(*ann, SEVENSONGS_PASSWORD="the variable's")[0] == "the variable's"
    assert "no password for bob at https://music.example/base" in ask(ann[0], "bob")[1]
    broken = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    assert "no password for ann" in ask(*ann, **broken)[1]
