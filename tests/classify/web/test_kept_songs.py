"""What is kept of songs from label to label tells what reading them again would tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cache import EmbeddingStore, Entry, VectorReader
from classify.scoring.ranking import MOST_FOLDED, Once, in_parts
from classify.taste.calibration import Calibration
from classify.taste.familiarity import Familiarity
from classify.taste.song_space import SongSpace
from classify.taste.taste import Taste
from classify.taste.vectors import Vectors
from classify.web.placed_songs import PlacedSongs
from classify.web.song_copies import SongCopies
from classify.web.song_sketches import SongSketches

N_SONGS, DIM = 400, 24
LABELLED = [3, 17, 30]


def name_of(n: int) -> str:
    return f"{n:032x}"


def songs() -> Vectors:
    """Songs of which every third is more or less a copy of one of a few, and some say nothing."""
    rng = np.random.default_rng(5)
    vectors = rng.lognormal(size=(N_SONGS, 2 * DIM))
    for n in range(0, N_SONGS, 3):
        vectors[n] = vectors[n % 10] * np.exp(rng.uniform(0, 0.9) * rng.normal(size=2 * DIM))
    vectors[300:320] = 0
    vectors[321] = 3e38
    return vectors.astype(np.float32)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> VectorReader:
    store = EmbeddingStore(
        tmp_path_factory.mktemp("kept"), encoder="e", fingerprint="0" * 16, dim=DIM
    )
    store.put(
        [
            Entry(
                digest=name_of(n),
                n_windows=12,
                duration_s=100.0,
                coverage=0.5,
                starts_s=np.zeros(1, np.float32),
                frames=np.zeros((1, DIM), np.float16),
                vector=vector,
            )
            for n, vector in enumerate(songs())
        ]
    )
    return store.reader()


@pytest.fixture(scope="module")
def taste(vectors: VectorReader) -> Taste:
    return taste_of(SongSpace.fit(vectors.matrix(np.arange(200))), vectors, 0)


def taste_of(space: SongSpace, vectors: VectorReader, seed: int) -> Taste:
    """A taste as a label leaves it: others are known, and the head is another one."""
    rng = np.random.default_rng(seed)
    standardised = space.standardise(vectors.matrix(np.sort(rng.permutation(200)[:60])))
    return Taste(
        encoder="e",
        fingerprint="0" * 16,
        head="kernel",
        space=space,
        familiarity=Familiarity.fit(standardised),
        activation="exp",
        layers=(
            (rng.normal(size=(space.n_axes, 9)), -np.ones(9)),
            (rng.normal(size=(9, 1)), np.zeros(1)),
        ),
        calibration=Calibration(),
        likes=tuple(map(name_of, LABELLED)),
    )


def as_once_tells(
    taste: Taste, vectors: VectorReader, ranked: NDArray[np.int64], known: list[str]
) -> list[int]:
    once = Once.beside(known, taste, vectors)
    found = []
    for start, part in in_parts(ranked):
        once.look_at(vectors, part)
        found += [start + i for i, place in enumerate(part.tolist()) if once.has(place)]
    return found


@pytest.mark.parametrize("most_songs", [N_SONGS, 300])
def test_copies_are_those_that_a_list_of_the_command_folds(
    most_songs: int, taste: Taste, vectors: VectorReader
) -> None:
    kept = SongCopies(taste.space, most_songs=most_songs)
    rng = np.random.default_rng(1)
    known = [name_of(n) for n in LABELLED]
    numbers = []
    for seed in range(4):  # from label to label: the limit moves, and so does the order
        now = taste_of(taste.space, vectors, seed)
        ranked = rng.permutation(N_SONGS)[: N_SONGS - 20 * seed]
        for some in (known, []):
            found = kept.among(now, vectors, ranked, known=some).tolist()
            assert found == as_once_tells(now, vectors, ranked, some)
            numbers.append(len(found))
    assert min(numbers) > 40
    assert len(set(numbers)) > 2


def test_no_more_songs_are_folded_than_a_list_of_the_command_folds(
    taste: Taste, vectors: VectorReader
) -> None:
    many = [name_of(n) for n in range(N_SONGS)]
    assert MOST_FOLDED > N_SONGS, "all of them are looked at"
    ranked = np.arange(N_SONGS)[::-1].copy()
    assert SongCopies(taste.space).among(taste, vectors, ranked, known=many).tolist() == [
        *range(N_SONGS)
    ]


@pytest.mark.parametrize("most_songs", [N_SONGS, 150, 10])
def test_songs_are_as_unfamiliar_as_the_taste_says(
    most_songs: int, taste: Taste, vectors: VectorReader
) -> None:
    kept = SongSketches(taste.space, most_songs=most_songs)
    rng = np.random.default_rng(2)
    for seed in range(4):
        now = taste_of(taste.space, vectors, seed)
        places = np.sort(rng.permutation(N_SONGS)[:120])
        found = kept.are_unfamiliar(now, vectors, places)
        assert np.array_equal(found, now.is_unfamiliar(vectors.matrix(places)))
        assert 0 < found.sum() < len(found)
        assert kept.are_unfamiliar(now, vectors, places[:0]).shape == (0,)


@pytest.mark.parametrize("is_writable", [True, False])
def test_places_are_kept_in_a_file_without_a_name_or_in_memory_and_are_the_same(
    is_writable: bool, taste: Taste, vectors: VectorReader, tmp_path: Path
) -> None:
    folder = tmp_path / "scores"
    if not is_writable:
        folder.write_text("no folder can be made here")
    placed, at = PlacedSongs(folder), np.arange(N_SONGS)
    expected = taste.decisions(vectors.matrix(at))
    for _ in range(2):
        assert np.array_equal(placed.decisions(taste, vectors, at), expected)
    points = placed.on_map(taste.space, vectors, at, np.copy)
    assert points is not None
    assert np.array_equal(np.concatenate(points), taste.space(vectors.matrix(at)))
    assert placed.on_map(taste.space, vectors, at[1:], np.copy) is None, "of others nothing is kept"
    assert not is_writable or [*folder.iterdir()] == []
