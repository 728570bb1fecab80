"""Files and song vectors that belong together, a part at a time: for any number of songs.

Columns of ten million songs are 1.7 GB in memory. Here they are rows on disk: parted by path, to
find the latest row of each; parted by digest, to find its vectors; then parted by where the vector
of the first encoder stands, so that vectors are read in the order in which they lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.errors import lance_errors
from cache.join.catalog_rows import numbered_rows_of_files
from cache.join.held_digests import HeldDigests, best_of_each, digest_halves
from cache.join.row_files import RowFiles
from cache.key import DIGEST_BYTES
from cache.row_choice import in_one_piece, last_of_each, value_keys
from cache.seals.sealed_keys import KEYS, key_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["PART_SONGS", "SongJoin", "first_of_each", "hex_digests", "join_songs"]

PART_SONGS = 2**19
"""Songs of a part: some 200 MB of columns while it is worked on."""
_DIGEST = [("first", "<u8"), ("second", "<u8")]
_VECTOR_ROW = np.dtype([*_DIGEST, ("row", "<i8"), ("n_windows", "<i4"), ("crc", "<u4")])
_FILE_ROW = np.dtype([*_DIGEST, ("file", "<i8")])
_PATH_ROW = np.dtype([*_FILE_ROW.descr, ("key", "<i8"), ("has_digest", "?")])


def _song_row(n_stores: int) -> np.dtype[Any]:
    """Return the type of a row: a file, and where its vector stands in each store."""
    each = (n_stores,)
    columns = [("row", "<i8", each), ("n_windows", "<i4", each), ("crc", "<u4", each)]
    return np.dtype([*_FILE_ROW.descr, *columns])


@dataclass(frozen=True, kw_only=True, eq=False)
class SongJoin:
    """What belongs together.

    Attributes
    ----------
    songs : RowFiles
        One row a file, by where the vector stands in the first store: `first` and `second`, the
        halves of the digest; `file`, its row in the catalog; `row`, `n_windows` and `crc`, of each
        store.
    left : RowFiles
        The files whose recording lacks a vector in a store: `first`, `second` and `file`.
    n_recordings : int
        Recordings among `songs`.
    """

    songs: RowFiles
    left: RowFiles
    n_recordings: int


def join_songs(stores: Sequence[Any], catalog: Any, folder: Path, *, without: bytes) -> SongJoin:
    """Tell which files have a vector in all stores, and where.

    Parameters
    ----------
    stores : sequence of lance.LanceDataset
        The open datasets of embeddings, at least one.
    catalog : lance.LanceDataset
    folder : Path
        An empty one; rows are put there, some 150 bytes a song. Whoever made it removes it.
    without : bytes
        Files with this in their paths are left out.

    Raises
    ------
    CacheError
        If a dataset can't be read, or `folder` not be written.
    """
    n_rows = max(found.count_rows() for found in (*stores, catalog))
    n_parts = 1 << (n_rows // PART_SONGS).bit_length()
    vectors = [
        _vectors_by_digest(found, RowFiles(folder, f"vectors{at}", _VECTOR_ROW, n_parts))
        for at, found in enumerate(stores)
    ]
    files = RowFiles(folder, "files", _FILE_ROW, n_parts)
    for rows in _latest_files(catalog, folder, without, n_parts):
        files.append(rows, _part_of(rows["first"], n_parts))
    n_places = stores[0].count_rows() // PART_SONGS + 1
    songs = RowFiles(folder, "songs", _song_row(len(stores)), n_places)
    left = RowFiles(folder, "left", _FILE_ROW, n_parts)
    for part in range(n_parts):
        joined, others = _joined([one.take(part) for one in vectors], files.take(part))
        songs.append(joined, joined["row"][:, 0] // PART_SONGS)
        left.replace(part, others)
    n_recordings = sum(_put_in_order(songs, part) for part in range(songs.n_parts))
    return SongJoin(songs=songs, left=left, n_recordings=n_recordings)


def _part_of(first: NDArray[np.uint64], n_parts: int) -> NDArray[np.int64]:
    """Tell a part by the first bits of a digest, which look like chance."""
    n_bits = n_parts.bit_length() - 1
    return (
        (first >> np.uint64(64 - n_bits)).astype(np.int64) if n_bits else np.zeros(len(first), int)
    )


def _vectors_by_digest(found: Any, into: RowFiles) -> RowFiles:
    n_rows = 0
    with lance_errors("read", found.uri):
        for table in key_tables(found):
            halves, at = digest_halves(in_one_piece(table[KEYS[0]]))
            rows = np.empty(len(at), into.dtype)
            rows["first"], rows["second"] = halves[:, 0], halves[:, 1]
            rows["row"] = n_rows + at
            rows["n_windows"] = table["n_windows"].to_numpy()[at]
            rows["crc"] = table["vector_crc32"].to_numpy()[at]
            n_rows += len(table)
            into.append(rows, _part_of(rows["first"], into.n_parts))
    return into


def _latest_files(found: Any, folder: Path, without: bytes, n_parts: int) -> Iterator[NDArray[Any]]:
    """Read the latest row of each path, where it has a digest."""
    by_path = RowFiles(folder, "paths", _PATH_ROW, n_parts)
    with lance_errors("read", found.uri):
        for at, table in numbered_rows_of_files(found, ["path", "digest"]):
            rows = _path_rows(at, table, without)
            by_path.append(rows, rows["key"] & (n_parts - 1))
        for part in range(n_parts):
            latest = _last_of_each_path(found, by_path.take(part))
            kept = np.empty(np.count_nonzero(latest["has_digest"]), _FILE_ROW)
            for name in _FILE_ROW.names or ():
                kept[name] = latest[name][latest["has_digest"]]
            yield kept


def _path_rows(at: NDArray[np.int64], table: pa.Table, without: bytes) -> NDArray[Any]:
    import pyarrow.compute as pc

    paths = in_one_piece(table["path"])
    halves, which = digest_halves(in_one_piece(table["digest"]))
    rows = np.zeros(len(table), _PATH_ROW)
    rows["file"], rows["key"] = at, value_keys(paths)
    rows["first"][which], rows["second"][which] = halves[:, 0], halves[:, 1]
    rows["has_digest"][which] = True
    left_out = pc.match_substring(paths, without).to_numpy(zero_copy_only=False)
    rows["has_digest"][left_out.astype(bool)] = False
    return rows


def _last_of_each_path(found: Any, rows: NDArray[Any]) -> NDArray[Any]:
    def paths_at(at: NDArray[np.int64]) -> pa.Array:
        return in_one_piece(found.take(rows["file"][at].tolist(), columns=["path"])["path"])

    return rows[last_of_each(rows["key"], paths_at)]


def _joined(
    vectors: Sequence[NDArray[Any]], files: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the files that have a vector in all stores, with these, and the others."""
    best = [
        rows[best_of_each(rows["first"], rows["second"], rows["n_windows"])] for rows in vectors
    ]
    asked = np.stack([files["first"], files["second"]], axis=1)
    at = [
        HeldDigests(first=rows["first"], second=rows["second"], n_windows=rows["n_windows"]).places(
            asked
        )
        for rows in best
    ]
    is_held = np.logical_and.reduce([where >= 0 for where in at])
    joined = np.empty(np.count_nonzero(is_held), _song_row(len(vectors)))
    for name in _FILE_ROW.names or ():
        joined[name] = files[name][is_held]
    for store, (rows, where) in enumerate(zip(best, at, strict=True)):
        for name in ("row", "n_windows", "crc"):
            joined[name][:, store] = rows[name][where[is_held]]
    return joined, files[~is_held]


def _put_in_order(songs: RowFiles, part: int) -> int:
    """Sort a part by place, and count its recordings."""
    rows = songs.read(part)
    rows = rows[np.lexsort((rows["file"], rows["row"][:, 0]))]
    songs.replace(part, rows)
    return int(np.count_nonzero(first_of_each(rows)))


def first_of_each(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the first file of each recording, shape (n,); those of one stand side by side."""
    place = rows["row"][:, 0]
    return np.append(True, place[1:] != place[:-1])[: len(rows)]


def hex_digests(rows: NDArray[Any]) -> pa.StringArray:
    """Return the digests of rows, of which `first` and `second` are the halves."""
    import pyarrow as pa

    halves = np.stack([rows["first"], rows["second"]], axis=1).astype(">u8")
    ends = np.arange(len(rows) + 1, dtype=np.int32) * (2 * DIGEST_BYTES)
    text = pa.py_buffer(halves.tobytes().hex().encode())
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(ends), text)
