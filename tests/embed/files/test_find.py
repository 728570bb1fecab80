from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embed import find_audio, path_list


def _touch(folder: Path, *names: str) -> list[str]:
    paths = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        paths.append(str(path))
    return paths


def _found(*paths: str | Path) -> list[str]:
    found = find_audio(paths)
    assert found.failures == ()
    return list(found.files)


def test_a_folder_is_searched_to_its_depth_and_sorted(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        "b.mp3",
        "a.flac",
        "sub/deep/c.OGG",
        "sub/D.Wav",
        "notes.txt",
        "cover.jpg",
        "list.m3u",
        "x",
    )
    names = [os.path.relpath(path, tmp_path) for path in _found(tmp_path)]
    assert names == [
        "a.flac",
        "b.mp3",
        os.path.join("sub", "D.Wav"),
        os.path.join("sub", "deep", "c.OGG"),
    ]


def test_hidden_files_and_folders_are_passed_over_unless_named(tmp_path: Path) -> None:
    (seen,) = _touch(tmp_path, "a.mp3")
    (inside,) = _touch(tmp_path, ".hidden/b.mp3")
    _touch(tmp_path, "._a.mp3")
    assert _found(tmp_path) == [seen]
    assert _found(tmp_path / ".hidden") == [inside]


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
def test_symbolic_links_are_followed_once(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "music/a.mp3")
    (far,) = _touch(tmp_path, "elsewhere/b.mp3")
    (tmp_path / "music/loop").symlink_to(tmp_path / "music")
    (tmp_path / "music/out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "music/out-again").symlink_to(tmp_path / "elsewhere")
    assert _found(tmp_path / "music") == [song, str(tmp_path / "music/out/b.mp3")]
    assert os.path.samefile(tmp_path / "music/out/b.mp3", far)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
def test_a_link_to_itself_does_not_stop_the_search(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "z.mp3")
    (tmp_path / "a").symlink_to("a")
    assert _found(tmp_path) == [song]


def test_a_folder_that_looks_like_a_song_is_a_folder(tmp_path: Path) -> None:
    assert _found(tmp_path) == []
    inside = _touch(tmp_path, "Album.mp3/one.mp3")
    assert _found(tmp_path) == inside


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_folder_that_may_not_be_read_is_a_failure_and_the_rest_is_found(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "a.mp3")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    found = find_audio([tmp_path])
    closed.chmod(0o700)
    assert found.files == (song,)
    assert [f.path for f in found.failures] == [str(closed)]
    assert "can't be searched" in found.failures[0].error


def test_files_keep_the_order_given_and_come_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = _touch(tmp_path, "a.mp3", "b.mp3")
    assert _found(b, tmp_path, a, b) == [b, a]
    monkeypatch.chdir(tmp_path)
    assert _found("b.mp3", "./b.mp3", b) == [b]


def test_a_file_that_is_named_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    paths = _touch(tmp_path, "song", "song.xyz")
    assert _found(*paths) == paths


def test_what_does_not_exist_is_a_failure_once(tmp_path: Path) -> None:
    missing = tmp_path / "no.mp3"
    found = find_audio([missing, missing, "nul\0.mp3"])
    assert found.files == ()
    assert next(f.path for f in found.failures) == str(missing)
    assert [f.error for f in found.failures] == ["does not exist"] * 2


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_playlist_with_comments_blank_lines_and_any_line_ends(
    tmp_path: Path, newline: str, mark: str
) -> None:
    a, b = _touch(tmp_path, "a.mp3", "sub dir/ü é.mp3")
    lines = ["#EXTM3U", "#EXTINF:123,Ä - B", "a.mp3", "", "  ", b, "a.mp3"]
    playlist = tmp_path / "list.M3U8"
    playlist.write_bytes((mark + newline.join(lines)).encode())
    assert _found(playlist) == [a, b]


def test_a_playlist_is_relative_to_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (song,) = _touch(tmp_path, "music/a.mp3")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/x.m3u").write_text("../music/a.mp3\n")
    monkeypatch.chdir("/")
    assert _found(tmp_path / "lists/x.m3u") == [song]


def test_an_old_playlist_in_windows_1252(tmp_path: Path) -> None:
    paths = _touch(tmp_path, "café “live”.mp3", "naïve.mp3")
    playlist = tmp_path / "old.m3u"
    playlist.write_bytes("café “live”.mp3\r\nnaïve.mp3\r\n".encode("cp1252"))
    assert _found(playlist) == paths


def test_a_playlist_that_mixes_utf_8_and_windows_1252(tmp_path: Path) -> None:
    paths = _touch(tmp_path, "café.mp3", "日本.mp3")
    playlist = tmp_path / "mixed.m3u"
    playlist.write_bytes("café.mp3\n".encode("cp1252") + "日本.mp3\n".encode())
    assert _found(playlist) == paths


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are any bytes only there")
def test_names_that_are_not_utf_8_are_found_in_folders_and_lists(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9 \xff.mp3"
    with open(odd, "wb") as file:
        file.write(b"x")
    assert _found(tmp_path) == [os.fsdecode(odd)]
    (tmp_path / "l.m3u").write_bytes(b"caf\xe9 \xff.mp3\n")
    assert _found(tmp_path / "l.m3u") == [os.fsdecode(odd)]
    (tmp_path / "l.csv").write_bytes(b"path\ncaf\xe9 \xff.mp3\n")
    assert _found(tmp_path / "l.csv") == [os.fsdecode(odd)]
    (tmp_path / "u.m3u").write_bytes(b"file://" + os.fsencode(tmp_path) + b"/caf%E9%20%FF.mp3\n")
    assert _found(tmp_path / "u.m3u") == [os.fsdecode(odd)]


@pytest.mark.skipif(os.name == "nt", reason="names may not hold these there")
@pytest.mark.parametrize(
    "odd", ["\u2028", "\x85", "\x1c", "\x0c", "\\", "%20", "#", "?", "'", '"', "☃", "\x01"]
)
def test_odd_characters_in_names_survive_lists(tmp_path: Path, odd: str) -> None:
    paths = _touch(tmp_path, f"a{odd}b.mp3")
    playlist = tmp_path / "odd.m3u"
    playlist.write_text(f"a{odd}b.mp3\n", newline="")
    assert _found(playlist) == paths
    table = tmp_path / "odd.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["path"], [f"a{odd}b.mp3"]])
    assert _found(table) == paths


@pytest.mark.skipif(os.name == "nt", reason="backslashes separate there by themselves")
def test_backslashes_separate_folders_where_no_such_file_is(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "Music/Ä/a.mp3")
    playlist = tmp_path / "win.m3u"
    playlist.write_bytes("Music\\Ä\\a.mp3\r\n".encode("cp1252"))
    assert _found(playlist) == [song]


def test_file_urls_are_paths_and_other_urls_are_refused(tmp_path: Path) -> None:
    song, hashed = _touch(tmp_path, "a ü.mp3", "b #1.mp3")
    refused = ["http://example.org/a.mp3", "https://[broken/a.mp3", "SPOTIFY://x", "ftp://h/a.mp3"]
    lines = [Path(song).as_uri(), "FILE://localhost" + Path(song).as_uri()[7:], *refused]
    lines += [f"file://{Path(hashed).as_posix()}"] if os.name != "nt" else []
    playlist = tmp_path / "urls.m3u"
    playlist.write_text("\n".join(lines))
    found = find_audio([playlist])
    assert list(found.files) == ([song, hashed] if os.name != "nt" else [song])
    assert [f.path for f in found.failures] == refused
    assert {f.error for f in found.failures} == {"is a URL; only files are read"}


def test_a_hls_playlist_opens_nothing(tmp_path: Path) -> None:
    playlist = tmp_path / "live.m3u8"
    playlist.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://example.org/seg0.ts\n"
    )
    found = find_audio([playlist])
    assert found.files == ()
    assert len(found.failures) == 1


def test_missing_entries_and_folders_in_a_list_are_failures(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "a.mp3")
    (tmp_path / "sub").mkdir()
    playlist = tmp_path / "list.m3u"
    playlist.write_text("gone.mp3\nsub\na.mp3\n" + "x" * 5000 + ".mp3\n")
    found = find_audio([playlist])
    assert found.files == (song,)
    errors = {os.path.basename(f.path)[:8]: f.error for f in found.failures}
    assert errors == {
        "gone.mp3": "does not exist",
        "sub": "is a folder; a list names files",
        "xxxxxxxx": "does not exist",
    }


def test_a_csv_with_a_path_column_among_others(tmp_path: Path) -> None:
    a, b = _touch(tmp_path, "a, b.mp3", "c.mp3")
    table = tmp_path / "songs.CSV"
    table.write_bytes(
        b'\xef\xbb\xbftitle,path,like\r\n"A ""x""\r\nof two","a, b.mp3",1\r\n'
        b"C,c.mp3\r\nnone,,0\r\nD\r\n"
    )
    assert _found(table) == [a, b]


@pytest.mark.skipif(os.name == "nt", reason="names may not hold line ends there")
def test_a_quoted_line_end_belongs_to_the_name(tmp_path: Path) -> None:
    (song,) = _touch(tmp_path, "two\nlines.mp3")
    table = tmp_path / "songs.csv"
    table.write_text('path\n"two\nlines.mp3"\n')
    assert _found(table) == [song]


@pytest.mark.parametrize(
    ("content", "columns"),
    [(b"title,song\na,b.mp3\n", "title, song"), (b"", "none"), (b"a.mp3\nb.mp3\n", "a.mp3")],
)
def test_a_csv_without_a_path_column_says_which_it_has(
    tmp_path: Path, content: bytes, columns: str
) -> None:
    table = tmp_path / "songs.csv"
    table.write_bytes(content)
    found = find_audio([table])
    assert found.files == ()
    (failure,) = found.failures
    assert failure.path == str(table)
    assert failure.error == f"is a CSV without a column 'path' (its columns: {columns})"


def test_a_list_that_is_no_text_gives_failures_only(tmp_path: Path) -> None:
    for name in ("x.csv", "x.m3u"):
        (tmp_path / name).write_bytes(b"path\n" + bytes(range(256)) * 20 + b'\n"' + b"z" * 200_000)
        found = find_audio([tmp_path / name])
        assert found.files == ()
        assert found.failures


def test_a_path_with_a_tilde_is_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (song,) = _touch(tmp_path, "a.mp3")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert _found("~/a.mp3") == [song]


def as_generator(paths: list[Path]) -> Iterator[Path]:
    yield from paths


@pytest.mark.parametrize("give", [list, tuple, as_generator, dict.fromkeys])
def test_a_folder_may_be_given_alone_or_among_others_however_they_come(
    give: Callable[[list[Path]], Iterable[Path]], tmp_path: Path
) -> None:
    (tmp_path / "a.mp3").touch()
    assert find_audio(give([tmp_path])).files == (str(tmp_path / "a.mp3"),)
    assert find_audio(tmp_path).files == (str(tmp_path / "a.mp3"),)
    assert find_audio(str(tmp_path)).files == (str(tmp_path / "a.mp3"),)


def test_a_string_is_one_path_and_never_its_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = find_audio("a/b")
    assert (found.files, [one.path for one in found.failures]) == ((), [str(tmp_path / "a/b")])
    assert path_list("") == [""]
    assert find_audio("").failures[0].error == "is empty; name a file or a folder"


@pytest.mark.parametrize("strange", [None, 7, b"music", [b"music"], [["music"]], [None]])
def test_what_is_no_path_is_refused_in_words(strange: Any) -> None:
    with pytest.raises(TypeError, match=r"a str(, a Path| or a Path)"):
        find_audio(strange)
