"""The index of a large library.

It loses few neighbours, and changes nothing about those it finds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import classify.library.similar_index
from cache import SCORES_FOLDER, EmbeddingStore, Entry, VectorReader
from classify.library.row_cache import damaged_rows
from classify.library.similar_index import NeighbourIndex
from classify.taste.song_space import SongSpace
from classify.taste.vectors import Vectors

DIM = 96  # of a frame; a song vector has twice as many
N_SONGS, N_KINDS = 1500, 30
FINGERPRINT = "0" * 16


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """1,500 songs of thirty kinds, which is many for an index that looks at a hundred."""
    monkeypatch.setattr(classify.library.similar_index, "_CANDIDATES", 100)
    store(tmp_path).put([entry(n, vector) for n, vector in enumerate(songs(N_SONGS))])
    return tmp_path


def songs(n: int, seed: int = 0) -> Vectors:
    random = np.random.default_rng(seed)
    kinds = random.standard_normal((N_KINDS, 2 * DIM))
    own = random.standard_normal((n, 2 * DIM))
    return (kinds[np.arange(n) % N_KINDS] + 0.7 * own).astype(np.float32)


def store(root: Path) -> EmbeddingStore:
    return EmbeddingStore(root, encoder="e", fingerprint=FINGERPRINT, dim=DIM)


def entry(n: int, vector: Vectors) -> Entry:
    return Entry(
        digest=f"{n:032x}",
        n_windows=12,
        duration_s=100.0,
        coverage=0.5,
        starts_s=np.zeros(1, np.float32),
        frames=np.zeros((1, DIM), np.float16),
        vector=vector,
    )


def opened(root: Path, *, may_fit: bool = True) -> tuple[NeighbourIndex, VectorReader]:
    vectors = store(root).reader()
    everything = np.arange(len(vectors))

    def fit() -> tuple[SongSpace, Vectors]:
        assert may_fit, "the axes are found again"
        sample = vectors.matrix(everything[1 :: max(1, len(everything) // 600)])
        return SongSpace.fit(sample), sample

    index = NeighbourIndex.open(vectors, everything, root=root, fingerprint=FINGERPRINT, fit=fit)
    return index, vectors


def nearest(index: NeighbourIndex, vectors: VectorReader, query: int, k: int) -> set[int]:
    rows = index.space.standardise(vectors.matrix(np.arange(len(vectors))))
    with np.errstate(over="ignore"):
        cosines = rows @ rows[query] / np.linalg.norm(rows, axis=1)
    return set(np.argsort(-cosines)[:k].tolist())


def test_few_of_the_nearest_are_missed(root: Path) -> None:
    index, vectors = opened(root)
    found = []
    for query in range(0, N_SONGS, 50):
        candidates = index.candidates(vectors.matrix(np.array([query]))[0])
        assert len(candidates) == 100
        assert query in candidates
        found.append(len(nearest(index, vectors, query, 10) & set(candidates.tolist())))
    assert np.mean(found) > 9.5


def test_pictures_are_kept_and_only_new_songs_are_pictured(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = opened(root)
    twin = songs(N_SONGS)[7] + np.float32(0.01)
    store(root).put([entry(N_SONGS, twin)])
    pictured: list[int] = []
    original = NeighbourIndex.pictures_at

    def counting(
        self: NeighbourIndex, at: np.ndarray, vectors: Vectors
    ) -> tuple[np.ndarray, np.ndarray]:
        pictured.extend(at.tolist())
        return original(self, at, vectors)

    monkeypatch.setattr(NeighbourIndex, "pictures_at", counting)
    again, vectors = opened(root, may_fit=False)
    assert pictured == [N_SONGS]
    np.testing.assert_array_equal(again.codes[:N_SONGS], first.codes)
    assert {7, N_SONGS} <= set(again.candidates(twin).tolist())
    assert again.limit == first.limit
    assert len(vectors) == N_SONGS + 1


def test_a_song_that_was_embedded_anew_is_pictured_anew(root: Path) -> None:
    opened(root)
    other = songs(N_SONGS)[8]
    better = Entry(**{**vars(entry(7, other)), "n_windows": 0, "coverage": 1.0})
    store(root).put([better])
    index, vectors = opened(root, may_fit=False)
    # Its row is the newer one now, which may stand at another place.
    (place,) = vectors.places([better.digest]).tolist()
    (same,) = vectors.places([f"{8:032x}"]).tolist()
    np.testing.assert_array_equal(index.codes[place], index.codes[same])


def test_the_axes_are_found_again_when_the_library_has_outgrown_them(root: Path) -> None:
    opened(root)
    store(root).put(
        [entry(n + N_SONGS, vector) for n, vector in enumerate(songs(3 * N_SONGS + 1, seed=1))]
    )
    with pytest.raises(AssertionError, match="found again"):
        opened(root, may_fit=False)
    index, _ = opened(root)
    assert index.n_fitted == len(index.codes) == 4 * N_SONGS + 1


@pytest.mark.parametrize("damage", ["flip", "cut", "foreign"])
def test_a_damaged_file_of_pictures_is_made_anew(root: Path, damage: str) -> None:
    first, _ = opened(root)
    (path,) = (root / SCORES_FOLDER).glob("*.npz")
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[len(content) // 2 :]
    if damage == "foreign":
        with np.load(path) as archive:
            arrays = {name: archive[name] for name in archive.files if name != "axes"}
        np.savez(path, allow_pickle=False, **arrays)
    else:
        path.write_bytes(content)
        assert damaged_rows(root) == [path]
    again, _ = opened(root)
    np.testing.assert_array_equal(again.codes, first.codes)
    assert not damaged_rows(root)
    opened(root, may_fit=False)


def test_songs_of_absurd_size_are_near_nothing_and_harm_nobody(root: Path) -> None:
    store(root).put([entry(N_SONGS, np.full(2 * DIM, 3e38, np.float32))])
    index, vectors = opened(root)
    query = vectors.matrix(np.array([3]))[0]
    assert nearest(index, vectors, 3, 5) <= set(index.candidates(query).tolist())
