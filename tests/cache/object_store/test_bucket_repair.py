"""Damage in an object store is told, and mended there by one commit."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import cache
from cache import Catalog, DamagedStore, EmbeddingStore, RepairedStore
from cache.entry import entry_table
from cache.lance_dataset import Dataset
from cache.object_store.bucket import Bucket
from tests.cache.test_catalog import recording
from tests.cache.test_store import assert_same, digest, entry, store_at
from tests.support.object_stores import ask, speaking_to

N = 6


@pytest.fixture(scope="module")
def made(s3_url: str) -> Iterator[EmbeddingStore]:
    """Embeddings in two commits, of which one has lost a row; not to be written to."""
    ask(f"{s3_url}/made-for-repairs")
    with speaking_to(s3_url):
        store = store_at("s3://made-for-repairs/cache")
        store.put([entry(n) for n in range(3)])
        store.put([entry(n) for n in range(3, N + 1)])
        store.discard([digest(N)])
        yield store


@pytest.fixture
def store(made: EmbeddingStore, request: pytest.FixtureRequest) -> EmbeddingStore:
    """A copy of them, to be damaged."""
    root = f"s3://made-for-repairs/{zlib.crc32(request.node.name.encode())}"
    files, copy = Bucket(made.uri), store_at(root)
    for one in files.objects():
        files.copy(one.name, f"{copy.uri}/{one.name}")
    return copy


def newest(files: Bucket, folder: str) -> str:
    """Name the newest object of a folder; manifests count down, seals count up."""
    names = sorted(f"{folder}/{name}" for name in files.names(folder))
    return names[0] if folder == "_versions" else names[-1]


def mend(store: EmbeddingStore) -> RepairedStore:
    root = store.uri.partition("/embeddings/")[0]
    (found,) = cache.verify_cache(root)
    assert not found.is_sound
    done = cache.repair_store(root, store.uri)
    (after,) = cache.verify_cache(root)
    assert after.is_sound
    return done


def assert_whole(store: EmbeddingStore, n: int = N) -> None:
    for number in range(n):
        assert_same(store.get(digest(number)), entry(number))


def test_a_newest_version_that_has_gone_is_noticed_and_its_songs_are_found_again(
    store: EmbeddingStore,
) -> None:
    """40 of 50 songs were left, and `verify` was content."""
    files = Bucket(store.uri)
    store.put([entry(N)])
    files.remove(newest(files, "_versions"))
    with pytest.raises(DamagedStore, match="version 5 was committed, and the newest is 4"):
        store.matrix()
    done = mend(store)
    assert (done.n_saved, done.lost, done.unnamed, done.kept) == (N + 1, (), False, None)
    assert_whole(store, N + 1)
    store.put([entry(N + 1)])
    assert len(store.held()) == N + 2


@pytest.mark.parametrize(
    ("folder", "way", "n_lost"),
    [
        ("_versions", "flip", 0),
        ("_deletions", "flip", 0),
        ("_seals", "cut", 0),
        ("data", "remove", 1),
    ],
)
def test_damage_is_told_and_mended(
    store: EmbeddingStore, folder: str, way: str, n_lost: int
) -> None:
    files = Bucket(store.uri)
    name = newest(files, folder)
    content = bytearray(files.read(name))
    content[len(content) // 2] ^= 0x10
    if way == "remove":
        files.remove(name)
    else:
        files.write(name, bytes(content) if way == "flip" else bytes(content[:-9]))
    done = mend(store)
    held = store.held()
    assert len(held) >= N - 4 * n_lost
    assert done.unnamed == bool(n_lost)
    if not n_lost:
        assert_whole(store)


def test_a_flipped_byte_of_a_vector_costs_that_song_alone(store: EmbeddingStore) -> None:
    files = Bucket(store.uri)
    for name in files.names("data"):
        content = bytearray(files.read(f"data/{name}"))
        at = content.find(entry(1).vector.tobytes())
        if at >= 0:
            content[at] ^= 1
            files.write(f"data/{name}", bytes(content))
    done = mend(store)
    assert done.lost == ((digest(1), 12),)
    assert store.held().keys() == {digest(n) for n in range(N) if n != 1}


def test_no_version_is_left(store: EmbeddingStore) -> None:
    files = Bucket(store.uri)
    files.remove([f"_versions/{name}" for name in files.names("_versions")])
    assert mend(store).n_saved == N + 1  # of the one that was dropped nobody knows any more
    assert_whole(store)


def test_what_can_not_be_read_at_all_is_set_aside(store: EmbeddingStore) -> None:
    files = Bucket(store.uri)
    for name in files.names("data"):
        files.write(f"data/{name}", b"of no use")
    root = store.uri.partition("/embeddings/")[0]
    done = cache.repair_store(root, store.uri)
    assert (done.store, done.kept) == (None, f"{store.uri}.damaged-1")
    assert len(list(Bucket(f"{store.uri}.damaged-1").objects("data"))) == 2
    store = store_at(root)
    assert store.held() == {}
    store.put([entry(1)])
    assert store.held().keys() == {digest(1)}


@pytest.mark.parametrize("writer", ["put", "compact"])
def test_what_others_write_during_a_repair_is_not_lost(
    store: EmbeddingStore, writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Bucket(store.uri)
    files.remove([f"_transactions/{name}" for name in files.names("_transactions")])
    done: list[str] = []
    inner: Callable[..., int] = Dataset.replace_unchecked
    fresh = store_at(store.uri.partition("/embeddings/")[0])

    def meanwhile(*arguments: Any) -> int:
        if not done:
            done.append(writer)
            found: Any = fresh._dataset.newest_unchecked()
            if writer == "put":  # by a process that has opened it before the damage
                fragments = fresh._dataset.write_for(found, entry_table([entry(N + 1)]))
                fresh._dataset._commit(found, fragments)
            else:
                found.delete(f"digest = '{digest(0)}'")
        return inner(*arguments)

    monkeypatch.setattr(Dataset, "replace_unchecked", meanwhile)
    mend(store)
    assert done
    held = store.held().keys()
    assert {digest(n) for n in range(1, N)} <= held
    assert (digest(N + 1) in held) == (writer == "put")


def test_a_damaged_catalog_is_mended_in_the_order_of_its_rows(bucket: str) -> None:
    catalog = Catalog(f"{bucket}/cache")
    catalog.put([recording(f"{n}") for n in range(3)])
    catalog.put([recording("2", size_bytes=7), recording("3")])
    catalog.put([recording("4")])
    before = catalog.load()
    files = Bucket(catalog.uri)
    files.remove(newest(files, "_versions"))
    assert not cache.verify_catalog(f"{bucket}/cache").is_sound
    done = cache.repair_catalog(f"{bucket}/cache")
    assert (done.n_saved, done.doubtful, done.unnamed) == (6, (), False)
    assert cache.verify_catalog(f"{bucket}/cache").is_sound
    assert catalog.load() == before
