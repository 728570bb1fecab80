"""Reading a library in columns and blocks.

It gives the same numbers as one by one, checked, with nothing left out.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import lance
import numpy as np
import pytest

import cache.stored_vectors
import cache.vector_reader
from cache import DamagedEntry, EmbeddingStore, VectorReader, map_in_order
from tests.cache.test_store import digest, entry, store_at


def filled(root: Path) -> EmbeddingStore:
    """30 recordings in six commits; of every fifth a poorer row before and a better one after."""
    store = store_at(root)
    for first in range(0, 30, 5):
        entries = [entry(n) for n in range(first, first + 5)]
        store.put([replace(entries[0], n_windows=1, vector=entries[0].vector + 1), *entries])
        store.put([replace(entries[0], n_windows=0, vector=entries[0].vector + 2)])
    return store


def best(n: int) -> np.ndarray:
    return entry(n).vector + np.float32(2 if n % 5 == 0 else 0)


def read_all(reader: VectorReader, at: np.ndarray | None = None) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for part in reader.parts(at):
        for some, vectors in reader.read(part):
            names = reader.digests.take(some).to_pylist()
            found.update(zip(names, vectors.copy(), strict=True))
    return found


@pytest.fixture(params=[(1024, 2048, 64), (3, 7, 1)], ids=["one block", "blocks of 3"])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.stored_vectors, "_MAX_BATCH_ROWS", request.param[0])
    for module in (cache.stored_vectors, cache.vector_reader):
        monkeypatch.setattr(module, "PART_ROWS", request.param[1])
    monkeypatch.setattr(cache.stored_vectors, "_MANY", request.param[2])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("compacted", [False, True])
def test_blocks_hold_the_best_vector_of_each_recording_once(
    tmp_path: Path, compacted: bool
) -> None:
    store = filled(tmp_path)
    if compacted:
        store.compact(keep_s=0)
    reader = store.reader()
    assert sorted(reader.digests.to_pylist()) == [digest(n) for n in range(30)]
    found = read_all(reader)
    assert list(found) == reader.digests.to_pylist()
    for n in range(30):
        np.testing.assert_array_equal(found[digest(n)], best(n))
    assert dict(zip(found, reader.n_windows.tolist(), strict=True)) == store.held()


@pytest.mark.usefixtures("small_blocks")
def test_blocks_stay_in_step_after_rows_were_dropped(tmp_path: Path) -> None:
    # Dropped but not yet compacted, rows are still in the file: places must not count them.
    store = filled(tmp_path)
    assert store.discard([digest(n) for n in (1, 2, 10, 29)]) == 6
    reader = store.reader()
    found = read_all(reader)
    assert len(found) == 26
    for name, vector in found.items():
        np.testing.assert_array_equal(
            vector, best(int(next(n for n in range(30) if digest(n) == name)))
        )
    assert read_all(reader, np.array([3, 25])).keys() == {
        reader.digests[i].as_py() for i in (3, 25)
    }


@pytest.mark.usefixtures("small_blocks")
def test_a_matrix_keeps_the_order_asked_for_and_repeats(tmp_path: Path) -> None:
    asked = [digest(n) for n in (20, 3, 20, 29, 0, 3, 11)]
    names, vectors = filled(tmp_path).matrix(["f" * 32, *asked])
    assert names == asked
    np.testing.assert_array_equal(vectors, [best(n) for n in (20, 3, 20, 29, 0, 3, 11)])


def test_a_reader_sees_one_version_whatever_is_put_meanwhile(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(n) for n in range(5)])
    reader = store.reader()
    store.put([replace(entry(0), n_windows=0, vector=entry(0).vector + 1), entry(7)])
    assert sorted(read_all(reader)) == [digest(n) for n in range(5)]
    np.testing.assert_array_equal(read_all(reader)[digest(0)], entry(0).vector)


@pytest.mark.usefixtures("small_blocks")
def test_a_flipped_byte_stops_a_block(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(n) for n in range(5)])
    (path,) = Path(store.uri, "data").glob("*.lance")
    content = bytearray(path.read_bytes())
    content[content.index(entry(3).vector.tobytes()) + 5] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(DamagedEntry, match=rf"{digest(3)}.*cache verify --repair"):
        read_all(store.reader())


@pytest.mark.long
def test_a_thousand_small_commits_become_a_few_files(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for n in range(200):
        store.put([entry(n, n_frames=2)])
    store.maybe_compact()
    found = lance.dataset(store.uri)
    assert len(found.get_fragments()) == 1
    assert len(read_all(store.reader())) == 200
    store.compact(keep_s=0)
    assert len(lance.dataset(store.uri).versions()) <= 2
    assert len(list(Path(store.uri, "data").glob("*.lance"))) == 1


def test_results_come_in_order_and_few_tasks_are_begun_ahead() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def work(n: int) -> int:
        with lock:
            begun.append(n)
        return n * n

    results = map_in_order(work, range(100), n_threads=3)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(begun) <= 5 + 6
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 5 + 6
    assert list(map_in_order(work, range(50), n_threads=3)) == [n * n for n in range(50)]


def test_what_a_task_raises_is_raised() -> None:
    def work(n: int) -> int:
        if n == 7:
            raise ValueError("seven")
        return n

    with pytest.raises(ValueError, match="seven"):
        list(map_in_order(work, range(100), n_threads=2))


def test_readers_side_by_side_hold_what_all_hold_with_the_poorest_coverage(tmp_path: Path) -> None:
    first, second = store_at(tmp_path / "first"), store_at(tmp_path / "second")
    first.put([replace(entry(n), n_windows=2**31 - 1 if n else 0) for n in range(5)])
    second.put([replace(entry(n), n_windows=n and n + 7) for n in (6, 4, 3, 0)])
    both = VectorReader.side_by_side([first.reader(), second.reader()])
    assert both.held() == {digest(0): 0, digest(3): 10, digest(4): 11}
    assert both.held([digest(4), digest(1)]) == {digest(4): 11}
    names, vectors = both.vectors_of([digest(4), digest(6), digest(0), digest(4)])
    assert names == [digest(4), digest(0), digest(4)]
    halves = [store.matrix(names)[1] for store in (first, second)]
    np.testing.assert_array_equal(vectors, np.hstack(halves))
    whole = read_all(both)
    assert list(whole) == both.digests.to_pylist()
    np.testing.assert_array_equal(np.stack(list(whole.values())), both.matrix(np.arange(3)))
    both.keep()
    np.testing.assert_array_equal(both.vectors_of(names)[1], vectors)
