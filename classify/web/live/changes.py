"""What a label changed: songs with another verdict, and those that came to the first twenty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.labels.verdict_changes import VERDICTS, verdict_changes
from classify.taste.taste import Verdict
from classify.web.live.ranked_songs import RankedSongs

__all__ = ["changes_between", "moved_between", "moves_between"]

_TOP = 20
_LOOKED_AT = 100
_NAMES = {1: "like", 0: "unsure", -1: "dislike"}


def changes_between(
    former: RankedSongs, ranking: RankedSongs
) -> tuple[Mapping[Verdict, int], list[dict[str, Any]]]:
    """Tell which songs that nobody has labelled have another verdict than before.

    Returns
    -------
    n_changed : mapping of str to int
        How many songs have each verdict now that had another.
    changed : list of dict
        As `classify.web.taste_models.Changed`; at most 20 of each new verdict.
    """
    was, now = former.scored, ranking.scored
    if was is None or now is None or former.columns is not ranking.columns:
        return dict.fromkeys(VERDICTS, 0), []
    counts, rows = verdict_changes(
        was.verdicts, now.verdicts, now.decisions, among=_free(former, ranking)
    )
    songs = _named(
        ranking,
        rows,
        verdict_before=[_NAMES[code] for code in was.verdicts[rows].tolist()],
        verdict=[_NAMES[code] for code in now.verdicts[rows].tolist()],
        score_before=was.scores[rows].tolist(),
        score=now.scores[rows].tolist(),
    )
    return counts, songs


def moves_between(
    former: RankedSongs, ranking: RankedSongs
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Tell which songs came into the first twenty that nobody has labelled, and which left them.

    Returns
    -------
    entered, left : list of dict
        As `classify.web.taste_models.Moved`; their ranks are among unlabelled songs.
    """
    was, now = former.scored, ranking.scored
    if was is None or now is None or former.columns is not ranking.columns:
        return [], []
    free = _free(former, ranking)
    new, old = (_ranks_among(one.order, free) for one in (now, was))
    entered = np.flatnonzero(free & (new <= _TOP) & (old > _TOP))
    left = np.flatnonzero(free & (old <= _TOP) & (new > _TOP))
    both = entered[np.argsort(new[entered])], left[np.argsort(old[left])]
    came, went = (
        _named(ranking, rows, rank=new[rows].tolist(), rank_before=old[rows].tolist())
        for rows in both
    )
    return came, went


def moved_between(former: RankedSongs, ranking: RankedSongs) -> int:
    """Count the songs that stand elsewhere among the first 100 that nobody has labelled.

    Those that came to these or left them count too.
    """
    was, now = former.scored, ranking.scored
    if was is None or now is None or former.columns is not ranking.columns:
        return 0
    free = _free(former, ranking)
    new, old = (one.order[free[one.order]][:_LOOKED_AT] for one in (now, was))
    stayed = int((new == old).sum())
    return len(np.union1d(new, old)) - stayed


def _free(former: RankedSongs, ranking: RankedSongs) -> NDArray[np.bool_]:
    """Return which songs had no label and have none."""
    return np.asarray((ranking.labels == 0) & (former.labels == 0))


def _named(
    ranking: RankedSongs, rows: NDArray[np.intp], **columns: list[Any]
) -> list[dict[str, Any]]:
    names = ("id", "artist", "title", "name")
    return [
        {name: song[name] for name in names} | dict(zip(columns, values, strict=True))
        for song, *values in zip(ranking.columns.described(rows), *columns.values(), strict=True)
    ]


def _ranks_among(order: NDArray[np.intp], free: NDArray[np.bool_]) -> NDArray[np.int64]:
    some = order[free[order]]
    ranks = np.zeros(len(free), np.int64)
    ranks[some] = np.arange(1, len(some) + 1)
    return ranks
