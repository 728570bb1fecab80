"""A library that stays open says what one says that is opened anew for each question."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import embed
from classify.labels.relearning import labels_now, relabel
from classify.library import open_library
from classify.library.label_file import Label
from classify.library.open_library import OpenLibrary
from classify.library.song_library import SongLibrary
from classify.library.song_vectors import SongVectors
from classify.taste.names import taste_path
from classify.taste.vectors import Vectors


@pytest.fixture(scope="module")
def folder(compiled: Path, tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight songs in `music`, of which two are copies, and a cache that has heard them."""
    folder = tmp_path_factory.mktemp("opened")
    shutil.copytree(compiled / "encoders", folder / "cache" / "encoders")
    (folder / "music").mkdir()
    songs = [shutil.copy(track, folder / "music") for track in tracks[::4]]
    shutil.copy(songs[0], folder / "music" / "copy.opus")
    embed.embed_library([folder / "music"], root=folder / "cache", coverage=2)
    return folder


@pytest.fixture
def library(folder: Path, tmp_path: Path) -> SongLibrary:
    root = shutil.copytree(folder / "cache", tmp_path / "cache")
    return SongLibrary.of_encoders(embed.prepare_encoders("musicnn", root=root), root)


@pytest.mark.parametrize("keep_bytes", [0, 2**30])
def test_it_says_what_a_library_says(library: SongLibrary, keep_bytes: int) -> None:
    opened = OpenLibrary(library, keep_bytes=keep_bytes)
    digests = library.files().digests
    assert opened.files().digests == digests
    assert opened.files().recordings() == library.files().recordings()
    asked = [*digests[2:5], "0" * 32]
    ours, theirs = opened.songs(asked), library.songs(asked)
    assert (ours.digests, ours.groups) == (theirs.digests, theirs.groups)
    assert np.array_equal(ours.vectors, theirs.vectors)
    assert opened.files_of(digests[:1]) == library.files_of(digests[:1])
    assert max(len(opened.files_of([digest])) for digest in digests) == 2
    mapped, expected = (
        list(one.vectors.open().map(lambda at, rows: np.column_stack([at, rows])))
        for one in (opened, library)
    )
    assert np.array_equal(np.concatenate(mapped), np.concatenate(expected))


def test_of_songs_that_were_asked_for_before_only_the_new_ones_are_read(
    library: SongLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_library, "_KEEP_LAST_FROM", 2)
    read: list[list[str]] = []
    real = SongVectors.matrix

    def counted(vectors: SongVectors, digests: list[str]) -> tuple[list[str], Vectors]:
        read.append(digests)
        return real(vectors, digests)

    monkeypatch.setattr(SongVectors, "matrix", counted)
    opened = OpenLibrary(library, keep_bytes=0)
    a, b, c, d, e, *_ = library.files().digests
    for asked, new in (([a, b, c], [a, b, c]), ([d, c, "0" * 32, b], [d, "0" * 32]), ([b], [b])):
        names, vectors = opened.vectors.matrix(asked)
        assert read.pop() == new
        expected_names, expected = real(library.vectors, asked)
        assert names == expected_names
        assert np.array_equal(vectors, expected)
    assert opened.vectors.matrix([e, b, b])[0] == [e, b, b]
    assert opened.files() is opened.files()


def test_songs_that_came_later_are_there_when_it_is_opened_again(
    library: SongLibrary, tracks: list[str], folder: Path, tmp_path: Path
) -> None:
    first = OpenLibrary(library)
    embed.embed_library(tracks[1:3], root=tmp_path / "cache", coverage=2)
    embed.embed_library([folder / "music"], root=tmp_path / "cache", coverage=3)  # again
    assert len(first.vectors.open()) == 7
    second = OpenLibrary(library, former=first)
    fresh = library.vectors.open()
    assert second.vectors.open().digests.equals(fresh.digests)
    everything = np.arange(len(fresh))
    assert np.array_equal(second.vectors.open().matrix(everything), fresh.matrix(everything))


def test_songs_that_stand_in_another_order_keep_their_vectors(
    library: SongLibrary, tmp_path: Path
) -> None:
    first = OpenLibrary(library)
    one, *others = reversed(first.vectors.open().digests.to_pylist()[:4])
    shutil.copytree(Path(library.root) / "encoders", tmp_path / "other" / "encoders")
    for digests in ([one], others):
        paths = [file.path for file in library.files_of(digests)]
        embed.embed_library(paths, root=tmp_path / "other", coverage=2)
    root = tmp_path / "other"
    other = SongLibrary.of_encoders(embed.prepare_encoders("musicnn", root=root), root)
    fresh = other.vectors.open()
    assert fresh.digests.to_pylist()[0] == one
    again = OpenLibrary(other, former=first).vectors.open()
    assert np.array_equal(again.matrix(np.arange(4)), fresh.matrix(np.arange(4)))


def test_labels_are_learnt_from_an_open_library_as_from_any(
    library: SongLibrary, tmp_path: Path
) -> None:
    songs = library.paths_of(library.files().digests[:5])  # of copies as labels name them
    labels = tuple(Label(label="like", path=path, digest=digest) for digest, path in songs.items())
    tastes = []
    for name, source in (("open", OpenLibrary(library)), ("any", library)):
        path = taste_path(name, root=library.root)
        done = relabel(source, lambda before: (*before, *labels), path=path)
        assert set(done.labels) == set(labels_now(name, root=library.root)) == set(labels)
        assert done.taste is not None
        tastes.append(done.taste)
    assert tastes[0].likes == tastes[1].likes
    vectors = library.songs(library.files().digests).vectors
    assert np.array_equal(tastes[0].decisions(vectors), tastes[1].decisions(vectors))
