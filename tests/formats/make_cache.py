"""Make the cache that is kept here of each format: `uv run python tests/formats/make_cache.py`.

Run it when a number of `cache.identity.FORMATS` goes up; the files of older formats stay as they
are, and tests/cache/test_versions.py reads them all and states their numbers.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np

from cache import Catalog, EmbeddingStore, Entry, FileRecord
from cache.identity import FORMATS

__all__ = ["make_cache"]

DIM = 4
FINGERPRINT = "0123456789abcdef"


def make_cache(archive: Path) -> None:
    """Write a cache of three songs, of which one was embedded twice, and pack it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "cache"
        store = EmbeddingStore(root, encoder="musicnn", fingerprint=FINGERPRINT, dim=DIM)
        store.put([_entry(1, 12), _entry(2, 12)])
        store.put([_entry(3, 12), _entry(1, 0), _entry(9, 12)])
        store.discard([f"{9:032x}"])
        catalog = Catalog(root)
        catalog.put([_recording("/music/one.flac", 1), _recording("/music/two.mp3", None)])
        catalog.put([_recording("/music/two.mp3", 2), _recording("/music/caf\udce9.ogg", 3)])
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    packed.write(path, path.relative_to(root))


def _entry(number: int, n_windows: int) -> Entry:
    n_frames = 2 + (n_windows == 0)
    frames = np.arange(n_frames * DIM, dtype=np.float32).reshape(n_frames, DIM) / 8 + number
    return Entry(
        digest=f"{number:032x}",
        n_windows=n_windows,
        duration_s=100.0 + number,
        coverage=1.0 if n_windows == 0 else 0.25,
        starts_s=np.arange(n_frames, dtype=np.float32) * np.float32(2.992),
        frames=frames.astype(np.float16),
        vector=np.concatenate([frames.mean(axis=0), frames.std(axis=0)]),
    )


def _recording(path: str, number: int | None) -> FileRecord:
    return FileRecord(
        path=path,
        size_bytes=1000,
        mtime_ns=1_700_000_000_000_000_000,
        digest=None if number is None else f"{number:032x}",
        duration_s=None if number is None else 100.0 + number,
        title=None if number is None else f"Title {number}",
        error="is empty (0 bytes)" if number is None else None,
    )


if __name__ == "__main__":
    make_cache(Path(__file__).with_name(f"cache-{max(FORMATS.values())}.zip"))
