"""Make the taste that is kept here of each format.

Call it as `uv run python tests/formats/make_taste.py [FOLDER]`.

Run it when `classify.taste.taste_file.FORMAT_VERSION` goes up; the files of older formats stay as
they are, and tests/whole/test_hostile_tastes.py reads them all. Songs are of four numbers, so the
file is small.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from classify import LabelledSongs, Taste, fit_taste
from classify.taste.taste_file import FORMAT_VERSION
from classify.taste.vectors import Vectors

__all__ = ["make_taste", "some_songs"]

DIM = 4
_N_LIKES, _N_OTHERS = 4, 16


def some_songs(n: int, *, seed: int, shift: float = 0.0) -> Vectors:
    """Return songs of four numbers, shape (n, 4), float32: exact in every version of NumPy."""
    # Not NumPy's generators, whose streams may change between versions.
    numbers = (np.arange(1, n * DIM + 1, dtype=np.int64) + 1000 * seed) ** 3 * 48271 % 2147483647
    return ((numbers % 1000 - 500) / 250 + shift).astype(np.float32).reshape(n, DIM)


def make_taste() -> Taste:
    """Train a small taste, the same every time."""

    def labelled(prefix: str, vectors: Vectors) -> LabelledSongs:
        names = tuple(f"{prefix}{i:031x}" for i in range(len(vectors)))
        return LabelledSongs(digests=names, vectors=vectors, groups=names)

    return fit_taste(
        likes=labelled("a", some_songs(_N_LIKES, seed=1, shift=1.0)),
        unlabelled=labelled("b", some_songs(_N_OTHERS, seed=2)),
        encoder="musicnn",
        fingerprint="0123456789abcdef",
        created_at="2025-01-01T00:00:00+00:00",
    )


def main(folder: Path) -> None:
    """Write the taste, and what it says of eight songs."""
    path = folder / f"taste-{FORMAT_VERSION}.npz"
    taste = make_taste()
    taste.save(path)
    scores = taste.score(some_songs(8, seed=3))
    told = {
        "n_like": taste.n_like,
        "n_unlabelled": taste.n_unlabelled,
        "scores": scores.tolist(),
        "verdicts": taste.verdicts(scores),
    }
    path.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
