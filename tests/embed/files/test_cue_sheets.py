"""Which files are albums by their CUE sheets, as programs of all times and places write them."""

from __future__ import annotations

import codecs
import os
import shutil
from pathlib import Path

import mutagen.apev2
import mutagen.flac
import pytest
from hypothesis import given
from hypothesis import strategies as st

import embed
from embed.files.cue_sheets import Album, albums_in, count_songs, files_of_sheet
from tests.support.audio_files import KINDS, music


def sheet(*files: tuple[str, int], end: str = "\r\n") -> str:
    """Write a sheet as EAC does: files with so many tracks each."""
    lines, number = ["REM GENRE Rock", 'PERFORMER "Ann"', 'TITLE "One"'], 0
    for name, n_tracks in files:
        lines.append(f'FILE "{name}" WAVE')
        for _ in range(n_tracks):
            number += 1
            lines += [f"  TRACK {number:02d} AUDIO", '    TITLE "FILE of a TRACK"']
            lines += ["    INDEX 00 00:01:70", "    INDEX 01 00:02:00"]
    return end.join([*lines, ""])


def touched(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).write_bytes(b"x")
    return [str(folder / name) for name in names]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_songs_are_counted_by_file(end: str) -> None:
    text = sheet(("a b.wav", 3), ("c.wav", 1), end=end)
    assert count_songs(text.encode()) == {b"a b.wav": 3, b"c.wav": 1}


def test_a_song_is_of_the_file_in_which_its_music_begins_and_data_are_no_song() -> None:
    # as EAC writes "noncompliant" sheets: the pause of the next track ends a file
    text = """FILE "1.wav" WAVE
      TRACK 01 AUDIO
        INDEX 01 00:00:00
      TRACK 02 AUDIO
        INDEX 00 03:00:00
    FILE "2.wav" WAVE
        INDEX 01 00:00:00
      TRACK 03 MODE1/2352
        INDEX 01 04:00:00
    file unquoted name.wav wave
      track 4 audio
        index 1 00:00:00
    """
    assert count_songs(text.encode()) == {b"1.wav": 1, b"2.wav": 1, b"unquoted name.wav": 1}


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Björk ()", "utf-8"),
        ("Björk ()", "utf-8-sig"),
        ("Björk ()", "utf-16"),
        ("Björk ()", "cp1252"),
        ("Земфира", "cp1251"),
        ("椎名林檎 表示", "cp932"),  # with bytes that mean \ elsewhere
        ("椎名林檎 表示", "utf-16-le"),
        ("王菲", "gb18030"),
        ("王菲 蓋", "big5"),
        ("서태지와 아이들", "cp949"),
    ],
)
def test_the_name_is_read_in_the_encoding_in_which_there_is_such_a_file(
    tmp_path: Path, name: str, encoding: str
) -> None:
    touched(tmp_path, "other.flac", "yet another.flac")
    (album,) = touched(tmp_path, f"{name}.flac")
    cue = tmp_path / "x.cue"
    cue.write_bytes(sheet((f"{name}.flac", 12)).encode(encoding))
    assert albums_in(str(cue)) == [Album(path=album, n_songs=12)]


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("Album.WAV", "album.wav"),
        ("album.wav", "Album.flac"),
        (r"C:\Rips\Ann\album.wav", "album.ape"),
        ("../../etc/album.flac", "album.flac"),
        ("Jo\u0308ga.flac", "J\u00f6ga.flac"),
        ("Range.wav", "CD.flac"),  # the sheet's own name
    ],
)
def test_another_kind_case_and_folder_of_the_file_are_meant(
    tmp_path: Path, written: str, there: str
) -> None:
    touched(tmp_path, "other.flac", "album.txt")
    (album,) = touched(tmp_path, there)
    (tmp_path / "CD.cue").write_text(sheet((written, 2)), "utf-8")
    assert albums_in(str(tmp_path / "CD.cue")) == [Album(path=album, n_songs=2)]


def test_a_sheet_of_one_file_a_song_makes_no_album(tmp_path: Path) -> None:
    songs = touched(tmp_path, *(f"{n}.flac" for n in range(3)))
    cue = tmp_path / "x.cue"
    cue.write_text(sheet(*((f"{n}.wav", 1) for n in range(3))))
    assert albums_in(str(cue)) == []
    assert files_of_sheet(str(cue)) == songs
    cue.write_text(sheet(("0.wav", 4), ("gone.wav", 9), ("2.wav", 5)))
    assert [(Path(one.path).name, one.n_songs) for one in albums_in(str(cue))] == [
        ("0.flac", 4),
        ("2.flac", 5),
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_of_a_sheets_name_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.cue")
    found = embed.find_audio(tmp_path)
    assert [albums_in(one) for one in found.sheets] == [[]]


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: f"FILE {t}\nTRACK".encode()))
def test_any_bytes_are_no_error(content: bytes) -> None:
    count_songs(content)
    count_songs(codecs.BOM_UTF16_LE + content)


def test_long_lines_take_no_time() -> None:
    spaces = b" " * 500_000
    lines = [b"FILE " + spaces + b"a", b"TRACK" + spaces, b'FILE "' + b'"' * 500_000]
    assert count_songs(b"\n".join(lines)) == {}


@pytest.fixture
def album(heard: Path, tmp_path: Path) -> Path:
    """A folder with a song that the cache beside it knows, and an album's sheet."""
    shutil.copytree(heard / "cache", tmp_path / "cache")
    source = min((heard / "music").iterdir())
    folder = tmp_path / "music"
    folder.mkdir()
    shutil.copy(source, folder / f"album{source.suffix}")
    (folder / "album.cue").write_text(sheet(("album.wav", 12)))
    return folder


SAID = "is an album of 12 songs by its CUE sheet and counts as one song"


@pytest.mark.parametrize("named", ["", "album.cue", "album.opus"])
def test_embed_says_that_a_file_is_an_album_each_time(album: Path, named: str) -> None:
    path = str(album / "album.opus")
    for _ in range(2):
        report = embed.embed_library(album / named, root=album.parent / "cache")
        assert (report.found, report.cached) == (1, 1)
        assert report.albums == (Album(path=path, n_songs=12),)
        assert report.warnings == (embed.Failure(path=path, error=SAID),)
    assert report.passed_over == embed.PassedOver()


def test_a_sheet_without_its_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.cue").write_text(sheet(("a.wav", 3)))
    (failure,) = embed.find_audio(tmp_path / "a.cue").failures
    assert failure.error == "is a CUE sheet, and no audio file that it names is beside it"


@pytest.mark.parametrize("how", ["block", "comment", "ape"])
def test_a_sheet_in_the_file_is_seen(tmp_path: Path, how: str) -> None:
    kind = KINDS["wavpack" if how == "ape" else "flac"]
    path = kind.write(tmp_path / f"a{kind.suffix}", music(4, 44100), 44100)
    if how == "ape":
        ape = mutagen.apev2.APEv2()
        ape["Cuesheet"] = sheet(("a.wav", 3))
        ape.save(path)
    else:
        flac = mutagen.flac.FLAC(path)
        if how == "comment":
            flac["cuesheet"] = sheet(("a.wav", 3))
        else:
            flac.metadata_blocks.append(block(3, 4 * 44100))
        flac.save()
    warning = embed.probe(path).warning
    assert warning == "is an album of 3 songs by its CUE sheet and counts as one song"


def test_chapters_of_tags_are_no_sheet(tmp_path: Path) -> None:
    path = KINDS["flac"].write(tmp_path / "a.flac", music(2, 44100), 44100)
    flac = mutagen.flac.FLAC(path)
    for n in range(3):
        flac[f"CHAPTER00{n}"], flac[f"CHAPTER00{n}NAME"] = f"00:00:0{n}.000", "A chapter"
    flac.save()
    assert embed.probe(path).warning is None


def block(n_tracks: int, n_samples: int) -> mutagen.flac.CueSheet:
    made = mutagen.flac.CueSheet(None)
    for n in range(n_tracks):
        track = mutagen.flac.CueSheetTrack(n + 1, n * 44100)
        track.indexes = [mutagen.flac.CueSheetTrackIndex(1, 0)]
        made.tracks.append(track)
    made.tracks.append(mutagen.flac.CueSheetTrack(170, n_samples))
    return made
