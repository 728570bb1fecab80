"""The folders that the songs lie in, by their paths in the catalog; no disk is looked at."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from classify.web.live.song_columns import SongColumns
from classify.web.problems import Problem

__all__ = ["SongFolder", "song_folders", "songs_below"]

_MOST = 2000


@dataclass(frozen=True, kw_only=True)
class SongFolder:
    """A folder with songs in it or below.

    Attributes
    ----------
    path : str
        Absolute.
    name : str
        The path from the folder that has them all.
    n_songs : int
    """

    path: str
    name: str
    n_songs: int


def song_folders(columns: SongColumns) -> list[SongFolder]:
    """List the folders that hold up to half of the library, by path; of very many those with most.

    A folder with more of it would be no taste: nothing would be left to tell it from.
    """
    paths = columns.all_paths()
    if not paths:
        return []
    root = os.path.commonpath([os.path.dirname(path) for path in paths])
    counts: Counter[str] = Counter()
    for path in paths:
        counts.update(_above(path, root))
    small = {path: n for path, n in counts.items() if 2 * n <= len(paths)}
    most = sorted(small, key=lambda path: (-small[path], path))[:_MOST]
    return [
        SongFolder(path=path, name=os.path.relpath(path, root), n_songs=small[path])
        for path in sorted(most)
    ]


def songs_below(folder: str, columns: SongColumns) -> Sequence[str]:
    """Return the digests of a folder's songs, and of those in folders below, by path.

    Raises
    ------
    Problem
        422 if the library has none there, or more than half of it lies there.
    """
    below = os.path.join(folder, "")
    rows = [row for row, path in enumerate(columns.all_paths()) if path.startswith(below)]
    if not rows:
        raise Problem(422, "no song of the library lies in this folder; scan it first")
    if 2 * len(rows) > len(columns):
        raise Problem(
            422,
            f"{len(rows)} of the library's {len(columns)} songs lie in this folder: a taste is "
            "what tells songs from others, so name a folder with at most half of them",
        )
    rows.sort(key=columns.path_of)
    return [columns.digest_of(row) for row in rows]


def _above(path: str, root: str) -> list[str]:
    """Return the folders that a path lies in, below the one that has them all."""
    folders = []
    folder = os.path.dirname(path)
    while len(folder) > len(root):
        folders.append(folder)
        folder = os.path.dirname(folder)
    return folders
