"""Results as text: a table, JSON, JSON lines, CSV, a playlist."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from classify.errors import ClassifyError

__all__ = ["FORMATS", "Row", "fields_of", "printable", "render", "to_json", "write_text"]

Row = Mapping[str, Any]


def to_json(document: Any, *, indent: int | None = 1) -> str:
    r"""Write a JSON document that is valid UTF-8 whatever a file is called.

    Bytes of a file name that are not UTF-8 (surrogate escapes in Python) come out as ``\udcXX``, which
    Python's ``json`` and ``os.fsencode`` turn back into the same name.
    """
    return _valid(json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False))


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# Without indentation json encodes in C; one encoder for all rows, as `json.dumps` would make one for each.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _json(rows: Sequence[Row]) -> str:
    lines = ",\n ".join(map(_encode, rows))
    return _valid(f"[\n {lines}\n]\n") if lines else "[]\n"


def _jsonl(rows: Sequence[Row]) -> str:
    return _valid("".join(_encode(row) + "\n" for row in rows))


def _csv(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    """Keep a spreadsheet from taking a song's title for a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


def _m3u8(rows: Sequence[Row]) -> str:
    lines = ["#EXTM3U"]
    for row in rows:
        if "error" in row or "\n" in row["path"] or "\r" in row["path"]:
            continue  # a playlist has no way to hold either
        name = " - ".join(" ".join(str(row[key]).split()) for key in ("artist", "title") if row.get(key))
        seconds = round(row.get("duration_s") or -1)
        lines += [f"#EXTINF:{seconds},{name or Path(row['path']).stem}", row["path"]]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row]) -> str:
    """Lay rows out in columns, as wide as they need; numbers to the right."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    body = [[_text(row.get(name)) for name in columns] for row in rows]
    numeric = [all(not isinstance(r.get(name), str) for r in rows) for name in columns]
    widths = [max(len(line[i]) for line in [columns, *body]) for i in range(len(columns))]
    lines = []
    for line in [columns, *body]:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "".join(line + "\n" for line in lines)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return printable(text)


def fields_of(songs: Sequence[Any]) -> list[dict[str, Any]]:
    """Turn dataclasses of one kind into rows, without the deep copies of `dataclasses.asdict`.

    Parameters
    ----------
    songs : sequence of dataclass
        With fields that are not changed later.
    """
    names = [field.name for field in fields(songs[0])] if songs else []
    return [{name: getattr(song, name) for name in names} for song in songs]


FORMATS: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "m3u8": _m3u8,
}


def render(rows: Sequence[Row], format_: str) -> str:
    """Turn rows into text.

    Parameters
    ----------
    rows : sequence of mapping
        In the order of output; a row that failed has an ``error``.
    format_ : str
        A key of `FORMATS`.

    Raises
    ------
    ClassifyError
        If there is no such format.
    """
    if format_ not in FORMATS:
        raise ClassifyError(f"there is no format {format_!r}; there are {', '.join(FORMATS)}")
    return FORMATS[format_](rows)


def printable(text: str) -> str:
    """Replace control characters: a file's name must not reach the terminal as a command, or forge a line."""
    if text.isprintable():  # nearly always
        return text
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file under a temporary name and give it its own: all of it or nothing.

    A link stays, and what it leads to is replaced; a device such as /dev/stdout is written into.

    Raises
    ------
    ClassifyError
        If it can't be written.
    """
    target = os.path.realpath(path)
    # Names that are not UTF-8 come out as the bytes that they are on disk.
    content = text.encode("utf-8", "surrogateescape")
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "wb") as device:
                device.write(content)
            return
        mode = os.stat(target).st_mode & 0o777 if os.path.exists(target) else 0o666
        folder, name = os.path.split(target)
        part = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.tmp")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as error:
        raise ClassifyError(f"{target} can't be written: {error.strerror or error}") from error
