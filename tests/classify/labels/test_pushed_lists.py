"""Lists that went to a music server and come back as files which the server wrote are no likes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import classify
from classify.errors import LabelError
from classify.output.own_lists import is_pushed_list, remember_pushed_list
from tests.classify.labels.made_library import digest_of, make_songs


@pytest.fixture
def songs(compiled: Path, tmp_path: Path) -> list[Path]:
    """Twelve songs, of which 0, 4 and 8 were put on a server as `Seven Songs`."""
    songs = make_songs(compiled, tmp_path, range(12))
    pushed = [digest_of(number) for number in (0, 4, 8)]
    remember_pushed_list(pushed, tmp_path / "cache", name="Seven Songs")
    return songs


def exported(path: Path, songs: list[Path], head: str = "") -> Path:
    path.write_text(head + "".join(f"{song}\n" for song in songs))
    return path


def test_a_list_that_a_server_wrote_is_refused_by_its_name_and_songs(
    songs: list[Path], tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    ours = [songs[8], songs[0], songs[4]]
    refused = [
        exported(tmp_path / "Seven Songs.m3u", ours),
        exported(tmp_path / "seven_songs (2).m3u8", ours, "#EXTM3U\n"),
        exported(tmp_path / "download.m3u", ours, "#EXTM3U\n#PLAYLIST:Seven Songs\n"),
    ]
    for path in refused:
        with pytest.raises(LabelError, match="the very songs of a list that Seven Songs has put"):
            classify.train([str(path)], root=root)
        with pytest.raises(LabelError, match="save the list under another name"):
            classify.label("like", str(path), root=root)
    assert classify.label("like", str(songs[1]), root=root).n_like == 1, "nothing was liked before"


def test_a_listeners_own_list_is_taken(songs: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "cache"
    theirs = exported(tmp_path / "My best.m3u", [songs[0], songs[4], songs[8]])
    assert classify.label("like", str(theirs), root=root).n_like == 3
    curated = exported(tmp_path / "Seven Songs.m3u", [songs[0], songs[8]])
    assert classify.train([str(curated)], root=root).taste.n_like == 2


def test_lists_of_earlier_versions_are_known_by_their_songs(tmp_path: Path) -> None:
    file = tmp_path / "pushed.json"
    remember_pushed_list(["a"], tmp_path)
    told = json.loads(file.read_text())
    del told["names"]
    file.write_text(json.dumps(told))
    assert is_pushed_list(["a"], tmp_path)
    assert not is_pushed_list(["a"], tmp_path, names=["Seven Songs"])
    for name in ("Seven Songs", "Finds"):
        remember_pushed_list(["a"], tmp_path, name=name)
    assert is_pushed_list(["a"], tmp_path, names=["SEVEN SONGS (1)"])
    assert is_pushed_list(["a"], tmp_path, names=["Finds"])
    for content in ("{", "[]", '{"lists": [1], "names": []}', '{"lists": 3}'):
        file.write_text(content)
        assert not is_pushed_list(["a"], tmp_path)
