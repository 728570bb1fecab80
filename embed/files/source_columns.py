"""Songs in columns: their paths, sizes and versions, of which there may be ten million.

A path as text with an object for its size takes a kilobyte in Python, in columns what it is long.
"""

from __future__ import annotations

import os
from binascii import hexlify, unhexlify
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import StoredObject, value_keys, version_numbers

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["SourceBlock", "SourceColumns", "SourceIndex", "bucket_and_key"]

_BLOCK_ROWS = 2**18  # of paths of 4096 bytes: 1 GB, and a column of Arrow has room for 2
_ETAG_CHARS = 34  # of 128 bits, with its quotes
_AT_ONCE = 2**16  # paths that are Python objects at a time


def bucket_and_key(source: str) -> tuple[str, str]:
    """Part an address into that of the bucket and the object's key.

    Examples
    --------
    >>> from embed.files.source_columns import bucket_and_key
    >>> bucket_and_key("s3://bucket/music/song.mp3")
    ('s3://bucket', 'music/song.mp3')
    """
    scheme, _, rest = source.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceBlock:
    """Some songs, all of them files here or all of them objects in stores.

    Attributes
    ----------
    paths : pyarrow.BinaryArray, shape (n,)
        As `os.fsencode` makes them.
    sizes : ndarray, shape (n,), int64
        In bytes.
    mtimes_ns : ndarray, shape (n,), int64, or None
        Of files.
    versions : pyarrow.StringArray or FixedSizeBinaryArray, shape (n,), or None
        Of objects, see `cache.StoredObject`; as bytes where all are 32 hexadecimal digits in
        quotes, as the ETags of stores mostly are.
    """

    paths: pa.BinaryArray
    sizes: NDArray[np.int64]
    mtimes_ns: NDArray[np.int64] | None = None
    versions: pa.StringArray | pa.FixedSizeBinaryArray | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    @classmethod
    def of_files(cls, states: Mapping[str, os.stat_result]) -> SourceBlock:
        """Put files here into columns, with what `os.stat` tells of each."""
        import pyarrow as pa

        last = 2**63 - 1  # some file systems allow any time
        times = (min(max(one.st_mtime_ns, -last - 1), last) for one in states.values())
        return cls(
            paths=pa.array(map(os.fsencode, states), pa.binary()),
            sizes=np.fromiter((one.st_size for one in states.values()), np.int64, len(states)),
            mtimes_ns=np.fromiter(times, np.int64, len(states)),
        )

    @classmethod
    def of_objects(cls, objects: Mapping[str, StoredObject]) -> SourceBlock:
        """Put objects by their addresses into columns."""
        import pyarrow as pa

        sizes = (one.size_bytes for one in objects.values())
        return cls(
            paths=pa.array(map(os.fsencode, objects), pa.binary()),
            sizes=np.fromiter(sizes, np.int64, len(objects)),
            versions=pa.array((one.version for one in objects.values()), pa.string()),
        )

    @classmethod
    def of_columns(
        cls, paths: pa.StringArray, sizes: pa.Int64Array, versions: pa.StringArray
    ) -> SourceBlock:
        """Take the columns of a list of objects."""
        import pyarrow as pa

        return cls(
            paths=paths.cast(pa.binary()), sizes=sizes.to_numpy(), versions=_packed(versions)
        )

    def take(self, at: NDArray[np.integer[Any]]) -> SourceBlock:
        """Return those at some places."""
        return SourceBlock(
            paths=self.paths.take(at),
            sizes=self.sizes[at],
            mtimes_ns=None if self.mtimes_ns is None else self.mtimes_ns[at],
            versions=None if self.versions is None else self.versions.take(at),
        )

    def states(self, at: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return what the catalog keeps of the times or versions at some places, shape (n,)."""
        if self.mtimes_ns is not None:
            return np.asarray(self.mtimes_ns[at])
        assert self.versions is not None
        return version_numbers(_unpacked(self.versions.take(at)))

    @staticmethod
    def joined(blocks: Sequence[SourceBlock]) -> SourceBlock:
        """Put blocks of one kind together."""
        import pyarrow as pa

        if len(blocks) == 1:
            return blocks[0]
        times = [block.mtimes_ns for block in blocks if block.mtimes_ns is not None]
        versions = [block.versions for block in blocks if block.versions is not None]
        if len({one.type for one in versions}) > 1:
            versions = [pa.array(_unpacked(one), pa.binary()).cast(pa.string()) for one in versions]
        return SourceBlock(
            paths=pa.concat_arrays([block.paths for block in blocks]),
            sizes=np.concatenate([block.sizes for block in blocks]),
            mtimes_ns=np.concatenate(times) if times else None,
            versions=pa.concat_arrays(versions) if versions else None,
        )


def _packed(versions: pa.StringArray) -> pa.StringArray | pa.FixedSizeBinaryArray:
    """Return versions that are all 32 hexadecimal digits in quotes as 16 bytes each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.min_max(pc.binary_length(versions)).as_py()
    if lengths != {"min": _ETAG_CHARS, "max": _ETAG_CHARS} or versions.null_count:
        return versions
    joined = b"".join(versions.cast(pa.binary()).to_pylist())
    digits = np.frombuffer(joined, np.uint8).reshape(-1, _ETAG_CHARS)[:, 1:-1].tobytes()
    try:
        packed = unhexlify(digits)
    except ValueError:
        return versions
    as_bytes = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(versions), [None, pa.py_buffer(packed)]
    )
    return as_bytes if b"".join(_unpacked(as_bytes)) == joined else versions  # as in upper case


def _unpacked(versions: pa.StringArray | pa.FixedSizeBinaryArray) -> list[bytes]:
    import pyarrow as pa

    texts: list[bytes] = versions.cast(pa.binary()).to_pylist()
    if pa.types.is_fixed_size_binary(versions.type):
        return [b'"%b"' % hexlify(one) for one in texts]
    return texts


class SourceColumns(Mapping[str, StoredObject]):
    """Songs in columns, in their order; as a mapping, the objects among them by their addresses.

    Parameters
    ----------
    blocks : iterable of SourceBlock
        Small ones are put together.

    Examples
    --------
    >>> from cache import StoredObject
    >>> from embed.files.source_columns import SourceBlock, SourceColumns
    >>> one = StoredObject(name="a.mp3", size_bytes=9, version='"x"')
    >>> songs = SourceColumns([SourceBlock.of_objects({"s3://bucket/a.mp3": one})])
    >>> len(songs), songs["s3://bucket/a.mp3"] == one
    (1, True)
    """

    def __init__(self, blocks: Iterable[SourceBlock] = ()) -> None:
        self.blocks = tuple(_regrouped(blocks))
        ends = np.cumsum([len(block) for block in self.blocks], dtype=np.int64)
        self._starts = np.append(np.int64(0), ends)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __iter__(self) -> Iterator[str]:
        for block in self.blocks:
            for start in range(0, len(block), _AT_ONCE):
                yield from map(os.fsdecode, block.paths.slice(start, _AT_ONCE).to_pylist())

    def __getitem__(self, path: str) -> StoredObject:
        import pyarrow as pa

        (place,) = self.index.places(pa.array([os.fsencode(path)], pa.binary()))
        found = self.objects_at(np.array([place]))[0] if place >= 0 else None
        if found is None:
            raise KeyError(path)
        return found

    def by_address(self) -> dict[str, StoredObject]:
        """Return the objects by their addresses, all at once: for a few thousand of them."""
        objects = self.objects_at(np.arange(len(self)))
        told = zip(self, objects, strict=True)
        return {address: one for address, one in told if one is not None}

    @cached_property
    def index(self) -> SourceIndex:
        """What finds paths."""
        return SourceIndex(self)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """The sizes of all in bytes, shape (n,)."""
        each = [block.sizes for block in self.blocks]
        return each[0] if len(each) == 1 else np.concatenate([np.zeros(0, np.int64), *each])

    def _parts(
        self, places: NDArray[np.integer[Any]]
    ) -> Iterator[tuple[NDArray[np.intp], SourceBlock, NDArray[np.integer[Any]]]]:
        """Return where some places lie: which of them in a block, the block, and where in it."""
        which = self._blocks_at(places)
        for number in np.flatnonzero(np.bincount(which)).tolist():
            here = np.flatnonzero(which == number)
            yield here, self.blocks[number], places[here] - self._starts[number]

    def paths_at(self, places: NDArray[np.integer[Any]]) -> pa.BinaryArray:
        """Return the paths at some places, in their order."""
        import pyarrow as pa

        parts = [(here, block.paths.take(rows)) for here, block, rows in self._parts(places)]
        if len(parts) <= 1:
            return parts[0][1] if parts else pa.array([], pa.binary())
        order = np.argsort(np.concatenate([here for here, _ in parts]))
        return pa.concat_arrays([paths for _, paths in parts]).take(order)

    def states_at(self, places: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return what the catalog keeps of times and versions, see `SourceBlock.states`."""
        states = np.empty(len(places), np.int64)
        for here, block, rows in self._parts(places):
            states[here] = block.states(rows)
        return states

    def objects_at(self, places: NDArray[np.integer[Any]]) -> list[StoredObject | None]:
        """Return the objects at some places; None for a file."""
        objects: list[StoredObject | None] = [None] * len(places)
        for here, whole, rows in self._parts(places):
            if whole.versions is None:
                continue
            block = whole.take(rows)
            assert block.versions is not None
            columns = (block.paths.to_pylist(), block.sizes.tolist(), _unpacked(block.versions))
            for at, path, size, version in zip(here.tolist(), *columns, strict=True):
                key = bucket_and_key(os.fsdecode(path))[1]
                objects[at] = StoredObject(name=key, size_bytes=size, version=version.decode())
        return objects

    def are_objects(self, places: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Tell which of some places have an object in a store, and no file."""
        of_blocks = np.array([block.versions is not None for block in self.blocks], bool)
        return of_blocks[self._blocks_at(places)]

    def _blocks_at(self, places: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
        return np.searchsorted(self._starts, places, side="right") - 1

    def joined(self, *others: SourceColumns) -> SourceColumns:
        """Return these and then others, each path once."""
        if not any(map(len, others)):
            return self
        return SourceColumns(block for one in (self, *others) for block in one.blocks).distinct()

    def distinct(self) -> SourceColumns:
        """Leave out what is there a second time."""
        again = self.index.repeated()
        if not len(again):
            return self
        kept = np.ones(len(self), bool)
        kept[again] = False
        bounds = zip(self.blocks, self._starts[:-1].tolist(), strict=True)
        return SourceColumns(
            block.take(np.flatnonzero(kept[start : start + len(block)])) for block, start in bounds
        )

    def lacking(self, paths: Iterable[str]) -> list[str]:
        """Return which of some paths are not among these."""
        import pyarrow as pa

        asked = list(paths)
        if not asked or not len(self):
            return asked
        places = self.index.places(pa.array(map(os.fsencode, asked), pa.binary()))
        return [path for path, place in zip(asked, places.tolist(), strict=True) if place < 0]


def _regrouped(blocks: Iterable[SourceBlock]) -> Iterator[SourceBlock]:
    """Put small blocks together, so that there are few of them."""
    some: list[SourceBlock] = []
    n_rows = 0
    for block in filter(len, blocks):
        kinds_differ = some and (some[0].versions is None) != (block.versions is None)
        if some and (kinds_differ or n_rows + len(block) > _BLOCK_ROWS):
            yield SourceBlock.joined(some)
            some, n_rows = [], 0
        some.append(block)
        n_rows += len(block)
    if some:
        yield SourceBlock.joined(some)


class SourceIndex:
    """Where paths stand in columns, by sorted 64-bit keys: 16 bytes a path.

    Parameters
    ----------
    songs : SourceColumns
    """

    def __init__(self, songs: SourceColumns) -> None:
        self._songs = songs
        self._keys = np.empty(len(songs), np.int64)
        start = 0
        for block in songs.blocks:
            self._keys[start : start + len(block)] = value_keys(block.paths)
            start += len(block)
        self._order = np.argsort(self._keys, kind="stable").astype(np.int32)
        self._keys.sort()

    def places(self, paths: pa.BinaryArray) -> NDArray[np.int64]:
        """Tell where paths stand, shape (n,), int64; -1 for those that are not there."""
        keys = value_keys(paths)
        found = np.full(len(keys), -1)
        in_order = np.argsort(keys)  # so that what is looked up lies close together
        at = np.empty(len(keys), np.int64)
        at[in_order] = np.searchsorted(self._keys, keys[in_order])
        left = np.arange(len(keys))
        while len(left):  # once, but where two paths have one key
            left = left[at[left] < len(self._keys)]
            left = left[self._keys[at[left]] == keys[left]]
            there = self._order[at[left]]
            is_it = _same(paths.take(left), self._songs.paths_at(there))
            found[left[is_it]] = there[is_it]
            left = left[~is_it]
            at[left] += 1
        return found

    def repeated(self) -> NDArray[np.int64]:
        """Return the places of paths that stand at an earlier place, too."""
        same_key = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        if not len(same_key):
            return same_key
        once = np.unique(np.concatenate([same_key, same_key + 1]))
        seen: set[bytes] = set()
        again, last = [], None
        for start in range(0, len(once), _AT_ONCE):
            some = once[start : start + _AT_ONCE]
            places = self._order[some]
            paths = self._songs.paths_at(places).to_pylist()
            keys = self._keys[some].tolist()
            for key, place, path in zip(keys, places.tolist(), paths, strict=True):
                if key != last:
                    last, seen = key, set()
                if path in seen:
                    again.append(place)
                seen.add(path)
        return np.array(again, np.int64)


def _same(some: pa.BinaryArray, others: pa.BinaryArray) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    same: NDArray[np.bool_] = pc.equal(some, others).to_numpy(zero_copy_only=False)
    return same
