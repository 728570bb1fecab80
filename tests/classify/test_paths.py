"""Whatever takes paths takes one, or any iterable of them; a plain string is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import classify
import embed


@pytest.fixture(scope="module")
def root(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that has heard all the music, with a taste."""
    copy = tmp_path_factory.mktemp("paths") / "cache"
    shutil.copytree(heard / "cache", copy)
    classify.train((heard / "music").glob("*acoustic*"), root=copy)
    return copy


def once(paths: Iterable[Path]) -> Iterator[Path]:
    yield from paths


def test_embed_library_takes_a_folders_name_alone(
    heard: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(heard)
    report = embed.embed_library("music", root=root)
    assert (report.found, report.cached, report.failed) == (28, 28, ())


def test_train_takes_generators(heard: Path, root: Path) -> None:
    music = heard / "music"
    trained = classify.train(
        once(music.glob("*acoustic*")),
        dislikes=once(music.glob("energetic_electronic*")),
        unlabelled=once(music.glob("calm_*")),
        taste="generators",
        root=root,
    )
    taste = trained.taste
    assert (taste.n_like, taste.n_dislike, taste.n_unlabelled) == (15, 2, 2)


def test_a_folder_alone_is_scored_as_in_a_list(heard: Path, root: Path) -> None:
    music = heard / "music"
    listed = classify.score([music], root=root)
    assert len(listed.songs) == 28
    for given in (music, str(music), once([music]), (music,)):
        assert classify.score(given, root=root).songs == listed.songs


def test_a_song_is_labelled_alone_as_in_a_list(heard: Path, root: Path) -> None:
    song = next((heard / "music").glob("calm_electronic*"))
    for given in (song, str(song), once([song])):
        done = classify.label("like", given, taste="one", root=root)
        assert (done.n_labelled, done.n_like, done.failed) == (1, 1, ())
        cleared = classify.label(None, once([song]), taste="one", root=root)
        assert (cleared.n_labelled, cleared.n_like) == (1, 0)


def test_similar_and_explain_take_a_list_of_one_song(heard: Path, root: Path) -> None:
    song = next((heard / "music").glob("calm_acoustic*"))
    alone = classify.similar(song, root=root)
    assert classify.similar(once([song]), root=root) == alone
    assert classify.explain([song], root=root) == classify.explain(str(song), root=root)
    with pytest.raises(classify.LabelError, match=r"music holds 28 songs, one is needed"):
        classify.similar(heard / "music", root=root)
    with pytest.raises(classify.ClassifyError, match=r"music holds 28 songs, one is needed"):
        classify.explain(heard / "music", root=root)


def test_a_single_files_functions_take_a_path_object(heard: Path) -> None:
    song = next((heard / "music").glob("calm_acoustic*"))
    assert embed.probe(song) == embed.probe(os.fspath(song))
    assert embed.sound_picture(song).duration_s == embed.sound_picture(str(song)).duration_s


@pytest.mark.parametrize("strange", [7, b"music", [None]])
def test_what_is_no_path_is_refused_before_anything_is_done(strange: Any, tmp_path: Path) -> None:
    for call in (
        lambda: classify.train(strange, root=tmp_path),
        lambda: classify.train([], dislikes=strange, root=tmp_path),
        lambda: classify.score(strange, root=tmp_path),
        lambda: classify.similar(strange, root=tmp_path),
    ):
        with pytest.raises(TypeError, match="is needed"):
            call()
    assert list(tmp_path.iterdir()) == []
