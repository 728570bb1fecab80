"""What an early ranking is worth: after a first look, and as the rest is heard in its order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from accuracy.figures import Figures, judge, paired_difference, summarise
from accuracy.tasks import Collection, Draw, hidden_draw
from accuracy.ways import OURS, WAYS, fit_draw
from numpy.typing import NDArray

from cache import WHOLE, EmbeddingStore, Entry
from embed import (
    FAST_ENCODER,
    EncoderSpec,
    encoder_spec,
    first_windows,
    prepare_encoders,
    song_vector,
)
from embed.encoders.windows import choose_windows

__all__ = ["FirstLook", "first_look_figures", "first_look_rows", "first_looks"]

_SEVEN = 7
_SCAN = "scan of all"
_AT_ONCE = 8  # songs that are heard to the end from one ranking to the next
_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_EIGHT, _TWELVE = 8, 12
_ALONE, _OTHERS_ALONE = 6, (4, 12)  # windows of the quickest encoder, where no other has heard any
_SHARED = (((6, 9), (6, 9)), ((6, 9), (3, 6, 9)), ((6, 9), (3, 6, 9, 11)))
"""Places of twelve at which a scan of eight and one of twelve look, so that fewer are decoded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstLook:
    """What has been heard of every song at first.

    Attributes
    ----------
    heard : str
        How many windows, by encoder.
    first : ndarray, shape (n_songs, dim), float32
        The song vectors that these make.
    whole : Collection
        The songs as the same encoders hear them to the end.
    goes_on : bool
        Whether it is also judged while songs are heard to the end.
    """

    heard: str
    first: NDArray[np.float32]
    whole: Collection
    goes_on: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One encoder of several: what it has stored of the songs, and where its numbers stand."""

    spec: EncoderSpec
    fingerprint: str
    entries: Mapping[str, Entry]
    columns: slice

    def vectors(self, digests: Sequence[str], places: Sequence[int]) -> NDArray[np.float32]:
        return np.stack([_vector(self.entries[one], self.spec, places) for one in digests])

    def alone(self, songs: Collection) -> Collection:
        return replace(
            songs,
            encoder=self.spec.name,
            fingerprint=self.fingerprint,
            blocks=(),
            vectors=songs.vectors[:, self.columns],
        )


def first_looks(songs: Collection, base: Path, *, all_of_them: bool) -> Iterator[FirstLook]:
    """Make the vectors of first looks of the frames that scans have stored.

    A frame is a function of its window, so they are those that a run makes (where silence was met,
    of the same number of windows that sound). Of several encoders the quickest looks alone, too,
    and all look at the same places.

    Parameters
    ----------
    songs : Collection
    base : Path
        The cache.
    all_of_them : bool
        Also more and fewer windows.
    """
    parts = _parts(songs, base)
    shares = [tuple(first_windows(part.spec) for part in parts)]
    if all_of_them:
        shares = sorted({*shares, *_others([part.spec for part in parts])})
    for share in shares:
        places = [choose_windows(_TWELVE, n) for n in share]
        heard = ", ".join(f"{part.spec.name} {n}" for part, n in zip(parts, share, strict=True))
        yield FirstLook(heard=heard, first=_first(parts, songs, places), whole=songs, goes_on=True)
    if len(parts) > 1:
        yield from _shared(parts, songs)
        yield from _alone(parts, songs, _OTHERS_ALONE if all_of_them else ())


def _first(
    parts: Sequence[_Part], songs: Collection, places: Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    each = [part.vectors(songs.digests, at) for part, at in zip(parts, places, strict=True)]
    return np.concatenate(each, axis=1)


def _shared(parts: Sequence[_Part], songs: Collection) -> Iterator[FirstLook]:
    """Look at places that encoders share; only of two, one of which scans eight windows."""
    if [part.spec.scan_windows for part in parts] != [_EIGHT, _TWELVE]:
        return
    for places in _SHARED:
        heard = ", ".join(
            f"{part.spec.name} at {' '.join(str(k + 1) for k in at)}"
            for part, at in zip(parts, places, strict=True)
        )
        yield FirstLook(heard=heard, first=_first(parts, songs, places), whole=songs)


def _alone(parts: Sequence[_Part], songs: Collection, others: Sequence[int]) -> Iterator[FirstLook]:
    """Let the quickest encoder look alone."""
    for part in (part for part in parts if part.spec.name == FAST_ENCODER):
        for n in sorted({_ALONE, *others}):
            first = part.vectors(songs.digests, choose_windows(_TWELVE, n))
            yield FirstLook(heard=f"{part.spec.name} {n}", first=first, whole=part.alone(songs))


def _parts(songs: Collection, base: Path) -> list[_Part]:
    found, start = [], 0
    for part in prepare_encoders(songs.encoder, root=base).parts:
        store = EmbeddingStore(base, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim)
        found.append(
            _Part(
                spec=encoder_spec(part.name),
                fingerprint=part.fingerprint,
                entries=store.entries(list(songs.digests)),
                columns=slice(start, start + 2 * part.dim),
            )
        )
        start += 2 * part.dim
    return found


def _others(specs: Sequence[EncoderSpec]) -> Iterator[tuple[int, ...]]:
    """Yield other numbers of windows; those of aisfx are at least two."""
    for n in (2, 3, 6):
        yield tuple(2 if spec.scan_windows < _TWELVE else n for spec in specs)


def _vector(entry: Entry, spec: EncoderSpec, places: Sequence[int]) -> NDArray[np.float32]:
    """Pool the frames at places of a usual scan's twelve."""
    n = len(entry.frames)
    if len(places) >= n:
        return entry.vector
    if entry.n_windows == WHOLE or n != spec.scan_windows:
        return song_vector(entry.frames[choose_windows(n, len(places))])
    held = choose_windows(_TWELVE, spec.scan_windows)  # of a usual scan, of which all are some
    return song_vector(entry.frames[[held.index(place) for place in places]])


def first_look_figures(
    songs: Collection, looks: Sequence[FirstLook], taste: str, seed: int
) -> dict[str, Figures]:
    """Judge one draw of seven likes in a library that hides the rest of the taste.

    The likes are heard to the end, and then the songs that the taste ranks best; after every eight
    of them it is learnt again. An encoder that has looked alone ranks alone.
    """
    scan = hidden_draw(songs, taste, n_like=_SEVEN, seed=seed)
    if scan is None:
        return {}
    found = {_SCAN: _judged(scan, songs.vectors)}
    for look in looks:
        draw, whole = replace(scan, collection=look.whole), look.whole.vectors
        vectors = look.first.copy()
        vectors[draw.likes] = whole[draw.likes]
        left = list(draw.unlabelled)
        for share in _SHARES if look.goes_on else _SHARES[:1]:
            n_left = round((1 - share) * len(draw.unlabelled))
            while len(left) > n_left:
                rows = _best_of(draw, vectors, left)[: min(_AT_ONCE, len(left) - n_left)]
                vectors[rows] = whole[rows]
                left = sorted(set(left).difference(rows))
            found[f"{look.heard}|{share}"] = _judged(draw, vectors)
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
