"""Which songs belong together: those that share an artist or an album, however indirectly."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cache import CatalogFiles, FileRecord, places

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Groups", "album_of"]

# What taggers write where they don't know the artist; such songs have nothing in common.
_NOBODY = frozenset({"various artists", "various", "unknown artist", "unknown", "<unknown>", "va"})


class Groups:
    """The groups of a library; what is the same for every recording is found out once.

    Parameters
    ----------
    files : CatalogFiles
        The whole library, as songs may hang together by way of others.

    Raises
    ------
    CacheError
        If the catalog can't be read.
    """

    def __init__(self, files: CatalogFiles) -> None:
        self._digests = files.digests
        self._names: list[list[str]] = []
        self._top: dict[str, str] = {}
        if not len(files):
            return
        first, self._which = _distinct_tags(files)
        self._names = [
            _tag_names(artist, album, os.fsdecode(path)) if digest else []
            for digest, artist, album, path in zip(
                files.digests.take(first).to_pylist(),
                files.column("artist", first).to_pylist(),
                files.column("album", first).to_pylist(),
                files.paths.take(first).to_pylist(),
                strict=True,
            )
        ]
        self._top = _joined(self._names)

    def of(self, digests: Sequence[str]) -> dict[str, str]:
        """Name the groups of some recordings.

        Returns
        -------
        dict of str to str
            Digest to the name of its group; without the recordings of which tags tell nothing.
        """
        if not self._names:
            return {}
        wanted = np.flatnonzero(places(self._digests, digests) >= 0)
        # The latest file of a recording counts, as the last one assigned.
        return {
            digest: self._top[self._names[at][0]]
            for digest, at in zip(
                self._digests.take(wanted).to_pylist(), self._which[wanted].tolist(), strict=True
            )
            if self._names[at]
        }


def album_of(recording: FileRecord) -> str | None:
    """Name a song's album, as its tags and its folder tell; None where they don't."""
    names = _tag_names(recording.artist, recording.album, recording.path)
    return next((name for name in names if name.startswith("album:")), None)


def _distinct_tags(files: CatalogFiles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tell which files are the first with their artist, album and folder.

    Tell also whose each file's are.

    An album has some ten songs, so there is an order of magnitude less to look at one by one.
    """
    import pyarrow.compute as pc

    # A backslash in a name makes a folder of its own here; the names of the groups are none the
    # worse.
    folders = pc.replace_substring_regex(files.paths, pattern=rb"[^/\\]*$", replacement=b"")
    codes = np.zeros(len(files), np.int64)
    # A file that failed joins nothing, so it is not one of those that did not.
    failed = files.digests.is_null()
    for values in (files.column("artist"), files.column("album"), folders, failed):
        more = _codes(values)
        # Numbered anew each time, so that the product never overflows.
        _, codes = np.unique(codes * (int(more.max()) + 1) + more, return_inverse=True)
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)  # in the order of the files
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[which]


def _codes(values: pa.Array) -> NDArray[np.int64]:
    """Give each distinct value a number, null too."""
    encoded = values.dictionary_encode(null_encoding="encode")
    codes: NDArray[np.int64] = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _joined(names: Sequence[Sequence[str]]) -> dict[str, str]:
    """Join names that stand together, however indirectly; each then has one that stands for all."""
    parent: dict[str, str] = {}

    def top(name: str) -> str:
        while parent.setdefault(name, name) != name:
            # Halve the path as we go, or a folder of 10,000 songs would be a chain of that length.
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for together in names:
        for name in together[1:]:
            parent[top(name)] = top(together[0])
    return {name: top(name) for together in names for name in together}


def _tag_names(artist: str | None, album: str | None, path: str) -> list[str]:
    """Name a song's artist and album.

    An album is one of a folder, or else all 'Greatest Hits' would be one.
    """
    artist, album = (artist or "").casefold(), (album or "").casefold()
    names = [f"artist:{artist}"] if artist and artist not in _NOBODY else []
    if album and artist not in _NOBODY:
        names.append(f"album:{album}:{os.path.dirname(path)}")
    return names
