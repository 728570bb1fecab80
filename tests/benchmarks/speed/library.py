"""A synthetic library: the cache that `embed` would leave, without any music.

It is made through the same writes.

A process of its own, so that its memory does not count as that of the commands measured afterwards:
`python speed/library.py CACHE FOLDER FIRST N_SONGS SONGS_A_COMMIT`. It adds songs FIRST, FIRST + 1,
... to the cache, and empty files of their names to FOLDER.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache import Catalog, EmbeddingStore, Entry, FileRecord
from embed import PreparedEncoder, encoder_spec, prepare_encoders

__all__ = ["N_KINDS", "add_songs", "song_path"]

_SEED = 7
_N_STYLES = 300
_SONG_S = 200.0
N_KINDS = 14
"""Every so many artists one of the same style comes."""
_PER_ALBUM = 12
_PER_ARTIST = 3 * _PER_ALBUM


def song_path(folder: Path, number: int) -> Path:
    """Name a song's file: folder/artist/album/song."""
    artist, album = number // _PER_ARTIST, number // _PER_ALBUM
    return folder / f"artist {artist:05}" / f"album {album:06}" / f"song {number:07}.mp3"


def add_songs(root: Path, folder: Path, first: int, n_songs: int, per_commit: int) -> None:
    """Add songs to a cache as a run of `embed` does for each commit, and their files to a folder.

    By the default encoder. With few songs a commit each is a run of its own, which compacts where
    that is due.
    """
    parts = prepare_encoders("default", root=root).parts
    stores = [
        EmbeddingStore(root, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim)
        for part in parts
    ]
    catalog = Catalog(root)
    for start in range(first, first + n_songs, per_commit):
        numbers = range(start, min(start + per_commit, first + n_songs))
        for part, store in zip(parts, stores, strict=True):
            store.put(list(_entries(numbers, part)))
        catalog.put([_recording(folder, number) for number in numbers])
        for store in stores:
            store.maybe_compact()
        catalog.maybe_compact()


def _digest(number: int) -> str:
    return hashlib.blake2b(f"{_SEED} {number}".encode(), digest_size=16).hexdigest()


def _entries(numbers: range, prepared: PreparedEncoder) -> Iterator[Entry]:
    """Make song vectors: each a mixture of a few of 300 styles, with a spread of its own."""
    styles = _styles(prepared.dim)
    rng = np.random.default_rng((_SEED, numbers.start))
    chosen = rng.integers(_N_STYLES, size=(len(numbers), 3))
    # an artist keeps to one style
    chosen[:, 0] = [number // _PER_ARTIST % N_KINDS for number in numbers]
    shares = rng.dirichlet((2.0, 1.0, 0.5), size=len(numbers)).astype(np.float32)
    vectors = np.einsum("ij,ijk->ik", shares, styles[chosen])
    vectors *= rng.lognormal(0.0, 0.2, size=vectors.shape).astype(np.float32)
    frames = vectors[:, np.newaxis, : prepared.dim].astype(np.float16)
    for number, vector, frame in zip(numbers, vectors, frames, strict=True):
        yield Entry(
            digest=_digest(number),
            n_windows=encoder_spec(prepared.name).scan_windows,
            duration_s=_SONG_S,
            coverage=0.18,
            starts_s=np.zeros(1, dtype=np.float32),
            frames=frame,
            vector=vector,
        )


@cache
def _styles(dim: int) -> NDArray[np.float32]:
    """Make vectors as an encoder does: never negative, some channels far stronger than others."""
    rng = np.random.default_rng(_SEED)
    strength = rng.lognormal(-1.0, 1.0, size=2 * dim)
    return (strength * rng.gamma(2.0, 0.5, size=(_N_STYLES, 2 * dim))).astype(np.float32)


def _recording(folder: Path, number: int) -> FileRecord:
    path = song_path(folder, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # touching it again would make it another file for the catalog
        path.touch()
    status = path.stat()
    return FileRecord(
        path=str(path),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        digest=_digest(number),
        duration_s=_SONG_S,
        artist=path.parent.parent.name,
        title=path.stem,
        album=path.parent.name,
    )


if __name__ == "__main__":
    add_songs(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6]))
