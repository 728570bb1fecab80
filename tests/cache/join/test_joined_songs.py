"""Files and song vectors that belong together, in parts on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import cache.join.joined_songs
import cache.join.song_join
from cache import CacheError, Catalog, FileRecord, JoinedSongs, RowFiles, digest_halves, is_large
from cache.join.song_join import hex_digests
from tests.cache.test_store import digest, entry, store_at

N_SONGS = 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Forty songs, each with a file, a few with two; and files of others."""
    root = tmp_path / "cache"
    store_at(root).put([entry(n) for n in range(N_SONGS)])
    numbers = [*range(N_SONGS + 5), 3, 4]
    Catalog(root).put([_file(at, n) for at, n in enumerate(numbers)])
    return root


def _file(at: int, n: int) -> FileRecord:
    return FileRecord(
        path=f"/music/{at}.mp3", size_bytes=1, mtime_ns=1, digest=digest(n), duration_s=1.0
    )


def _open_all(joined: JoinedSongs) -> list[tuple[str, str]]:
    """Return the paths and digests of all parts, having compared digests with those of vectors."""
    found = []
    for part in range(joined.n_parts):
        files, vectors, at = joined.open(joined.part(part))
        assert vectors.digests.take(at).equals(files.digests)
        assert len(vectors.matrix(at)) == len(files)
        paths = (path.decode() for path in files.paths.to_pylist())
        found += list(zip(paths, files.digests.to_pylist(), strict=True))
    return found


def test_each_file_is_there_once_with_its_vector(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache.join.song_join, "PART_SONGS", 7)
    monkeypatch.setattr(cache.join.joined_songs, "_LEFT_AT_ONCE", 2)
    joined = JoinedSongs([store_at(root)], Catalog(root), tmp_path, without=b"/12.mp3")
    assert joined.n_recordings == N_SONGS - 1
    numbers = [*range(N_SONGS), 3, 4]
    places = [*range(N_SONGS), N_SONGS + 5, N_SONGS + 6]
    expected = [(f"/music/{at}.mp3", digest(n)) for at, n in zip(places, numbers, strict=True)]
    expected.remove(("/music/12.mp3", digest(12)))
    assert sorted(_open_all(joined)) == sorted(expected)
    left = [name for files in joined.left() for name in files.digests.to_pylist()]
    assert sorted(left) == sorted(digest(n) for n in range(N_SONGS, N_SONGS + 5))


def test_two_paths_with_the_same_key_are_two_files(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = {path for path, row in Catalog(root).load().items() if row.digest}
    monkeypatch.setattr(
        cache.join.song_join, "value_keys", lambda paths: np.zeros(len(paths), np.int64)
    )
    joined = JoinedSongs([store_at(root)], Catalog(root), tmp_path, without=b"\0")
    paths = [path for path, _ in _open_all(joined)]
    assert len(paths) == len(everything) - 5
    assert set(paths) < everything


def test_no_rows_are_no_files(root: Path, tmp_path: Path) -> None:
    joined = JoinedSongs([store_at(root)], Catalog(root), tmp_path, without=b"\0")
    files, vectors, at = joined.open(joined.part(0)[:0])
    assert len(files) == len(vectors) == len(at) == 0
    assert files.recordings() == []


def test_a_digest_is_as_its_halves_say() -> None:
    names = [digest(n) for n in (0, 1, 77)] + ["f" * 32, "0123456789abcdef" * 2]
    halves, _ = digest_halves(pa.array(names))
    rows = np.zeros(len(names), np.dtype([("first", "<u8"), ("second", "<u8")]))
    rows["first"], rows["second"] = halves[:, 0], halves[:, 1]
    assert hex_digests(rows).to_pylist() == names


def test_rows_of_a_part_come_back_in_order(tmp_path: Path) -> None:
    rows = RowFiles(tmp_path, "rows", np.dtype(np.int64), 3)
    rng = np.random.default_rng(0)
    values = [rng.integers(0, 99, n) for n in (5, 0, 30)]
    for some in values:
        rows.append(some, some % 3)
    every = np.concatenate(values)
    for part in range(3):
        assert rows.read(part).tolist() == every[every % 3 == part].tolist()
    assert len(rows.take(1))
    assert not len(rows.read(1))
    rows.replace(2, np.arange(4))
    assert rows.read(2).tolist() == [0, 1, 2, 3]


def test_many_are_looked_up_as_few_are(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_at(root).put([replace(entry(3), n_windows=0)])  # better than the first one
    digests = [digest(n) for n in (5, 3, 39, 77)]
    paths = ["/music/7.mp3", "/music/41.mp3", "/music/2.mp3", "/elsewhere"]
    expected = store_at(root).reader(digests), Catalog(root).files(paths).recordings()
    monkeypatch.setattr("cache.join.keys._FEW", 0)
    monkeypatch.setattr("cache.catalog_files.ROWS_AT_ONCE", 0)
    reader = store_at(root).reader(digests)
    assert reader.held() == expected[0].held() == {digest(5): 12, digest(3): 0, digest(39): 12}
    np.testing.assert_array_equal(reader.crcs, expected[0].crcs)
    assert Catalog(root).files(paths).recordings() == expected[1]
    assert [one.path for one in expected[1]] == paths[:3]


def test_rows_that_have_gone_are_no_fewer_songs(tmp_path: Path) -> None:
    """As where `cache prune` empties the folder meanwhile."""
    rows = RowFiles(tmp_path, "rows", np.dtype(np.int64), 2)
    rows.append(np.arange(9), np.arange(9) % 2)
    (tmp_path / "rows-0").write_bytes(b"")
    (tmp_path / "rows-1").unlink()
    with pytest.raises(CacheError, match="was changed by another program: run again"):
        rows.read(0)
    with pytest.raises(CacheError, match=r"cannot read .*: No such file .*run again"):
        rows.read(1)


def test_what_is_large(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores, catalog = [store_at(root)], Catalog(root)
    assert not is_large(stores, catalog)
    monkeypatch.setattr(cache.join.joined_songs, "_LARGE", 10)
    assert is_large(stores, catalog)
    assert not is_large([*stores, store_at(root, encoder="other")], catalog)
    assert not is_large(stores, Catalog(tmp_path / "elsewhere"))
