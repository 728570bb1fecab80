"""What a taste is made of beside the library: labels, and how to learn from them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from classify.labels.label_file import Label
from classify.learning.examples import sample_unlabelled
from classify.library.song_library import SongLibrary
from classify.taste.taste import Taste

__all__ = ["Recipe", "labels_name"]

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
        pool = library.files().digests if self.pool is None else [*library.vectors.held(self.pool)]
        labelled = {one.digest for one in labels}
        return sample_unlabelled(pool, exclude=labelled, seed=self.seed)

    def signed(self, taste: Taste, labels_name: str, library: SongLibrary) -> Taste:
        """Write into a taste how it was learnt, from which labels, beside how large a library."""
        if self.pool is not None:
            return dataclasses.replace(taste, pool=tuple(self.pool), learnt_from=labels_name)
        n_library = library.files().n_recordings
        return dataclasses.replace(taste, n_library=n_library, learnt_from=labels_name)


def labels_name(labels: Iterable[Label], usable: Iterable[str]) -> str:
    """Return a name of what can be learnt from labels: the same for the same, in any order.

    Parameters
    ----------
    labels : iterable of Label
    usable : iterable of str
        Recordings of which there are vectors; labels of others don't count.

    Returns
    -------
    str
        32 hex digits.

    Examples
    --------
    >>> from classify.labels.label_file import Label
    >>> from classify.labels.recipe import labels_name
    >>> one = Label(label="like", path="/a.mp3", digest="a" * 32)
    >>> labels_name([one], ["a" * 32]) == labels_name([], [])
    False
    """
    held = set(usable)
    lines = sorted(f"{one.label} {one.digest}\n" for one in labels if one.digest in held)
    return hashlib.blake2b("".join(lines).encode(), digest_size=16).hexdigest()
