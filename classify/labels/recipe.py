"""What a taste is made of beside the library: labels, and how to learn from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from classify.learning.sampling import sample_unlabelled
from classify.library.label_file import Label
from classify.library.song_library import SongLibrary
from classify.taste.taste import Taste

__all__ = ["Recipe"]

_MAX_POOL = 10_000
"""Recordings of a pool that are kept: what can be used while fewer than 8,000 are labelled."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to learn: with the labels, the library and the encoder, all that a taste depends on.

    `train` says it, the taste's file keeps it, and `label` and the page keep to it.

    Parameters
    ----------
    head : str
        See `classify.learning.fit.fit_taste`.
    pool : sequence of str, optional
        The recordings that the unlabelled songs are chosen from; default: the whole library, as it
        is whenever the taste is learnt. Of more than 10,000 those that would be chosen first.
    seed : int
        In [0, 2**63).

    Examples
    --------
    >>> from classify.labels.recipe import Recipe
    >>> Recipe(head="kernel", pool=["c", "a", "b"]).pool
    ('a', 'b', 'c')
    """

    head: str = "auto"
    pool: Sequence[str] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pool is not None:
            pool = sample_unlabelled(self.pool, limit=_MAX_POOL, seed=self.seed)
            object.__setattr__(self, "pool", pool)

    @classmethod
    def of(cls, taste: Taste | None) -> Recipe:
        """Return how a taste was learnt; without one, how one is learnt by default."""
        return cls() if taste is None else cls(head=taste.head, pool=taste.pool, seed=taste.seed)

    def unlabelled(self, library: SongLibrary, labels: Iterable[Label]) -> tuple[str, ...]:
        """Choose the unlabelled songs that stand for what is ordinary.

        They depend on which recordings there are and which are labelled, and on nothing that was
        learnt before.

        Raises
        ------
        CacheError
            If the cache can't be read.
        """
        labelled = {one.digest for one in labels}
        if self.pool is None:
            return library.sampled(exclude=labelled, seed=self.seed)
        held = library.vectors.held(self.pool)
        return sample_unlabelled(held, exclude=labelled, seed=self.seed)

    def signed(self, taste: Taste, labels_name: str, library: SongLibrary) -> Taste:
        """Write into a taste how it was learnt, from which labels, beside how large a library."""
        if self.pool is not None:
            return dataclasses.replace(taste, pool=tuple(self.pool), learnt_from=labels_name)
        n_library = library.n_recordings()
        return dataclasses.replace(taste, n_library=n_library, learnt_from=labels_name)
