from __future__ import annotations

import struct
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import mutagen.apev2
import mutagen.asf
import mutagen.flac
import mutagen.id3
import mutagen.mp4
import mutagen.oggopus
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embed.decoding.ape_tags import read_ape_tags
from embed.decoding.id3_tags import read_id3_tags
from embed.decoding.probing import probe
from embed.decoding.tags import Tags, read_tags
from tests.support.audio_files import KINDS, music


def test_the_first_source_wins_and_others_fill_in() -> None:
    tags = read_tags({"artist": "A", "title": "T"}, {"artist": "B", "album": "L"})
    assert tags == Tags(artist="A", title="T", album="L")


def test_names_of_tags_are_read_in_any_case() -> None:
    assert read_tags({"ARTIST": "A", "Title": "T", "aLbUm": "L"}) == Tags(
        artist="A", title="T", album="L"
    )


@pytest.mark.parametrize("artist", [None, "", "  ", "\x00"])
def test_the_albums_artist_stands_in(artist: str | None) -> None:
    source = {"album_artist": "Various"} | ({} if artist is None else {"artist": artist})
    assert read_tags(source).artist == "Various"
    assert read_tags(source | {"artist": "A"}).artist == "A"


@pytest.mark.parametrize("name", ["albumartist", "ALBUM ARTIST", "Album_Artist", "AlbumArtist"])
def test_the_albums_artist_is_read_however_it_is_spelt(name: str) -> None:
    assert read_tags({name: "Various"}) == Tags(artist="Various", album_artist="Various")


@pytest.mark.parametrize("empty", ["", "   ", "\n\t", "\x00"])
def test_a_tag_without_text_is_none(empty: str) -> None:
    assert read_tags({"title": empty}) == Tags()


def test_no_source_gives_no_tags() -> None:
    assert read_tags() == read_tags({}, {}) == Tags(artist=None, title=None, album=None)


def test_latin_1_and_utf_8_are_told_apart() -> None:
    latin = b"Bj\xf6rk".decode("utf-8", "surrogateescape")
    assert read_tags({"artist": latin, "title": "Jóga"}) == Tags(artist="Björk", title="Jóga")
    quotes = b"\x93Quoted\x94".decode("utf-8", "surrogateescape")
    assert read_tags({"artist": quotes}).artist == "“Quoted”"  # cp1252, not ISO 8859-1


def test_control_characters_and_novels_do_not_reach_a_table() -> None:
    tags = read_tags({"title": "a\x1b[31m\r\nb\u202ec\t d", "album": "x" * 100_000})
    assert tags.title == "a [31m b c d"
    assert tags.album == "x" * 300


@given(st.binary(max_size=80))
def test_any_bytes_give_clean_text_or_none(raw: bytes) -> None:
    title = read_tags({"title": raw.decode("utf-8", "surrogateescape")}).title
    if title is not None:
        assert title.isprintable()
        assert title == title.strip() != ""
        title.encode("utf-8")  # so that it can be printed and stored


SUFFIXES = ["mp3-cbr", "flac", "vorbis", "opus", "aac", "alac", "wma", "wav-16", "aiff", "wavpack"]


@pytest.mark.parametrize("name", SUFFIXES)
def test_tags_of_every_container_are_read(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    tags = {"artist": "Ärtist", "title": "Tïtle 日本", "album": "Album"}
    if kind.suffix == ".aiff":
        muxer = {"write_id3v2": "1"}
        kind = type(kind)(**{**vars(kind), "muxer_options": muxer})
    path = kind.write(tmp_path / f"a{kind.suffix}", music(1, 48000), 48000, tags)
    assert probe(str(path)).tags == Tags(artist="Ärtist", title="Tïtle 日本", album="Album")


def test_id3v1_in_latin_1_and_id3v2_in_invalid_utf_8(tmp_path: Path) -> None:
    path = KINDS["mp3-cbr"].write(tmp_path / "a.mp3", music(1, 44100), 44100)
    content = path.read_bytes()
    start = content.index(b"\xff\xfb")
    v1 = (
        b"TAG"
        + b"T\xeftle".ljust(30, b"\0")
        + b"Bj\xf6rk".ljust(30, b"\0")
        + b"Alb\xfcm".ljust(30, b"\0")
    )
    (tmp_path / "v1.mp3").write_bytes(content[start:] + v1.ljust(128, b"\0"))
    assert probe(str(tmp_path / "v1.mp3")).tags == Tags(
        artist="Björk", title="Tïtle", album="Albüm"
    )
    frame = b"\x03Bj\xf6rk"  # says UTF-8, is not
    body = b"TPE1" + len(frame).to_bytes(4, "big") + b"\0\0" + frame
    header = b"ID3\x04\0\0" + bytes([0, 0, 0, len(body)])
    (tmp_path / "v2.mp3").write_bytes(header + body + content[start:])
    probe(str(tmp_path / "v2.mp3"))  # FFmpeg may leave the tag out; the music counts


def test_cover_art_before_the_audio_is_no_obstacle(tmp_path: Path) -> None:
    path = KINDS["mp3-cbr"].write(tmp_path / "a.mp3", music(2, 44100), 44100)
    plain = probe(str(path))
    png = tmp_path / "c.png"
    with av.open(str(png), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 64
        stream.pix_fmt = "rgb24"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.APIC(encoding=3, mime="image/png", type=3, desc="", data=png.read_bytes()))
    tags.add(mutagen.id3.TPE1(encoding=3, text=["Someone"]))
    tags.save(path)
    covered = probe(str(path))
    assert covered.tags.artist == "Someone"
    assert (covered.digest, covered.n_samples) == (plain.digest, plain.n_samples)


@pytest.mark.parametrize("v1", [False, True])
def test_the_ape_tag_of_an_mp3_is_read(tmp_path: Path, v1: bool) -> None:
    path = KINDS["mp3-cbr"].write(tmp_path / "a.mp3", music(1, 44100), 44100)
    tags = mutagen.apev2.APEv2()
    tags["Title"], tags["Album"] = "Söng", "Album"
    tags["Artist"] = ["Ann", "Bob"]
    tags.save(path)
    if v1:
        path.write_bytes(path.read_bytes() + b"TAG" + b"\0" * 125)
    assert probe(path).tags == Tags(
        artist="Ann; Bob", artists=("Ann", "Bob"), title="Söng", album="Album"
    )


def test_what_an_mp3_says_at_its_start_goes_before_its_ape_tag(tmp_path: Path) -> None:
    path = KINDS["mp3-cbr"].write(
        tmp_path / "a.mp3", music(1, 44100), 44100, {"title": "T", "artist": "A"}
    )
    tags = mutagen.apev2.APEv2()
    tags["Artist"] = "Other"
    tags.save(path)
    assert probe(path).tags == Tags(artist="A", title="T")


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.binary(max_size=140))
def test_any_ape_tag_gives_texts(content: bytes, size: int, after: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp3"
        for length in (size, len(content) + 32):
            footer = b"APETAGEX" + struct.pack("<IIII", 2000, length, 1, 0) + b"\0" * 8
            path.write_bytes(content + footer + after)
            assert all(isinstance(text, str) for text in read_ape_tags(str(path)).values())


SONG = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"
ALBUM = "0b0c25f4-f31c-46a5-a4fb-ccbfd53d663e"
ARTISTS = ("164f0d73-1234-4e2c-8743-d77bf2191051", "5441c29d-3602-4898-b1a1-b77fa23b8e50")
EVERYTHING = Tags(
    artist="Ann feat. Bob",
    title=None,
    album_artist="Ann; The Bänd",
    artists=("Ann", "Bob"),
    recording_id=SONG,
    release_id=ALBUM,
    artist_ids=ARTISTS,
)
# As MusicBrainz Picard writes them; only what a song's own recording is called differs.
PICARD = {
    "artist": ["Ann feat. Bob"],
    "artists": ["Ann", "Bob"],
    "albumartist": ["Ann", "The Bänd"],
    "musicbrainz_trackid": [SONG.upper()],
    "musicbrainz_albumid": [ALBUM],
    "musicbrainz_artistid": list(ARTISTS),
    "musicbrainz_releasetrackid": [ARTISTS[0]],
}


def with_id3(path: Path, version: int, encoding: int) -> None:
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.APIC(encoding=0, mime="image/png", type=3, desc="", data=b"\x89" * 90_000))
    tags.add(mutagen.id3.TPE1(encoding=encoding, text=PICARD["artist"]))
    tags.add(mutagen.id3.TPE2(encoding=encoding, text=PICARD["albumartist"]))
    named = {"ARTISTS": "artists", "MusicBrainz Album Id": "musicbrainz_albumid"}
    named |= {"MusicBrainz Artist Id": "musicbrainz_artistid"}
    for name, key in named.items():
        tags.add(mutagen.id3.TXXX(encoding=encoding, desc=name, text=PICARD[key]))
    tags.add(mutagen.id3.UFID(owner="http://musicbrainz.org", data=SONG.encode()))
    tags.add(mutagen.id3.UFID(owner="http://elsewhere.example", data=ALBUM.encode()))
    if version == 3:
        tags.update_to_v23()
    tags.save(path, v2_version=version, v23_sep="/")


@pytest.mark.parametrize(("version", "encoding"), [(3, 1), (4, 1), (4, 2), (4, 3)])
def test_several_artists_and_ids_are_read_of_id3(
    tmp_path: Path, version: int, encoding: int
) -> None:
    path = KINDS["mp3-cbr"].write(tmp_path / "a.mp3", music(1, 44100), 44100)
    with_id3(path, version, encoding)
    # ID3v2.3 joins them by "/", which may be a part of a name: only as many as the ids are parted
    said = "Ann/The Bänd" if version == 3 else EVERYTHING.album_artist
    assert probe(path).tags == replace(EVERYTHING, album_artist=said)


@pytest.mark.parametrize(
    ("name", "tagged"),
    [
        ("flac", mutagen.flac.FLAC),
        ("opus", mutagen.oggopus.OggOpus),
        ("wavpack", mutagen.apev2.APEv2),
        ("mp3-cbr", mutagen.apev2.APEv2),
    ],
)
def test_several_artists_and_ids_are_read(tmp_path: Path, name: str, tagged: Any) -> None:
    kind = KINDS[name]
    path = kind.write(tmp_path / f"a{kind.suffix}", music(1, 48000), 48000)
    tags = tagged() if tagged is mutagen.apev2.APEv2 else tagged(path)
    for key, values in PICARD.items():
        tags["Album Artist" if kind.codec == "wavpack" and key == "albumartist" else key] = values
    tags.save(path)
    assert probe(path).tags == EVERYTHING


def test_ids_are_read_of_mp4_and_asf(tmp_path: Path) -> None:
    m4a = KINDS["aac"].write(tmp_path / "a.m4a", music(1, 44100), 44100)
    mp4 = mutagen.mp4.MP4(m4a)
    mp4["----:com.apple.iTunes:MusicBrainz Track Id"] = [SONG.encode()]
    mp4["----:com.apple.iTunes:MusicBrainz Album Id"] = [ALBUM.encode()]
    mp4.save()
    wma = KINDS["wma"].write(tmp_path / "a.wma", music(1, 44100), 44100)
    asf = mutagen.asf.ASF(wma)
    asf["MusicBrainz/Track Id"], asf["MusicBrainz/Album Id"] = SONG, ALBUM
    asf.save()
    for path in (m4a, wma):
        assert probe(path).tags == Tags(recording_id=SONG, release_id=ALBUM)


@pytest.mark.parametrize(
    ("told", "artist", "artists"),
    [
        ({"artist": "Ann;Bob"}, "Ann; Bob", ("Ann", "Bob")),
        ({"artist": "Ann; Bob ;; Ann"}, "Ann; Bob", ("Ann", "Bob")),
        ({"artist": "Ann", "artists": "Ann"}, "Ann", ()),
        ({"artist": "Ann & Bob", "ARTISTS": "Ann;Bob"}, "Ann & Bob", ("Ann", "Bob")),
        ({"artists": "Ann;Bob"}, "Ann; Bob", ("Ann", "Bob")),
        ({"artist": "AC/DC", "musicbrainz_artistid": ARTISTS[0]}, "AC/DC", ()),
        ({"artist": "A/B", "musicbrainz_artistid": "/".join(ARTISTS)}, "A/B", ("A", "B")),
        ({"artist": ";" * 99}, None, ()),
    ],
)
def test_each_of_several_artists_is_told_apart(
    told: dict[str, str], artist: str | None, artists: tuple[str, ...]
) -> None:
    tags = read_tags(told)
    assert (tags.artist, tags.artists) == (artist, artists)


def test_what_is_no_uuid_is_no_id() -> None:
    assert read_tags({"musicbrainz_trackid": "unknown", "musicbrainz_albumid": ""}) == Tags()


def test_an_unsynchronised_tag_is_read(tmp_path: Path) -> None:
    text = b"\1" + "Ann\0Bob".encode("utf-16")
    frame = b"TPE1" + len(text).to_bytes(4, "big") + b"\0\0" + text
    packed = frame.replace(b"\xff", b"\xff\0")
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3\3\0\x80" + bytes([0, 0, 0, len(packed)]) + packed + b"\xff" * 9)
    assert read_id3_tags(str(path)) == {"artist": "Ann;Bob"}


@given(st.sampled_from([2, 3, 4]), st.integers(0, 255), st.binary(max_size=200), st.data())
def test_any_id3_tag_gives_texts(version: int, flags: int, content: bytes, data: Any) -> None:
    name = data.draw(st.sampled_from([b"TPE1", b"TXXX", b"UFID", b"TP1", b"APIC"]))
    frame = name + data.draw(st.binary(min_size=6, max_size=6)) + content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp3"
        size = data.draw(st.sampled_from([b"\0\0\1\x7f", b"\xff" * 4, b"\0\0\0\x20"]))
        path.write_bytes(b"ID3" + bytes([version, 0, flags]) + size + frame + frame)
        assert all(isinstance(text, str) for text in read_id3_tags(str(path)).values())
