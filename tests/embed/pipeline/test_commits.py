"""A batch is committed by whoever made it, or staged, and committed with others: the same rows."""

from __future__ import annotations

import pickle
from pathlib import Path

import lance
import pytest

import embed
from cache import Catalog, EmbeddingStore
from cache.upkeep import compaction
from embed.pipeline import encoder_run
from embed.pipeline.commits import Account, Batch, StagedBatch, commit_here, commit_staged, stage
from embed.pipeline.ledger import Ledger
from tests.cache.test_catalog import recording
from tests.cache.test_store import assert_same, digest, entry, store_at


def batch(*numbers: int) -> Batch:
    return Batch(
        entries=tuple(entry(n) for n in numbers),
        records=tuple(recording(f"{n}", size_bytes=n + 1) for n in numbers),
        account=Account(
            done={f"/music/{n}": digest(n) for n in numbers},
            fresh={digest(n): 30.0 for n in numbers},
        ),
    )


def stores(root: Path) -> tuple[EmbeddingStore, Catalog]:
    return store_at(root), Catalog(root)


def staged_elsewhere(root: Path, *numbers: int) -> StagedBatch:
    return stage(*stores(root), batch(*numbers))


def test_both_ways_leave_the_same_rows(tmp_path: Path) -> None:
    here, there = stores(tmp_path / "here"), stores(tmp_path / "there")
    for numbers in ((0, 1), (2, 3)):
        commit_here(*here, batch(*numbers))
        commit_staged(*there, [stage(*there, batch(*numbers))])
    assert here[0].held() == there[0].held()
    assert here[1].load() == there[1].load()
    for n in range(4):
        assert_same(there[0].get(digest(n)), entry(n))


def test_nobody_sees_what_is_staged_until_one_commit_of_all(tmp_path: Path) -> None:
    store, catalog = stores(tmp_path)
    made = [staged_elsewhere(tmp_path, n) for n in range(3)]
    batches = pickle.loads(pickle.dumps([*made, staged_elsewhere(tmp_path, 3, 4)]))
    assert (store.held(), catalog.load()) == ({}, {})
    before = lance.dataset(store.uri).version
    commit_staged(store, catalog, batches)
    assert lance.dataset(store.uri).version == before + 1
    assert store.held().keys() == {digest(n) for n in range(5)}
    assert [row.path for row in catalog.load().values()] == [f"/music/{n}" for n in range(5)]
    assert store.verify() == []


def test_a_compaction_meanwhile_takes_nothing_of_it_away(tmp_path: Path) -> None:
    store, catalog = stores(tmp_path)
    commit_here(store, catalog, batch(0))
    commit_here(store, catalog, batch(1))
    staged = staged_elsewhere(tmp_path, 2)
    for one in (store, catalog):
        one.compact(keep_s=0)
    commit_staged(store, catalog, [staged])
    assert store.held().keys() == {digest(n) for n in range(3)}
    for n in range(3):
        assert_same(store.get(digest(n)), entry(n))


def test_what_is_handed_over_is_small(tmp_path: Path) -> None:
    staged = staged_elsewhere(tmp_path, *range(64))
    assert len(pickle.dumps(staged)) < 64 * 250


def test_a_long_run_tidies_up_as_it_goes(
    tmp_path: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each version names the files of all commits before it: quadratic, in a single run."""
    monkeypatch.setattr(encoder_run, "_COMMITS_TOGETHER", 4)
    monkeypatch.setattr(compaction, "SMALL_FRAGMENTS", 2)
    store, catalog = stores(tmp_path)
    ledger = Ledger(catalog=catalog, store=store, n_windows=12, batch_songs=1)
    run = encoder_run.Run(ledger=ledger, prepared=embed.prepare_encoder("musicnn", root=compiled))
    for n in range(5):
        ledger.embedded(entry(n))
        run._commit()
    assert len(lance.dataset(store.uri).get_fragments()) == 2
    assert store.held().keys() == {digest(n) for n in range(5)}


def test_nothing_to_commit_makes_no_version(tmp_path: Path) -> None:
    store, catalog = stores(tmp_path)
    commit_here(store, catalog, batch(0))
    before = lance.dataset(store.uri).version
    commit_here(store, catalog, batch())
    commit_staged(store, catalog, [stage(store, catalog, batch())])
    assert lance.dataset(store.uri).version == before
