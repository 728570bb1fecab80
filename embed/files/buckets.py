"""Music in object stores: which objects below an address are songs, and their versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from cache import Bucket, CacheError, StoredObject, map_in_order
from embed.errors import EmbedError
from embed.files.entries import Failure
from embed.files.folders import AUDIO_SUFFIXES, PassedOver
from embed.files.playlists import LIST_SUFFIXES
from embed.files.source_columns import SourceBlock, SourceColumns, bucket_and_key

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["look_at", "searched_bucket"]

_ASKED_AT_ONCE = 32  # objects
_ROWS_AT_ONCE = 65_536


def searched_bucket(source: str, passed_over: PassedOver) -> SourceColumns | Failure:
    """Search an object store below an address; an object that is named itself is taken as it is.

    Parameters
    ----------
    source : str
    passed_over : PassedOver
        To which what is left alone is added.

    Returns
    -------
    SourceColumns or Failure
        Songs, in the order of their keys.

    Raises
    ------
    EmbedError
        If the store refuses.
    """
    base, key = bucket_and_key(source)
    bucket = Bucket(base)
    try:
        named = None if key.endswith("/") or not key else bucket.about(key)
        if named is not None:
            return _named(source, named)
        search = _Search(base, passed_over)
        listings = bucket.listings(key.rstrip("/"))
        songs = SourceColumns(map(search.songs_of, _in_larger_parts(listings)))
    except CacheError as error:
        raise EmbedError(str(error)) from error
    if not search.n_found:
        return Failure(path=source, error="does not exist: no object has such a key")
    return songs


def _named(source: str, one: StoredObject) -> SourceColumns | Failure:
    if _suffix(one.name) in LIST_SUFFIXES:
        return Failure(path=source, error="is a list in an object store; name a copy of it here")
    return SourceColumns([SourceBlock.of_objects({source: one})])


def _in_larger_parts(listings: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Put answers of 1,000 objects together: else calls take longer than what is done in them."""
    import pyarrow as pa

    some: list[pa.RecordBatch] = []
    n_rows = 0
    for listed in listings:
        some.append(listed)
        n_rows += len(listed)
        if n_rows >= _ROWS_AT_ONCE:
            yield pa.concat_batches(some)
            some, n_rows = [], 0
    if some:
        yield pa.concat_batches(some)


class _Search:
    """Takes the songs out of the parts of a bucket's list."""

    def __init__(self, base: str, passed_over: PassedOver) -> None:
        self._base, self._passed_over = base, passed_over
        self.n_found = 0

    def songs_of(self, listed: pa.RecordBatch) -> SourceBlock:
        import pyarrow as pa
        import pyarrow.compute as pc

        self.n_found += len(listed)
        names = listed["name"]
        hidden = pc.or_(pc.starts_with(names, "."), pc.match_substring(names, "/."))
        shown = listed.filter(pc.invert(hidden))
        # as there are few of them, whatever the number of songs
        suffixes = _last_parts(shown["name"]).dictionary_encode()
        counts = np.bincount(suffixes.indices.to_numpy(), minlength=len(suffixes.dictionary))
        are_songs = []
        for ending, n in zip(suffixes.dictionary.to_pylist(), counts.tolist(), strict=True):
            suffix = _suffix(ending)
            are_songs.append(suffix in AUDIO_SUFFIXES)
            for _ in range(0 if are_songs[-1] else n):
                self._passed_over.add_file(suffix)
        songs = shown.filter(pa.array(are_songs, pa.bool_()).take(suffixes.indices))
        return SourceBlock.of_columns(
            pc.binary_join_element_wise(f"{self._base}/", songs["name"], ""),
            songs["size_bytes"],
            songs["version"],
        )


def _last_parts(names: pa.StringArray) -> pa.StringArray:
    """Return what comes after the last dot, with it; of a name without one, all of it."""
    import pyarrow.compute as pc

    parts = pc.split_pattern(names, ".", max_splits=1, reverse=True)
    has_dot = pc.equal(pc.list_value_length(parts), 2)
    last = parts.flatten().take(parts.offsets[1:].to_numpy() - 1 - parts.offsets[0].as_py())
    return pc.if_else(has_dot, pc.binary_join_element_wise(".", last, ""), last)


def _suffix(key: str) -> str:
    name = key.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def look_at(sources: Iterable[str], objects: SourceColumns) -> tuple[SourceColumns, list[Failure]]:
    """Ask for the size and version of objects that a list names, where nothing is known of them.

    Parameters
    ----------
    sources : iterable of str
        Addresses.
    objects : SourceColumns
        Those of which all is known.

    Returns
    -------
    objects : SourceColumns
        These, and then those that were asked for.
    failures : list of Failure
        What is not there.

    Raises
    ------
    EmbedError
        If the store refuses.
    """

    def ask(source: str) -> tuple[str, StoredObject | None]:
        base, key = bucket_and_key(source)
        return source, Bucket(base).about(key)

    wanted = objects.lacking(dict.fromkeys(sources))
    try:
        found = list(map_in_order(ask, wanted, n_threads=_ASKED_AT_ONCE))
    except CacheError as error:
        raise EmbedError(str(error)) from error
    there = {source: one for source, one in found if one is not None}
    lost = [Failure(path=source, error="does not exist") for source, one in found if one is None]
    return objects.joined(SourceColumns([SourceBlock.of_objects(there)])), lost
