"""From decisions to the songs that are wanted, best first; only those become objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.library.library_files import LibraryFiles
from classify.library.score_cache import ScoreCache
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray, Vectors

if TYPE_CHECKING:
    import pyarrow as pa

    from cache import VectorReader

__all__ = ["choose", "decide", "rank"]

_KEEP_FROM = 4096  # songs; fewer are read faster than what is kept of them
_KEEP_NEW_SHARE = 0.01  # of new ones, before all is written again
_LOOK_AT = 1024


def decide(
    taste: Taste,
    vectors: VectorReader,
    at: NDArray[np.int64],
    root: str | Path,
    *,
    keep: bool = True,
) -> FloatArray:
    """Let a taste decide on recordings; in a large library, only on those that are new to it.

    Parameters
    ----------
    taste : Taste
    vectors : VectorReader
        Of the taste's encoder.
    at : ndarray, shape (n,), int64
        Places of the recordings there, rising, each once.
    root : path or URI
        The cache.
    keep : bool
        Whether to look up and keep decisions there; not worth it for a taste that will soon be
        another one.

    Returns
    -------
    ndarray, shape (n,), float64
        As `Taste.decisions`.

    Raises
    ------
    TasteError
        If the vectors are not of the taste's width.
    CacheError
        If they can't be read, or one is damaged.
    """
    if len(at) < _KEEP_FROM or not keep:
        return _computed(taste, vectors, at)
    kept = ScoreCache(taste, root)
    digests, crcs = vectors.digests.take(at), vectors.crcs[at]
    decisions = kept.load(digests, crcs)
    new = np.flatnonzero(np.isnan(decisions))
    decisions[new] = _computed(taste, vectors, at[new])
    if len(new) > _KEEP_NEW_SHARE * len(at):
        kept.save(digests, crcs, decisions)
    return decisions


def _computed(taste: Taste, vectors: VectorReader, at: NDArray[np.int64]) -> FloatArray:
    def decisions_of(_: NDArray[np.int64], rows: Vectors) -> FloatArray:
        return taste.decisions(rows)

    return np.concatenate([np.zeros(0), *vectors.map(decisions_of, at)])


def rank(decisions: FloatArray, paths: pa.BinaryArray) -> NDArray[np.intp]:
    """Order files by decision, falling; of equal ones, by path, rising.

    Parameters
    ----------
    decisions : ndarray, shape (n,), float64
    paths : pyarrow.BinaryArray, shape (n,)

    Returns
    -------
    ndarray, shape (n,), intp
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    order = np.argsort(-decisions, kind="stable")
    ranked = decisions[order]
    like_the_next = ranked[1:] == ranked[:-1]
    # Only what stands equal to a neighbour needs its path looked at: copies, and what is capped.
    tied = np.flatnonzero(np.r_[like_the_next, False] | np.r_[False, like_the_next])
    if len(tied):
        some = order[tied]
        table = pa.table({"decision": decisions[some], "path": paths.take(some)})
        by = [("decision", "descending"), ("path", "ascending")]
        order[tied] = some[pc.sort_indices(table, sort_keys=by).to_numpy()]
    return order


def choose(
    files: LibraryFiles,
    order: NDArray[np.intp],
    scores: FloatArray,
    *,
    top: int | None,
    min_score: float,
    precision: float | None,
    only_there: bool,
) -> NDArray[np.intp]:
    """Take files, best first, as long as they are wanted.

    Parameters
    ----------
    files : LibraryFiles
    order : ndarray, shape (n,), intp
        From `rank`.
    scores : ndarray, shape (n,), float64
        Probability of each file, falling in that order.
    top, min_score, precision
        See `classify.score`.
    only_there : bool
        Pass over files that have gone.

    Returns
    -------
    ndarray, shape (n_chosen,), intp
        Indices into `files`.
    """
    chosen: list[int] = []
    total = 0.0
    paths = files.paths
    for start in range(0, len(order), _LOOK_AT):
        part = order[start : start + _LOOK_AT]
        some = zip(part.tolist(), scores[part].tolist(), paths.take(part).to_pylist(), strict=True)
        for at, score, path in some:
            if score < min_score or (top is not None and len(chosen) >= top):
                return np.array(chosen, np.intp)
            if only_there and not os.path.exists(path):
                continue
            total += score  # the mean only falls from here on
            if precision is not None and total < precision * (len(chosen) + 1):
                return np.array(chosen, np.intp)
            chosen.append(at)
    return np.array(chosen, np.intp)
