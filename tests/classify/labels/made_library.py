"""A cache of made-up songs, with the files that they would be of: no music is decoded."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from cache import Catalog, EmbeddingStore, Entry, FileRecord
from embed import prepare_encoder

__all__ = ["digest_of", "make_songs", "put_songs"]

_STYLES = 4


def digest_of(number: int) -> str:
    """Name a made-up recording."""
    return hashlib.blake2b(f"made {number}".encode(), digest_size=16).hexdigest()


def make_songs(compiled: Path, folder: Path, numbers: range) -> list[Path]:
    """Put songs into the cache `folder/cache`, and return their files.

    Every fourth is of one style, and three in a row are of one act.
    """
    root = folder / "cache"
    if not root.exists():
        shutil.copytree(compiled / "encoders", root / "encoders")
    paths = [folder / "music" / f"{number:03}.mp3" for number in numbers]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    put_songs(root, paths, list(map(digest_of, numbers)), numbers)
    return paths


def put_songs(
    root: Path, paths: Sequence[Path], digests: Sequence[str], numbers: Iterable[int]
) -> None:
    """Put made-up embeddings of files into a cache with an encoder."""
    prepared = prepare_encoder("musicnn", root=root)
    dim = prepared.dim
    styles = np.random.default_rng(1).gamma(2.0, 0.5, (_STYLES, 2 * dim))
    entries, rows = [], []
    for path, digest, number in zip(paths, digests, numbers, strict=True):
        random = np.random.default_rng((2, number))
        vector = styles[number % _STYLES] * random.lognormal(0.0, 0.4, 2 * dim)
        entries.append(_entry(digest, vector, dim))
        rows.append(_row(path, digest, number))
    EmbeddingStore(root, encoder="musicnn", fingerprint=prepared.fingerprint, dim=dim).put(entries)
    Catalog(root).put(rows)


def _entry(digest: str, vector: np.ndarray[tuple[int], np.dtype[np.float64]], dim: int) -> Entry:
    return Entry(
        digest=digest,
        n_windows=8,
        duration_s=200.0,
        coverage=0.1,
        starts_s=np.zeros(1, np.float32),
        frames=vector[np.newaxis, :dim].astype(np.float16),
        vector=vector.astype(np.float32),
    )


def _row(path: Path, digest: str, number: int) -> FileRecord:
    status = path.stat()
    return FileRecord(
        path=str(path),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        digest=digest,
        duration_s=200.0,
        artist=f"act {number // 3}",
        title=path.stem,
        album=None,
    )
