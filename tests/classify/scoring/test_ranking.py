"""Scoring a library in columns: the order, what is taken of it, and the decisions that are kept."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cache.catalog_files
import classify
import classify.scoring.ranking
from cache import Catalog, EmbeddingStore, Entry, FileRecord, prune_cache
from classify.library.artist_groups import Groups
from classify.library.score_cache import ScoreCache
from classify.library.song_vectors import SongVectors
from classify.scoring.ranking import rank
from classify.taste.calibration import Calibration
from classify.taste.familiarity import Familiarity
from classify.taste.song_space import SongSpace
from classify.taste.taste import Taste
from classify.taste.vectors import SongTransform

N_SONGS = 40


def name_of(n: int) -> str:
    return f"{n:032x}"


def store_at(root: str | Path, encoder: str = "e", fingerprint: str = "0" * 16) -> EmbeddingStore:
    return EmbeddingStore(root, encoder=encoder, fingerprint=fingerprint, dim=2)


def entry(n: int, *, shift: float = 0.0) -> Entry:
    vector = np.random.default_rng(n).standard_normal(4).astype(np.float32) + np.float32(shift)
    return Entry(
        digest=name_of(n),
        n_windows=12,
        duration_s=100.0,
        coverage=0.5,
        starts_s=np.zeros(1, np.float32),
        frames=np.zeros((1, 2), np.float16),
        vector=vector,
    )


def recording(path: Path, n: int) -> FileRecord:
    path.touch()
    return FileRecord(
        path=str(path),
        size_bytes=0,
        mtime_ns=path.stat().st_mtime_ns,
        digest=name_of(n),
        duration_s=100.0,
    )


def taste_of(encoder: str = "e", fingerprint: str = "0" * 16, dim: int = 4) -> Taste:
    zeros = np.zeros(dim, dtype=np.float32)
    return Taste(
        encoder=encoder,
        fingerprint=fingerprint,
        head="logistic",
        space=SongSpace(
            standard=SongTransform(mean=zeros, scale=zeros + 1),
            blocks=(4,) * (dim // 4),
            basis=np.eye(dim, dtype=np.float32),
            offset=zeros,
        ),
        familiarity=Familiarity(
            known=np.zeros((0, 256), dtype=np.float32), limit=float(np.finfo("f4").max)
        ),
        activation="relu",
        layers=((np.arange(1.0, dim + 1)[:, None], np.zeros(1)),),
        calibration=Calibration(),
        likes=(name_of(0), name_of(1)),
    )


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """40 songs, one of them twice; large enough that decisions are kept."""
    monkeypatch.setattr(classify.scoring.ranking, "_KEEP_FROM", 1)
    root = tmp_path / "cache"
    store_at(root).put([entry(n) for n in range(N_SONGS)])
    rows = [recording(tmp_path / f"{n:02d}.mp3", n) for n in range(N_SONGS)]
    Catalog(root).put([*rows, recording(tmp_path / "00 copy.mp3", 7)])
    return root


def seen(taste: Taste, root: Path, **wanted: float) -> list[tuple[str, float, str]]:
    """All files of the library, also those of labelled songs and of copies."""
    options: dict[str, Any] = {"labelled": "precision" not in wanted, "once": False, **wanted}
    songs = classify.score(taste=taste, root=root, **options).songs
    return [(song.path, song.score, song.verdict) for song in songs]


def test_the_order_is_that_of_decisions_then_paths(library: Path) -> None:
    taste = taste_of()
    expected = []
    for path, row in Catalog(library).load().items():
        vector = store_at(library).matrix([row.digest or ""])[1]
        expected.append((-taste.decisions(vector)[0], path))
    found = seen(taste, library)
    assert [path for path, *_ in found] == [path for _, path in sorted(expected)]
    assert len(found) == N_SONGS + 1
    assert seen(taste, library, top=5) == found[:5]
    assert seen(taste, library, min_score=0.6) == [song for song in found if song[1] >= 0.6]


def test_equal_decisions_are_in_the_order_of_paths() -> None:
    import pyarrow as pa

    decisions = np.array([1.0, 2.0, 1.0, 3.0, 2.0, 2.0])
    paths = pa.array([b"/f", b"/e", b"/d", b"/c", b"/b", b"/\xff"], pa.binary())
    assert rank(decisions, paths.take).tolist() == [3, 4, 1, 5, 2, 0]


def test_files_that_have_gone_make_room_for_the_next(library: Path) -> None:
    taste = taste_of()
    before = seen(taste, library)
    os.remove(before[1][0])
    assert seen(taste, library, top=3) == [before[0], before[2], before[3]]


def test_precision_takes_as_long_as_the_mean_holds_and_no_labelled_song(library: Path) -> None:
    taste = taste_of()
    labelled = [row.path for row in Catalog(library).files_of([*taste.likes])]
    others = [song for song in seen(taste, library) if song[0] not in labelled]
    means = np.cumsum([score for _, score, _ in others]) / np.arange(1, len(others) + 1)
    for precision in (0.5, 0.8, 0.95):
        n_wanted = int((means >= precision).sum())
        assert seen(taste, library, precision=precision) == others[:n_wanted]


def test_kept_decisions_are_the_same_bits_and_only_new_songs_are_decided(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taste = taste_of()
    n_decided: list[int] = []
    decide = Taste.decisions

    def counted(self: Taste, vectors: np.ndarray) -> np.ndarray:
        n_decided.append(len(vectors))
        return decide(self, vectors)

    monkeypatch.setattr(Taste, "decisions", counted)
    first = seen(taste, library)
    assert seen(taste, library) == first
    assert sum(n_decided) == N_SONGS
    store_at(library).put([entry(100)])
    Catalog(library).put([recording(library.parent / "new.mp3", 100)])
    more = seen(taste, library)
    assert sum(n_decided) == N_SONGS + 1
    prune_cache(library)
    assert not (library / "scores").exists()
    assert seen(taste, library) == more
    assert sum(n_decided) == 2 * N_SONGS + 2


def test_a_large_library_scores_the_same_without_its_paths(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = [dataclasses.replace(recording(library.parent / "07.mp3", 7), artist="x")]
    Catalog(library).put(songs)  # its latest row counts
    wanted: list[dict[str, Any]] = [{}, {"labelled": True, "once": False}, {"per_artist": 1}]
    before = [classify.score(taste=taste_of(), root=library, **one) for one in wanted]
    monkeypatch.setattr(cache.catalog_files, "_MANY", 0)
    for one, expected in zip(wanted, before, strict=True):
        found = classify.score(taste=taste_of(), root=library, **one)
        assert found.songs == expected.songs
        assert (found.n_scored, found.n_library) == (expected.n_scored, N_SONGS)


def test_where_nearly_all_songs_are_scored_all_decisions_are_kept(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taste = taste_of()
    monkeypatch.setattr(classify.scoring.ranking, "_MOST", 1.0)
    expected = classify.score(taste=taste, root=library).songs
    shutil.rmtree(library / "scores")
    monkeypatch.setattr(classify.scoring.ranking, "_MOST", 0.9)
    assert classify.score(taste=taste, root=library).songs == expected
    reader = store_at(library).reader()
    assert not np.isnan(ScoreCache(taste, library).load(reader.digests, reader.crcs)).any()


def test_another_vector_or_another_taste_is_decided_anew(library: Path) -> None:
    taste = taste_of()
    before = {path: score for path, score, _ in seen(taste, library)}
    other = dataclasses.replace(taste, layers=((-taste.layers[0][0], taste.layers[0][1]),))
    assert next(path for path, *_ in seen(other, library)) == min(before, key=before.__getitem__)
    store_at(library).discard([name_of(3)])
    store_at(library).put([entry(3, shift=1.0)])
    after = {path: score for path, score, _ in seen(taste, library)}
    assert [Path(path).name for path in after if after[path] != before[path]] == ["03.mp3"]


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: flip(c)])
def test_damaged_decisions_are_passed_over(library: Path, damage: object) -> None:
    taste = taste_of()
    before = seen(taste, library)
    (path,) = (library / "scores").glob("*.npz")
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert seen(taste, library) == before


def flip(content: bytes) -> bytes:
    """Flip a bit of every hundredth byte."""
    changed = bytearray(content)
    for at in range(60, len(changed), 100):
        changed[at] ^= 0x10
    return bytes(changed)


def test_decisions_of_few_tastes_are_kept(library: Path) -> None:
    for n in range(12):
        seen(dataclasses.replace(taste_of(), seed=n), library, top=1)
    assert len(list((library / "scores").glob("*"))) == 8


def test_encoders_side_by_side_are_read_in_step(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other encoder has met the songs in another order, not all of them, and some that are
    # unknown here.
    import cache.vector_reader

    monkeypatch.setattr(cache.vector_reader, "PART_ROWS", 6)
    beside = store_at(library, "f", "1" * 16)
    for n in [*range(50, 30, -1), *range(0, 30, 2)]:
        beside.put([entry(n, shift=5.0)])
    vectors = SongVectors([store_at(library), beside])
    opened = vectors.open()
    blocks = list(opened.map(lambda at, rows: (opened.digests.take(at).to_pylist(), rows.copy())))
    names = [name for held, _ in blocks for name in held]
    common = {name_of(n) for n in range(N_SONGS) if n > 30 or (n % 2 == 0 and n < 30)}
    assert set(names) == common == set(vectors.held())
    rows = np.vstack([rows for _, rows in blocks])
    for name, row in zip(names, rows, strict=True):
        n = int(name, 16)
        np.testing.assert_array_equal(row, np.r_[entry(n).vector, entry(n, shift=5.0).vector])
    taste = taste_of("e+f", f"{'0' * 16}+{'1' * 16}", 8)
    n_files = len(common) + (name_of(7) in common)
    assert len(seen(taste, library)) == n_files
    assert seen(taste, library) == seen(taste, library)


def test_groups_hang_together_by_way_of_songs_that_nobody_asked_for(tmp_path: Path) -> None:
    tags = [("A", "one"), ("B", "one"), ("B", "two"), ("C", "two"), ("D", None), (None, None)]
    rows = [
        dataclasses.replace(recording(tmp_path / f"{n}.mp3", n), artist=artist, album=album)
        for n, (artist, album) in enumerate(tags)
    ]
    Catalog(tmp_path / "cache").put(rows)
    groups = Groups(Catalog(tmp_path / "cache").files()).of([name_of(n) for n in (0, 3, 4, 5, 99)])
    assert groups.keys() == {name_of(0), name_of(3), name_of(4)}
    assert groups[name_of(0)] == groups[name_of(3)] != groups[name_of(4)]
