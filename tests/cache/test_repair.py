"""Whatever byte of a cache is damaged, it is told.

Nothing wrong is read, and a repair brings back the rest.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from cache import (
    CacheError,
    Catalog,
    DamagedStore,
    EmbeddingStore,
    FileRecord,
    Soundness,
    cache_info,
    repair_catalog,
    repair_store,
    verify_cache,
    verify_catalog,
)
from cache.locks import replacing, writing
from cache.upkeep.repair import MENDED
from tests.cache.test_catalog import recording
from tests.cache.test_store import assert_same, digest, entry, store_at

N = 6
# What is made anew by whoever writes next, and decides nothing.
UNSEALED = "latest_version_hint.json"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embeddings in two commits, of which one has lost a row, and a catalog."""
    root = tmp_path_factory.mktemp("filled") / "cache"
    store = store_at(root)
    store.put([entry(n) for n in range(3)])
    store.put([entry(n) for n in range(3, N + 1)])
    store.discard([digest(N)])
    catalog = Catalog(root)
    catalog.put([recording(f"{n}") for n in range(3)])
    catalog.put([recording(f"{n}") for n in range(2, N)])
    return root


def copy_of(filled: Path, to: Path) -> EmbeddingStore:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(filled, to)
    return store_at(to)


def files_in(root: Path, folder: str) -> list[Path]:
    found = [
        path.relative_to(root) for path in sorted((root / folder).rglob("*")) if path.is_file()
    ]
    return [path for path in found if path.name != UNSEALED and path.suffix != ".lock"]


def harm(path: Path, rng: random.Random, way: str) -> None:
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    if way == "flip":
        content[at] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
    elif way == "cut":
        path.write_bytes(content[:at])
    else:
        path.unlink()


def one_of(found: list[Soundness]) -> Soundness:
    (sound,) = found
    return sound


@pytest.mark.parametrize("way", ["flip", "cut"])
def test_damage_anywhere_in_embeddings_is_told_and_mended(
    filled: Path, tmp_path: Path, way: str
) -> None:
    rng = random.Random(way)
    assert one_of(verify_cache(filled)).is_sound
    names = files_in(filled, "embeddings")
    assert len(names) >= 12
    for name in names if way == "flip" else rng.sample(names, 5):
        root = tmp_path / "cache"
        store = copy_of(filled, root)
        harm(root / name, rng, way)
        sound = one_of(verify_cache(root))
        assert not sound.is_sound, name
        with contextlib.suppress(CacheError):
            assert set(store.held()) == {digest(n) for n in range(N)}
            for held, vector in zip(*store.matrix(), strict=True):
                np.testing.assert_array_equal(vector, entry(int(held, 16)).vector)
        done = repair_store(root, sound.uri)
        assert one_of(verify_cache(root)).is_sound
        held_now = store_at(root).held()
        assert done.unnamed or {name for name, _ in done.lost} | set(held_now) >= {
            digest(n) for n in range(N)
        }
        assert "data" in name.parts or not done.lost, "nothing is lost but what was damaged"
        for held in held_now:
            assert_same(store_at(root).get(held), entry(int(held, 16)))


def test_damage_anywhere_in_the_catalog_is_told_and_mended(filled: Path, tmp_path: Path) -> None:
    rng = random.Random(5)
    right = Catalog(filled).load()
    for name in files_in(filled, "catalog.lance"):
        root = tmp_path / "cache"
        copy_of(filled, root)
        harm(root / name, rng, "flip")
        assert not verify_catalog(root).is_sound, name
        with contextlib.suppress(CacheError):
            assert Catalog(root).load() == right
        done = repair_catalog(root)
        assert verify_catalog(root).is_sound
        left = Catalog(root).load()
        assert left.items() <= right.items(), "nothing doubtful is believed"
        assert "data" in name.parts or left == right
        assert left == right or done.unnamed or done.doubtful


def test_a_file_that_has_gone_is_told(filled: Path, tmp_path: Path) -> None:
    for name in files_in(filled, "embeddings"):
        root = tmp_path / "cache"
        store = copy_of(filled, root)
        (root / name).unlink()
        with contextlib.suppress(CacheError):
            assert len(store.matrix()[0]) == N, f"{name}: fewer songs, in silence"
        if name.parent.name == "data":
            done = repair_store(root, store.uri)
            assert done.unnamed
            assert done.kept is not None
            assert Path(done.kept).is_dir()
            assert one_of(verify_cache(root)).is_sound


def test_a_lost_version_is_no_smaller_library(filled: Path, tmp_path: Path) -> None:
    store = copy_of(filled, tmp_path / "cache")
    newest = min(Path(store.uri, "_versions").glob("*.manifest"))  # Lance counts down
    newest.unlink()
    with pytest.raises(DamagedStore, match=r"the newest is \d+.*cache verify --repair"):
        store.held()
    assert repair_store(tmp_path / "cache", store.uri).n_saved >= N
    assert set(store_at(tmp_path / "cache").held()) >= {digest(n) for n in range(N)}


def test_compaction_seals_no_damage(filled: Path, tmp_path: Path) -> None:
    store = copy_of(filled, tmp_path / "cache")
    path = next(
        p for p in Path(store.uri, "data").iterdir() if digest(1).encode() in p.read_bytes()
    )
    path.write_bytes(path.read_bytes().replace(digest(1).encode(), digest(7).encode()))
    for call in (store.held, store.compact, lambda: store.get(digest(1))):
        with pytest.raises(DamagedStore, match="does not hold the songs that it did"):
            call()


def test_a_success_is_not_hidden_by_an_earlier_failure(tmp_path: Path) -> None:
    path = "/music/a.mp3"
    catalog = Catalog(tmp_path)
    sizes = {"size_bytes": 1, "mtime_ns": 2, "duration_s": None}
    catalog.put([FileRecord(path=path, digest=None, error="is empty", **sizes)])  # type: ignore[arg-type]
    catalog.put([FileRecord(path=path, digest=digest(1), **sizes)])  # type: ignore[arg-type]
    seal = max(Path(catalog.uri, "_seals").iterdir())
    seal.write_bytes(b"x" + seal.read_bytes()[1:])
    repair_catalog(tmp_path)
    assert catalog.load()[path].digest == digest(1)


def test_a_repair_that_was_interrupted_is_ended(filled: Path, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    store = copy_of(filled, root)
    Path(store.uri).rename(store.uri + MENDED)
    sound = one_of(verify_cache(root))
    assert "was interrupted" in str(sound.error)
    repair_store(root, sound.uri)
    assert one_of(verify_cache(root)).is_sound
    assert len(store_at(root).held()) >= N


def test_a_time_beyond_64_bits_is_kept_as_the_last_one(tmp_path: Path) -> None:
    far = FileRecord(path="/m/a", size_bytes=1, mtime_ns=2**70, digest=digest(1), duration_s=1.0)
    catalog = Catalog(tmp_path)
    catalog.put([far])
    assert catalog.load()["/m/a"].mtime_ns == 2**63 - 1


def test_a_changed_name_in_the_catalog_is_told(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.put([recording("some-song")])
    (path,) = Path(catalog.uri, "data").iterdir()
    content = path.read_bytes()
    assert content.count(b"some-song") == 1
    path.write_bytes(content.replace(b"some-song", b"some-sonG"))
    for call in (catalog.load, catalog.files, lambda: catalog.put([recording("b")])):
        with pytest.raises(DamagedStore, match="is not what was written"):
            call()


@pytest.mark.skipif(os.name == "nt", reason="there is no such lock on Windows")
def test_a_repair_and_those_who_write_wait_for_each_other(filled: Path, tmp_path: Path) -> None:
    # A repair that copied sound rows while `embed` committed others put a dataset without these in
    # its place.
    store = copy_of(filled, tmp_path / "cache")
    harm(
        tmp_path / "cache" / files_in(tmp_path / "cache", "embeddings/")[0],
        random.Random(1),
        "flip",
    )
    repair = threading.Thread(target=repair_store, args=(tmp_path / "cache", store.uri))
    with writing(store.uri), writing(store.uri):  # two at once
        repair.start()
        repair.join(0.3)
        assert repair.is_alive()
        assert not Path(store.uri + MENDED).exists()
    repair.join()
    put = threading.Thread(target=store_at(tmp_path / "cache").put, args=([entry(N + 1)],))
    with replacing(store.uri):
        put.start()
        put.join(0.3)
        assert put.is_alive()
    put.join()
    assert digest(N + 1) in store_at(tmp_path / "cache").held()


def test_a_dataset_under_another_name_is_told_and_not_passed_over(
    filled: Path, tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    place = Path(copy_of(filled, root).uri)
    place.rename(place.with_name("mine.lance"))
    sound = one_of(verify_cache(root))
    assert not sound.is_sound
    assert place.name in str(sound.error)
    assert "rename" in str(sound.error)
    place.with_name("mine.lance").rename(place)
    assert one_of(verify_cache(root)).is_sound


def test_files_beside_the_datasets_are_no_datasets(filled: Path, tmp_path: Path) -> None:
    # macOS puts ._x.lance beside x.lance on drives of other systems: no command worked any more.
    store = copy_of(filled, tmp_path / "cache")
    for name in ("._x.lance", "y.lance"):
        Path(store.uri).with_name(name).write_bytes(b"whatever")
    assert one_of(verify_cache(tmp_path / "cache")).n_songs == N
    assert [one.n_songs for one in cache_info(tmp_path / "cache").encoders] == [N]
