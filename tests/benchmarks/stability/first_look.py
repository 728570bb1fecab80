"""What an early ranking is worth: after a first look, and as the rest is heard in its order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accuracy.figures import Figures, judge, paired_difference, summarise
from accuracy.tasks import Collection, Draw, hidden_draw
from accuracy.ways import OURS, WAYS, fit_draw
from numpy.typing import NDArray

from cache import WHOLE, EmbeddingStore, Entry
from embed import EncoderSpec, encoder_spec, first_windows, prepare_encoders, song_vector
from embed.encoders.windows import choose_windows

__all__ = ["FirstLook", "first_look_figures", "first_look_rows", "first_looks"]

_SEVEN = 7
_SCAN = "scan of all"
_AT_ONCE = 8  # songs that are heard to the end from one ranking to the next
_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_TWELVE = 12

FirstLook = tuple[str, NDArray[np.float32]]
"""How many windows, and the song vectors that they make."""


def first_looks(songs: Collection, base: Path, *, all_of_them: bool) -> Iterator[FirstLook]:
    """Make the vectors of first looks of the frames that scans have stored.

    A frame is a function of its window, so they are those that a run makes (where silence was met,
    of the same number of windows that sound).

    Parameters
    ----------
    songs : Collection
    base : Path
        The cache.
    all_of_them : bool
        Also others than the one that `embed` takes.
    """
    parts = prepare_encoders(songs.encoder, root=base).parts
    stored = [
        EmbeddingStore(base, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim).entries(
            list(songs.digests)
        )
        for part in parts
    ]
    specs = [encoder_spec(part.name) for part in parts]
    shares = [tuple(map(first_windows, specs))]
    if all_of_them:
        shares = sorted({*shares, *(_others(specs))})
    for share in shares:
        each = list(zip(stored, specs, share, strict=True))
        vectors = [
            np.concatenate([_vector(held[digest], spec, n) for held, spec, n in each])
            for digest in songs.digests
        ]
        names = [f"{part.name} {n}" for part, n in zip(parts, share, strict=True)]
        yield ", ".join(names), np.stack(vectors)


def _others(specs: Sequence[EncoderSpec]) -> Iterator[tuple[int, ...]]:
    """Yield other numbers of windows; those of aisfx are at least two."""
    for n in (2, 3, 6):
        yield tuple(2 if spec.scan_windows < _TWELVE else n for spec in specs)


def _vector(entry: Entry, spec: EncoderSpec, n_windows: int) -> NDArray[np.float32]:
    n = len(entry.frames)
    if n_windows >= n:
        return entry.vector
    if entry.n_windows == WHOLE or n != spec.scan_windows:
        return song_vector(entry.frames[choose_windows(n, n_windows)])
    held = choose_windows(_TWELVE, spec.scan_windows)  # of a usual scan, of which all are some
    return song_vector(entry.frames[[held.index(i) for i in choose_windows(_TWELVE, n_windows)]])


def first_look_figures(
    songs: Collection, looks: Sequence[FirstLook], taste: str, seed: int
) -> dict[str, Figures]:
    """Judge one draw of seven likes in a library that hides the rest of the taste.

    The likes are heard to the end, and then the songs that the taste ranks best; after every eight
    of them it is learnt again.
    """
    draw = hidden_draw(songs, taste, n_like=_SEVEN, seed=seed)
    if draw is None:
        return {}
    found = {_SCAN: _judged(draw, songs.vectors)}
    for name, first in looks:
        vectors = first.copy()
        vectors[draw.likes] = songs.vectors[draw.likes]
        left = list(draw.unlabelled)
        for share in _SHARES:
            n_left = round((1 - share) * len(draw.unlabelled))
            while len(left) > n_left:
                rows = _best_of(draw, vectors, left)[: min(_AT_ONCE, len(left) - n_left)]
                vectors[rows] = songs.vectors[rows]
                left = sorted(set(left).difference(rows))
            found[f"{name}|{share}"] = _judged(draw, vectors)
    return found


def _best_of(draw: Draw, vectors: NDArray[np.float32], left: Sequence[int]) -> list[int]:
    taste = fit_draw(replace(draw, collection=replace(draw.collection, vectors=vectors)))
    order = np.argsort(-taste.decisions(vectors[list(left)]), kind="stable")
    return [left[at] for at in order]


def _judged(draw: Draw, vectors: NDArray[np.float32]) -> Figures:
    # A copy: the vectors go on changing.
    at_this_point = replace(draw.collection, vectors=vectors.copy())
    return judge(draw.truth, WAYS[OURS](replace(draw, collection=at_this_point)))


def first_look_rows(
    draws: Sequence[Mapping[str, Mapping[str, Figures]]],
) -> list[dict[str, Any]]:
    """Compare each moment with a scan of all songs, on the same draws: draws of taste -> moment."""
    moments = list(next(iter(draws[0].values())))
    by_moment = {
        moment: [{taste: found[moment] for taste, found in draw.items() if found} for draw in draws]
        for moment in moments
    }
    rows = []
    for moment, found in by_moment.items():
        heard, _, share = moment.partition("|")
        row: dict[str, Any] = {"heard": heard, "heard_to_the_end": float(share or 1)}
        row |= summarise(found)
        row["difference"] = paired_difference(found, by_moment[_SCAN])
        rows.append(row)
    return rows
