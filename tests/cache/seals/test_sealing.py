"""A commit looks at what is new, and seals all there is."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path

import lance
import pytest

from cache import CacheError, Catalog, DamagedStore, EmbeddingStore
from cache.dataset_files import LocalFiles
from cache.seals.seal_file import Seal, newest_seal
from cache.seals.sealing import write_seal
from tests.cache.test_catalog import recording
from tests.cache.test_damage import flip
from tests.cache.test_processes import child
from tests.cache.test_store import digest, entry, store_at


def newest(one: Catalog | EmbeddingStore) -> Seal:
    seal = newest_seal(one.uri)
    assert seal is not None
    return seal


def sealed_anew(one: Catalog | EmbeddingStore) -> Seal:
    """Seal the newest version from what lies on the disk alone."""
    write_seal(lance.dataset(one.uri), anew=True)
    return newest(one)


def data_of(one: Catalog | EmbeddingStore) -> list[Path]:
    """List data files, the oldest first."""
    return sorted(Path(one.uri, "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def test_commits_one_after_the_other_seal_what_is_there(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for number in range(4):
        store.put([entry(number), entry(10 + number)])
        seal = newest(store)
        assert len(seal.keys) == number + 1
        assert seal == sealed_anew(store)


def test_what_others_do_between_two_commits_is_sealed_too(tmp_path: Path) -> None:
    one, other = store_at(tmp_path), store_at(tmp_path)
    for number in range(3):
        one.put([entry(number)])
        other.put([entry(10 + number)])
    assert newest(one) == sealed_anew(one)
    other.discard([digest(1)])
    one.put([entry(3)])
    assert newest(one) == sealed_anew(one)
    other.compact(keep_s=0)
    one.put([entry(4)])
    assert newest(one) == sealed_anew(one)
    assert set(other.held()) == {digest(number) for number in (0, 2, 3, 4, 10, 11, 12)}


def test_a_commit_reads_no_more_files_where_there_are_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    size_and_crc = LocalFiles.size_and_crc

    def counted(files: LocalFiles, name: str) -> tuple[int, int]:
        read.append(name)
        return size_and_crc(files, name)

    monkeypatch.setattr(LocalFiles, "size_and_crc", counted)
    catalog, other = Catalog(tmp_path), Catalog(tmp_path)
    files_read = []
    for number in range(6):
        read.clear()
        catalog.put([recording(f"{number}.mp3")])
        files_read.append(len(read))
    assert len(set(files_read[2:])) == 1  # the second one opens what the first has begun
    other.put([recording("other.mp3")])
    read.clear()
    catalog.put([recording("7.mp3")])
    others, own = data_of(catalog)[-2:]
    assert {name for name in read if name.startswith("data/")} == {
        f"data/{others.name}",
        f"data/{own.name}",
    }


def with_two_commits(root: Path) -> tuple[Catalog, Path]:
    """Make a catalog; return it, and the data file of its first commit."""
    catalog = Catalog(root)
    for number in range(2):
        catalog.put([recording(f"{number}.mp3")])
    return catalog, data_of(catalog)[0]


def test_a_data_file_that_goes_between_two_commits_is_told_to_the_next_process(
    tmp_path: Path,
) -> None:
    catalog, path = with_two_commits(tmp_path)
    path.unlink()
    catalog.put([recording("2.mp3")])  # looks at what is new alone
    code = "import sys, cache; cache.Catalog(sys.argv[1]).load()"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        child(code, str(tmp_path))
    assert f"data/{path.name} has gone" in refused.value.stderr
    with pytest.raises(DamagedStore, match="has gone"):
        Catalog(tmp_path).put([recording("3.mp3")])


def test_a_byte_that_flips_between_two_commits_is_told_to_whoever_reads(tmp_path: Path) -> None:
    catalog, path = with_two_commits(tmp_path)
    flip(path, path.read_bytes().index(b"0.mp3"))
    catalog.put([recording("2.mp3")])
    with pytest.raises(DamagedStore, match="is not what was written"):
        catalog.load()  # nor does the one who has committed take it for sound


def test_a_version_that_goes_between_two_commits_is_noticed_by_the_next(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    for number in range(3):
        catalog.put([recording(f"{number}.mp3")])
    min(Path(catalog.uri, "_versions").glob("*.manifest")).unlink()  # they count down
    with pytest.raises(DamagedStore, match="the newest is"):
        catalog.put([recording("3.mp3")])


def test_damage_to_what_another_has_committed_meanwhile_is_noticed_by_the_next_commit(
    tmp_path: Path,
) -> None:
    catalog, other = Catalog(tmp_path), Catalog(tmp_path)
    catalog.put([recording("0.mp3")])
    other.put([recording("1.mp3")])
    data_of(catalog)[-1].unlink()
    with pytest.raises(DamagedStore, match="has gone"):
        catalog.put([recording("2.mp3")])


def test_a_cache_that_goes_between_two_commits_is_not_begun_anew(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "cache")
    for number in range(2):
        catalog.put([recording(f"{number}.mp3")])
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    with pytest.raises(CacheError, match="has gone since this run began"):
        catalog.put([recording("2.mp3")])
    (tmp_path / "elsewhere").rename(tmp_path / "cache")
    catalog.put([recording("2.mp3")])
    assert len(catalog.load()) == 3


def test_who_has_committed_can_be_sent_to_another_process(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(1)])
    sent = pickle.loads(pickle.dumps(store))
    sent.put([entry(2)])
    store.put([entry(3)])
    assert set(sent.held()) == {digest(1), digest(2), digest(3)}
