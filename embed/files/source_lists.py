"""Lists of millions of sources in place of a search: of Parquet, CSV or text.

To list 100 million keys takes a store 100,000 requests, one after the other; whoever has an
inventory hands it over. Columns for sizes and versions spare a request for each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cache import StoredObject
from embed.errors import EmbedError
from embed.files.buckets import bucket_and_key, look_at
from embed.files.entries import is_source
from embed.files.find import FoundAudio

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["find_listed"]

_NAMES = ("path", "source", "uri")
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
    table = _table(where)
    name = next((name for name in _NAMES if name in table.column_names), None)
    if name is None:
        raise EmbedError(
            f"{where} has no column {', '.join(_NAMES)}, but {', '.join(table.column_names)[:200]}"
        )
    folder = os.path.dirname(os.path.abspath(where))
    sources = [
        text if is_source(text) else os.path.join(folder, text)
        for text in map(str.strip, filter(None, table[name].to_pylist()))
        if text
    ]
    objects = _versions(table, name)
    lost = look_at(filter(is_source, dict.fromkeys(sources)), objects)
    gone = {failure.path for failure in lost}
    files = tuple(source for source in dict.fromkeys(sources) if source not in gone)
    return FoundAudio(files=files, failures=tuple(lost), objects=objects)


def _table(path: Path) -> pa.Table:
    import pyarrow as pa

    suffix = path.suffix.lower()
    if suffix not in _KINDS:
        raise EmbedError(f"{path} is no list of sources; {', '.join(_KINDS)} are read")
    if not path.is_file():
        raise EmbedError(f"{path} does not exist; name a list of sources")
    try:
        if suffix == ".parquet":
            from pyarrow import parquet

            wanted = {*_NAMES, "size_bytes", "etag"}
            there = parquet.read_schema(path).names
            return parquet.read_table(path, columns=[one for one in there if one in wanted] or None)
        if suffix == ".csv":
            from pyarrow import csv

            texts = {name: pa.string() for name in (*_NAMES, "etag")}
            return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=texts))
        return pa.table({"path": path.read_text("utf-8", "surrogateescape").splitlines()})
    except (OSError, ValueError, pa.ArrowException) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise EmbedError(f"{path} can't be read as a list of sources ({said})") from error


def _versions(table: pa.Table, name: str) -> dict[str, StoredObject]:
    if not {"size_bytes", "etag"} <= set(table.column_names):
        return {}
    columns = (table[one].to_pylist() for one in (name, "size_bytes", "etag"))
    return {
        source: StoredObject(
            name=bucket_and_key(source)[1], size_bytes=int(size), version=_quoted(etag)
        )
        for source, size, etag in zip(*columns, strict=True)
        if source and is_source(source) and size is not None and etag
    }


def _quoted(etag: str) -> str:
    """Write an ETag as stores answer it; inventories leave its quotes out."""
    return etag if etag.startswith('"') else f'"{etag}"'
