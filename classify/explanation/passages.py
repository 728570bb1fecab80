"""Where a song changes, and which of its passages carried its score.

A song is cut into sections where its sound changes, by the best piecewise constant fit to its
windows (optimal partitioning: Jackson et al. 2005, "An algorithm for optimal partitioning of data
on an interval"), in song space, where what differs is what tells music apart. Neighbouring sections
that add about as much to the score are one passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray, Vectors

__all__ = [
    "local_means",
    "merge_sections",
    "nearest_windows",
    "pick_passages",
    "place_windows",
    "sections",
    "window_ends",
]

_FLAT = 1e-9
_SHORTEST = 3
"""Windows of a section: two of them are no passage that anyone would call one."""
_CHANGE = 4.0
"""How many times the variance within sections a cut must explain.

In songs spliced of two it finds every seam from 2 to 8; the larger, the fewer other cuts.
"""
_LEAST_VARIANCE, _STILL = 0.01, 1e-4
"""The least variance that counts, as a share of all variance.

The first is within sections, the second from one window to the next in what is no silence.
"""
_MOST_CELLS = 600
"""The work grows as their square; a song of more than half an hour is cut a little less finely."""
_SHARE = 0.01
"""The share of the variance that two passages rather than one must explain.

That is the variance of what windows add to the score.
"""


def place_windows(space: SongSpace, means: FloatArray | Vectors) -> FloatArray:
    """Place windows, or means over some, in song space, as songs of whose variety nothing is known.

    Parameters
    ----------
    space : SongSpace
    means : ndarray, shape (n, dim / 2)
        Embeddings; of several encoders side by side.

    Returns
    -------
    ndarray, shape (n, n_axes), float64
        Relative to the library's mean; not of unit length.
    """
    places = np.tile(-space.offset.astype(np.float64), (len(means), 1))
    column = row = 0
    for width in space.blocks:  # of each block the first half are means
        dim = width // 2
        here = slice(row, row + dim)
        values = np.asarray(means[:, column : column + dim], dtype=np.float64)
        roots = np.copysign(np.sqrt(np.abs(values)), values)
        rows = (roots - space.standard.mean[here]) / space.standard.scale[here]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.where(lengths > _FLAT, lengths, 1) * np.sqrt(len(space.blocks))
        places += rows @ space.basis[here].astype(np.float64)
        column, row = column + dim, row + width
    return places


def sections(places: FloatArray) -> list[int]:
    """Cut a song where its sound changes.

    Parameters
    ----------
    places : ndarray, shape (n, n_axes), float64
        Of windows in time order, from `place_windows`.

    Returns
    -------
    list of int
        The edges: 0, the first window of each further section, n. Sections have 3 windows or more
        where the song has.
    """
    n = len(places)
    size = -(-n // _MOST_CELLS)
    cells = np.add.reduceat(places, np.arange(0, n, size)) / size
    changes = np.square(np.diff(cells, axis=0)).sum(axis=1)
    variance = float(np.square(cells - cells.mean(axis=0)).sum(axis=1).mean())
    heard = changes[changes > _STILL * variance]
    within = max(float(np.median(heard)) / 2 if len(heard) else 0.0, _LEAST_VARIANCE * variance)
    edges = _partition(cells, np.ones(len(cells)), _CHANGE * within, shortest=_SHORTEST)
    return [*(edge * size for edge in edges[:-1]), n]


def _partition(
    rows: FloatArray, weights: FloatArray, penalty: float, *, shortest: int
) -> list[int]:
    """Return the edges that make the squares within parts, plus a penalty for each part, least."""
    n = len(rows)
    sums = np.concatenate(
        [np.zeros((1, rows.shape[1])), np.cumsum(weights[:, np.newaxis] * rows, axis=0)]
    )
    sizes = np.concatenate([[0.0], np.cumsum(weights)])
    shortest = min(shortest, n)
    best, last = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=np.intp)
    best[0] = 0
    for stop in range(shortest, n + 1):
        starts = np.arange(stop - shortest + 1)
        fitted = np.square(sums[stop] - sums[starts]).sum(axis=1) / (sizes[stop] - sizes[starts])
        costs = best[starts] - fitted  # what squares there are in all does not depend on the cuts
        last[stop] = int(costs.argmin())
        best[stop] = costs[last[stop]] + penalty
    edges = [n]
    while edges[-1]:
        edges.append(int(last[edges[-1]]))
    return edges[::-1]


def merge_sections(edges: Sequence[int], points: FloatArray) -> list[int]:
    """Join neighbouring sections of which each window adds about as much to the score.

    Parameters
    ----------
    edges : sequence of int
        From `sections`.
    points : ndarray, shape (n,), float64
        What each window adds.

    Returns
    -------
    list of int
        The edges that are left.
    """
    lengths = np.diff(edges).astype(np.float64)
    levels = np.add.reduceat(points, np.asarray(edges[:-1])) / lengths
    overall = float(lengths @ np.square(levels - levels.mean()))
    kept = _partition(levels[:, np.newaxis], lengths, _SHARE * overall + 1e-12, shortest=1)
    return [edges[i] for i in kept]


def pick_passages(
    edges: Sequence[int], points: FloatArray, *, most: int = 3
) -> list[tuple[int, int]]:
    """Choose the passages that carried a score most, up or down, in time order.

    Parameters
    ----------
    edges : sequence of int
        From `merge_sections`.
    points : ndarray, shape (n,), float64
        What each window adds to the score.
    most : int
        At most so many.

    Returns
    -------
    list of (int, int)
        First window and the one after the last.
    """
    sums = np.abs(np.add.reduceat(points, np.asarray(edges[:-1])))
    chosen = np.argsort(-sums, kind="stable")[:most]
    told = chosen[sums[chosen] >= 0.05 * sums.sum()]
    return [(edges[i], edges[i + 1]) for i in np.sort(told).tolist()]


def local_means(
    frames: NDArray[np.float16] | FloatArray, edges: Sequence[int], width: int
) -> FloatArray:
    """Average each window with its neighbours, never across an edge.

    Parameters
    ----------
    frames : ndarray, shape (n, dim)
        Embeddings of windows in time order.
    edges : sequence of int
        From `sections`.
    width : int
        How many windows, fewer in shorter sections.

    Returns
    -------
    ndarray, shape (n, dim), float64
    """
    means = np.empty(frames.shape)
    for start, stop in pairwise(edges):
        sums = np.concatenate(
            [
                np.zeros((1, frames.shape[1])),
                np.cumsum(frames[start:stop], axis=0, dtype=np.float64),
            ]
        )
        n = min(width, stop - start)
        first = np.clip(np.arange(stop - start) - n // 2, 0, stop - start - n)
        means[start:stop] = (sums[first + n] - sums[first]) / n
    return means


def nearest_windows(starts_s: FloatArray, others_s: NDArray[Any]) -> NDArray[np.intp]:
    """Return which of other windows begins next to each window, shape (n,).

    Both are in time order.
    """
    after = np.clip(np.searchsorted(others_s, starts_s), 1, max(1, len(others_s) - 1))
    before = after - 1
    after = np.minimum(after, len(others_s) - 1)
    return np.where(starts_s - others_s[before] <= others_s[after] - starts_s, before, after)


def window_ends(starts_s: FloatArray, hop_s: float, duration_s: float) -> FloatArray:
    """Tell where windows end: where the next begins, or where silence does.

    Parameters
    ----------
    starts_s : ndarray, shape (n,), float64
        In time order; silent windows are left out.
    hop_s : float
        From one window to the next.
    duration_s : float
        The song's; its last window lasts to its end, if no other would fit.

    Returns
    -------
    ndarray, shape (n,), float64
    """
    nexts = np.append(starts_s[1:], duration_s)
    return np.where(nexts - starts_s < 2.5 * hop_s, nexts, starts_s + hop_s)
