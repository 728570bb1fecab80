"""How many of the nearest songs does the index of `similar` find? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from speed.rows import about, replace_rows, say

from cache import Catalog, EmbeddingStore, default_root
from classify.library.similar_index import NeighbourIndex
from classify.taste.song_space import SongSpace
from classify.taste.vectors import Vectors
from embed import embed_library, find_audio, prepare_encoder

__all__ = ["main", "passages", "recall"]

_WINDOWS = 5  # of a passage: 15 s, about the least that tells one song from another
SHARES = (0.002, 0.01, 0.1)
"""Shares of the passages that are compared in full.

They are as 2,000 of a million songs, of 200,000 and of 20,000.
"""
_NEAREST = 10
_QUERIES, _QUICK_QUERIES = 1000, 50
_SAMPLE = 2000
_PACKAGES = ("numpy", "av", "litert")


def main() -> None:
    """Embed all of the music, look passages up, write the rows."""
    options = _options()
    base = about("similar", _PACKAGES) | ({"quick": True} if options.quick else {})
    root = options.cache or Path(default_root())
    vectors, songs = passages(options.music, root)
    rows = []
    for row in recall(vectors, songs, n_queries=_QUICK_QUERIES if options.quick else _QUERIES):
        rows.append(base | row)
        say(json.dumps(row))
    replace_rows(options.out, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path, help="folders of songs")
    parser.add_argument(
        "--cache", type=Path, help="where the songs are, or will be, embedded in full"
    )
    parser.add_argument("--out", type=Path, default=Path("similar.jsonl"))
    parser.add_argument("--quick", action="store_true", help="few look-ups: does all of it work?")
    return parser.parse_args()


def passages(music: Path, root: Path) -> tuple[Vectors, NDArray[np.intp]]:
    """Cut real songs into passages of 15 s, each of which stands in for a song.

    Returns
    -------
    vectors : ndarray, shape (n, 2 * dim), float32
        Song vectors of the passages.
    songs : ndarray, shape (n,), intp
        Which song each is of.
    """
    prepared = prepare_encoder("musicnn", root=root)
    report = embed_library([music], root=root, coverage="full")
    store = EmbeddingStore(
        root, encoder=prepared.name, fingerprint=report.fingerprint, dim=prepared.dim
    )
    digests = _digests(music, root)
    vectors, songs = [], []
    for number, digest in enumerate(digests):
        entry = store.get(digest)
        if entry is None:
            continue
        frames = entry.frames.astype(np.float32)  # (n_windows, dim)
        for first in range(len(frames) - _WINDOWS + 1):
            part = frames[first : first + _WINDOWS]
            vectors.append(np.concatenate([part.mean(axis=0), part.std(axis=0)]))
            songs.append(number)
    return np.stack(vectors), np.array(songs)


def recall(
    vectors: Vectors, songs: NDArray[np.intp], *, n_queries: int
) -> Iterator[dict[str, Any]]:
    """Look passages up.

    Count how many of the ten nearest of other songs are among the candidates.
    """
    n = len(vectors)
    sample = vectors[np.unique(np.arange(min(n, _SAMPLE)) * n // min(n, _SAMPLE))]
    space = SongSpace.fit(sample)
    index = NeighbourIndex.fit(space, sample, n_songs=n)
    index.codes[:] = index.pictures_at(np.arange(n), vectors)[1]
    rows = space.standardise(vectors)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries = np.random.default_rng(0).choice(n, size=min(n, n_queries), replace=False)
    nearest = {}
    for query in queries.tolist():
        cosines = rows @ rows[query]
        cosines[songs == songs[query]] = -np.inf  # its own song's are too easy
        nearest[query] = np.argpartition(-cosines, _NEAREST)[:_NEAREST]
    for share in SHARES:
        n_looked_at = max(_NEAREST, round(share * n))
        found = []
        for query, wanted in nearest.items():
            own = int((songs == songs[query]).sum())  # they take no place from the others
            candidates = index.candidates(vectors[query], most=n_looked_at + own)
            found.append(np.isin(wanted, candidates).mean())
        quartiles = np.percentile(found, [25, 75]).tolist()
        yield {
            "kind": "recall",
            "n_passages": n,
            "n_songs": len(np.unique(songs)),
            "n_queries": len(queries),
            "share": share,
            "n_looked_at": n_looked_at,
            "recall": round(float(np.mean(found)), 4),
            "recall_quartiles": [round(value, 4) for value in quartiles],
        }


def _digests(music: Path, root: Path) -> list[str]:
    known = Catalog(root).lookup(find_audio([music]).files)
    return sorted({row.digest for row in known.values() if row.digest})


if __name__ == "__main__":
    main()
