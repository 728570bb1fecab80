"""What the disk does to a store: full, read-only, flipped bytes, cut files."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import numpy as np
import pytest

from cache import CacheError, DamagedEntry, EmbeddingStore
from cache.errors import lance_errors
from tests.cache.test_processes import child
from tests.cache.test_store import assert_same, digest, entry, store_at


def test_a_root_that_cannot_be_written_is_a_cache_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CacheError, match=r"file/.*not a folder.*--cache"):
        store_at(tmp_path / "file").put([entry(1)])


def test_a_disk_that_runs_full_is_a_cache_error_and_loses_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(1)])
    # A limit on the size of one file stands in for a full disk: the system refuses to go on.
    code = (
        "import resource, sys; from pathlib import Path; import tests.cache.test_store as t, cache;"
        "store = t.store_at(Path(sys.argv[1]));"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "\ntry: store.put([t.entry(n, n_frames=400) for n in range(2, 40)])"
        "\nexcept cache.CacheError as error: print(error)"
    )
    done = child(code, str(tmp_path))
    assert "allowed size" in done.stdout
    assert str(store.uri) in done.stdout
    assert list(store.held()) == [digest(1)]
    assert_same(store.get(digest(1)), entry(1))


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "disk is full.*free some space"),
        (errno.EROFS, "read-only.*--cache"),
        (errno.EACCES, "permission denied.*permissions"),
        (errno.EDQUOT, "quota"),
    ],
)
def test_errors_of_the_system_become_words(number: int, says: str) -> None:
    ugly = f"LanceError(IO): {os.strerror(number)} (os error {number}), /home/x/io.rs:190:9"
    for error in (OSError(ugly), OSError(number, os.strerror(number))):
        expected = pytest.raises(CacheError, match=f"cannot write the cache at /c: .*{says}")
        with expected as caught, lance_errors("write", "/c"):
            raise error
        assert ".rs" not in str(caught.value)


def data_files(store: EmbeddingStore) -> list[Path]:
    return sorted(Path(store.uri, "data").glob("*.lance"))


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def test_a_flipped_byte_in_a_vector_is_found(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(n) for n in range(5)])
    (path,) = data_files(store)
    flip(path, path.read_bytes().index(entry(3).vector.tobytes()) + 5)
    for call in (store.matrix, lambda: store.matrix([digest(3)]), lambda: store.get(digest(3))):
        with pytest.raises(DamagedEntry, match=rf"{digest(3)}.*cache verify --repair"):
            call()
    names, _ = store.matrix([digest(2)])
    assert names == [digest(2)]
    assert store.verify() == [digest(3)]
    # What the message says mends it.
    assert store.discard(store.verify()) == 1
    store.put([entry(3)])
    assert_same(store.get(digest(3)), entry(3))
    assert store.verify() == []


def test_a_flipped_byte_in_the_frames_is_found(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(n) for n in range(5)])
    (path,) = data_files(store)
    flip(path, path.read_bytes().index(entry(2).frames.tobytes()))
    with pytest.raises(DamagedEntry, match=digest(2)):
        store.get(digest(2))
    assert store.verify() == [digest(2)]
    assert len(store.matrix()[0]) == 5  # the vectors are sound


def test_of_several_entries_a_damaged_one_is_left_out_to_be_made_anew(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(n) for n in range(4)])
    store.put([entry(1, 20)])
    (path,) = [p for p in data_files(store) if entry(2).frames.tobytes() in p.read_bytes()]
    flip(path, path.read_bytes().index(entry(2).frames.tobytes()))
    found = store.entries([digest(n) for n in (3, 2, 1, 9)])
    assert found.keys() == {digest(1), digest(3)}
    assert_same(found[digest(1)], entry(1, 20))
    assert_same(found[digest(3)], entry(3))
    assert store_at(tmp_path / "empty").entries([digest(1)]) == {}


def test_no_flipped_byte_ever_gives_a_wrong_number(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    right = {digest(n): entry(n) for n in range(4)}
    store.put(list(right.values()))
    (path,) = data_files(store)
    sound = path.read_bytes()
    positions = np.random.default_rng(7).choice(len(sound), 60, replace=False)
    for at in positions.tolist():
        flip(path, at)
        # Refused, or right; damage in bytes that nobody reads changes nothing.
        with contextlib.suppress(CacheError):
            for name, vector in zip(*store.matrix(), strict=True):
                np.testing.assert_array_equal(vector, right[name].vector)
        with contextlib.suppress(CacheError):
            got = store.get(digest(1))
            if got is not None:
                assert_same(got, right[digest(1)])
        path.write_bytes(sound)


def test_a_file_that_lance_cannot_read_is_a_cache_error(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put([entry(1)])
    (sound,) = data_files(store)
    store.put([entry(2)])
    (cut,) = set(data_files(store)) - {sound}
    cut.write_bytes(cut.read_bytes()[:100])
    for call in (store.matrix, store.held, store.verify, store.compact):
        with pytest.raises(CacheError, match=r"cache verify --repair"):
            call()


def test_what_says_which_rows_are_dropped_is_checked_whenever_a_store_is_opened(
    tmp_path: Path,
) -> None:
    store = store_at(tmp_path)
    store.put([entry(number) for number in range(4)])
    found = store._dataset.open()
    assert found is not None
    rows = found.to_table(columns=[], with_row_id=True)["_rowid"].to_pylist()
    store._dataset.delete(rows[:1])
    assert digest(0) not in store.held()
    (deleted,) = Path(store.uri, "_deletions").iterdir()
    deleted.write_bytes(deleted.read_bytes()[:-1])
    with pytest.raises(CacheError, match="_deletions"):
        store.held()
