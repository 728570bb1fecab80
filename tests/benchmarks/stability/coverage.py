"""What it costs that songs of one library were heard at several coverages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from accuracy.figures import Figures, judge, paired_difference, summarise
from accuracy.tasks import Collection, Draw, library_draw
from accuracy.ways import OURS, WAYS

__all__ = ["ALL_SCANNED", "COVERAGES", "MIXES", "coverage_rows", "mixed_figures"]

COVERAGES: tuple[str | int, ...] = ("scan", 3, 6, "full")
ByCoverage = Mapping[str | int, Collection]
ALL_SCANNED = "all: `scan`"
_SEVEN = 7


def _all_scanned(draw: Draw, seed: int) -> list[str | int]:
    return ["scan"] * len(draw.collection.digests)


def _all_in_short(draw: Draw, seed: int) -> list[str | int]:
    return [3] * len(draw.collection.digests)


def _likes_scanned(draw: Draw, seed: int) -> list[str | int]:
    return ["scan" if row in draw.likes else 3 for row in range(len(draw.collection.digests))]


def _likes_in_short(draw: Draw, seed: int) -> list[str | int]:
    return [3 if row in draw.likes else "scan" for row in range(len(draw.collection.digests))]


def _at_random(draw: Draw, seed: int) -> list[str | int]:
    chosen = np.random.default_rng([seed, 3612]).integers(
        len(COVERAGES), size=len(draw.collection.digests)
    )
    return [COVERAGES[number] for number in chosen]


MIXES: dict[str, Callable[[Draw, int], list[str | int]]] = {
    ALL_SCANNED: _all_scanned,
    "all: 3 windows": _all_in_short,
    "likes: `scan`, the rest: 3 windows": _likes_scanned,
    "likes: 3 windows, the rest: `scan`": _likes_in_short,
    "each 3 windows, 6, `scan` or `full`": _at_random,
}
"""The coverage of each song of a draw."""


def mixed_figures(songs: ByCoverage, taste: str, seed: int) -> dict[str, Figures]:
    """Judge one draw of seven likes in every mix; {} where the taste has too few songs."""
    draw = library_draw(songs["scan"], taste, n_like=_SEVEN, dislikes="none", seed=seed)
    if draw is None:
        return {}
    found = {}
    for mix, choose in MIXES.items():
        coverages = choose(draw, seed)
        vectors = np.stack([songs[of].vectors[row] for row, of in enumerate(coverages)])
        mixed = replace(draw, collection=replace(draw.collection, vectors=vectors))
        found[mix] = judge(draw.truth, WAYS[OURS](mixed))
    return found


def coverage_rows(draws: Sequence[Mapping[str, Mapping[str, Figures]]]) -> list[dict[str, Any]]:
    """Compare each mix with scans of all songs, on the same draws: draws of taste -> mix."""
    by_mix = {
        mix: [{taste: found[mix] for taste, found in draw.items() if found} for draw in draws]
        for mix in MIXES
    }
    rows = []
    for mix, found in by_mix.items():
        row: dict[str, Any] = {"mix": mix} | summarise(found)
        row["difference"] = paired_difference(found, by_mix[ALL_SCANNED])
        rows.append(row)
    return rows
