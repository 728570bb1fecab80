"""Caches and tastes of earlier versions are read: what they hold of songs is scored as it was.

Encoders have changed since: songs are embedded again, and old tastes say that they want training.

tests/formats/README.md says how they were made.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

import classify
import embed
from cache import list_stores, verify_cache, verify_catalog
from classify.labels.relearning import labels_now
from classify.library.song_library import SongLibrary
from classify.scoring.file_scores import score_files
from classify.scoring.scores import Scores
from tests.formats.make_whole_cache import N_LIKES, N_SOUNDS, TASTES, write_sounds

FORMATS = Path(__file__).parents[1] / "formats"
ARCHIVES = sorted(FORMATS.glob("whole-*.tar.gz"))
_MOST_APART = 1e-6

Told = dict[str, dict[str, dict[str, Any]]]


def test_there_is_a_cache_of_the_version_before() -> None:
    assert FORMATS / "whole-76d9767.tar.gz" in ARCHIVES


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def archive(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def told(archive: Path) -> Told:
    """What each taste said of each sound then."""
    file = archive.with_name(archive.name.replace(".tar.gz", ".json"))
    told: Told = json.loads(file.read_text("utf-8"))
    return told


def unpack(archive: Path, root: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(root, filter="data")


def agrees(found: Scores, told: dict[str, dict[str, Any]]) -> None:
    assert {Path(song.path).name for song in found} == told.keys()
    for song in found:
        then = told[Path(song.path).name]
        assert song.score == pytest.approx(then["score"], abs=_MOST_APART)
        assert song.verdict == then["verdict"]


def test_its_tastes_score_its_songs_as_they_did(archive: Path, told: Told, tmp_path: Path) -> None:
    unpack(archive, tmp_path)
    assert list(told) == list(TASTES)
    for name, then in told.items():
        taste = classify.Taste.load(name, root=tmp_path)
        assert (taste.n_like, taste.n_dislike) == (N_LIKES, 1)
        library = SongLibrary.of_taste(taste, tmp_path)
        # Neither its files nor its encoder are here.
        agrees(score_files(library.files(), taste, tmp_path), then)
    assert [(one.encoder, one.n_songs) for one in list_stores(tmp_path)] == [("musicnn", N_SOUNDS)]
    assert all(one.is_sound for one in (*verify_cache(tmp_path), verify_catalog(tmp_path)))


def test_its_songs_are_found_elsewhere_and_embedded_by_the_new_encoder_once(
    archive: Path, told: Told, root: Path, tmp_path: Path
) -> None:
    unpack(archive, root)
    sounds = write_sounds(tmp_path / "music")
    report = embed.embed_library(sounds, root=root)
    assert (report.embedded, report.cached, report.failed) == (N_SOUNDS, 0, ())
    assert embed.embed_library(sounds, root=root).cached == N_SOUNDS
    new = write_sounds(tmp_path / "new")[0].with_name("new.wav")
    new.write_bytes(sounds[0].read_bytes() + sounds[1].read_bytes()[-4000:])
    for name, then in told.items():
        agrees(classify.score(sounds, taste=name, root=root), then)
        labels = {one.path: one.label for one in labels_now(name, root=root)}
        liked = dict.fromkeys(map(str, sounds[:N_LIKES]), "like")
        assert labels == liked | {str(sounds[-1]): "dislike"}
        with pytest.raises(classify.TasteError, match=r"settings have changed.*train the taste"):
            classify.score(new, taste=name, root=root)
    near = classify.similar(sounds[0], top=3, root=root)
    assert {Path(song.path).name for song in near} == {"01.wav", "02.wav", "03.wav"}


def test_its_labels_are_learnt_from_and_more_are_added(
    archive: Path, told: Told, root: Path, tmp_path: Path
) -> None:
    unpack(archive, root)
    sounds = write_sounds(tmp_path / "music")
    embed.embed_library(sounds, root=root)
    assert classify.train(root=root).taste.n_like == N_LIKES
    again = {Path(s.path).name: s.verdict for s in classify.score(sounds, root=root)}
    assert again == {name: then["verdict"] for name, then in told["default"].items()}
    added = classify.label("dislike", sounds[-2], taste="logistic", root=root)
    assert added.taste is not None
    assert (added.n_like, added.n_dislike, added.taste.head) == (N_LIKES, 2, "logistic")
