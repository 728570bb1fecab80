"""Songs that sound like one song, on real music."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import classify
import embed
from cache import Catalog, FileRecord
from classify.cli.app import app
from classify.library.similar_songs import similar
from tests.support.audio_files import KINDS, decode_whole


@pytest.fixture(scope="module")
def library(
    tracks: list[str], compiled: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """Ten acoustic and eight electronic tracks, embedded."""
    folder = tmp_path_factory.mktemp("similar")
    chosen = [t for t in tracks if "acoustic" in t][:10] + [t for t in tracks if "electronic" in t][
        :8
    ]
    (folder / "music").mkdir()
    music = [shutil.copy(track, str(folder / "music" / Path(track).name)) for track in chosen]
    root = folder / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    assert embed.embed_library(music, root=root).embedded == len(music)
    return root, music


@pytest.mark.long
def test_the_nearest_songs_are_of_the_same_kind(library: tuple[Path, list[str]]) -> None:
    root, music = library
    right = 0
    for path in (music[0], music[12]):
        found = similar(path, top=5, root=root)
        assert path not in [song.path for song in found.songs]
        values = [song.similarity for song in found.songs]
        assert values == sorted(values, reverse=True)
        assert all(-1 <= value <= 1 for value in values)
        kind = "acoustic" if "acoustic" in path else "electronic"
        right += sum(kind in Path(song.path).name for song in found.songs)
    assert right >= 8  # of ten; by chance about five


def test_similarity_is_mutual(library: tuple[Path, list[str]]) -> None:
    root, music = library
    there = {song.path: song.similarity for song in similar(music[0], top=50, root=root).songs}
    back = {song.path: song.similarity for song in similar(music[3], top=50, root=root).songs}
    # Each is measured relative to the other songs, so that it is nearly the same both ways.
    assert there[music[3]] == pytest.approx(back[music[0]], abs=0.05)


def test_copies_are_folded_and_files_that_have_gone_left_out(
    library: tuple[Path, list[str]], tmp_path: Path
) -> None:
    root, music = library
    own = tmp_path / "cache"
    shutil.copytree(root, own)
    nearest = similar(music[0], top=1, root=own).songs[0].path
    # another file of the song that is asked about
    twin = shutil.copy(music[0], str(tmp_path / "twin.opus"))
    samples, rate_hz = decode_whole(nearest)
    rip = str(KINDS["mp3-cbr"].write(tmp_path / "rip.mp3", np.stack([samples, samples]), rate_hz))
    embed.embed_library([twin, rip], root=own)
    found = similar(music[0], top=3, root=own)
    assert found.copies == (twin,)
    assert {found.songs[0].path, *found.songs[0].copies} == {nearest, rip}
    os.unlink(rip)
    assert rip not in str(similar(music[0], top=3, root=own))


def test_at_most_two_of_an_album_unless_asked(
    library: tuple[Path, list[str]], tmp_path: Path
) -> None:
    root, music = library
    own = tmp_path / "cache"
    shutil.copytree(root, own)
    catalog = Catalog(own)
    rows = [row for row in catalog.load().values() if "acoustic" in row.path]
    fields = ("path", "size_bytes", "mtime_ns", "digest", "duration_s")
    catalog.put(
        [
            FileRecord(**{name: getattr(row, name) for name in fields}, artist="A", album="One")
            for row in rows
        ]
    )
    for per_album, most in ((2, 2), (1, 1), (None, 9)):
        found = similar(music[0], top=17, per_album=per_album, root=own)
        assert sum("acoustic" in song.path for song in found.songs) == most


def test_what_is_no_song_or_has_no_neighbour_is_refused(
    library: tuple[Path, list[str]], root: Path, tmp_path: Path
) -> None:
    with pytest.raises(classify.LabelError, match="one is needed"):
        similar(str(Path(library[1][0]).parent), root=library[0])
    with pytest.raises(classify.LabelError, match=r"^there is no file nowhere\.mp3$"):
        similar("nowhere.mp3", root=library[0])
    with pytest.raises(classify.ClassifyError, match="no other song is embedded"):
        similar(library[1][0], root=root)


def test_the_command_speaks_every_format(library: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, music = library

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(
            app, ["--cache", str(root), "similar", music[0], "--top", "4", *arguments]
        )
        assert result.exit_code == 0, result.output
        return result.stdout

    rows = json.loads(run("--json"))
    fields = {"path", "similarity", "duration_s", "artist", "title", "copies"}
    assert [set(row) for row in rows] == [fields | {"album", "label", "digest"}] * 4
    assert run().splitlines()[0].split() == ["rank", "similarity", "song", "copies"]
    assert len(run("--format", "csv").splitlines()) == 5
    run("-o", str(tmp_path / "near.m3u8"))
    playlist = (tmp_path / "near.m3u8").read_text("utf-8").splitlines()
    assert [line for line in playlist if not line.startswith("#")] == [row["path"] for row in rows]
