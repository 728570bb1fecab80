"""The embedding store: what is put comes back, and what cannot be is refused."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import lance
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache import WHOLE, EmbeddingStore, Entry, StoreFormatError, StoreInfo, list_stores
from cache.identity import FORMATS

DIM = 8
FINGERPRINT = "0123456789abcdef"


def store_at(root: str | Path, **other: object) -> EmbeddingStore:
    given_as: dict[str, object] = {"encoder": "musicnn", "fingerprint": FINGERPRINT, "dim": DIM}
    return EmbeddingStore(root, **(given_as | other))  # type: ignore[arg-type]


def digest(number: int) -> str:
    return f"{number:032x}"


def entry(number: int, n_windows: int = 12, *, seed: int = 0, n_frames: int = 5) -> Entry:
    random = np.random.default_rng([number, n_windows, seed])
    return Entry(
        digest=digest(number),
        n_windows=n_windows,
        duration_s=200.5 + number,
        coverage=1.0 if n_windows == WHOLE else 0.25,
        starts_s=np.arange(n_frames, dtype=np.float32) * np.float32(2.992),
        frames=random.standard_normal((n_frames, DIM)).astype(np.float16),
        vector=random.standard_normal(2 * DIM).astype(np.float32),
    )


def assert_same(one: Entry | None, other: Entry) -> None:
    assert one is not None
    assert (one.digest, one.n_windows) == (other.digest, other.n_windows)
    assert (one.duration_s, one.coverage) == (other.duration_s, other.coverage)
    for name in ("starts_s", "frames", "vector"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


def n_fragments(store: EmbeddingStore) -> int:
    return len(lance.dataset(store.uri).get_fragments())


@st.composite
def any_entries(draw: st.DrawFn) -> Entry:
    n_frames = draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    largest = draw(st.sampled_from([0.0, 1e-7, 1.0, 65504.0]))
    return Entry(
        digest=draw(st.binary(min_size=16, max_size=16)).hex(),
        n_windows=draw(st.sampled_from([0, 1, 12, 2**31 - 1])),
        duration_s=draw(st.floats(1e-3, 1e6)),
        coverage=draw(st.floats(1e-9, 1)),
        starts_s=np.sort(random.uniform(0, 1e4, n_frames)).astype(np.float32),
        frames=(random.uniform(-1, 1, (n_frames, DIM)) * largest).astype(np.float16),
        vector=(random.uniform(-1, 1, 2 * DIM) * largest).astype(np.float32),
    )


@given(st.lists(any_entries(), min_size=1, max_size=5, unique_by=lambda e: e.digest))
@settings(max_examples=12, deadline=None)
def test_what_is_put_comes_back(entries: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as root:
        store = store_at(Path(root))
        store.put(entries)
        assert store.held() == {e.digest: e.n_windows for e in entries}
        for one in entries:
            assert_same(store.get(one.digest), one)
        names, vectors = store.matrix()
        assert names == sorted(e.digest for e in entries)
        by_name = {e.digest: e.vector for e in entries}
        np.testing.assert_array_equal(vectors, np.stack([by_name[n] for n in names]))
        assert store.verify() == []


def test_nothing_is_on_disk_before_the_first_put(tmp_path: Path) -> None:
    store = store_at(tmp_path / "cache")
    store.put([])
    assert store.held() == {}
    assert store.get(digest(1)) is None
    names, vectors = store.matrix()
    assert names == []
    assert vectors.shape == (0, 2 * DIM)
    assert store.verify() == []
    assert store.discard([digest(1)]) == 0
    store.compact()
    store.maybe_compact()
    assert store.n_bytes() == 0
    assert list_stores(tmp_path / "cache") == []
    assert not (tmp_path / "cache").exists()


def test_matrix_rows_are_in_the_order_asked_for(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    entries = [entry(n) for n in range(40)]
    store.put(entries[:25])
    store.put(entries[25:])
    # Few (rows picked), many (all read), one twice, one not held.
    for asked in ([7, 3], [*range(39, 0, -1)], [5, 99, 5, 2], []):
        names, vectors = store.matrix([digest(n) for n in asked])
        kept = [n for n in asked if n < 40]
        assert names == [digest(n) for n in kept]
        assert vectors.shape == (len(kept), 2 * DIM)
        for name, vector in zip(kept, vectors, strict=True):
            np.testing.assert_array_equal(vector, entries[name].vector)


def test_first_entry_of_a_key_wins_before_and_after_compaction(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    first = entry(1, seed=1)
    store.put([first])
    store.put([entry(1, seed=2), entry(2)])
    store.put([entry(1, seed=3)])
    for _ in range(2):
        assert_same(store.get(digest(1)), first)
        np.testing.assert_array_equal(store.matrix()[1][0], first.vector)
        store.compact()
    assert lance.dataset(store.uri).count_rows() == 2


@pytest.mark.parametrize("order", [[12, 30, WHOLE], [WHOLE, 12, 30], [30, WHOLE, 12]])
def test_best_coverage_wins_before_and_after_compaction(tmp_path: Path, order: list[int]) -> None:
    store = store_at(tmp_path)
    for n_windows in order:
        store.put([entry(1, n_windows), entry(2, max(n_windows, 1))])
    for _ in range(2):
        assert store.held() == {digest(1): WHOLE, digest(2): 30}
        assert_same(store.get(digest(1)), entry(1, WHOLE))
        assert_same(store.get(digest(2)), entry(2, 30))
        expected = np.stack([entry(1, WHOLE).vector, entry(2, 30).vector])
        np.testing.assert_array_equal(store.matrix()[1], expected)
        store.compact()
    assert lance.dataset(store.uri).count_rows() == 2


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 5, 9])), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 4),
)
@settings(max_examples=12, deadline=None)
def test_compaction_changes_nothing_that_readers_see(
    commits: list[list[tuple[int, int]]], compact_after: int
) -> None:
    with tempfile.TemporaryDirectory() as root:
        store = store_at(Path(root))
        best: dict[str, Entry] = {}
        for at, commit in enumerate(commits):
            entries = [entry(n, w, seed=at * 10 + k) for k, (n, w) in enumerate(commit)]
            store.put(entries)
            for one in entries:
                old = best.get(one.digest)
                rank = {0: 2, 9: 1, 5: 0}
                if old is None or rank[one.n_windows] > rank[old.n_windows]:
                    best[one.digest] = one
            if at == compact_after:
                store.compact(keep_s=0)
            assert store.held() == {d: e.n_windows for d, e in best.items()}
            for name, vector in zip(*store.matrix(), strict=True):
                np.testing.assert_array_equal(vector, best[name].vector)
                assert_same(store.get(name), best[name])


def test_compaction_happens_by_itself_after_many_small_commits(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for n in range(33):
        if n == 32:
            store.maybe_compact()
            assert n_fragments(store) == 32
        store.put([entry(n)])
    store.maybe_compact()
    assert n_fragments(store) == 1
    assert set(store.held()) == {digest(n) for n in range(33)}


def test_old_versions_stay_for_readers_and_go_later(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for n in range(5):
        store.put([entry(n)])
    reader = lance.dataset(store.uri)
    store.compact()
    assert reader.to_table().num_rows == 5
    before = store.n_bytes()
    store.compact(keep_s=0)
    assert store.n_bytes() < before
    assert len(store.held()) == 5


def test_a_store_can_be_sent_to_another_process(tmp_path: Path) -> None:
    store = pickle.loads(pickle.dumps(store_at(tmp_path)))
    store.put([entry(1)])
    assert_same(store_at(tmp_path).get(digest(1)), entry(1))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"digest": "ABC"}, "32 lowercase hex"),
        ({"digest": "g" * 32}, "32 lowercase hex"),
        ({"n_windows": -1}, "n_windows is -1"),
        ({"duration_s": 0.0}, "duration_s is 0.0 s"),
        ({"duration_s": float("inf")}, "duration_s is inf s"),
        ({"coverage": 0.0}, "coverage is 0.0"),
        ({"coverage": 1.01}, "coverage is 1.01"),
        ({"coverage": float("nan")}, "coverage is nan"),
        ({"vector": np.zeros(16)}, "vector is float64"),
        ({"vector": [0.0]}, "vector is list"),
        ({"vector": np.full(16, np.nan, np.float32)}, "not finite"),
        ({"vector": np.zeros(0, np.float32)}, "none empty"),
        ({"frames": np.zeros((5, DIM), np.float32)}, "frames is float32"),
        ({"frames": np.full((5, DIM), np.inf, np.float16)}, "not finite"),
        ({"frames": np.zeros((0, DIM), np.float16)}, "none empty"),
        ({"frames": np.zeros((4, DIM), np.float16)}, "5 times for 4 frames"),
        ({"starts_s": np.array([0, 2, 1, 3, 4], np.float32)}, "time order"),
        ({"starts_s": np.array([-1, 0, 1, 2, 3], np.float32)}, "below 0 s"),
    ],
)
def test_impossible_entries_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(entry(1), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other", [{"encoder": ""}, {"fingerprint": "../../etc"}, {"dim": 0}, {"fingerprint": "A" * 16}]
)
def test_impossible_stores_are_refused(tmp_path: Path, other: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        store_at(tmp_path, **other)


def test_a_text_that_is_no_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 lowercase hex"):
        store_at(tmp_path).get("' OR 1 = 1 --")


def test_other_dimensions_are_refused(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(1)])
    narrow = replace(entry(2), frames=np.zeros((5, DIM - 1), np.float16))
    with pytest.raises(StoreFormatError, match="have 7 numbers, the store of musicnn 8"):
        store.put([entry(3), narrow])
    short = replace(entry(2), vector=np.zeros(3, np.float32))
    for batch in ([short], [entry(3), short]):
        with pytest.raises(StoreFormatError, match="has 3 numbers"):
            store.put(batch)
    assert list(store.held()) == [digest(1)]


def test_vectors_of_two_encoders_never_meet(tmp_path: Path) -> None:
    one, other = store_at(tmp_path), store_at(tmp_path, fingerprint="f" * 16)
    one.put([entry(1)])
    assert other.held() == {}
    other.put([entry(2)])
    shutil.rmtree(other.uri)
    Path(one.uri).rename(other.uri)
    with pytest.raises(StoreFormatError, match=f"fingerprint '{FINGERPRINT}', not 'ffff"):
        other.held()
    Path(other.uri).rename(one.uri)
    with pytest.raises(StoreFormatError, match=r"dim '8', not '9'.*sevensongs embed"):
        store_at(tmp_path, dim=9).matrix()


@pytest.mark.parametrize("version", [str(FORMATS["embeddings"] + 1), "99"])
def test_a_newer_format_is_refused_with_the_remedy(tmp_path: Path, version: str) -> None:
    store = store_at(tmp_path)
    store.put([entry(1)])
    lance.dataset(store.uri).update_schema_metadata({"sevensongs.format": version})
    for call in (store.held, store.matrix, store.compact, lambda: store.put([entry(2)])):
        with pytest.raises(StoreFormatError, match=f"format {version}.*update sevensongs"):
            call()


def test_a_foreign_dataset_is_refused(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(1)])
    foreign = lance.dataset(store.uri).to_table().replace_schema_metadata(None)
    shutil.rmtree(store.uri)
    lance.write_dataset(foreign, store.uri)
    with pytest.raises(StoreFormatError, match="did not write"):
        store.held()


@pytest.mark.parametrize(
    "name", ["with space", "a#b?c=d&e", "100%", "a%20b", "Björk 音", "~x", "[1]"]
)
def test_any_folder_may_hold_the_cache(tmp_path: Path, name: str) -> None:
    store = store_at(tmp_path / name)
    store.put([entry(1)])
    store.put([entry(2)])
    assert set(store.held()) == {digest(1), digest(2)}
    assert Path(store.uri, "_versions").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [s.n_songs for s in list_stores(tmp_path / name)] == [2]


def test_the_cache_may_be_at_a_uri(tmp_path: Path) -> None:
    root = tmp_path.as_uri() + "/cache"  # the one object store that is on every machine
    store = EmbeddingStore(root, encoder="musicnn", fingerprint=FINGERPRINT, dim=DIM)
    assert store.held() == {}
    assert list_stores(root) == []
    for n in range(3):
        store.put([entry(n)])
    store.compact(keep_s=0)
    assert_same(store.get(digest(2)), entry(2))
    assert [s.n_songs for s in list_stores(root)] == [3]
    on_disk = [path for path in Path(tmp_path, "cache").rglob("*") if path.is_file()]
    assert store.n_bytes() == sum(path.stat().st_size for path in on_disk)


def test_names_that_no_file_may_have_are_kept_in_the_metadata(tmp_path: Path) -> None:
    name = "hub:https://tfhub.dev/google/" + "x" * 300
    store_at(tmp_path, encoder=name).put([entry(1)])
    store_at(tmp_path).put([entry(1), entry(2)])
    store_at(tmp_path).put([entry(2)])
    listed = list_stores(tmp_path)
    assert [(s.encoder, s.fingerprint, s.dim, s.n_songs) for s in listed] == [
        (name, FINGERPRINT, DIM, 1),
        ("musicnn", FINGERPRINT, DIM, 2),
    ]
    assert isinstance(listed[0], StoreInfo)
    assert all(s.n_bytes > 0 for s in listed)
