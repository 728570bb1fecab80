"""The tags of songs, as their encoder hears them: what each has more of than the library.

Tags are a function of song vectors: no sound is read. Of each song the few that tell most are kept,
which takes 2 MB for 100,000 songs.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.explanation.tag_account import TagScorer
from classify.taste.vectors import FloatArray, Vectors
from embed import EncoderError

if TYPE_CHECKING:
    from cache import VectorReader
    from classify.library.song_library import SongLibrary

__all__ = ["MOST_TAGS", "SongTags"]

MOST_TAGS = 6
"""Tags of a song that are told, and that a search finds."""
_USUAL_OF = 2000
_CLEARLY = 0.3
_SURE = 1e-6
_NONE = np.uint16(2**16 - 1)
_LEVELS = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chosen:
    """The tags of songs, row by row, the most telling first: which, and how much of each."""

    which: NDArray[np.uint16]
    amounts: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scale:
    """The tags that there are, and how much of each is usual in a library.

    `columns` tells of each tag of the encoders which of `names` it is: two encoders of a composite
    may have the same tag, and its mean counts.
    """

    scorer: TagScorer
    names: tuple[str, ...]
    columns: NDArray[np.intp]
    usual: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, library: SongLibrary, vectors: VectorReader, at: NDArray[np.int64]) -> _Scale:
        try:
            scorer = TagScorer.of(library, library.root)
        except EncoderError:  # told where it is needed; songs are listed without tags
            scorer = TagScorer(parts=())
        every = [name.lower() for name in scorer.names]
        names = tuple(dict.fromkeys(every))
        index = {name: i for i, name in enumerate(names)}
        columns = np.array([index[name] for name in every], np.intp)
        nothing = np.zeros(len(names))
        bare = cls(scorer=scorer, names=names, columns=columns, usual=nothing, spread=nothing)
        n = min(_USUAL_OF, len(at))
        if not n or not names:
            return bare
        amounts = bare.amounts(vectors.matrix(np.sort(at[np.arange(n) * len(at) // n])))
        return replace(bare, usual=amounts.mean(axis=0), spread=amounts.std(axis=0) + _SURE)

    def amounts(self, vectors: Vectors) -> FloatArray:
        """Return the square roots of tag scores, shape (n, n_names)."""
        if not self.names:
            return np.zeros((len(vectors), 0))
        found = self.scorer.amounts(vectors)
        if len(self.names) == found.shape[1]:
            return found
        sums = np.zeros((len(self.names), len(found)))
        np.add.at(sums, self.columns, found.T)
        return np.asarray((sums / np.bincount(self.columns)[:, np.newaxis]).T)

    def beyond(self, amounts: FloatArray) -> FloatArray:
        return np.asarray((amounts - self.usual) / self.spread)


class SongTags:
    """The tags of the songs in some columns. Threads may share it.

    Parameters
    ----------
    library : SongLibrary
        Open.
    vectors : VectorReader
    at : ndarray, shape (n,), int64
        The row of each song in them.
    former : SongTags, optional
        Of older columns of the encoder, with the rows of these songs there, -1 for a new one: what
        has not changed is not heard again.

    Attributes
    ----------
    names : tuple of str
        In lower case, each once; empty where the encoder has no tags.
    """

    def __init__(
        self,
        library: SongLibrary,
        vectors: VectorReader,
        at: NDArray[np.int64],
        *,
        former: tuple[SongTags, NDArray[np.int64]] | None = None,
    ) -> None:
        self._vectors = vectors
        self._at = at
        self._lock = threading.Lock()
        self._chosen: _Chosen | None = None
        self._former = former if former is not None and former[0]._chosen is not None else None
        self._scale: _Scale = (
            _Scale.of(library, vectors, at) if self._former is None else self._former[0]._scale
        )
        self.names = self._scale.names

    def told(self, rows: NDArray[np.integer[Any]]) -> list[list[dict[str, Any]]]:
        """Tell the tags of some songs, the most telling first.

        Returns
        -------
        list of list of dict
            `classify.web.models.SongTag`; empty where the encoder has no tags.
        """
        if not self.names:
            return [[] for _ in range(len(rows))]
        every, usual = self._all(), np.square(self._scale.usual)
        both = every.which[rows].tolist(), every.amounts[rows].tolist()
        return [
            [
                {
                    "tag": self.names[tag],
                    "score": round((amount / _LEVELS) ** 2, 4),
                    "usual": round(float(usual[tag]), 4),
                }
                for tag, amount in zip(tags, amounts, strict=True)
                if tag != _NONE
            ]
            for tags, amounts in zip(*both, strict=True)
        ]

    def having(self, word: str, *, whole: bool = False) -> NDArray[np.bool_]:
        """Tell which songs have a tag with a word in it, shape (n,).

        Parameters
        ----------
        word : str
            In lower case.
        whole : bool
            Whether the word must be the whole tag.
        """
        wanted = [
            i for i, name in enumerate(self.names) if (name == word if whole else word in name)
        ]
        if not wanted:
            return np.zeros(len(self._at), np.bool_)
        has = np.isin(self._all().which, np.array(wanted, np.uint16))
        return np.asarray(has.any(axis=1))

    def counts(self) -> list[dict[str, Any]]:
        """Count the songs that each tag tells something of, the most frequent tag first."""
        if not self.names:
            return []
        which = self._all().which
        counts = np.bincount(which[which != _NONE], minlength=len(self.names))
        order = np.argsort(-counts, kind="stable")
        return [
            {"tag": self.names[i], "n_songs": int(counts[i])} for i in order.tolist() if counts[i]
        ]

    def beyond(self, tag: str, rows: NDArray[np.integer[Any]]) -> FloatArray | None:
        """Return how far songs have more of a tag than the library, in its standard deviations.

        Returns
        -------
        ndarray, shape (n,), float64, or None
            None where there is no such tag.
        """
        if tag not in self.names:
            return None
        amounts = self._scale.amounts(self._vectors.matrix(self._at[rows]))
        return self._scale.beyond(amounts)[:, self.names.index(tag)]

    def warm(self) -> None:
        """Find the tags of all songs now, and not when somebody waits for them."""
        self._all()

    def _all(self) -> _Chosen:
        with self._lock:
            if self._chosen is None:
                self._chosen = self._made()
                self._former = None
            return self._chosen

    def _made(self) -> _Chosen:
        n = len(self._at)
        which = np.full((n, MOST_TAGS), _NONE, np.uint16)
        levels = np.zeros((n, MOST_TAGS), np.uint8)
        new = np.arange(n)
        if self._former is not None:
            old, rows = self._former
            assert old._chosen is not None
            same = np.flatnonzero(rows >= 0)
            was = old._vectors.crcs[old._at[rows[same]]]
            same = same[(self._vectors.crcs[self._at[same]] == was).all(axis=1)]
            which[same] = old._chosen.which[rows[same]]
            levels[same] = old._chosen.amounts[rows[same]]
            new = np.setdiff1d(new, same, assume_unique=True)
        by_place = new[np.argsort(self._at[new])]
        start = 0
        for part in self._vectors.map(lambda _, some: self._choose(some), self._at[by_place]):
            rows = by_place[start : start + len(part.which)]
            which[rows], levels[rows] = part.which, part.amounts
            start += len(rows)
        return _Chosen(which=which, amounts=levels)

    def _choose(self, vectors: Vectors) -> _Chosen:
        amounts = self._scale.amounts(vectors)
        beyond = self._scale.beyond(amounts)
        telling = np.where(beyond > _CLEARLY, beyond * amounts, 0.0)
        n = min(MOST_TAGS, len(self.names))
        best = np.argsort(-telling, axis=1, kind="stable")[:, :n]
        rows = np.arange(len(best))[:, np.newaxis]
        is_said = telling[rows, best] > 0
        which = np.full((len(best), MOST_TAGS), _NONE, np.uint16)
        levels = np.zeros((len(best), MOST_TAGS), np.uint8)
        which[:, :n] = np.where(is_said, best, _NONE)
        levels[:, :n] = np.round(np.where(is_said, amounts[rows, best], 0) * _LEVELS)
        return _Chosen(which=which, amounts=levels)
