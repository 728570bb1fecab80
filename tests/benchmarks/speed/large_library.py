"""A cache of millions of made-up songs and a taste for it: what `score` takes on it is measured.

Song vectors are mixtures of a few styles; musicnn's have 848 numbers, 3.4 kB. Frames are one number
a song, as scoring never reads them. Songs have addresses in an object store, so no files are made.
Run as a process: `python -m speed.large_library CACHE N_SONGS NUMBERS_A_VECTOR`.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from zlib_ng.zlib_ng import crc32

from cache import Catalog, EmbeddingStore
from classify import LabelledSongs, fit_taste
from speed.sources import catalog_rows, digests_of

__all__ = ["make_library"]

_ENCODER, _FINGERPRINT = "made-up", "0" * 16
_N_WINDOWS = 12
_N_STYLES, _N_FACTORS = 300, 1013
_PART_ROWS = 100_000
_FRAGMENT_ROWS = 2048  # as after a compaction
_SEED = 7
_N_LIKES = 7
_N_LEARNT = 1000


def make_library(root: str, n_songs: int, width: int) -> None:
    """Make the cache, and in it the taste `default`."""
    from lance.fragment import write_fragments

    store = EmbeddingStore(root, encoder=_ENCODER, fingerprint=_FINGERPRINT, dim=width // 2)
    parts: tuple[EmbeddingStore | Catalog, ...] = (store, Catalog(root))
    for start in range(0, n_songs, _PART_ROWS):
        numbers = np.arange(start, min(start + _PART_ROWS, n_songs), dtype=np.uint64)
        tables = (_embedding_rows(numbers, width), catalog_rows(numbers))
        for one, table in zip(parts, tables, strict=True):
            found = one._dataset._begun(table.schema)
            fragments: list[Any] = write_fragments(
                table, found, mode="append", max_rows_per_file=_FRAGMENT_ROWS
            )
            one.commit_staged(fragments)
    _learn(root, width)


def _learn(root: str, width: int) -> None:
    """Learn a taste from seven songs of the first style and a thousand others."""
    numbers = np.arange(_N_LEARNT, dtype=np.uint64)
    digests, vectors = digests_of(numbers).to_pylist(), _vectors(numbers, width)
    likes = np.flatnonzero(_styles_of(numbers)[:, 0] == 0)[:_N_LIKES]
    sides = [likes, np.setdiff1d(np.arange(_N_LEARNT), likes)]
    liked, others = (
        LabelledSongs(
            digests=tuple(digests[at] for at in side),
            vectors=vectors[side],
            groups=tuple(digests[at] for at in side),
        )
        for side in sides
    )
    taste = fit_taste(likes=liked, unlabelled=others, encoder=_ENCODER, fingerprint=_FINGERPRINT)
    taste.save("default", root=root)


def _embedding_rows(numbers: NDArray[np.uint64], width: int) -> pa.Table:
    n, vectors, digests = len(numbers), _vectors(numbers, width), digests_of(numbers)
    keys = [f"{digest} {_N_WINDOWS}".encode() for digest in digests.to_pylist()]
    data, size = vectors.reshape(-1).view(np.uint8).data, 4 * width
    crcs = [crc32(data[i * size : (i + 1) * size], crc32(key)) for i, key in enumerate(keys)]
    ends = pa.array(np.arange(n + 1))
    columns = {
        "digest": digests,
        "n_windows": pa.array(np.full(n, _N_WINDOWS, np.int32)),
        "duration_s": pa.array(np.full(n, 180.0)),
        "coverage": pa.array(np.full(n, 0.2)),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), width),
        "frames": pa.LargeListArray.from_arrays(ends, pa.array(np.zeros(n, np.float16))),
        "starts_s": pa.LargeListArray.from_arrays(ends, pa.array(np.zeros(n, np.float32))),
        "vector_crc32": pa.array(np.array(crcs, np.uint32)),
        "frames_crc32": pa.array(numbers.astype(np.uint32)),
    }
    fields = [pa.field(name, column.type, nullable=False) for name, column in columns.items()]
    return pa.table(columns, schema=pa.schema(fields))


def _vectors(numbers: NDArray[np.uint64], width: int) -> NDArray[np.float32]:
    """Make song vectors: each a mixture of three of 300 styles, with a spread of its own."""
    styles, noise = _styles(width)
    chosen = _styles_of(numbers)
    shares = np.array([0.6, 0.25, 0.15], np.float32)
    vectors = sum(share * styles[one] for share, one in zip(shares, chosen.T, strict=True))
    vectors *= noise[(numbers * np.uint64(7919) % np.uint64(len(noise))).astype(np.intp)]
    tilt = 1 + (numbers % np.uint64(1009)).astype(np.float32) / 5000  # no two are copies
    return np.ascontiguousarray(vectors * tilt[:, np.newaxis], np.float32)


def _styles_of(numbers: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Tell the styles of songs, shape (n, 3); an artist keeps to the first."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)
    artists = numbers // np.uint64(100)
    some = [artists % np.uint64(14), mixed % np.uint64(_N_STYLES), mixed >> np.uint64(16)]
    return np.stack([one % np.uint64(_N_STYLES) for one in some], axis=1).astype(np.intp)


@cache
def _styles(width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make styles as an encoder does, some channels far stronger than others, and factors."""
    rng = np.random.default_rng(_SEED)
    strength = rng.lognormal(-1.0, 1.0, size=width)
    styles = strength * rng.gamma(2.0, 0.5, size=(_N_STYLES, width))
    factors = rng.lognormal(0.0, 0.2, size=(_N_FACTORS, width))
    return styles.astype(np.float32), factors.astype(np.float32)


if __name__ == "__main__":
    make_library(sys.argv[1], *map(int, sys.argv[2:]))
