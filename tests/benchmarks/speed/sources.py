"""A bucket of made-up songs: its list, and a cache that knows the first of them.

Run as a process, it lists and sifts them, or makes the cache; see `bench_driver.py`.
"""

from __future__ import annotations

import json
import sys
import time
from binascii import hexlify
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cache import Catalog, EmbeddingStore, Entry, FileRecord, version_number
from cache.file_record import catalog_schema
from embed import find_audio
from embed.cluster.shards import ShardQueue
from embed.decoding.tags import TAGS_VERSION
from embed.pipeline.ledger import Ledger

__all__ = ["catalog_of", "catalog_rows", "digests_of", "make_cache", "store_of"]

_LISTED = 1000
_MADE_AT_ONCE = 100_000
_PART_ROWS = 500_000
_FRAGMENT_ROWS = 2048  # as after a compaction
_MIXED = np.uint64(0x9E3779B97F4A7C15)


def store_of(root: str) -> EmbeddingStore:
    """Return a store of song vectors of two numbers, which takes little room."""
    return EmbeddingStore(root, encoder="none", fingerprint="0" * 16, dim=1)


def catalog_of(root: str) -> Catalog:
    """Return the catalog."""
    return Catalog(root)


def _hex(numbers: NDArray[np.uint64]) -> pa.StringArray:
    """Return 32 hexadecimal digits for each number, which look like chance."""
    with np.errstate(over="ignore"):
        halves = np.stack([numbers * _MIXED, (numbers + np.uint64(1)) * _MIXED * _MIXED], axis=1)
    text = hexlify(np.ascontiguousarray(halves).astype(">u8").tobytes())
    ends = np.arange(len(numbers) + 1, dtype=np.int32) * 32
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(ends), pa.py_buffer(text))


def _texts(numbers: NDArray[np.uint64]) -> pa.StringArray:
    return pa.array(numbers).cast(pa.string())


def _keys(numbers: NDArray[np.uint64]) -> pa.StringArray:
    artists = _texts(numbers // np.uint64(100))
    return pc.binary_join_element_wise(
        "music/artist ", artists, "/an album/song ", _texts(numbers), ".mp3", ""
    )


def _sizes(numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (3_000_000 + (numbers * np.uint64(7919)) % np.uint64(7_000_000)).astype(np.int64)


def _versions(numbers: NDArray[np.uint64]) -> pa.StringArray:
    return pc.binary_join_element_wise('"', _hex(numbers), '"', "")


def _list(n_songs: int) -> Iterator[pa.RecordBatch]:
    """Answer as `obstore.list` does with `return_arrow`, without a store."""
    for start in range(0, n_songs, _MADE_AT_ONCE):
        numbers = np.arange(start, min(start + _MADE_AT_ONCE, n_songs), dtype=np.uint64)
        names = ["path", "last_modified", "size", "e_tag", "version"]
        times = pa.array(np.zeros(len(numbers), "M8[us]")).cast(pa.timestamp("us", "UTC"))
        sizes = pa.array(_sizes(numbers).astype(np.uint64))
        nothing = pa.nulls(len(numbers), pa.string())
        columns = [_keys(numbers), times, sizes, _versions(numbers), nothing]
        made = pa.record_batch(columns, names=names)
        yield from (made.slice(first, _LISTED) for first in range(0, len(made), _LISTED))


def make_cache(root: str, n_songs: int, rows_a_fragment: int = _FRAGMENT_ROWS) -> None:
    """Have a cache know the first songs, in fragments as a compaction leaves them."""
    from lance.fragment import write_fragments

    datasets = (catalog_of(root)._dataset, store_of(root)._dataset)
    for dataset, table_of in zip(datasets, (catalog_rows, _embedding_rows), strict=True):
        fragments: list[Any] = []
        for start in range(0, n_songs, _PART_ROWS):
            numbers = np.arange(start, min(start + _PART_ROWS, n_songs), dtype=np.uint64)
            table = table_of(numbers)
            found = dataset._begun(table.schema)
            fragments += write_fragments(
                table, found, mode="append", max_rows_per_file=rows_a_fragment
            )
        if fragments:
            dataset.commit_staged(fragments)


def digests_of(numbers: NDArray[np.uint64]) -> pa.StringArray:
    """Return the digests of songs."""
    return _hex(numbers + np.uint64(2**40))


def catalog_rows(numbers: NDArray[np.uint64]) -> pa.Table:
    """Return what the catalog knows of songs."""
    n = len(numbers)
    versions = map(version_number, _versions(numbers).to_pylist())
    paths = pc.binary_join_element_wise("s3://songs/", _keys(numbers), "")
    columns = {
        "path": paths.cast(pa.binary()),
        "size_bytes": pa.array(_sizes(numbers)),
        "mtime_ns": pa.array(np.fromiter(versions, np.int64, n)),
        "recorded_ns": pa.array(np.full(n, time.time_ns())),
        "digest": digests_of(numbers),
        "title": _texts(numbers),
        "tags_version": pa.array(np.full(n, TAGS_VERSION, np.int32)),
    }
    schema = catalog_schema()
    return pa.table(
        [columns.get(field.name, pa.nulls(n, field.type)) for field in schema], schema=schema
    )


def _embedding_rows(numbers: NDArray[np.uint64]) -> pa.Table:
    n = len(numbers)
    ends = pa.array(np.arange(n + 1))
    columns = {
        "digest": digests_of(numbers),
        "n_windows": pa.array(np.full(n, 12, np.int32)),
        "duration_s": pa.array(np.full(n, 180.0)),
        "coverage": pa.array(np.full(n, 0.2)),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2 * n, np.float32)), 2),
        "frames": pa.LargeListArray.from_arrays(ends, pa.array(np.zeros(n, np.float16))),
        "starts_s": pa.LargeListArray.from_arrays(ends, pa.array(np.zeros(n, np.float32))),
        "vector_crc32": pa.array(numbers.astype(np.uint32)),
        "frames_crc32": pa.array(numbers.astype(np.uint32)),
    }
    fields = [pa.field(name, column.type, nullable=False) for name, column in columns.items()]
    return pa.table(columns, schema=pa.schema(fields))


def _sift(root: str, n_songs: int) -> dict[str, Any]:
    """List the songs and sift them, then hand out the first; each with its processor time."""
    vars(obstore)["list"] = lambda *_, **__: _list(n_songs)
    deque(_list(1), maxlen=0)  # imports
    marks = [time.process_time()]
    deque(_list(n_songs), maxlen=0)  # what the made-up list itself takes
    marks.append(time.process_time())
    found = find_audio("s3://songs/music/")
    marks.append(time.process_time())
    ledger = Ledger(catalog=catalog_of(root), store=store_of(root), n_windows=12, batch_songs=1024)
    left = ledger.sift(found, retry_failed=False)
    marks.append(time.process_time())
    shard = ShardQueue([left]).take(16, 16)
    marks.append(time.process_time())
    names = ("simulation_s", "list_s", "sift_s", "hand_out_s")
    seconds = dict(zip(names, np.diff(marks).tolist(), strict=True))
    seconds["list_s"] -= seconds["simulation_s"]
    n_handed_out = 0 if shard is None else len(shard)
    return {"found": found.n_songs, "left": len(left), "handed_out": n_handed_out} | seconds


def _commit(root: str, n_commits: int) -> list[dict[str, float]]:
    """Commit one song at a time to both datasets; return the processor time of each."""
    store, catalog = store_of(root), catalog_of(root)
    times = []
    for n in range(n_commits):
        name = f"{time.time_ns():032x}"
        entry = Entry(
            digest=name,
            n_windows=12,
            duration_s=180.0,
            coverage=0.2,
            starts_s=np.zeros(1, np.float32),
            frames=np.zeros((1, 1), np.float16),
            vector=np.zeros(2, np.float32),
        )
        path = f"s3://songs/new/{name}.mp3"
        row = FileRecord(path=path, size_bytes=n, mtime_ns=n, digest=name, duration_s=180.0)
        embeddings, rows = store.stage([entry]), catalog.stage([row])
        marks = [time.process_time()]
        store.commit_staged(embeddings)
        marks.append(time.process_time())
        catalog.commit_staged(rows)
        marks.append(time.process_time())
        names = ("embeddings_s", "catalog_s")
        times.append(dict(zip(names, np.diff(marks).tolist(), strict=True)))
    return times


def main() -> None:
    """Do what the first word says."""
    what, root, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    Path(root).mkdir(parents=True, exist_ok=True)
    if what == "make":
        make_cache(root, n, *map(int, sys.argv[4:]))
    else:
        sys.stdout.write(json.dumps(_sift(root, n) if what == "sift" else _commit(root, n)))


if __name__ == "__main__":
    main()
