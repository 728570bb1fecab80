"""Is a scan as good as hearing everything?

The seven-likes task of bench_accuracy, with fewer windows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accuracy.figures import Found, paired_difference, summarise
from accuracy.music import load_collections
from accuracy.plan import Case, evaluate
from accuracy.tasks import Collection
from accuracy.ways import OURS

from cache import EmbeddingStore, Entry, list_stores
from embed import EncoderSpec, embed_library, encoder_spec
from embed.encoders.pooling import song_vector
from embed.encoders.windows import choose_windows

__all__ = ["accuracy_rows"]

_N_WINDOWS = (4, 6, 8, 10, 12, 16)


def accuracy_rows(
    music: Path, encoders: Sequence[str], work: Path, n_draws: int
) -> Iterator[dict[str, Any]]:
    """Yield a row for each encoder.

    It has the AUC of a scan, of all windows and of some, on the same draws.

    The scan and the whole are embedded as `embed` does it. What other numbers of windows give is
    pooled from the whole's frames, of which a scan's are some, bit for bit.
    """
    for name in encoders:
        scan, full = (_collection(music, name, coverage, work) for coverage in ("scan", "full"))
        found = {"scan": _found(scan, n_draws), "full": _found(full, n_draws)}
        row: dict[str, Any] = {
            "encoder": name,
            "n_draws": n_draws,
            "n_tastes": len(found["full"][0]),
        }
        row["scan_windows"] = encoder_spec(name).scan_windows
        for coverage, one in found.items():
            figures = summarise(one)
            row |= {f"auc_{coverage}": figures["auc"], f"auc_{coverage}_ci90": figures["auc_ci90"]}
        row["scan_minus_full"] = paired_difference(found["scan"], found["full"])["auc"]
        entries = _entries(full, work / "accuracy-full")
        row["by_windows"] = {}
        for n_windows in _N_WINDOWS:
            some = _found(_with_windows(full, entries, n_windows), n_draws)
            difference = paired_difference(some, found["full"])["auc"]
            row["by_windows"][n_windows] = {"auc": summarise(some)["auc"], "minus_full": difference}
        yield row


def _collection(music: Path, encoder: str, coverage: str, work: Path) -> Collection:
    cache = work / f"accuracy-{coverage}"
    if not (cache / "encoders").exists():
        shutil.copytree(work / "compiled" / "encoders", cache / "encoders")
    # What is embedded wholly is taken as it is by the second line, which scans the rest.
    embed_library([music], root=cache, encoder=encoder, coverage=coverage, retry_failed=True)
    (collection,) = load_collections(music, [encoder], cache, must=True)
    return collection


def _found(collection: Collection, n_draws: int) -> Found:
    case = Case(kind="draws", ways=(OURS,))
    return [evaluate(collection, case, seed, {})[OURS] for seed in range(n_draws)]


def _entries(full: Collection, cache: Path) -> list[Entry]:
    info = next(store for store in list_stores(cache) if store.fingerprint == full.fingerprint)
    store = EmbeddingStore(cache, encoder=info.encoder, fingerprint=info.fingerprint, dim=info.dim)
    found = [store.get(digest) for digest in full.digests]
    return [entry for entry in found if entry is not None]


def _with_windows(full: Collection, entries: Sequence[Entry], n_windows: int) -> Collection:
    """Pool songs anew from so many of their windows."""
    spec = encoder_spec(full.encoder)
    return replace(full, vectors=np.stack([_pooled(entry, spec, n_windows) for entry in entries]))


def _pooled(
    entry: Entry, spec: EncoderSpec, n_windows: int
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    chosen = choose_windows(len(entry.frames), n_windows)
    n_samples = round(entry.duration_s * spec.grid.rate_hz)
    windows = [round(float(start) / spec.hop_s) for start in entry.starts_s[chosen]]
    weights = np.array([spec.grid.parts_heard(i, n_samples) for i in windows], dtype=np.float64)
    return song_vector(entry.frames[chosen], weights)
