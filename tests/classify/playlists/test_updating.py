"""A playlist follows its rule, tells what changed, and never gets worse because a drive is gone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import classify
from classify.cli.app import app
from classify.errors import ClassifyError
from classify.playlists.kept_playlist import PlaylistRule, list_playlists, read_playlist
from classify.playlists.updating import restore_playlist, save_playlist, update_playlist
from embed import find_audio
from tests.classify.labels.made_library import digest_of, make_songs

N_SONGS = 40
RULE = PlaylistRule(taste="default", top=6)


@pytest.fixture
def songs(compiled: Path, tmp_path: Path) -> list[Path]:
    """Songs of four styles, of which four of one are liked; the cache is `tmp_path/cache`."""
    songs = make_songs(compiled, tmp_path, range(N_SONGS))
    classify.label("like", songs[:16:4], root=tmp_path / "cache")
    return songs


def test_a_list_follows_its_rule_and_comes_back(songs: list[Path], tmp_path: Path) -> None:
    root, to = tmp_path / "cache", tmp_path / "finds.m3u8"
    first = save_playlist("finds", RULE, str(to), root=root)
    listed = find_audio(str(to)).files
    assert (first.n_songs, first.came, first.went) == (6, listed, ())
    same = update_playlist("finds", root=root)
    assert (same.came, same.went, len(read_playlist("finds", root).versions)) == ((), (), 1)
    classify.label("like", [listed[0]], root=root)
    second = update_playlist("finds", root=root)
    assert listed[0] in second.went
    assert len(second.came) == len(second.went)
    after = find_audio(str(to)).files
    assert set(after) == {*listed, *second.came} - {*second.went}
    back = restore_playlist("finds", root=root)
    assert (back.came, find_audio(str(to)).files) != ((), after)
    assert find_audio(str(to)).files == listed
    with pytest.raises(ClassifyError, match="'finds' has 2 former versions, and number 3"):
        restore_playlist("finds", 3, root=root)
    made = {digest_of(n) for n in range(N_SONGS)}
    assert {digest for digest, _ in read_playlist("finds", root).versions[0].songs} < made
    for n in range(15):
        save_playlist("finds", PlaylistRule(taste="default", top=3 + n % 2), root=root)
    assert len(read_playlist("finds", root).versions) == 11


def _a_day_later(root: Path, name: str) -> None:
    """Have everything that a playlist has done lie a day further back."""
    file = root / "playlists" / f"{name}.json"
    document = json.loads(file.read_text())
    day = timedelta(days=1)
    for version in document["versions"]:
        version["at"] = (datetime.fromisoformat(version["at"]) - day).isoformat()
    held = document["held"].items()
    document["held"] = {one: str(date.fromisoformat(came) - day) for one, came in held}
    file.write_text(json.dumps(document))


def test_a_list_of_new_songs_has_others_each_day(songs: list[Path], tmp_path: Path) -> None:
    root, rule = tmp_path / "cache", PlaylistRule(taste="default", top=3, new_only=True)
    first = save_playlist("night", rule, root=root)
    again = update_playlist("night", root=root)
    assert (again.n_songs, again.came, again.went) == (3, (), ())
    classify.label("like", [first.came[0]], root=root)
    mended = update_playlist("night", root=root)  # the same day
    assert set(mended.went) == {first.came[0]}
    seen = {*first.came, *mended.came}
    while len(seen) < N_SONGS - 4:  # for more days than there are versions
        _a_day_later(root, "night")
        fresh = update_playlist("night", root=root)
        assert not seen & set(fresh.came)
        assert 0 < len(fresh.came) == fresh.n_songs
        seen |= set(fresh.came)
    _a_day_later(root, "night")
    with pytest.raises(ClassifyError, match="of those that it has not had yet, none fits"):
        update_playlist("night", root=root)
    assert len(read_playlist("night", root).versions) == 11
    back = save_playlist("night", PlaylistRule(taste="default", top=3), root=root)
    assert set(back.came) <= seen


def test_one_artist_does_not_fill_a_list(songs: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "cache"
    rule = PlaylistRule(taste="default", top=8, per_artist=1)
    saved = save_playlist("mixed", rule, root=root)
    acts = [int(Path(path).stem) // 3 for path in saved.came]
    assert len(set(acts)) == len(acts) == 8
    best = classify.score(root=root, top=1).songs[0]
    assert saved.came[0] == best.path
    listed = classify.score(root=root, precision=0.0, per_artist=2).songs
    assert max(Counter(song.artist for song in listed).values()) == 2


def test_somebodys_playlist_is_expanded(songs: list[Path], tmp_path: Path) -> None:
    """Its songs are likes of a taste of their own, and the list has those as near as they are."""
    root, to = tmp_path / "cache", tmp_path / "more.m3u8"
    theirs = tmp_path / "theirs.m3u8"
    theirs.write_text("".join(f"{path}\n" for path in songs[1:17:4]))  # of another style
    classify.train(find_audio(str(theirs)).files, taste="theirs", root=root)
    saved = save_playlist("more", PlaylistRule(taste="theirs", top=6), str(to), root=root)
    numbers = [int(Path(path).stem) for path in find_audio(str(to)).files]
    assert len(numbers) == saved.n_songs == 6
    assert {number % 4 for number in numbers} == {1}
    assert not {str(path) for path in songs[1:17:4]} & {*saved.came}
    assert len(read_playlist("more", root).versions) == 1


def test_what_is_not_there_never_makes_a_list_worse(songs: list[Path], tmp_path: Path) -> None:
    root, to = tmp_path / "cache", tmp_path / "finds.m3u8"
    save_playlist("finds", RULE, str(to), root=root)
    before = to.read_bytes()
    (tmp_path / "music").rename(tmp_path / "away")
    with pytest.raises(ClassifyError, match="40 of 40 songs of the library are not there now"):
        update_playlist("finds", root=root)
    (tmp_path / "away").rename(tmp_path / "music")
    for path in find_audio(str(to)).files[:4]:
        Path(path).unlink()
    with pytest.raises(ClassifyError, match="4 of the 6 songs of the list are not there now"):
        update_playlist("finds", root=root)
    none = PlaylistRule(taste="default", min_score=1.0)
    with pytest.raises(ClassifyError, match="no song fits its rule now"):
        save_playlist("finds", none, str(to), root=root)
    assert to.read_bytes() == before
    assert read_playlist("finds", root).rule == RULE


def test_a_file_of_somebody_else_is_left_alone(songs: list[Path], tmp_path: Path) -> None:
    root, theirs = tmp_path / "cache", tmp_path / "mine.m3u8"
    theirs.write_text("a.mp3\n")
    with pytest.raises(ClassifyError, match="no list that Seven Songs has made"):
        save_playlist("finds", RULE, str(theirs), root=root)
    with pytest.raises(ClassifyError, match="is no file of a playlist"):
        save_playlist("finds", RULE, str(tmp_path / "x.txt"), root=root)
    with pytest.raises(ClassifyError, match="is no name for a playlist"):
        save_playlist("../x", RULE, root=root)
    assert (list_playlists(root), theirs.read_text()) == ([], "a.mp3\n")


def test_a_list_that_its_listener_has_made_his_own_is_left_alone(
    songs: list[Path], tmp_path: Path
) -> None:
    """The line that says who made it is gone, as after saving with a player."""
    root, to = tmp_path / "cache", tmp_path / "finds.m3u8"
    save_playlist("finds", RULE, str(to), root=root)
    save_playlist("finds", PlaylistRule(taste="default", top=3), str(to), root=root)
    to.write_text("a.mp3\n")
    for write in (update_playlist, restore_playlist):
        with pytest.raises(ClassifyError, match=r"finds\.m3u8 is there, and no list that Seven"):
            write("finds", root=root)
    assert (to.read_text(), len(read_playlist("finds", root).versions)) == ("a.mp3\n", 2)
    to.unlink()
    assert restore_playlist("finds", root=root).n_songs == 6


def test_the_command_updates_all_lists_though_one_fails(
    songs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str, code: int = 0) -> Any:
        cache = ["--cache", str(tmp_path / "cache"), "playlist"]
        result = CliRunner().invoke(app, [*cache, *words])
        assert result.exit_code == code, result.output
        return result

    tell: Callable[[str], Any] = json.loads
    assert "no playlist is kept" in run("update", code=1).stderr
    to = tmp_path / "a.xspf"
    assert "a: 5 songs at" in run("save", "a", "--top", "5", "--to", str(to)).stdout
    run("save", "b", "--min-score", "0.1", "--per-artist", "2", "--new-only")
    (tmp_path / "cache" / "playlists" / "b.json").write_text("{}")
    result = run("update", "--json", code=1)
    assert [row["name"] for row in tell(result.stdout)] == ["a"]
    assert "b.json can't be read" in result.stderr
    assert "there is no playlist 'c'; there is a, b" in run("update", "c", code=1).stderr
    (tmp_path / "cache" / "playlists" / "b.json").unlink()
    (row,) = tell(run("list", "--json").stdout)
    assert (row["name"], row["n_songs"], row["top"], row["to"]) == ("a", 5, 5, str(to))
    assert "its list stays at" in run("remove", "a").stdout
    assert to.exists()
    assert run("list").stdout == ""
