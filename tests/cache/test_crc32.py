"""Checksums of many rows at once say the same as one call a row."""

from __future__ import annotations

import zlib

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from cache.crc32 import digest_chars, joined_crc32
from cache.entry import vector_crc32


def rows(
    n: int, dim: int, windows: tuple[int, ...] = (12,)
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float32], NDArray[np.uint32]]:
    rng = np.random.default_rng((n, dim))
    digests = [rng.bytes(16).hex() for _ in range(n)]
    n_windows = rng.choice(windows, n).astype(np.int32)
    vectors = rng.normal(size=(n, dim)).astype(np.float32)
    stored = [
        vector_crc32(d, w, v) for d, w, v in zip(digests, n_windows.tolist(), vectors, strict=True)
    ]
    names = np.frombuffer("".join(digests).encode(), np.uint8).reshape(n, 32)
    return names, n_windows, vectors, np.array(stored, np.uint32)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("dim", [1, 33, 848])
def test_rows_one_after_the_other_have_the_checksum_that_theirs_say(n: int, dim: int) -> None:
    names, n_windows, vectors, stored = rows(n, dim, (0, 7, 12, 123456))
    assert joined_crc32(names, n_windows, stored, 4 * dim) == zlib.crc32(vectors.tobytes())


@pytest.mark.parametrize("what", ["digest", "n_windows", "vector", "checksum", "order"])
def test_whatever_is_changed_in_one_row_of_many_shows(what: str) -> None:
    names, n_windows, vectors, stored = rows(500, 20)
    names = names.copy()
    if what == "digest":
        names[400, 31] ^= 1
    elif what == "n_windows":
        n_windows[0] = 0
    elif what == "vector":
        vectors.view(np.uint8)[499, 3] ^= 128
    elif what == "checksum":
        stored[250] ^= np.uint32(1)
    else:
        vectors[[3, 4]] = vectors[[4, 3]]
    assert joined_crc32(names, n_windows, stored, 80) != zlib.crc32(vectors.tobytes())


def test_digests_are_seen_as_characters_unless_one_is_damaged() -> None:
    names = [f"{n:032x}" for n in range(9)]
    digests = pa.array(names)
    seen = digest_chars(digests[2:7])
    assert seen is not None
    assert [row.tobytes().decode() for row in seen] == names[2:7]
    empty = digest_chars(digests[:0])
    assert empty is not None
    assert empty.shape == (0, 32)
    assert digest_chars(pa.array([*names, "cut"])) is None
    assert digest_chars(pa.array([*names, None])) is None
