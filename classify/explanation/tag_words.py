"""A song in three words.

They are the encoder's own tags that the song has more of than the library, as the likes have.

Tags are a function of embeddings, here of each song's mean one, the first half of its song vector:
no sound is read and no network run. They tell how a song sounds to the encoder, and what of that
the likes share. How much each of them weighs in a score is another question (see
`classify.explanation.tag_account`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cache import default_root
from classify.library.song_library import SongLibrary
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray, Vectors
from embed import OwnTags

__all__ = ["TagWords", "words_for"]

_N_WORDS = 3
_MAX_USUAL = 100
_MAX_ASKED = 1000
_CLEARLY = 0.3
_SURE = 1e-6
_STEM = 7  # letters that two words share if they are of one kind


def words_for(
    paths: Sequence[str], verdicts: Sequence[str], taste: Taste, *, root: str | Path | None = None
) -> list[tuple[str, ...]]:
    """Tell in up to three words why each song has its verdict.

    Parameters
    ----------
    paths : sequence of str
        Songs that are in the cache; only the first 1,000 get words.
    verdicts : sequence of str
        For a "dislike" the words are what it has and the likes have not; else what they share.
    taste : Taste
    root : path or URI, optional
        The cache.

    Returns
    -------
    list of tuple of str
        One for each path; empty for songs without a word, and for all where the encoder has no
        tags, or the likes are not in the cache.

    Raises
    ------
    CacheError
        If the cache can't be read.
    EncoderError
        If the compiled encoder is damaged.
    """
    none: list[tuple[str, ...]] = [()] * len(paths)
    base = default_root() if root is None else root
    library = SongLibrary.of_taste(taste, base)
    found = TagWords.of(taste, library, base)
    if found is None or not paths:
        return none
    files = library.files(paths[:_MAX_ASKED])
    rows = files.vectors.matrix(files.at)
    told = dict(zip(map(os.fsdecode, files.paths.to_pylist()), found.beyond(rows), strict=True))
    return [
        found.words(told[path], disliked=verdict == "dislike") if path in told else ()
        for path, verdict in zip(paths, verdicts, strict=True)
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class TagWords:
    """What is usual in a library, and what a taste's likes have more of.

    Attributes
    ----------
    own : OwnTags
    start, dim : int
        Where the means of this encoder's embeddings stand in a song vector, and how many they are.
    usual, spread : ndarray, shape (n_tags,), float64
        Mean and standard deviation of the tags' log-odds in the library.
    liked : ndarray, shape (n_tags,), float64
        Mean of the likes, in standard deviations beyond the library's.
    """

    own: OwnTags
    start: int
    dim: int
    usual: FloatArray
    spread: FloatArray
    liked: FloatArray

    @classmethod
    def of(cls, taste: Taste, library: SongLibrary, root: str | Path) -> TagWords | None:
        """Look at the likes and some 100 unlabelled songs of a taste.

        The tags are those of the first encoder that has some.
        """
        start = 0
        for store in library.vectors.stores:
            own = OwnTags.of(store.encoder, store.fingerprint, root=root)
            if own is not None:
                break
            start += 2 * store.dim
        else:
            return None
        others = taste.unlabelled or taste.dislikes
        n_others = min(len(others), _MAX_USUAL)
        some = [others[i * len(others) // n_others] for i in range(n_others)]
        found, vectors = library.vectors.matrix([*taste.likes, *some])
        n_like = len(set(found) & set(taste.likes))
        if not 0 < n_like < len(found):
            return None
        part = slice(start, start + store.dim)
        odds = _log_odds(own.scores(vectors[:, part]))
        usual, spread = odds[n_like:].mean(axis=0), odds.std(axis=0) + _SURE
        liked = (odds[:n_like].mean(axis=0) - usual) / spread
        return cls(own=own, start=start, dim=store.dim, usual=usual, spread=spread, liked=liked)

    def beyond(self, vectors: Vectors) -> FloatArray:
        """Return how far the tags of songs are beyond the library's mean, shape (n, n_tags)."""
        odds = _log_odds(self.own.scores(vectors[:, self.start : self.start + self.dim]))
        return np.asarray((odds - self.usual) / self.spread)

    def words(self, beyond: FloatArray, *, disliked: bool = False) -> tuple[str, ...]:
        """Choose up to three tags of a song, shape (n_tags,), the most telling first.

        Of tags that say nearly the same (rock and hard rock, electro and electronica) one is
        enough.
        """
        liked = -self.liked if disliked else self.liked
        telling = np.where((beyond > _CLEARLY) & (liked > 0), beyond * liked, 0.0)
        telling = telling * np.sqrt(_shares(beyond * self.spread + self.usual))
        chosen: list[str] = []
        said: set[str] = set()
        for tag in np.argsort(-telling, kind="stable"):
            name = self.own.names[tag].lower()
            parts = {part[:_STEM] for part in name.split()}
            if len(chosen) == _N_WORDS or telling[tag] <= 0:
                break
            if not parts & said:
                chosen.append(name)
                said |= parts
        return tuple(chosen)


def _log_odds(scores: Vectors) -> FloatArray:
    exact = np.clip(scores.astype(np.float64), _SURE, 1 - _SURE)
    return np.asarray(np.log(exact / (1 - exact)))


def _shares(odds: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1 + np.tanh(odds / 2)))
