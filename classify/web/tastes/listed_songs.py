"""Which songs of the library a playlist from elsewhere names.

An entry is compared with the paths of the catalog and with nothing on the disk: it is a stranger's.
Where its path is not that of a song, the song counts whose path has the most of its end: a list
from another computer names the same folders below others.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote

from classify.web.problems import Problem
from embed import list_entries

if TYPE_CHECKING:
    from classify.web.live.song_columns import SongColumns

__all__ = ["ListedSongs", "listed_songs"]

_MOST_TOLD = 100


@dataclass(frozen=True, kw_only=True)
class ListedSongs:
    """What a list names.

    Attributes
    ----------
    digests : tuple of str
        Songs of the library, each once, in the order of the list.
    n_entries, n_missing : int
        Entries of the list, and those that are no song of the library, or may be several.
    missing : tuple of str
        The first 100 of the latter.
    """

    digests: tuple[str, ...]
    n_entries: int
    n_missing: int
    missing: tuple[str, ...]


def listed_songs(content: bytes, kind: str, columns: SongColumns) -> ListedSongs:
    """Read a playlist or CSV, and find its songs.

    Parameters
    ----------
    content : bytes
        The file's.
    kind : str
        Its ending, such as ``m3u8``; one of `embed.LIST_SUFFIXES`.
    columns : SongColumns

    Raises
    ------
    Problem
        422 if it can't be read, or names nothing.
    """
    entries = _entries(content, kind)
    if not entries:
        raise Problem(422, f"the list names no song; a .{kind} with a path for each is needed")
    finder = _Finder(columns)
    rows = [finder.row_of(entry) for entry in entries]
    found = dict.fromkeys(row for row in rows if row is not None)
    missing = [entry for entry, row in zip(entries, rows, strict=True) if row is None]
    return ListedSongs(
        digests=tuple(columns.digest_of(row) for row in found),
        n_entries=len(entries),
        n_missing=len(missing),
        missing=tuple(missing[:_MOST_TOLD]),
    )


def _entries(content: bytes, kind: str) -> list[str]:
    with TemporaryDirectory(prefix="sevensongs-") as folder:
        path = Path(folder, f"list.{kind}")
        path.write_bytes(content)
        try:
            return list_entries(str(path))
        except (OSError, ValueError) as error:
            raise Problem(422, f"the list {error}") from error


class _Finder:
    def __init__(self, columns: SongColumns) -> None:
        self._parts = [_parts(path) for path in columns.all_paths()]
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for row, parts in enumerate(self._parts):
            self._by_name[parts[-1]].append(row)

    def row_of(self, entry: str) -> int | None:
        """Return the one song whose path ends as the entry does, the longer the better."""
        parts = _parts(_plain(entry))
        alike = [(_n_alike(parts, self._parts[row]), row) for row in self._by_name[parts[-1]]]
        most = max(alike, default=(0, 0))[0]
        best = [row for n, row in alike if n == most]
        return best[0] if len(best) == 1 else None


def _plain(entry: str) -> str:
    """Write an entry as a path: without a file URL's beginning and encoding."""
    text = entry.strip()
    if text.lower().startswith("file:"):
        return unquote(text[5:], errors="surrogateescape")
    return text


def _parts(path: str) -> Sequence[str]:
    """Split a path of any system, in one Unicode form and in lower case."""
    folded = unicodedata.normalize("NFC", path).casefold()
    return [part for part in folded.replace("\\", "/").split("/") if part] or [""]


def _n_alike(one: Sequence[str], other: Sequence[str]) -> int:
    n = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        n += 1
    return n
