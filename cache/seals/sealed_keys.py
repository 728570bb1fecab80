"""Compare the keys of embeddings with their checksums, without reading a vector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cache.crc32 import rows_crc32
from cache.errors import damaged_store
from cache.seals.seal_file import Seal, nearest_seal
from cache.seals.sealed_files import FragmentFiles, fragments_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KEYS", "check_keys", "key_tables"]

KEYS = ("digest", "n_windows", "vector_crc32")
"""What is read of embeddings without the vectors, whose own checksums cover it otherwise."""
_KEYS_AT_ONCE = 100_000  # rows


def check_keys(found: Any, table: pa.Table) -> None:
    """Compare the keys of all rows of an open dataset with its seal.

    Parameters
    ----------
    found : lance.LanceDataset
    table : pyarrow.Table
        With the columns `KEYS`, in order.

    Raises
    ------
    DamagedStore
        If a row has gone or has another key than was written.
    """
    seal = nearest_seal(found.uri, found.version)
    if seal is not None:
        _compare_keys(found, seal, fragments_of(found), table)


def key_tables(found: Any) -> Iterator[pa.Table]:
    """Read the columns `KEYS` of all rows of an open dataset, in order, some 100,000 at a time.

    They are compared with its seal, as by `check_keys`.

    Parameters
    ----------
    found : lance.LanceDataset

    Raises
    ------
    DamagedStore
        If a row has gone or has another key than was written.
    """
    seal = nearest_seal(found.uri, found.version)
    some: list[FragmentFiles] = []
    n_rows = 0
    for fragment in fragments_of(found):
        some.append(fragment)
        n_rows += fragment.n_rows
        if n_rows >= _KEYS_AT_ONCE:
            yield _keys_of(found, seal, some)
            some, n_rows = [], 0
    if some:
        yield _keys_of(found, seal, some)


def _keys_of(found: Any, seal: Seal | None, fragments: Sequence[FragmentFiles]) -> pa.Table:
    parts = [found.get_fragment(one.number) for one in fragments]
    table = found.scanner(columns=list(KEYS), fragments=parts, scan_in_order=True).to_table()
    if seal is not None:
        _compare_keys(found, seal, fragments, table)
    return table


def _compare_keys(
    found: Any, seal: Seal, fragments: Iterable[FragmentFiles], table: pa.Table
) -> None:
    start = 0
    for fragment in fragments:
        rows = table.slice(start, fragment.n_rows)
        start += fragment.n_rows
        if seal.keys.get(fragment.name, (0, 0)) not in ((0, 0), rows_crc32(rows, KEYS)):
            raise damaged_store(
                found.uri, f"{fragment.data[0]} does not hold the songs that it did"
            )
    if start != table.num_rows:
        raise damaged_store(found.uri, f"there are {table.num_rows} rows and should be {start}")
