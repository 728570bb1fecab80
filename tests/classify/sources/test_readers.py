"""What exports of other programs tell, and what is refused in words."""

from __future__ import annotations

import json
import os
import plistlib
import sqlite3
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.errors import LabelError
from classify.output.formats import render
from classify.sources.known_sources import read_source
from classify.sources.lists import titled_lists
from classify.sources.lists.table_files import table_reading
from classify.sources.lists.titled_lists import titled_songs
from classify.sources.opinions import opinions_of, parse_condition
from classify.sources.song_names import album_name, artist_names, plain_text, title_name

HEADERS = {
    "Exportify": 'Track URI,"Track Name",Artist Name(s),Album Name,Track Duration (ms)',
    "Last.fm": "artist,album,track,,",
    "Deezer": "Song Title;Artist;Album Title;ISRC;Duration",
    "Apple": "Name\tArtist\tAlbum\tTime\t",
}
ROWS = {
    "Exportify": 'spotify:track:1,"Song, one","Ann;Bob",First,236400',
    "Last.fm": '"Ann;Bob",First,"Song, one",,',
    "Deezer": '"Song, one";Ann;First;X1;236.4',
    "Apple": "Song, one\tAnn\tFirst\t3:56.4\t",
}


@pytest.mark.parametrize("program", HEADERS)
def test_tables_of_many_programs_are_read(program: str, tmp_path: Path) -> None:
    path = tmp_path / "liked.csv"
    encoding = "utf-16" if program == "Apple" else "utf-8-sig"
    path.write_text(f"{HEADERS[program]}\r\n{ROWS[program]}\r\n\r\n", encoding)
    reading = read_source(str(path))
    (song,) = reading.songs
    assert (song.title, song.album) == ("Song, one", "First")
    assert song.artist in ("Ann", "Ann;Bob")
    assert song.duration_s == (None if program == "Last.fm" else 236.4)
    assert opinions_of(reading).likes == (song,)
    assert opinions_of(reading, dislike=["all"]).dislikes == (song,)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_export_of_apple_is_read(suffix: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / f"Favourites{suffix}"
    lines = ["Name\tArtist\tAlbum\tTime", "Söng, one\tAnn\tFirst\t3:56"]
    path.write_bytes("\r".join(lines).replace("\r", "\r\n").encode(encoding))
    (song,) = read_source(str(path)).songs
    assert (song.title, song.artist, song.album, song.duration_s) == (
        "Söng, one", "Ann", "First", 236.0
    )  # fmt: skip
    (tmp_path / "paths.txt").write_text("/m/a.mp3\n/m/b.mp3\n")
    assert [one.path for one in read_source(str(tmp_path / "paths.txt")).songs] == [
        "/m/a.mp3", "/m/b.mp3"
    ]  # fmt: skip


MBID = "0d6b9f1a-3d6c-4a52-9f0e-0d2f5b4f8a11"
TITLED = {
    ".m3u": "#EXTM3U\n#EXTINF:236,Ann - Song - Live\n{path}\n#EXTINF:-1,Other\nhttp://x/b\n/m/c.mp3\n",
    ".xspf": "<playlist xmlns='http://xspf.org/ns/0/'><title>Mine</title><trackList><track>"
    "<location>{path}</location><creator>Ann</creator><title>Song - Live</title>"
    "<duration>236000</duration><extension><title>no</title></extension></track>"
    "<track><location>http://x/b</location><title>Other</title></track>"
    "<track><location>/m/c.mp3</location></track></trackList></playlist>",
    ".jspf": '{{"playlist": {{"title": "Mine", "track": [{{"location": ["{path}"], '
    '"creator": "Ann", "title": "Song - Live", "duration": 236000}}, '
    '{{"location": "http://x/b", "title": "Other"}}, {{"location": "/m/c.mp3"}}, 7]}}}}',
}
TITLED[".m3u8"] = TITLED[".m3u"]
TITLED[".pls"] = (
    "[playlist]\nFile1={path}\nFile2=http://x/b\nLength1=236\nTitle1=Ann - Song - Live\n"
    "Title2=Other\nLength2=-1\nFile3=/m/c.mp3\nTitle9=no\nNumberOfEntries=3\nVersion=2\n"
)
TITLED[".asx"] = (
    '<ASX VERSION="3.0"><Title>Mine</Title><Entry><Title>Song - Live</Title><AUTHOR>Ann</AUTHOR>'
    '<Duration value="00:03:56.0"/><Ref href="{path}"/></Entry><entry><ref href="http://x/b"/>'
    '<title>Other</title><duration value="x:y"/></entry><entry><ref href="/m/c.mp3"/></entry></ASX>'
)
TITLED[".zpl"] = (
    '<smil><head><title>Mine</title></head><body><seq><media src="{path}" trackTitle="Song - Live"'
    ' trackArtist="Ann" duration="236000"/><media src="http://x/b" trackTitle="Other"/>'
    '<media src="/m/c.mp3"/></seq></body></smil>'
)
TITLED[".xml"] = (
    '<DJ_PLAYLISTS><COLLECTION><TRACK Name="Song - Live" Artist="Ann" TotalTime="236" '
    'Location="{path}"/><TRACK Name="Other" Location="http://x/b"/><TRACK Location="/m/c.mp3"/>'
    '</COLLECTION><PLAYLISTS><NODE Name="Mine"><TRACK Key="1"/></NODE></PLAYLISTS></DJ_PLAYLISTS>'
)


@pytest.mark.parametrize("suffix", sorted(TITLED))
def test_a_playlist_tells_titles_of_songs_that_are_not_there(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_text(TITLED[suffix].format(path="/nas/Ann/First/a.mp3"))
    songs = {one.path: one for one in read_source(str(path)).songs}
    assert [*songs] == ["/nas/Ann/First/a.mp3", "http://x/b", "/m/c.mp3"]
    told = [(one.artist, one.title, one.duration_s) for one in songs.values()]
    assert told == [("Ann", "Song - Live", 236.0), (None, "Other", None), (None, None, None)]
    (tmp_path / "a.mp3").write_bytes(b"")
    path.write_text(TITLED[suffix].format(path="a.mp3"))
    there = read_source(str(path)).songs[0]
    assert (there.path, there.title) == (str(tmp_path / "a.mp3"), None), "its path says enough"


def test_traktor_tells_titles_of_songs_on_another_computer(tmp_path: Path) -> None:
    """Two songs have one name; their folders tell which is which."""
    entry = (
        '<ENTRY TITLE="{0}" ARTIST="Ann"><LOCATION DIR="/:Music/:{0}/:" FILE="01.mp3" VOLUME="C:"/>'
        '<ALBUM TITLE="First"/><INFO PLAYTIME="236" PLAYTIME_FLOAT="236.4"/></ENTRY>'
    )
    path = tmp_path / "mine.nml"
    path.write_text(
        f"<NML><COLLECTION>{entry.format('One')}{entry.format('Two')}</COLLECTION><PLAYLISTS>"
        '<ENTRY><PRIMARYKEY KEY="C:/:Music/:One/:01.mp3"/></ENTRY></PLAYLISTS></NML>'
    )
    told = [
        (one.path, one.artist, one.title, one.album, one.duration_s)
        for one in read_source(str(path)).songs
    ]
    assert told == [
        (f"C:/Music/{title}/01.mp3", "Ann", title, "First", 236.4) for title in ("One", "Two")
    ]


def test_hostile_lists_are_refused_or_read_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = '<!DOCTYPE asx [<!ENTITY a "aaaa">]><asx><entry><title>&a;</title></entry></asx>'
    (tmp_path / "bomb.asx").write_text(bomb)
    with pytest.raises(LabelError, match="declares entities"):
        read_source(str(tmp_path / "bomb.asx"))
    with pytest.raises(LabelError, match="has changed while it was read"):
        titled_songs(tmp_path / "bomb.asx")
    spaces = " " * 2**17
    long = {"m3u": f"#EXTINF:{spaces}\n/a.mp3\n", "pls": f"File1=/a.mp3\nTitle1{spaces}=A{spaces}B"}
    long["asx"] = f'<asx><entry><ref href="/a.mp3"/><duration value="{":" * 2**17}"/></entry></asx>'
    started = time.process_time()
    for kind, text in long.items():
        (tmp_path / f"long.{kind}").write_text(text)
        assert [one.path for one in read_source(str(tmp_path / f"long.{kind}")).songs] == ["/a.mp3"]
    assert time.process_time() - started < 5
    monkeypatch.setattr(titled_lists, "_MAX_SONGS", 2)
    (tmp_path / "many.asx").write_text(f"<asx>{3 * '<entry><title>A</title></entry>'}</asx>")
    with pytest.raises(LabelError, match="tells of more than 2 songs; split it"):
        read_source(str(tmp_path / "many.asx"))


@pytest.mark.parametrize("suffix", [".xspf", ".jspf"])
def test_songs_without_a_place_are_known_by_what_the_list_tells(
    suffix: str, tmp_path: Path
) -> None:
    """As in playlists of ListenBrainz."""
    fields = {"creator": "Ann", "title": "Song", "album": "First"}
    url = f"https://musicbrainz.org/recording/{MBID}"
    if suffix == ".jspf":
        tracks = [fields, {"identifier": [url]}, {"identifier": url}, {}]
        text = json.dumps({"playlist": {"track": tracks}})
    else:
        named = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        ids = 2 * f"<track><identifier>{url}</identifier></track>"
        text = f"<playlist><trackList><track>{named}</track>{ids}<track/></trackList></playlist>"
    path = tmp_path / f"mine{suffix}"
    path.write_text(text)
    first, *others = read_source(str(path)).songs
    assert (first.artist, first.title, first.album, first.path) == ("Ann", "Song", "First", None)
    assert [(one.musicbrainz_id, one.key) for one in others] == [(MBID, url)] * 2


def test_a_table_may_say_more_and_a_history_is_no_list_of_likes() -> None:
    reading = table_reading("title,artist,rating\nA,X,5\nB,X,3\nC,X,\n", "t")
    assert [one.title for one in opinions_of(reading, ["rating>=4"], ["rating<4"]).likes] == ["A"]
    labels = table_reading("label,path\nlike,/a.mp3\ndislike,/b.mp3\n", "t")
    found = opinions_of(labels)
    assert [[one.path for one in side] for side in (found.likes, found.dislikes)] == [
        ["/a.mp3"], ["/b.mp3"]
    ]  # fmt: skip
    history = table_reading("uts,artist,track\n1,X,A\n2,X,A\n3,X,B\n", "t")
    with pytest.raises(LabelError, match=r"does not say by itself what you like.*plays>=4"):
        opinions_of(history)
    assert [one.title for one in opinions_of(history, ["plays>=2"]).likes] == ["A"]
    with pytest.raises(LabelError, match="has the columns a, b; a title and an artist"):
        table_reading("a,b\n1,2\n", "t")


@pytest.mark.parametrize("column", ["Rating", "Stars", "Loved", "Favorite"])
def test_a_table_that_rates_songs_does_not_like_all_of_them(column: str) -> None:
    """A song of one star was a like."""
    reading = table_reading(f"title,artist,{column}\nA,X,5\nB,X,1\nC,X,\n", "t")
    with pytest.raises(LabelError, match=rf"say it with --like, such as --like '{column.lower()}"):
        opinions_of(reading)
    assert len(opinions_of(reading, ["all"]).likes) == 3
    assert len(opinions_of(reading, [f"{column}>1"]).likes) == 1
    without = table_reading(f"title,artist,{column}\nA,X,\nB,X,\n", "t")
    assert len(opinions_of(without).likes) == 2, "a column that says nothing"


@pytest.mark.parametrize(
    ("text", "songs"),
    [
        ("sep=;\nTitle;Artist\nA;X\n", [("A", "X")]),
        ('"sep=|"\r\nTitle|Artist\r\nA|X\r\n', [("A", "X")]),
        ("\n\r\n\nTitle,Artist\nA,X\n", [("A", "X")]),
        ("Title;Artist;a,b,c,d\nA;X;1\n", [("A", "X")]),
        ("Title,Artist\rA,X\rB,X\r", [("A", "X"), ("B", "X")]),
        ('Title,Artist\n"A, ""b""",X\n', [('A, "b"', "X")]),
        ('Title,Artist,Notes\nA,X,"two\nlines"\nB,X,\n', [("A", "X"), ("B", "X")]),
    ],
)
def test_what_spreadsheets_put_before_and_between_songs_is_no_song(
    text: str, songs: list[tuple[str, str]]
) -> None:
    assert [(one.title, one.artist) for one in table_reading(text, "t").songs] == songs


def test_a_quote_that_is_not_closed_takes_no_songs_in() -> None:
    """The songs behind it were gone without a word."""
    with pytest.raises(LabelError, match=r"^t, row 3: the artist has several lines"):
        table_reading('Title,Artist\nA,X\nB,"X\nC,X\nD,X\n', "t")


def test_a_table_as_windows_writes_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "liked.csv"
    path.write_bytes("Title;Artist;Path\nCafé Ü;Élan;/m/é.mp3\n".encode("cp1252"))
    (song,) = read_source(str(path)).songs
    assert (song.title, song.artist) == ("Café Ü", "Élan")
    assert os.fsencode(song.path or "") == "/m/é.mp3".encode("cp1252"), "a path stays as it is"


@pytest.mark.parametrize(
    ("written", "number"), [("4,5", 4.5), ("1,234", 1234), ("12,345,678", 12345678)]
)
def test_a_number_may_be_written_with_commas(written: str, number: float) -> None:
    for least, holds in ((number, True), (number + 0.1, False)):
        assert parse_condition(f"rating>={least}", ["rating"]).holds({"rating": written}) is holds


def test_conditions_say_what_is_wrong_with_them() -> None:
    fields = ["rating", "mood", "loved"]
    said = {"rating": "4", "mood": "Good enough", "loved": "0"}
    for text, holds in {
        "rating>=4": True, "rating > 4": False, "rating=4.0": True, "rating!=4": False,
        "mood:good": True, "mood=good": False, "loved": False, "rating": True, "all": True,
        "LOVED=0": True,
    }.items():  # fmt: skip
        assert parse_condition(text, fields).holds(said) is holds, text
    assert not parse_condition("rating<4", fields).holds({})
    assert not parse_condition("mood>3", fields).holds(said)
    for text, words in {
        "stars>3": "there is no 'stars' here; there is rating, mood, loved, all",
        "rating>=good": "'good', which is no number",
        "": "is no condition",
    }.items():
        with pytest.raises(LabelError, match=words):
            parse_condition(text, fields)


def itunes(path: Path) -> Path:
    tracks = [
        {"Name": "A", "Artist": "X", "Total Time": 1500, "Size": 9, "Loved": True, "Rating": 100,
         "Location": "file:///Users/me/a%20b.mp3"},
        {"Name": "B", "Artist": "X", "Disliked": True, "Rating": 80, "Rating Computed": True},
        {"Name": "C", "Artist": "X", "Rating": 80, "Play Count": 3},
        {"Name": "D", "Podcast": True, "Loved": True},
    ]  # fmt: skip
    ids = {str(n): one | {"Persistent ID": f"{n:016X}"} for n, one in enumerate(tracks)}
    path.write_bytes(plistlib.dumps({"Tracks": ids}))
    return path


def test_itunes_tells_loved_and_rated_songs_but_not_what_it_has_computed(tmp_path: Path) -> None:
    reading = read_source(str(itunes(tmp_path / "Library.xml")))
    found = opinions_of(reading)
    assert [song.title for song in found.likes] == ["A"]
    assert [song.title for song in found.dislikes] == ["B"]
    first = reading.songs[0]
    assert (first.path, first.duration_s, first.size_bytes) == ("/Users/me/a b.mp3", 1.5, 9)
    assert [one.title for one in opinions_of(reading, ["rating>=80"]).likes] == ["A", "C"]
    (tmp_path / "x.xml").write_bytes(b"<plist><dict><key>Tracks</key><dict>")
    with pytest.raises(LabelError, match="is no library of iTunes"):
        read_source(str(tmp_path / "x.xml"))


@pytest.mark.parametrize("kind", ["zip", "jsonl", "json"])
def test_listenbrainz_feedback_is_read_from_each_of_its_exports(kind: str, tmp_path: Path) -> None:
    rows = [
        {"recording_mbid": "m1", "score": 1, "track_metadata": None},
        {"recording_msid": "s2", "score": -1, "recording_mbid": None,
         "track_metadata": {"artist_name": "X", "track_name": "B", "release_name": "R"}},
        {"recording_mbid": "m3", "score": 0},
    ]  # fmt: skip
    path = tmp_path / f"export.{kind}"
    text = json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows))
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("me/feedback.jsonl", text)
    else:
        path.write_text(text)
    found = opinions_of(read_source(str(path)))
    assert [song.musicbrainz_id for song in found.likes] == ["m1"]
    assert [(song.artist, song.title) for song in found.dislikes] == [("X", "B")]


def beets_library(path: Path, items: list[tuple[str, str, str, float]]) -> Path:
    database = sqlite3.connect(path)
    database.execute(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, path BLOB, artist TEXT, title TEXT, "
        "album TEXT, length REAL, mb_trackid TEXT, genre TEXT)"
    )
    database.execute("CREATE TABLE item_attributes (entity_id INT, key TEXT, value TEXT)")
    for n, (file, artist, title, rating) in enumerate(items, start=1):
        row = (n, file.encode(), artist, title, 200.0, "Rock")
        database.execute(
            "INSERT INTO items (id, path, artist, title, length, genre) VALUES (?,?,?,?,?,?)", row
        )
        database.executemany(
            "INSERT INTO item_attributes VALUES (?,?,?)",
            [(n, "rating", rating), (n, "taste", "0.99")],
        )
    database.commit()
    database.close()
    return path


def test_a_beets_library_may_hold_values_of_any_type(tmp_path: Path) -> None:
    """SQLite takes any into any column; one ended in a traceback, another kept all songs away."""
    path = beets_library(tmp_path / "l.db", [("/a.mp3", "X", "A", 5.0), ("/b.mp3", "X", "B", 2.0)])
    database = sqlite3.connect(path)
    database.execute("UPDATE items SET artist = x'58ff', title = CAST(x'41ff' AS TEXT) WHERE id=1")
    database.execute("UPDATE items SET path = 7, length = 'long' WHERE id=1")
    database.commit()
    database.close()
    first, second = read_source(f"beets:{path}").songs
    assert (first.artist, first.title, first.path) == ("X\udcff", "A\udcff", "7")
    assert (first.duration_s, second.artist, second.title) == (None, "X", "B")


def test_beets_is_asked_by_its_attributes_but_not_by_ours(tmp_path: Path) -> None:
    path = beets_library(tmp_path / "l.db", [("/a.mp3", "X", "A", 5.0), ("/b.mp3", "X", "B", 2.0)])
    before = path.read_bytes()
    path.chmod(0o400)
    reading = read_source(f"beets:{path}")
    assert [one.title for one in opinions_of(reading, ["rating>=4"]).likes] == ["A"]
    assert len(opinions_of(reading, ["genre:rock"]).likes) == 2
    with pytest.raises(LabelError, match="there is no 'taste' here; there is genre, rating, all"):
        opinions_of(reading, ["taste>=0.8"])
    with pytest.raises(LabelError, match="--like 'rating>=4'"):
        opinions_of(reading)
    assert path.read_bytes() == before
    (tmp_path / "none.db").write_bytes(b"no database")
    for place, words in (("none.db", "can't be read as a library"), ("gone.db", "there is no")):
        with pytest.raises(LabelError, match=words):
            read_source(f"beets:{tmp_path / place}")


def test_a_playlist_names_songs_and_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "here.mp3").touch()
    theirs, ours = tmp_path / "good.m3u8", tmp_path / "finds.m3u8"
    theirs.write_text("here.mp3\nC:\\Music\\Artist\\Album\\there.mp3\n")
    paths = [song.path for song in read_source(str(theirs)).songs]
    assert paths == [str(tmp_path / "here.mp3"), "C:\\Music\\Artist\\Album\\there.mp3"]
    ours.write_text(render([{"path": "/a.mp3"}], "m3u8"))
    with pytest.raises(LabelError, match="made by Seven Songs from scores"):
        read_source(str(ours))
    scores = render([{"path": "/a.mp3", "score": 0.9, "verdict": "like", "title": "A"}], "csv")
    ours.with_suffix(".csv").write_text(scores)
    with pytest.raises(LabelError, match="made by Seven Songs from scores"):
        read_source(str(ours.with_suffix(".csv")))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.csv", None, "is no file that is there; a source is a file"),
        ("x.doc", b"x", "is of no kind that is read"),
        ("x.json", b"{", "is no export of ListenBrainz"),
        ("x.jsonl", b"1\n2\n", "has no feedback"),
        ("x.zip", b"PK", "is no export of ListenBrainz"),
        ("x.pls", b"x", "is no PLS"),
        ("x.xml", b"<html/>", "is XML that begins with 'html'"),
        ("x.csv", b"", "has the columns none"),
    ],
)
def test_what_is_no_source_is_refused_in_words(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LabelError, match=words):
        read_source(str(tmp_path / name))


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_any_name_has_one_form(text: str) -> None:
    plain = plain_text(text)
    assert plain_text(plain) == plain
    assert bool(plain) == bool(text.split() and plain)
    names: list[Callable[[str], object]] = [title_name, artist_names, album_name]
    for name in names:
        assert name(text) == name(text)
    if plain:
        assert title_name(text).core
        assert title_name(text.upper().lower()).core
