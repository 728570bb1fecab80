"""The songs at several coverages, and where their files are."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from accuracy.music import read_collection, say
from accuracy.tasks import Collection
from numpy.typing import NDArray

from cache import Catalog
from classify.library.song_library import SongLibrary
from embed import EmbedError, embed_library, prepare_encoders

__all__ = ["at_coverage", "choose_rows", "paths_of", "vectors_of"]

Vectors = NDArray[np.float32]


def at_coverage(scan: Collection, music: Path, base: Path, coverage: str | int) -> Collection:
    """Embed the songs of a collection at another coverage, in a cache of its own.

    A cache keeps of each song what has heard most of it, so that there would be no scan beside
    ``full``, nor three windows beside a scan.
    """
    if coverage == "scan":
        return scan
    root = base / "coverage" / str(coverage)
    if not (root / "encoders").exists() and (base / "encoders").exists():
        shutil.copytree(base / "encoders", root / "encoders")  # compiling takes half a minute
    report = embed_library(
        [music], root=root, encoder=scan.encoder, coverage=coverage, retry_failed=True
    )
    say(f"{scan.encoder}, {coverage}: {report.embedded} songs embedded, {report.wall_s:.0f} s")
    tastes = dict(zip(scan.digests, map(str, scan.tastes), strict=True))
    return read_collection(root, scan.encoder, tastes)


def paths_of(music: Path, base: Path, digests: Sequence[str]) -> list[Path]:
    """Return a file of each song, below the music's folder.

    Raises
    ------
    EmbedError
        If a song has none.
    """
    found: dict[str, Path] = {}
    for row in sorted(Catalog(base).load().values(), key=lambda row: row.path):
        if row.digest and Path(row.path).is_relative_to(music.absolute()):
            found.setdefault(row.digest, Path(row.path))
    missing = [digest for digest in digests if digest not in found]
    if missing:
        raise EmbedError(
            f"{len(missing)} songs have no file below {music}; the first: {missing[0]}"
        )
    return [found[digest] for digest in digests]


def vectors_of(files: Sequence[Path], encoder: str, base: Path) -> tuple[Vectors, NDArray[np.intp]]:
    """Embed files as a person's are.

    Returns
    -------
    vectors : ndarray, shape (n, dim_vector), float32
        Song vectors of those that could be embedded.
    at : ndarray of int, shape (n,)
        Which of the files each one is.
    """
    report = embed_library(files, root=base, encoder=encoder, retry_failed=True)
    for failure in report.failed:
        say(f"{encoder}: {failure.path}: {failure.error}")
    catalog = Catalog(base).load()
    digests = [
        (catalog[path].digest if path in catalog else None) for path in map(_absolute, files)
    ]
    library = SongLibrary.of_encoders(prepare_encoders(encoder, root=base), base)
    songs = library.songs(sorted({digest for digest in digests if digest}))
    rows = {digest: row for row, digest in enumerate(songs.digests)}
    at = np.array([i for i, digest in enumerate(digests) if digest in rows], dtype=np.intp)
    return songs.vectors[[rows[str(digests[i])] for i in at]], at


def _absolute(path: Path) -> str:
    return str(path.absolute())


def choose_rows(collection: Collection, n_songs: int | None) -> NDArray[np.intp]:
    """Choose so many songs, evenly over the tastes; all if there is no number."""
    order = np.argsort(collection.tastes, kind="stable")
    n = len(order) if n_songs is None else min(n_songs, len(order))
    return np.sort(order[(2 * np.arange(n) + 1) * len(order) // (2 * n)])
