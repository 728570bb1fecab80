"""The songs of one encoder as one taste ranks them: scores, ranks, labels, and lists of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import is_digest
from classify.labels.verdict_changes import verdict_codes
from classify.library.label_file import LABELS
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray
from classify.web.live.song_columns import SongColumns
from classify.web.placed_songs import PlacedSongs

__all__ = ["Listing", "RankedSongs", "Scored", "carried", "codes_of"]

_LIKE, _NONE, _DISLIKE = 1, 0, -1
_LABEL_CODES = {"like": _LIKE, "dislike": _DISLIKE, "none": _NONE}
_VERDICT_CODES = {"like": 1, "unsure": 0, "dislike": -1}
_NAMES = {1: "like", 0: None, -1: "dislike"}
_VERDICTS = {code: name for name, code in _VERDICT_CODES.items()}
_KEPT_LISTS = 8
_KEPT_ANSWERS = 50_000  # 15 MB


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Which songs are wanted, in which order."""

    sort: str = "score"
    descending: bool = True
    words: str = ""
    label: str | None = None
    verdict: str | None = None
    tag: str | None = None
    once: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """What a taste decides on songs, row by row of their columns.

    Attributes
    ----------
    decisions, scores : ndarray, shape (n,), float64
    order : ndarray, shape (n,), intp
        The rows, best first; of equal decisions, by path.
    ranks : ndarray, shape (n,), int64
        The place of each row in that order, from 1.
    verdicts : ndarray, shape (n,), int8
    """

    decisions: FloatArray
    scores: FloatArray
    order: NDArray[np.intp]
    ranks: NDArray[np.int64]
    verdicts: NDArray[np.int8]

    @classmethod
    def of(cls, taste: Taste, decisions: FloatArray) -> Scored:
        """Rank songs by a taste's decisions on them.

        The rows of the songs are in the order of their paths.
        """
        # Not by the scores, which at either end differ less than a float can tell.
        order = np.argsort(-decisions, kind="stable")
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(1, len(order) + 1)
        scores = taste.calibration(decisions)
        verdicts = verdict_codes(taste, scores)
        return cls(decisions=decisions, scores=scores, order=order, ranks=ranks, verdicts=verdicts)


@dataclass(frozen=True, kw_only=True, eq=False)
class RankedSongs:
    """All songs as one taste sees them, at one moment; never changed, so threads share it.

    Attributes
    ----------
    name : str
        The taste's.
    revision : int
        Rises with every change.
    taste : Taste or None
        None where nothing has been learnt yet; then `scored` is None too.
    labels : ndarray, shape (n,), int8
        1 for a like, -1 for a dislike.
    n_like, n_dislike : int
        Labels, also of songs that the library does not hold.
    placed : PlacedSongs
        What is known of songs in the taste's space.
    before : ndarray, shape (n,), int64, or None
        The ranks that the songs had before the taste was last trained; 0 for a song that had none.
    """

    name: str
    revision: int
    columns: SongColumns
    taste: Taste | None
    labels: NDArray[np.int8]
    n_like: int
    n_dislike: int
    placed: PlacedSongs
    scored: Scored | None
    before: NDArray[np.int64] | None = None
    _lists: dict[Listing, NDArray[np.intp]] = field(default_factory=dict, repr=False)
    _copies: dict[bool, NDArray[np.intp]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _answers: dict[str, bytes] = field(default_factory=dict, repr=False)

    def rows(self, wanted: Listing) -> NDArray[np.intp]:
        """Return the rows of the songs that are wanted, in order; without a taste, by path."""
        with self._lock:
            known = self._lists.get(wanted)
        if known is not None:
            return known
        ordered = self._ordered(wanted)
        found = ordered[self.chosen_among(ordered, wanted)]
        with self._lock:
            while len(self._lists) >= _KEPT_LISTS:
                self._lists.pop(next(iter(self._lists)))
            self._lists[wanted] = found
        return found

    def chosen_among(self, rows: NDArray[np.intp], wanted: Listing) -> NDArray[np.intp]:
        """Return the places of those rows that a listing wants, in the order that they have."""
        keep = self._mask(wanted)
        return np.arange(len(rows)) if keep is None else np.flatnonzero(keep[rows])

    def _ordered(self, wanted: Listing) -> NDArray[np.intp]:
        if wanted.sort not in ("score", "moved"):
            return self.columns.sorted_by(wanted.sort, descending=wanted.descending)
        if self.scored is None:
            return self.columns.sorted_by("path", descending=False)
        if wanted.sort == "score":
            return self.scored.order if wanted.descending else self.scored.order[::-1]
        if self.before is None:
            return self.scored.order
        risen = np.where(self.before > 0, self.before - self.scored.ranks, 0)
        by_rank = self.scored.order
        risen = risen if wanted.descending else -risen
        found: NDArray[np.intp] = by_rank[np.argsort(-risen[by_rank], kind="stable")]
        return found

    def _mask(self, wanted: Listing) -> NDArray[np.bool_] | None:
        masks = []
        if wanted.label is not None:
            masks.append(self.labels == _LABEL_CODES[wanted.label])
        if wanted.verdict is not None:
            verdicts = None if self.scored is None else self.scored.verdicts
            nothing = np.zeros(len(self.columns), np.bool_)
            masks.append(
                nothing if verdicts is None else verdicts == _VERDICT_CODES[wanted.verdict]
            )
        if wanted.tag is not None:
            masks.append(self.columns.tags.having(wanted.tag.strip().lower(), whole=True))
        if wanted.words.strip():
            masks.append(self.columns.matches(wanted.words))
        if wanted.once and wanted.label in (None, "none"):
            is_first = np.ones(len(self.columns), np.bool_)
            is_first[self._copies_of_better(finds=wanted.label == "none")] = False
            masks.append(is_first)
        return np.logical_and.reduce(masks) if masks else None

    def _copies_of_better(self, *, finds: bool) -> NDArray[np.intp]:
        """Return the rows of songs that are copies of better ones; of finds, of labelled ones too.

        The listener's last labels may not be learnt yet; of two threads that ask, both look.
        """
        if self.taste is None or self.scored is None:
            return np.zeros(0, np.intp)
        found = self._copies.get(finds)
        if found is None:
            ranked = self.scored.order
            ranked = ranked[self.labels[ranked] == _NONE] if finds else ranked
            vectors = self.columns.library.vectors.open()
            learnt = [*self.taste.likes, *self.taste.dislikes]
            known = [*learnt, *self.labelled()] if finds else []
            places = self.columns.at[ranked]
            told = self.placed.copies(self.taste.space, vectors)
            copies = told.among(self.taste, vectors, places, known=known)
            found = self._copies[finds] = ranked[copies]
        return found

    def groups(self, rows: NDArray[np.integer[Any]]) -> dict[str, int] | None:
        """Count the songs of each verdict among some rows; None without a taste."""
        if self.scored is None:
            return None
        verdicts = self.scored.verdicts[rows]
        return {name: int((verdicts == code).sum()) for name, code in _VERDICT_CODES.items()}

    def songs(self, rows: NDArray[np.integer[Any]]) -> list[dict[str, Any]]:
        """Tell of the songs of some rows what `classify.web.models.Song` has."""
        described = self.columns.described(rows)
        labels = self.labels[rows].tolist()
        scored = self.scored
        if scored is None:
            unknown = {"rank": None, "rank_before": None, "score": None, "verdict": None}
            return [
                song | unknown | {"label": _NAMES[label]}
                for song, label in zip(described, labels, strict=True)
            ]
        before = [0] * len(rows) if self.before is None else self.before[rows].tolist()
        columns = (
            scored.ranks[rows].tolist(),
            before,
            scored.scores[rows].tolist(),
            scored.verdicts[rows].tolist(),
        )
        return [
            song
            | {
                "rank": rank,
                "rank_before": was or None,
                "score": score,
                "verdict": _VERDICTS[verdict],
                "label": _NAMES[label],
            }
            for song, label, rank, was, score, verdict in zip(
                described, labels, *columns, strict=True
            )
        ]

    def song(self, row: int) -> dict[str, Any]:
        """Tell of one song."""
        return self.songs(np.array([row]))[0]

    def score_json(self, digest: str) -> bytes | None:
        """Write `classify.web.models.ScoreOfSong` of a song.

        Return None without a taste, or without such a song.
        """
        known = self._answers.get(digest)
        if known is not None:
            return known
        row = self.columns.row_of(digest)
        if row is None or self.taste is None or self.scored is None:
            return None
        document = {
            "id": digest,
            "score": float(self.scored.scores[row]),
            "verdict": _VERDICTS[int(self.scored.verdicts[row])],
            "threshold": self.taste.threshold,
            "unsure": self.taste.unsure,
            "label": _NAMES[int(self.labels[row])],
        }
        answer = json.dumps(document).encode()
        if len(self._answers) < _KEPT_ANSWERS:
            self._answers[digest] = answer
        return answer

    def without_answers(self) -> RankedSongs:
        """Return the same without the answers that are kept, which take memory."""
        return replace(self, _answers={})

    def labelled(self) -> dict[str, str]:
        """Return the labelled songs that the library holds, digest to label."""
        rows = np.flatnonzero(self.labels)
        names = [_NAMES[code] or "" for code in self.labels[rows].tolist()]
        return dict(zip(self.columns.digests(rows), names, strict=True))

    def decisions_at(self, places: NDArray[np.int64]) -> FloatArray:
        """Return the taste's decisions on songs at some places of the library's vectors."""
        assert self.scored is not None
        return self.scored.decisions[self.columns.rows_at(places)]

    def label_of(self, row: int) -> str | None:
        """Return what the listener has said of a song."""
        return _NAMES[int(self.labels[row])]

    def ranks_on(self, columns: SongColumns) -> NDArray[np.int64] | None:
        """Return the ranks for the rows of other columns.

        The rank is 0 for songs that were not here.
        """
        if self.scored is None:
            return None
        if columns is self.columns:
            return self.scored.ranks
        return carried(self.scored.ranks, self.columns, columns)


def carried(values: NDArray[np.int64], old: SongColumns, new: SongColumns) -> NDArray[np.int64]:
    """Bring a number of each song from old columns to new ones; 0 for songs that are new there."""
    found = np.zeros(len(new), np.int64)
    rows = new.rows_in(old)
    found[rows >= 0] = values[rows[rows >= 0]]
    return found


def codes_of(labels: Mapping[str, str], columns: SongColumns) -> NDArray[np.int8]:
    """Mark the labelled songs of some columns; `labels`: digest, or a file's path, to label."""
    codes = np.zeros(len(columns), np.int8)
    for label in LABELS:
        names = [name for name, one in labels.items() if one == label]
        by_path = [columns.digest_at(name) for name in names if not is_digest(name)]
        codes[columns.rows_of([*filter(is_digest, names), *filter(None, by_path)])] = _LABEL_CODES[
            label
        ]
    return codes
