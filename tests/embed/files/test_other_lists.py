"""Lists that people have besides M3U and CSV, and the same lists when they mean harm."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from embed import find_audio
from embed.files import playlists

_PLIST = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST '
    '1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0"><dict>'
    "<key>Music Folder</key><string>file:///no</string><key>Tracks</key><dict>"
)
_TRACK = (
    "<key>{n}</key><dict><key>Name</key><string>Location</string><key>Kind</key>"
    "<string>x</string><key>Location</key><string>{uri}</string></dict>"
)
LISTS = {
    "vlc.xspf": (
        '<?xml version="1.0" encoding="UTF-8"?><playlist xmlns="http://xspf.org/ns/0/" '
        'xmlns:vlc="http://www.videolan.org/vlc/playlist/ns/0/" version="1"><location>no.xspf'
        "</location><trackList><track><location>{uri0}</location><location>http://x/a.mp3"
        "</location><title>A &amp; B</title></track><track>"
        "<location>Artist%20One/b%20%26%20%C3%BC.mp3</location></track></trackList></playlist>"
    ),
    "radio.PLS": (
        "[playlist]\r\nfile1={a}\r\nTitle1=File2=no.mp3\r\nLength1=-1\r\n"
        "File2=Artist One/b & ü.mp3\r\nNumberOfEntries=2\r\nVersion=2\r\n"
    ),
    "windows.wpl": (
        '<?wpl version="1.0"?><smil><head><title>x</title></head><body><seq><media src="a.mp3" '
        'tid="{{1}}"/><media src="Artist One\\b &amp; ü.mp3"/></seq></body></smil>'
    ),
    "Library.xml": _PLIST + _TRACK.format(n=1, uri="{uri0}") + _TRACK.format(n=2, uri="{uri1}")
    + "</dict></dict></plist>",
    "rekordbox.xml": (
        '<DJ_PLAYLISTS Version="1.0.0"><COLLECTION Entries="2"><TRACK TrackID="1" Name="A" '
        'Location="{uri0}"/><TRACK TrackID="2" Location="{uri1}"><TEMPO Inizio="0"/></TRACK>'
        '</COLLECTION><PLAYLISTS><NODE><TRACK Key="1"/></NODE></PLAYLISTS></DJ_PLAYLISTS>'
    ),
    "rekordbox.txt": "#\tTrack Title\tLocation\r\n1\tA\t{a}\r\n2\tB\tArtist One/b & ü.mp3\r\n",
    "traktor.nml": (
        '<NML VERSION="19"><COLLECTION><ENTRY TITLE="A"><LOCATION DIR="{nml0}" FILE="a.mp3" '
        'VOLUME="" VOLUMEID="x"/></ENTRY><ENTRY><LOCATION DIR="{nml0}Artist One/:" '
        'FILE="b &amp; ü.mp3" VOLUME=""/></ENTRY></COLLECTION></NML>'
    ),
    "old.asx": (
        '<ASX version="3.0"><Entry><Ref HREF="a.mp3"/></Entry><entry>'
        '<ref href="Artist One/b &amp; ü.mp3"/></entry></ASX>'
    ),
    "x.jspf": (
        '{{"playlist": {{"track": [{{"location": ["{uri0}", "http://x/y"]}}, {{}}, 7, '
        '{{"location": "Artist%20One/b%20&%20ü.mp3"}}]}}}}'
    ),
    "plain.txt": "\ufeff# mine\n{a}\n\nArtist One/b & ü.mp3\n",
    "location.csv": "Title,Location\nA,{a}\nB,Artist One/b & ü.mp3\n",
    "file.csv": "filename;File\nno.mp3;{a}\nno.mp3;Artist One/b & ü.mp3\n",
    "filename.csv": "Filename\n{a}\nArtist One/b & ü.mp3\n",
}  # fmt: skip


@pytest.fixture
def songs(tmp_path: Path) -> tuple[str, str]:
    paths = tmp_path / "a.mp3", tmp_path / "Artist One" / "b & ü.mp3"
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return str(paths[0]), str(paths[1])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", LISTS)
def test_the_lists_that_people_have_are_read(
    tmp_path: Path, songs: tuple[str, str], name: str, encoding: str
) -> None:
    a, b = songs
    text = LISTS[name].format(
        a=a,
        uri0=Path(a).as_uri().replace("file:///", "file://localhost/"),
        uri1=Path(b).as_uri().replace("&", "&#38;"),
        nml0=str(tmp_path).replace("/", "/:") + "/:",
    )
    if encoding == "utf-16":
        text = text.replace('encoding="UTF-8"', 'encoding="UTF-16"').removeprefix("\ufeff")
    (tmp_path / name).write_text(text, encoding, newline="")
    found = find_audio(tmp_path / name)
    assert (found.files, found.failures) == (songs, ())


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ('DIR="/:Music/:" FILE="a.mp3" VOLUME="D:"', "D:/Music/a.mp3"),
        ('DIR="/:Users/:me/:" FILE="a.mp3" VOLUME="Macintosh HD"', "/Users/me/a.mp3"),
        ('DIR="/:Music/:" FILE="a.mp3" VOLUME="USB"', "/Volumes/USB/Music/a.mp3"),
    ],
)
def test_traktors_volumes_are_part_of_the_path(tmp_path: Path, location: str, path: str) -> None:
    (tmp_path / "x.nml").write_text(f"<NML><LOCATION {location}/><LOCATION DIR='/:'/></NML>")
    assert playlists.list_entries(str(tmp_path / "x.nml")) == [path]


_BOMB = "<!DOCTYPE x [" + '<!ENTITY a "aaaa">' + '<!ENTITY b "&a;&a;">' + "]>"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("x.xml", _BOMB + "<plist>&b;</plist>", "is XML that declares entities"),
        (
            "x.xspf",
            '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><playlist>&f;</playlist>',
            "is XML that declares entities",
        ),
        ("x.xspf", "<playlist>" * 200, "is XML that is nested more than 100 deep"),
        ("x.wpl", "<smil " + "a" * 5_000_000, "is XML with a tag of more than 2097152 bytes"),
        ("x.xml", "<html/>", "is XML that begins with 'html', no list of XSPF, iTunes, WPL"),
        ("x.asx", "<asx><ref href='a&b'/></asx>", "is XML that is not well-formed ("),
        ("x.xspf", "", "is XML that is not well-formed (no element found, line 1)"),
        ("x.pls", "a.mp3\n", "is no PLS: a line [playlist] is needed"),
        ("x.jspf", "[" * 1_000_000, "is no JSPF: its JSON can't be read ("),
        ("x.jspf", "[1]", 'is no JSPF: {"playlist": {"track": [...]}} is needed'),
        ("x.jspf", " " * 2**25, f"is a JSPF of {2**25} bytes; up to 16777216 are read"),
        ("x.txt", "a\tb\tc\n1\t2\t3\n", "is a CSV without a column 'path' (its columns: a, b, c)"),
    ],
)
def test_a_list_that_means_harm_or_is_none_is_refused_in_words(
    tmp_path: Path, name: str, content: str, error: str
) -> None:
    (tmp_path / name).write_text(content)
    tracemalloc.start()
    found = find_audio(tmp_path / name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.files == ()
    (failure,) = found.failures
    assert failure.error.startswith(error)
    assert peak < 10 * len(content) + 2**22


def test_an_entity_from_outside_is_not_asked_for(tmp_path: Path, songs: tuple[str, str]) -> None:
    (tmp_path / "evil.dtd").write_text('<!ENTITY a "a.mp3">')
    (tmp_path / "x.xspf").write_text(
        '<!DOCTYPE playlist SYSTEM "evil.dtd"><playlist><trackList><track><location>&a;'
        "</location></track></trackList></playlist>"
    )
    assert find_audio(tmp_path / "x.xspf").files == ()


def test_a_long_text_in_xml_is_told_and_costs_the_rest_nothing(
    tmp_path: Path, songs: tuple[str, str]
) -> None:
    track = "<track><location>{}</location></track>"
    (tmp_path / "x.xspf").write_text(
        f"<playlist>{track.format('y' * 3_000_000)}{track.format('a.mp3')}</playlist>"
    )
    found = find_audio(tmp_path / "x.xspf")
    assert found.files == songs[:1]
    assert "has more than 16384 characters" in found.failures[0].error


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("x.xspf", "<track><location>a</location></track>"),
        ("x.pls", "File1=a\n"),
        ("x.txt", "a\n"),
    ],
)
def test_too_many_songs_are_refused_with_the_limit_in_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, unit: str
) -> None:
    monkeypatch.setattr(playlists, "_MAX_ENTRIES", 1000)
    is_xml = name == "x.xspf"
    (tmp_path / name).write_text(f"<playlist>{unit * 1001}</playlist>" if is_xml else unit * 1001)
    (failure,) = find_audio(tmp_path / name).failures
    assert failure.error == "is a list of more than 1000 songs; split it"


def test_a_text_that_a_list_names_is_not_taken_for_a_song(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "x.m3u").write_text("notes.txt\n")
    assert find_audio(tmp_path / "x.m3u").failures[0].error.startswith("is a list;")
