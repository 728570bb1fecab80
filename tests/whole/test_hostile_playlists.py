"""A playlist or CSV may come from a stranger.

Its entries are songs to read, and can be nothing else.
"""

from __future__ import annotations

import csv
import os
import sys
import tracemalloc
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import run

from cache import Catalog
from embed import find_audio
from embed.files.playlists import LIST_SUFFIXES, MAX_ENTRY, is_elsewhere, list_entries

_SIZE = 20_000
_FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its folders can't hold these names")


def hostile() -> ModuleType:
    return import_module("fuzz.hostile_lists")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> object:
    return hostile().Playground.make(tmp_path_factory.mktemp("ground"))


@_FUZZ
@given(r=st.randoms(use_true_random=False))
def test_exactly_the_songs_of_a_hostile_list_are_found_and_nothing_is_opened(
    ground: object, r: Random
) -> None:
    assert hostile().judge_list(r, ground)


@_FUZZ
@given(r=st.randoms(use_true_random=False))
def test_a_damaged_list_ends_in_songs_or_in_words_and_nothing_is_opened(
    ground: object, r: Random
) -> None:
    assert hostile().judge_damaged(r, ground)


@_FUZZ
@given(
    content=st.binary(max_size=3000),
    name=st.sampled_from([f"x{suffix}" for suffix in sorted(LIST_SUFFIXES)]),
)
def test_any_bytes_are_a_list_of_nothing(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content if name != "x.csv" else b"path\n" + content)
    with hostile().opened_files() as opened:
        found = find_audio([tmp_path / name])
    assert found.files == ()
    assert set(opened) <= {str(tmp_path / name)}


def entry(tmp_path: Path, line: str) -> str:
    """Return what is said of the one entry of a playlist in `tmp_path`."""
    (tmp_path / "list.m3u").write_text(line + "\n")
    (failure,) = find_audio([tmp_path / "list.m3u"]).failures
    return failure.error


def test_every_refusal_says_why(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.mp3")
    (tmp_path / "inner.m3u").write_text("a.mp3\n")
    expected = {
        "http://example.invalid/a.mp3": "is a URL; only files are read",
        "file://example.invalid/a.mp3": (
            "is a file of computer 'example.invalid'; only local ones are read"
        ),
        "/dev/zero": "is not a regular file (a FIFO, a device or a socket); not opened",
        "fifo.mp3": "is not a regular file (a FIFO, a device or a socket); not opened",
        "inner.m3u": "is a list; a list in a list is not read, so name it yourself",
        "..": "is a folder; a list names files",
        "a\0.mp3": "holds a NUL, so it is no path",
        "x" * 20_000: "has more than 16384 characters, so it is no path",
        "~/a.mp3": "does not exist",
    }
    assert {line: entry(tmp_path, line) for line in expected} == expected


def test_a_device_or_fifo_that_is_named_itself_is_not_opened_either(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.m3u")
    with hostile().opened_files() as opened:
        found = find_audio(["/dev/zero", tmp_path / "x.m3u"])
    assert found.files == ()
    assert all("not a regular file" in failure.error for failure in found.failures)
    assert opened == []


def test_a_list_that_names_itself_ends(tmp_path: Path) -> None:
    assert entry(tmp_path, "list.m3u").startswith("is a list;")


def test_utf_16_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    song = tmp_path / "ü 日本.mp3"
    song.write_bytes(b"x")
    for order in ("utf-16-le", "utf-16-be"):
        text = "\ufeffartist\tpath\r\nÄ\tü 日本.mp3\r\n"
        (tmp_path / "list.csv").write_bytes(text.encode(order))
        assert find_audio([tmp_path / "list.csv"]).files == (str(song),)


@pytest.mark.parametrize("name", ["x.m3u", "x.csv"])
@pytest.mark.parametrize(
    "unit", ["\n", ",", ",\n", '"', '"\n",', "a\n", "a" * 50_000 + "\n", "a,", "\0", "\u2028"]
)
def test_huge_lists_are_read_or_refused_in_bounded_memory(
    tmp_path: Path, name: str, unit: str
) -> None:
    path = tmp_path / name
    path.write_text("path\n" + unit * (_SIZE // len(unit)), newline="")
    tracemalloc.start()
    found = find_audio([path])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.files == ()
    assert peak < 50 * _SIZE + 2**20, peak  # a list of names of one letter takes most


def test_of_a_line_without_end_no_more_is_kept_than_tells_it(tmp_path: Path) -> None:
    (tmp_path / "x.m3u").write_text("a" * 1_000_000 + "\nb\n#" + "c" * 1_000_000 + "\nd")
    (tmp_path / "x.csv").write_text("path\n" + "a" * 100_000 + "\nb\nd\n")
    for name in ("x.m3u", "x.csv"):
        long, *others = list_entries(str(tmp_path / name))
        assert MAX_ENTRY < len(long) <= MAX_ENTRY + 2
        assert others == ["b", "d"]


def test_the_quote_that_keeps_a_spreadsheet_from_calculating_is_no_part_of_a_name(
    tmp_path: Path,
) -> None:
    for name in ("=1+1.mp3", "'@a.mp3", "@a.mp3"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "x.csv").write_text("path\n'=1+1.mp3\n'@a.mp3\n")
    found = find_audio([tmp_path / "x.csv"])
    assert found.files == (str(tmp_path / "=1+1.mp3"), str(tmp_path / "'@a.mp3")), (
        "what is there comes first"
    )


def test_too_many_songs_or_bytes_are_refused_with_the_limit(tmp_path: Path) -> None:
    (tmp_path / "x.m3u").write_bytes(b"a\n" * 500_001)
    (failure,) = find_audio([tmp_path / "x.m3u"]).failures
    assert failure.error == "is a list of more than 500000 songs; split it"
    with (tmp_path / "y.csv").open("wb") as file:
        file.truncate(2**40)
    (failure,) = find_audio([tmp_path / "y.csv"]).failures
    assert failure.error == f"is a list of {2**40} bytes; up to {64 * 2**20} are read"


def test_a_csv_with_a_field_or_row_without_end_is_refused_whole(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"x")
    path = tmp_path / "x.csv"
    path.write_text('path\na.mp3\n"' + "z" * 200_000)
    (failure,) = find_audio([path]).failures
    assert "can't be read: field larger than field limit" in failure.error
    path.write_text("path\na.mp3\n" + '"\n",' * 500_000)
    (failure,) = find_audio([path]).failures
    assert "row of more than 1048576 characters; is a quote not closed?" in failure.error


def test_on_windows_a_list_may_name_its_own_server_only() -> None:
    assert is_elsewhere(r"\\evil\share\a.mp3", r"C:\Music")
    assert is_elsewhere("//evil/share/a.mp3", r"\\nas\music\lists")
    assert not is_elsewhere(r"\\NAS\music\a.mp3", r"\\nas\music\lists")
    assert not is_elsewhere(r"D:\a.mp3", r"C:\Music")


def test_the_command_embeds_the_songs_of_a_hostile_list_and_no_more(
    tmp_path: Path, tracks: list[str], root: Path
) -> None:
    song, secret = tmp_path / "song.opus", tmp_path / "secret.txt"
    song.write_bytes(Path(tracks[0]).read_bytes())
    secret.write_text("root:x:0:0")
    os.mkfifo(tmp_path / "fifo.mp3")
    hls = tmp_path / "hls.mp3"  # a list in a song's clothes, which FFmpeg would follow
    hls.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    bad = ["/dev/zero", "fifo.mp3", "http://127.0.0.1:9/a.mp3", "hls.mp3", "secret.txt"]
    (tmp_path / "x.m3u").write_text("\n".join([*bad, "../" * 40 + str(song)[1:], str(song)]))
    argv = [
        "--cache",
        root,
        "embed",
        tmp_path / "x.m3u",
        "--coverage",
        "1",
        "--workers",
        "1",
        "--json",
    ]
    done = run([sys.executable, "-m", "classify.cli", *map(str, argv)])
    assert done.returncode == 1, done.stderr
    known = Catalog(root).load()
    assert {path for path, row in known.items() if row.digest} == {str(song)}
    assert known.keys() == {str(song), str(hls)}, "no other file was worth a look"
    assert "root:x" not in done.stdout + done.stderr
    assert all(done.stderr.count(os.path.basename(name)) for name in bad)


def test_paths_of_a_csv_may_hold_what_csv_is_made_of(tmp_path: Path) -> None:
    names = ["a,b.mp3", 'a"b.mp3', "a\nb.mp3", "a\r\nb.mp3", "a;b\tc.mp3", " a.mp3 ", "'a'.mp3"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path"], *([name] for name in names)])
    assert find_audio([tmp_path / "x.csv"]).files == tuple(str(tmp_path / name) for name in names)
