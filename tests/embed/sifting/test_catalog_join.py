"""Songs beside the catalog, in columns: the same as one by one, also where keys are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cache import (
    Catalog,
    EmbeddingStore,
    Entry,
    FileRecord,
    StoredObject,
    covers,
    value_keys,
)
from embed.decoding.tags import TAGS_VERSION
from embed.files import source_columns
from embed.files.find import FoundAudio
from embed.files.source_columns import SourceBlock, SourceColumns
from embed.pipeline.ledger import Ledger
from embed.sifting.done_songs import DoneSongs
from embed.sifting.files_left import File
from embed.sifting.held_recordings import HeldRecordings

N = 300


def address(n: int) -> str:
    return f"s3://songs/music/Ünï {n}.mp3"


def digest(n: int) -> str:
    return f"{n * 7919:016x}{n:016x}"


def near(n: int) -> str:
    """Return a digest of which others have the first half."""
    return f"{n % 10:016x}{n:016x}"


def entry(name: str, n_windows: int) -> Entry:
    frames = np.ones((2, 4), np.float16)
    return Entry(
        digest=name,
        n_windows=n_windows,
        duration_s=9.0,
        coverage=1.0,
        starts_s=np.array([0.0, 3.0], np.float32),
        frames=frames,
        vector=np.ones(8, np.float32),
    )


@pytest.fixture(params=["64 bits", "a few bits"])
def few_keys(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the keys of different paths be the same: then only the paths themselves tell."""
    if request.param == "64 bits":
        return
    monkeypatch.setattr(source_columns, "value_keys", lambda paths: value_keys(paths) % 5)


@pytest.fixture
def objects() -> dict[str, StoredObject]:
    rng = np.random.default_rng(7)
    return {
        address(n): StoredObject(
            name=f"music/Ünï {n}.mp3", size_bytes=int(rng.integers(1, 400)), version=version(n)
        )
        for n in range(N)
    }


def version(n: int) -> str:
    return (f'"{n:032x}"', f'"{n:032X}"', f'"{n:032x}-2"', "2026-11-30T21:43:01+00:00")[n // 80]


def block(part: dict[str, StoredObject]) -> SourceBlock:
    """Put objects into columns as a list of them comes."""
    texts = [one.version for one in part.values()]
    sizes = pa.array([one.size_bytes for one in part.values()], pa.int64())
    return SourceBlock.of_columns(pa.array(list(part)), sizes, pa.array(texts))


def records(objects: dict[str, StoredObject]) -> list[FileRecord]:
    """Rows of three quarters of the songs, some of them of an earlier state, in any order."""
    rng = np.random.default_rng(8)
    rows = []
    for n in rng.permutation(N)[: 3 * N // 4].tolist():
        state = objects[address(n)].state
        row = FileRecord(
            path=address(n),
            size_bytes=state.st_size,
            mtime_ns=state.st_mtime_ns + int(n % 7 == 0),
            digest=None if n % 5 == 0 else digest(n // 2),
            duration_s=1.0,
            error="is empty" if n % 5 == 0 else None,
            warning="is short" if n % 5 and n % 3 == 0 else None,
            tags_version=TAGS_VERSION,
        )
        rows.append(row)
        if n % 4 == 0:  # and then it became another
            last = replace(row, digest=digest(n), error=None, warning=None)
            rows.append(replace(last, mtime_ns=state.st_mtime_ns))
    return rows


def one_by_one(
    objects: dict[str, StoredObject], catalog: Catalog, held: dict[str, int], *, retry: bool
) -> tuple[list[File], list[tuple[str, str]], list[tuple[str, str]]]:
    """Sift as the columns do, with a dict of all rows."""
    known = catalog.load()
    sizes = {row.size_bytes for row in known.values()}
    left, failed, warnings = [], [], []
    heard: set[str] = set()
    for path, one in objects.items():
        row = known.get(path)
        still = row is not None and row.is_still(one.state)
        if row and still and row.digest and covers(held.get(row.digest), 12):
            warnings += [(path, row.warning)] if row.warning else []
            continue
        if row and still and row.error and not retry:
            failed.append((path, row.error))
            continue
        name = row.digest if row and still else None
        unheard = one.size_bytes not in sizes if row is None else bool(name and name not in heard)
        heard.add(name or "")
        sizes.add(one.size_bytes)
        left.append(
            File(
                path=path,
                size_bytes=one.size_bytes,
                mtime_ns=one.state.st_mtime_ns,
                is_unheard=unheard,
                stored=one,
                digest=name,
            )
        )
    return left, failed, warnings


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.usefixtures("few_keys")
def test_songs_are_sifted_as_one_by_one(
    objects: dict[str, StoredObject], tmp_path: Path, retry: bool
) -> None:
    catalog = Catalog(tmp_path)
    store = EmbeddingStore(tmp_path, encoder="none", fingerprint="0" * 16, dim=4)
    rows = records(objects)
    for start in range(0, len(rows), 50):
        catalog.put(rows[start : start + 50])
    store.put([entry(digest(n), (4, 12, 0)[n % 3]) for n in range(0, N, 2)])
    ledger = Ledger(catalog=catalog, store=store, n_windows=12, batch_songs=64)
    items = list(objects.items())
    blocks = [block(dict(items[start : start + 20])) for start in range(0, N, 20)]
    found = FoundAudio(files=(), failures=(), objects=SourceColumns(blocks))
    left = ledger.sift(found, retry_failed=retry)
    expected, failed, warnings = one_by_one(objects, catalog, store.held(), retry=retry)
    assert list(left) == expected
    assert 0 < sum(file.digest is not None for file in expected) < len(expected) < N
    assert [(one.path, one.error.partition(" (")[0]) for one in ledger.failed] == failed
    assert bool(failed) != retry
    assert [(one.path, one.error) for one in ledger.warnings] == warnings
    assert warnings
    assert left[3] == expected[3]
    assert left[2:9] == expected[2:9]
    assert left[-1] == expected[-1]


@pytest.mark.usefixtures("few_keys")
def test_each_song_is_there_once_and_found_by_its_address(
    objects: dict[str, StoredObject],
) -> None:
    first = SourceColumns([block(objects)])
    some = dict(list(objects.items())[:80])
    assert SourceColumns([block(some)]).by_address() == some
    more = {**dict(list(objects.items())[::3]), "s3://other/a.mp3": next(iter(objects.values()))}
    both = first.joined(SourceColumns([SourceBlock.of_objects(more)]), first)
    assert list(both) == [*objects, "s3://other/a.mp3"]
    assert both[address(7)] == objects[address(7)]
    assert both.get("s3://songs/nowhere.mp3") is None
    assert both.lacking([address(1), "s3://songs/x", address(N - 1)]) == ["s3://songs/x"]
    assert first.by_address() == objects


def test_recordings_held_in_columns_are_those_of_the_store(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, encoder="none", fingerprint="0" * 16, dim=4)
    for part in range(3):  # each recording with less and with more
        store.put([entry(near(n), (4, 12, 0)[(n + part) % 3]) for n in range(20 * part, 60)])
    held = HeldRecordings(store.held_digests())
    asked = {near(n): held.windows_of(near(n)) for n in range(70)}
    assert {name: n for name, n in asked.items() if n is not None} == store.held()
    assert set(store.held().values()) == {0, 4, 12}
    held.add(near(65), 12)
    assert held.windows_of(near(65)) == 12
    assert len(held.beginnings(0)) == sum(n == 0 for n in store.held().values())
    covering = [name for name, n in store.held().items() if covers(n, 12)]
    assert len(held.beginnings(12)) == len(covering) + 1


def test_what_is_put_away_still_counts_once() -> None:
    songs = DoneSongs()
    for n in range(200):
        songs.add({f"/music/{n}.mp3": digest(n), f"/copy/{n}.mp3": digest(n)}, {digest(n): n + 1.0})
    assert songs.has_embedded([digest(7), "f" * 32])
    assert not songs.has_embedded(["f" * 32])
    assert len({digest(n)[:16] for n in range(200)}) == 200
    failed = ["/music/3.mp3", "/copy/3.mp3", "/music/4.mp3"]
    keys, seconds = songs.embedded(failed)
    assert len(keys) == 199
    assert seconds.sum() == sum(range(1, 201)) - 4.0
