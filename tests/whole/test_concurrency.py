"""Many processes on one cache lose nothing and are never wrong.

See benchmarks/bench_reliability.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import lance
import pytest

from cache import Catalog
from embed.encoders.manifest import read_manifest
from embed.encoders.storing import _install
from embed.pipeline.ledger import Ledger
from tests.cache.test_store import digest, entry, store_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def concurrent() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield import_module("reliability.concurrency")


@pytest.fixture
def work(tmp_path: Path, compiled: Path, tracks: list[str]) -> Path:
    """A folder for the benchmark's libraries; their songs are made of the demo's tracks."""
    shutil.copytree(compiled / "encoders", tmp_path / "encoders")
    return tmp_path


@pytest.mark.long
@pytest.mark.exact
@pytest.mark.slow
def test_four_embed_and_whatever_else_runs_meanwhile_lose_no_song_and_embed_none_twice(
    work: Path, concurrent: ModuleType
) -> None:
    row = concurrent.embed_together(1, work, n_songs=18)
    assert row["errors"] == []
    assert (row["lost"], row["wrong"], row["twice"]) == (0, 0, 0)
    assert sum(row["meanwhile"].values()) >= 4


@pytest.mark.long
def test_two_train_of_one_taste_leave_one_of_the_two(work: Path, concurrent: ModuleType) -> None:
    row = concurrent.train_together(1, work)
    assert row["errors"] == []
    assert (row["lost"], row["files_left"]) == (0, 0)
    assert sum(row["who_was_last"]) == 1


def test_what_another_run_has_committed_meanwhile_is_not_put_again(tmp_path: Path) -> None:
    # Four runs on one library left every song in the store four times, until a compaction was due.
    store = store_at(tmp_path)
    ledger = Ledger(catalog=Catalog(tmp_path), store=store, n_windows=12, batch_songs=64)
    for number in (1, 2, 3):
        ledger.embedded(entry(number))
    store.put([entry(1), entry(2, n_windows=4)])  # the other run; of 2 it has heard less
    ledger.commit()
    rows = lance.dataset(store.uri).to_table(columns=["digest", "n_windows"])
    there = sorted(zip(rows["digest"].to_pylist(), rows["n_windows"].to_pylist(), strict=True))
    assert there == [(digest(1), 12), (digest(2), 4), (digest(2), 12), (digest(3), 12)]


@pytest.mark.long
def test_of_compilers_that_meet_each_leaves_a_whole_encoder(compiled: Path, tmp_path: Path) -> None:
    # One removed, file by file, what it took for the damaged encoder: the other's, that had just
    # come.
    (sound,) = (path for path in (compiled / "encoders").iterdir() if path.is_dir())
    folder = tmp_path / "encoders"
    target = folder / sound.name
    shutil.copytree(sound, target)
    for model in target.glob("model.*"):
        model.write_bytes(b"damaged")
    parts = [Path(shutil.copytree(sound, folder / f".part-{name}")) for name in "ab"]
    assert read_manifest(target) is None
    for part in parts:
        _install(part, target)
        assert read_manifest(target) is not None
    assert {path.name for path in folder.iterdir()} <= {sound.name, ".part-b"}
