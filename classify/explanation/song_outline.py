"""How a song goes, by the windows that are stored of it; nothing of it is heard for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cache import WHOLE
from classify.explanation.contributions import decide_as_if, signed_roots64
from classify.explanation.passages import local_means, nearest_windows
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray

if TYPE_CHECKING:
    from cache import Entry

__all__ = ["PREVIEW_S", "SongOutline", "song_outline"]

PREVIEW_S = 20.0
"""So much of a song tells most listeners whether they like it."""
_MOST_POINTS = 240
_NEIGHBOURS = 5
"""Windows whose mean sound a point is the value of, where they lie side by side; 15 s."""


@dataclass(frozen=True, kw_only=True)
class SongOutline:
    """How a song goes.

    Attributes
    ----------
    duration_s : float
    starts_s : tuple of float
        Where the windows begin, in seconds; of a long song some of them.
    values : tuple of float
        Of each from 0 to 1, by `by`: its score, as if all of the song sounded so; or without a
        taste how much it sounds like the whole song, a cosine.
    best_s, best_end_s : float
        The 20 s with the highest mean value; less where the song is shorter.
    """

    duration_s: float
    starts_s: tuple[float, ...]
    values: tuple[float, ...]
    by: Literal["score", "typical"]
    best_s: float
    best_end_s: float


def song_outline(entries: Sequence[Entry], *, taste: Taste | None = None) -> SongOutline:
    """Tell how a song goes, in some milliseconds.

    Parameters
    ----------
    entries : sequence of Entry
        The song's, one for each encoder.
    taste : Taste, optional
        One of these encoders.
    """
    first = entries[0]
    starts = first.starts_s.astype(np.float64)
    is_whole = all(entry.n_windows == WHOLE for entry in entries)
    columns = [entry.frames[nearest_windows(starts, entry.starts_s)] for entry in entries]
    frames = np.concatenate(columns, axis=1).astype(np.float64)
    means = local_means(frames, [0, len(frames)], _NEIGHBOURS if is_whole else 1)
    some = np.unique(np.linspace(0, len(means) - 1, min(len(means), _MOST_POINTS)).round())
    rows = some.astype(np.intp)
    starts, means = starts[rows], means[rows]
    if taste is None:
        values = _likeness(means, frames.mean(axis=0))
    else:
        vector = np.concatenate([entry.vector for entry in entries])
        values = taste.calibration(decide_as_if(taste, vector, means, entries))
    best_s = _best_start(starts, values, first.duration_s)
    return SongOutline(
        duration_s=first.duration_s,
        starts_s=tuple(starts.tolist()),
        values=tuple(values.tolist()),
        by="typical" if taste is None else "score",
        best_s=best_s,
        best_end_s=min(first.duration_s, best_s + PREVIEW_S),
    )


def _likeness(means: FloatArray, whole: FloatArray) -> FloatArray:
    rows, mean = signed_roots64(means), signed_roots64(whole[np.newaxis])[0]
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(mean)
    return np.asarray(np.clip(rows @ mean / np.where(lengths > 0, lengths, 1), 0, 1))


def _best_start(starts: FloatArray, values: FloatArray, duration_s: float) -> float:
    """Return where the stretch begins whose windows have the highest mean."""
    added = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.searchsorted(starts, starts + PREVIEW_S)
    here = np.arange(len(starts))
    best = int(np.argmax((added[ends] - added[here]) / (ends - here)))
    return float(max(0.0, min(starts[best], duration_s - PREVIEW_S)))
