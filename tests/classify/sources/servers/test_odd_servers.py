"""Servers that answer otherwise than their protocol says, and names that no list can have."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.errors import ServerError
from classify.sources.servers.address import password_of, split_address
from classify.sources.servers.mpd import MpdServer
from classify.sources.servers.mpd_client import MpdClient
from classify.sources.servers.server_playlist import playlist_name
from classify.sources.servers.subsonic import SubsonicServer
from classify.sources.servers.subsonic_answers import dicts_of, song_of
from tests.support.music_servers import PASSWORD, answering
from tests.support.small_subsonic import SmallSubsonic

_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("id"), inner),
    max_leaves=5,
)
_FIELDS = ["id", "path", "size", "duration", "artist", "title", "album", "musicBrainzId"]
_FIELDS += ["starred", "userRating", "playCount"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallSubsonic]:
    monkeypatch.setenv("SEVENSONGS_PASSWORD", PASSWORD)
    with SmallSubsonic(password=PASSWORD) as server:
        yield server


@given(song=st.dictionaries(st.sampled_from(_FIELDS), _ANYTHING))
@settings(deadline=None, max_examples=300)
def test_whatever_stands_in_place_of_a_song_is_one_with_less_known_or_none(
    song: dict[str, Any],
) -> None:
    told = json.loads(json.dumps({"song": song}))
    for one in map(song_of, dicts_of(told, "song")):
        assert one.key
        assert one.size_bytes is None or 0 < one.size_bytes <= 2**53
        assert one.duration_s is None or 0 < one.duration_s <= 2**53
        assert set(one.said) <= {"starred", "rating", "plays"}


def test_a_number_that_no_song_has_is_not_known(small: SmallSubsonic) -> None:
    """It ended in a traceback: an integer of 400 digits is no float."""
    small.starred = [{"id": "1", "title": "Song", "duration": 10**400, "size": True}, {"id": None}]
    (song,) = SubsonicServer(small.place).starred_songs()
    assert (song.duration_s, song.size_bytes, song.said) == (None, None, {"starred": 1})


def test_a_time_of_zero_is_no_star() -> None:
    told = {"id": "1", "starred": "0001-01-01T00:00:00Z"}
    assert song_of(told).said == {}
    assert song_of(told | {"starred": "2026-12-01T00:00:00Z"}).said == {"starred": 1}


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("searches", [False, True])
def test_a_server_that_makes_shorter_pages_tells_all_of_its_songs(
    small: SmallSubsonic, searches: bool, refuses: bool
) -> None:
    """Only the first page was read, and a list pushed there lost the other songs."""
    small.most_found, small.searches, small.refuses_behind_last = 3, searches, refuses
    assert [one.key for one in SubsonicServer(small.place).songs()] == [str(n) for n in range(30)]


def test_a_server_that_knows_no_pages_is_asked_once_more_and_no_song_comes_twice(
    small: SmallSubsonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "_page", lambda things, *_: things)
    assert len(SubsonicServer(small.place).songs()) == 30
    assert small.n_asked("search3") == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "needs a name"),
        ("  ", "needs a name"),
        ("two\nlines", "control characters"),
        ("\x1b[2J", "control characters"),
        ("\udcff", "control characters"),
        ("x" * 10_000, "10000 characters, and 200 are the limit"),
    ],
)
def test_what_is_no_name_for_a_list_is_refused_before_anything_is_asked(
    name: str, words: str
) -> None:
    with pytest.raises(ServerError, match=words) as refused:
        playlist_name(name)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "name", ['it\'s "q"', "a/b", "🎵 שלום", "#x", "../../etc", "Été", "x" * 200]
)
def test_any_other_name_is_one_list_however_often_it_is_put_there(
    small: SmallSubsonic, name: str
) -> None:
    server = SubsonicServer(small.place)
    put = [server.put_playlist(playlist_name(f" {name} "), keys) for keys in (["1"], ["2", "3"])]
    assert put == [False, True]
    assert [one["entry"] for one in small.playlists.values()] == [["2", "3"]]
    assert [one["name"] for one in small.playlists.values()] == [name]


def test_a_server_that_writes_accents_otherwise_gets_no_second_list(small: SmallSubsonic) -> None:
    small.playlists["0"] = {"name": "E\u0301te\u0301 ", "owner": small.user, "entry": ["9"]}
    assert SubsonicServer(small.place).put_playlist("\u00c9t\u00e9", ["1"]) is True
    assert len(small.playlists) == 1


@pytest.mark.parametrize(
    "host", ["a..b", "x" * 64 + ".example", "a\x01b", "a b", "", ".", "\u202eexample", "ex\udcff"]
)
def test_what_is_no_name_of_a_computer_is_told(host: str) -> None:
    """Two of these ended in a traceback."""
    with pytest.raises(ServerError, match=r"address"):
        split_address(f"https://ann@{host}/base")


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("https://ann@müsik.example/bäse x/", "https://müsik.example/b%C3%A4se%20x"),
        ("https://ann@music.example/b%20c;d=(e)", "https://music.example/b%20c;d=(e)"),
        ("http://ann@[::1]:4533/a", "http://[::1]:4533/a"),
    ],
)
def test_an_address_is_asked_as_browsers_ask_it(written: str, asked: str) -> None:
    assert split_address(written) == (asked, "ann")


class _Circle(socketserver.StreamRequestHandler):
    """An MPD each of whose folders holds two others, and a song."""

    def handle(self) -> None:
        self.wfile.write(b"OK MPD 0.23.5\n")
        for line in self.rfile:
            name = line.split()[-1].strip(b'"')
            songs = b"directory: a\ndirectory: b\nfile: %s.mp3\n" % name
            self.wfile.write((songs if line.startswith(b"lsinfo") else b"") + b"OK\n")


def test_folders_of_mpd_that_hold_each_other_come_to_an_end() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Circle) as circle:
        threading.Thread(target=circle.serve_forever, daemon=True).start()
        with closing(MpdServer(f"127.0.0.1:{circle.server_address[1]}")) as server:
            assert sorted(one.key for one in server.songs()) == ["/.mp3", "a.mp3", "b.mp3"]
        circle.shutdown()


def test_a_password_that_can_not_be_sent_is_told_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = answering(b"OK\n", greeting=b"OK MPD 0.23.5\n")
    with MpdClient("127.0.0.1", port) as client:
        with pytest.raises(ServerError, match="takes no line ends in a password") as refused:
            client.ask("password", "ses\name")
        assert "ses" not in str(refused.value)
        with pytest.raises(ServerError, match=r"line ends in 'two\\nlines'"):
            client.ask("listplaylist", "two\nlines")
    monkeypatch.setenv("SEVENSONGS_PASSWORD", "ses\udcffame")
    with pytest.raises(ServerError, match=r"^the password for ann at https://x is no UTF-8$"):
        password_of("https://x", "ann")
