"""Lists of millions of sources in place of a search: of Parquet, CSV or text.

To list 100 million keys takes a store 100,000 requests, one after the other; whoever has an
inventory hands it over. Columns for sizes and versions spare a request for each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from embed.errors import EmbedError
from embed.files.buckets import look_at
from embed.files.entries import SCHEMES, is_source
from embed.files.find import FoundAudio
from embed.files.source_columns import SourceBlock, SourceColumns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["find_listed"]

_NAMES = ("path", "source", "uri")
_WANTED = {*_NAMES, "size_bytes", "etag"}
_ROWS_AT_ONCE = 65_536
_KINDS = (".parquet", ".csv", ".txt")


def find_listed(path: str | os.PathLike[str]) -> FoundAudio:
    r"""Read a list of sources.

    Parameters
    ----------
    path : path
        Of a ``.parquet`` or ``.csv`` file with a column ``path``, ``source`` or ``uri``, and, where
        there are, ``size_bytes`` and ``etag`` of objects; or of a ``.txt`` with one a line. What is
        no address of an object store is a file; relative ones begin at the list's folder.

    Raises
    ------
    EmbedError
        If it can't be read, has no such column, or an object store refuses.

    Examples
    --------
    >>> from pathlib import Path
    >>> from embed import find_listed
    >>> Path("two.txt").write_text("music/calm_acoustic_1.opus\nmusic/no.mp3\n")
    40
    >>> len(find_listed("two.txt").files)
    2
    """
    where = Path(path).expanduser()
    folder = os.path.dirname(os.path.abspath(where))
    files: dict[str, None] = {}
    unknown: dict[str, None] = {}
    objects = SourceColumns(_objects_of(where, folder, files, unknown)).distinct()
    objects, lost = look_at(unknown, objects)
    return FoundAudio(files=tuple(files), failures=tuple(lost), objects=objects)


def _objects_of(
    where: Path, folder: str, files: dict[str, None], unknown: dict[str, None]
) -> Iterator[SourceBlock]:
    """Return the objects whose versions a list tells; add what else it has to the other two."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for table in _tables(where):
        name = next((name for name in _NAMES if name in table.column_names), None)
        if name is None:
            there = ", ".join(table.column_names)[:200]
            raise EmbedError(f"{where} has no column {', '.join(_NAMES)}, but {there}")
        paths = pc.utf8_trim_whitespace(_column(table, name, pa.string()))
        are_sources = pc.starts_with(paths, SCHEMES[0])
        for scheme in SCHEMES[1:]:
            are_sources = pc.or_(are_sources, pc.starts_with(paths, scheme))
        sizes, tags = _column(table, "size_bytes", pa.int64()), _column(table, "etag", pa.string())
        told = pc.and_(sizes.is_valid(), pc.greater(pc.binary_length(tags), 0))
        is_object = pc.and_(are_sources, told).fill_null(False)
        for path in filter(None, paths.filter(pc.invert(is_object)).to_pylist()):
            if is_source(path):
                unknown[path] = None
            else:
                files[os.path.join(folder, path)] = None
        yield SourceBlock.of_columns(
            paths.filter(is_object), sizes.filter(is_object), _quoted(tags.filter(is_object))
        )


def _column(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if name not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    return table[name].cast(kind).combine_chunks()


def _tables(path: Path) -> Iterator[pa.Table]:
    """Read a list, a part of it at a time."""
    import pyarrow as pa

    suffix = path.suffix.lower()
    if suffix not in _KINDS:
        raise EmbedError(f"{path} is no list of sources; {', '.join(_KINDS)} are read")
    if not path.is_file():
        raise EmbedError(f"{path} does not exist; name a list of sources")
    read = {".parquet": _of_parquet, ".csv": _of_csv, ".txt": _of_text}[suffix]
    try:
        yield from read(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise EmbedError(f"{path} can't be read as a list of sources ({said})") from error


def _of_parquet(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        wanted = [name for name in names if name in _WANTED]
        if not wanted:
            yield file.schema_arrow.empty_table()
            return
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
            yield pa.Table.from_batches([batch])


def _of_csv(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa
    from pyarrow import csv

    with csv.open_csv(path) as reader:
        names = reader.schema.names
    wanted = [name for name in names if name in _WANTED]
    if not wanted:
        yield pa.table({name: [] for name in names})
        return
    kinds = dict.fromkeys((*_NAMES, "etag"), pa.string()) | {"size_bytes": pa.int64()}
    options = csv.ConvertOptions(column_types=kinds, include_columns=wanted)
    with csv.open_csv(path, convert_options=options) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _of_text(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa

    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        while some := list(islice(lines, _ROWS_AT_ONCE)):
            yield pa.table({"path": some})


def _quoted(tags: pa.StringArray) -> pa.StringArray:
    """Write ETags as stores answer them; inventories leave the quotes out."""
    import pyarrow.compute as pc

    quoted = pc.binary_join_element_wise('"', tags, '"', "")
    return pc.if_else(pc.starts_with(tags, '"'), tags, quoted)
