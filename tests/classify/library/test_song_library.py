"""Songs of a cache as training and scoring see them; the tests bear the symptoms' names."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classify
import embed
from cache import Catalog, EmbeddingStore, Entry, FileRecord
from classify.library.artist_groups import Groups
from classify.library.song_library import SongLibrary
from classify.library.song_vectors import SongVectors
from classify.taste.calibration import Calibration
from classify.taste.familiarity import Familiarity
from classify.taste.song_space import SongSpace
from classify.taste.taste import Taste
from classify.taste.vectors import SongTransform


@pytest.fixture
def music(tracks: list[str], tmp_path: Path) -> list[str]:
    """Three likes, three others, and one that is not embedded at first."""
    chosen = [t for t in tracks if "acoustic" in t][:3] + [t for t in tracks if "electronic" in t][
        :4
    ]
    (tmp_path / "music").mkdir()
    return [
        shutil.copy(track, str(tmp_path / "music" / f"{i}.opus")) for i, track in enumerate(chosen)
    ]


def library(root: Path) -> SongLibrary:
    return SongLibrary.of_encoders(embed.prepare_encoders("musicnn", root=root), root)


def test_training_and_scoring_keep_to_the_coverage_of_the_library(
    music: list[str], root: Path
) -> None:
    # Likes embedded with twelve windows among songs with two scored all else as liked.
    embed.embed_library(music[:6], root=root, coverage=2)
    trained = classify.train(music[:3], root=root)
    assert not trained.failed
    assert len(classify.score(music, taste=trained.taste, root=root).songs) == 7
    assert set(library(root).vectors.held().values()) == {2}


@pytest.mark.parametrize(("held", "usual"), [(4, "scan"), (5, 5), (12, 12), (0, "full")])
def test_a_library_that_was_only_looked_at_first_is_to_be_scanned(
    held: int, usual: str | int, compiled: Path, tmp_path: Path
) -> None:
    (part,) = embed.prepare_encoders("musicnn", root=compiled).parts
    store = EmbeddingStore(tmp_path, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim)
    digests = [f"{k:032x}" for k in range(3)]
    store.put(
        [
            Entry(
                digest=digest,
                n_windows=held,
                duration_s=200.0,
                coverage=0.1,
                starts_s=np.zeros(1, np.float32),
                frames=np.zeros((1, part.dim), np.float16),
                vector=np.zeros(2 * part.dim, np.float32),
            )
            for digest in digests
        ]
    )
    Catalog(tmp_path).put(
        [
            FileRecord(path=f"/{d}", size_bytes=1, mtime_ns=1, digest=d, duration_s=200.0)
            for d in digests
        ]
    )
    songs = SongLibrary(tmp_path, SongVectors([store]))
    assert songs.coverage() == {"musicnn": usual}


def test_a_like_that_does_not_exist_is_told_in_a_fresh_cache(root: Path) -> None:
    with pytest.raises(classify.LabelError, match="does not exist"):
        classify.train(["nowhere.mp3"], root=root)


def test_a_song_on_both_sides_is_named_by_its_path(music: list[str], root: Path) -> None:
    with pytest.raises(classify.LabelError, match=r"0\.opus"):
        classify.train(music[:3], dislikes=music[:1], root=root)


def test_songs_of_an_artist_or_an_album_stay_together(tmp_path: Path) -> None:
    def row(name: str, artist: str | None, album: str | None, folder: str = "a") -> FileRecord:
        return FileRecord(
            path=f"/{folder}/{name}",
            size_bytes=1,
            mtime_ns=1,
            digest=name * 32,
            duration_s=60.0,
            artist=artist,
            album=album,
        )

    Catalog(tmp_path).put(
        [
            row("0", "X", "One"),
            row("1", "X feat. Y", "One"),
            row("2", "Z", "Greatest Hits", "b"),
            row("3", "W", "Greatest Hits", "c"),
            row("4", "Various Artists", "Hits", "d"),
            row("5", "Various Artists", "Hits", "d"),
            row("6", None, None),
        ]
    )
    groups = Groups(Catalog(tmp_path).files()).of([d * 32 for d in "0123456"])
    assert groups["0" * 32] == groups["1" * 32]
    assert len({groups[d * 32] for d in "023"}) == 3
    assert not groups.keys() & {d * 32 for d in "456"}


def test_songs_that_share_any_artist_or_the_albums_stay_together(tmp_path: Path) -> None:
    songs: list[dict[str, Any]] = [
        {"artist": "Ann; Bob", "artists": ("Ann", "Bob")},
        {"artist": "Ann"},
        {"artist": "BOB"},
        {"artist": "Ann & Cleo", "artists": ("Cleo", "Dan")},
        {"artist": "Cleo feat. Eve"},
        {"artist": "Eve"},
        {"artist": "Guest", "album_artist": "Dan; Fay"},
        {"artist": "Other", "album_artist": "Various Artists", "album": "Hits"},
        {"artist": "Another", "album_artist": "Verschiedene Interpreten", "album": "Hits"},
        {"artist": "Vários artistas", "album": "Hits"},
        {"artist": "群星"},
        {"artist": "ΔΙΆΦΟΡΟΙ ΚΑΛΛΙΤΈΧΝΕΣ"},
        {"artist": "Bjo\u0308rk"},
        {"artist": "Bj\u00f6rk"},
        {"artist": "Ann/Bob"},
        {"artist": "Gil feat. Hal", "artists": ("Gil",)},
        {"artist": "Hal"},
    ]
    names = [f"{n:032x}" for n in range(len(songs))]
    Catalog(tmp_path).put(
        [
            FileRecord(
                path=f"/m/{name}", size_bytes=1, mtime_ns=1, digest=name, duration_s=60.0, **tags
            )
            for name, tags in zip(names, songs, strict=True)
        ]
    )
    found = Groups(Catalog(tmp_path).files()).of(names)
    together = [
        {n for n, name in enumerate(names) if found.get(name) == one}
        for one in dict.fromkeys(found.values())
    ]
    assert together == [{0, 1, 2}, {3, 4, 5, 6}, {7}, {8}, {12, 13}, {14}, {15, 16}]


def test_a_strangers_taste_does_not_have_a_model_loaded(music: list[str], root: Path) -> None:
    zeros = np.zeros(4, dtype=np.float32)
    taste = Taste(
        encoder="hub:https://example.invalid/evil/1",
        fingerprint="0" * 16,
        head="logistic",
        space=SongSpace(
            standard=SongTransform(mean=zeros, scale=zeros + 1),
            blocks=(4,),
            basis=np.eye(4, dtype=np.float32),
            offset=zeros,
        ),
        familiarity=Familiarity(known=np.zeros((0, 256), dtype=np.float32), limit=1.0),
        activation="relu",
        layers=((np.ones((4, 1)), np.zeros(1)),),
        calibration=Calibration(),
        likes=("1" * 32, "2" * 32),
    )
    with pytest.raises(classify.TasteError, match="a model is a program"):
        classify.score(music[:1], taste=taste, root=root)
    with pytest.raises(classify.TasteError, match="16 hex digits"):
        classify.score(music[:1], taste=dataclasses.replace(taste, fingerprint="zz"), root=root)


def test_a_taste_of_another_width_is_to_blame_and_not_the_cache(
    music: list[str], root: Path
) -> None:
    taste = classify.train(music[:3], unlabelled=music[3:6], root=root).taste
    narrow = dataclasses.replace(
        taste,
        space=dataclasses.replace(
            taste.space,
            standard=SongTransform(
                mean=taste.space.standard.mean[:10], scale=taste.space.standard.scale[:10]
            ),
            blocks=(10,),
            basis=taste.space.basis[:10],
        ),
    )
    with pytest.raises(classify.TasteError, match="no taste of ours"):
        classify.score(music, taste=narrow, root=root)


@pytest.mark.long
def test_songs_of_equal_score_keep_the_order_of_their_decisions(
    music: list[str], root: Path
) -> None:
    taste = classify.train(music[:3], unlabelled=music[3:6], root=root).taste
    sure = dataclasses.replace(taste, calibration=Calibration(a=1e6, b=0.0))
    ranked = [song.path for song in classify.score(music, taste=sure, root=root).songs]
    assert ranked == [song.path for song in classify.score(music, taste=taste, root=root).songs]


@pytest.mark.long
def test_damage_is_found_and_pruned(music: list[str], root: Path) -> None:
    import cache

    embed.embed_library(music[:2], root=root)
    (sound,) = cache.verify_cache(root)
    assert (sound.n_songs, sound.damaged) == (2, ())
    (store,) = library(root).vectors.stores
    entry = store.get(next(iter(store.held())))
    assert entry is not None
    for file in Path(store.uri).rglob("*.lance"):
        content = file.read_bytes()
        at = content.find(entry.vector[:64].tobytes())
        if at >= 0:
            file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    fresh = EmbeddingStore(
        root, encoder=store.encoder, fingerprint=store.fingerprint, dim=store.dim
    )
    assert cache.verify_cache(root)[0].damaged == (entry.digest,)
    assert cache.prune_cache(root)[0].damaged == (entry.digest,)
    assert entry.digest not in fresh.held()
    assert embed.embed_library(music[:2], root=root).embedded == 1
    assert cache.verify_cache(root)[0].damaged == ()


@pytest.mark.long
def test_one_thread_means_one_in_every_library_that_training_uses() -> None:
    code = (
        "from classify.learning.fit import make_head, one_thread\n"
        "import threadpoolctl\n"
        "with one_thread('dense'):\n"
        "    make_head('dense', 0)\n"
        "    print({info['num_threads'] for info in threadpoolctl.threadpool_info()})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{1}\n"
