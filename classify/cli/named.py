"""Songs that the user names by a title, or a part of it, in place of a path."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING

from classify.cli.console import say

if TYPE_CHECKING:
    from cache import CatalogFiles, FileRecord

__all__ = ["paths_of_songs", "songs_named"]

_MOST_LISTED = 10


def paths_of_songs(named: Iterable[str]) -> list[str]:
    """Return paths: those that are given, and for what is none that of the one song called so.

    Raises
    ------
    ClassifyError
        If several songs are called so; they are listed. If none is, and no path can be meant.
    CacheError
    """
    return [_path_of(one) for one in named]


def _path_of(named: str) -> str:
    if "://" in named or not named.strip() or os.path.lexists(os.path.expanduser(named)):
        return named
    from cache import Catalog, default_root
    from classify.errors import ClassifyError

    songs = songs_named(named, Catalog(default_root()).files())
    if len(songs) == 1:
        return songs[0].path
    if not songs:
        if os.sep in named or os.path.splitext(named)[1]:
            return named  # a path, of which we say that it does not exist
        raise ClassifyError(
            f"there is no file {named!r:.200}, and no song of the library has that in its artist, "
            "title or name"
        )
    for song in songs[:_MOST_LISTED]:
        name = " - ".join(part for part in (song.artist, song.title) if part)
        say(f"{name + ': ' if name else ''}{song.path}")
    if len(songs) > _MOST_LISTED:
        say(f"and {len(songs) - _MOST_LISTED} others")
    raise ClassifyError(f"{len(songs)} songs are called {named!r:.200}; name one by its path")


def songs_named(words: str, files: CatalogFiles) -> list[FileRecord]:
    """Find the songs that are called so; case and accents do not count.

    Parameters
    ----------
    words : str
        A title, or `artist - title`; where no song has just that, words that all stand in the
        artist, the title or the file's name without its ending.
    files : CatalogFiles
        All files that are known.

    Returns
    -------
    list of FileRecord
        One for each recording, by path; a file that is there if there is any.
    """
    wanted = _folded(words)
    if not wanted:
        return []
    columns = (files.column(name).to_pylist() for name in ("artist", "title"))
    digests = files.digests.to_pylist()
    exact, some = [], []
    for at, (artist, title, path, digest) in enumerate(
        zip(*columns, files.paths.to_pylist(), digests, strict=True)
    ):
        if digest is None:  # a file that failed
            continue
        name = PurePath(os.fsdecode(path)).stem
        title_text = _folded(title or name)
        if wanted in (title_text, f"{_folded(artist or '')} - {title_text}"):
            exact.append(at)
        elif not exact and _has(wanted, _folded(f"{artist or ''} {title or ''} {name}")):
            some.append(at)
    import numpy as np

    rows = files.recordings(np.array(exact or some, np.intp))
    return _each_once(rows)


def _has(wanted: str, text: str) -> bool:
    return all(word in text for word in wanted.replace(" - ", " ").split())


def _each_once(rows: list[FileRecord]) -> list[FileRecord]:
    from cache import is_there

    found: dict[str | None, FileRecord] = {}
    for row in sorted(rows, key=lambda row: (not is_there(row.path), row.path)):
        found.setdefault(row.digest, row)
    return sorted(found.values(), key=lambda row: row.path)


def _folded(text: str) -> str:
    """Write a text in lower case and without accents, as people type it."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(bare.split())
